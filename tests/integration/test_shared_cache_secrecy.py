"""What stands in Redis, or goes there, tells nobody anything; and who differs in anything that makes a token what it is shares
nothing."""

import base64
import itertools
import urllib.parse

import pytest

import certificates
from authorization_server import AuthorizationServer, token
from grantd import client, new_secret, until
from redis_relay import RedisRelay
from redis_server import RedisServer
from shared_cache import Sharing, entry_names, new_key

scope = "orders.read.everywhere"
parameter = "tenant-of-the-parameter"
audience = "audience-of-the-token"
resource = "https://resource.example/of/the/token"
header = "header-of-the-request"


@pytest.fixture
def redis():
    server = RedisServer(rdbcompression="no")
    yield server
    server.close()


def disguises(text):
    """What somebody might see: the text, in hexadecimal, in base64 at any place, form-encoded."""
    data = text.encode()
    yield data
    yield data.hex().encode()
    yield data.hex().upper().encode()
    yield urllib.parse.quote_plus(text).encode()
    for padding in range(3):  # all but what shares a group with its neighbours
        encoded = base64.b64encode(bytes(padding) + data)[4 if padding else 0:][:len(data) // 3 * 4 - 4]
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))


def test_nothing_in_redis_or_on_the_way_there_tells_what_it_is_about(directory, redis, start_daemon, authorization_server):
    relay = RedisRelay(redis)
    try:
        key = directory / "dpop.pem"
        certificates.make_private_key(key, "ES256")
        plain = client(authorization_server, client_id="identity-of-the-client", scope=scope, audience=audience,
                       resource=resource, parameters={"tenant": parameter}, headers={"X-Tenant": header})
        bound = client(authorization_server, client_id="identity-of-the-bound", dpop=True, dpop_key_file=key)
        sharing = Sharing(directory, relay.url, authorization_server)
        sharing.clients = {"name-of-the-definition": plain, "name-of-the-bound": bound}
        authorization_server.otherwise = token(scope=scope)
        fleet = [start_daemon(sharing.configuration(timeout="5s")) for _ in range(2)]
        tokens, versions = set(), set()

        def take(answer):
            document = answer.json()
            tokens.add(document["access_token"])
            versions.add(document["version"])
            return document["version"]

        for name, kind in (("name-of-the-definition", "Bearer"), ("name-of-the-bound", "DPoP")):
            authorization_server.otherwise = token(scope=scope, token_type=kind)
            version = [take(daemon.get_token(name)) for daemon in fleet][0]
            for daemon in fleet:
                take(daemon.post_token(name, rejected=version))
        assert len(tokens) == 4 and authorization_server.count == 4
        names = entry_names(redis)
        assert len(names) == 2
        redis("SAVE")
        seen = [(redis.directory / "dump.rdb").read_bytes()]
        assert names[0].encode() in seen[0]  # it is not compressed, or nothing would be found in it
        seen += [name.encode() + b" " + redis("DUMP", name) for name in names]
        assert fleet[0].delete_token("name-of-the-definition").status == 204
        seen += [b" ".join(words) for words in relay.commands]
        assert {words[0] for words in relay.commands} >= {b"GETRANGE", b"SET", b"EVAL", b"DEL"}
        cache_key = sharing.key_file.read_text().strip()
        hidden = {*tokens, *versions, plain["client_secret"], bound["client_secret"], "identity-of-the-client",
                  "identity-of-the-bound", "name-of-the-definition", "name-of-the-bound", scope, audience, resource, parameter,
                  header, authorization_server.token_endpoint, cache_key}
        for text in hidden:
            for disguise in disguises(text):
                assert not any(disguise in one for one in seen), text
        assert not any(base64.b64decode(cache_key) in one for one in seen)
    finally:
        relay.close()


def test_the_disguises_would_be_seen():
    for padding in range(3):
        seen = base64.b64encode(bytes(padding) + b"in front: " + scope.encode() + b" and behind")
        assert any(disguise in seen for disguise in disguises(scope)), padding


@pytest.fixture
def variants(directory, authorization_server):
    """Definitions of which each differs from the first in one thing, and the server of the one that has another."""
    other_server = AuthorizationServer()
    made = {}
    for name in ("one", "other", "bound", "bound otherwise"):
        made[name] = directory / name.replace(" ", "-")
        certificates.make_private_key(made[name], "ES256")
    secret = client(authorization_server, client_secret=new_secret(" long enough for HS256"))
    key = {name: value for name, value in secret.items() if name != "client_secret"}
    definitions = {
        "the first": secret,
        "secret": secret | {"client_secret": client(authorization_server)["client_secret"]},
        "client id": secret | {"client_id": "other"},
        "endpoint": secret | {"token_endpoint": authorization_server.origin + "/other/token"},
        "server": secret | {"token_endpoint": other_server.token_endpoint},
        "scope": secret | {"scope": "a"}, "more scope": secret | {"scope": "a b"}, "joined scope": secret | {"scope": "ab"},
        "audience": secret | {"audience": "a"}, "resource": secret | {"resource": "https://a.example/"},
        "resources": secret | {"resource": ["https://a.example/", "https://b.example/"]},
        "parameters": secret | {"parameters": {"a": "b"}}, "parameter": secret | {"parameters": {"a": "bc"}},
        "moved parameter": secret | {"parameters": {"ab": "c"}},
        "more parameters": secret | {"parameters": {"a": "b", "c": "d"}},
        "headers": secret | {"headers": {"X-A": "b"}}, "header": secret | {"headers": {"X-A": "c"}},
        "method": secret | {"token_endpoint_auth_method": "client_secret_post"},
        "assertion by secret": secret | {"token_endpoint_auth_method": "client_secret_jwt"},
        "style": secret | {"authorization_header_style": "rfc2617"},
        "private key": key | {"private_key_file": made["one"]},
        "another private key": key | {"private_key_file": made["other"]},
        "DPoP": secret | {"dpop": True, "dpop_key_file": made["bound"]},
        "another DPoP key": secret | {"dpop": True, "dpop_key_file": made["bound otherwise"]},
    }
    yield definitions
    other_server.close()


def test_definitions_of_which_each_differs_in_one_thing_share_nothing(directory, redis, start_daemon, authorization_server,
                                                                      variants):
    sharing = Sharing(directory, redis.url, authorization_server)
    found = {}
    for name, definition in variants.items():
        sharing.clients = {"a": definition}
        before = set(redis.names())
        daemon = start_daemon(sharing.configuration(timeout="5s"))
        found[name] = daemon.get_token("a").token
        until(lambda: len(set(entry_names(redis)) - before) == 1)
        assert daemon.stop() == 0
    assert len(set(found.values())) == len(variants), found
    # And each finds its own again.
    asked = authorization_server.count
    for name, definition in itertools.islice(variants.items(), 0, None, 4):
        sharing.clients = {"a": definition}
        assert start_daemon(sharing.configuration(timeout="5s")).get_token("a").token == found[name], name
    assert authorization_server.count == asked


def test_what_does_not_make_a_token_another_is_shared_all_the_same(directory, redis, start_daemon, authorization_server):
    sharing = Sharing(directory, redis.url, authorization_server)
    alike = [{"scope": "a b"}, {"scope": "b a"}, {"scope": ["a", "b", "a"]}, {"request_timeout": "5s", "scope": "a b"},
             {"scope": "a b", "allow_overrides": ["scope"], "refresh_before_expiry": "5s", "max_variants": 3}]
    first = sharing.clients["a"]
    tokens = set()
    for difference in alike:
        sharing.clients = {"a": first | difference}
        tokens.add(start_daemon(sharing.configuration(timeout="5s")).get_token("a").token)
        entry_names(redis)
    assert len(tokens) == 1 and authorization_server.count == 1


def test_fleets_of_other_keys_share_nothing_in_the_same_redis(directory, redis, start_daemon, authorization_server):
    sharing = Sharing(directory, redis.url, authorization_server)
    tokens = set()
    for number in range(3):
        sharing.cache["key_file"] = directory / f"keys-{number}"
        sharing.cache["key_file"].write_text(new_key() + "\n")
        tokens.add(start_daemon(sharing.configuration(timeout="5s")).get_token("a").token)
    assert len(tokens) == authorization_server.count == 3
    assert len(entry_names(redis)) == 3
