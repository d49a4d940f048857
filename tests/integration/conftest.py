"""Fixtures of the integration tests: servers and daemons that end with their test, whatever happens in it."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "fakes")]

import certificates  # noqa: E402
import grantd  # noqa: E402
import local_http  # noqa: E402
from api_server import ApiServer  # noqa: E402
from authorization_server import AuthorizationServer  # noqa: E402
from real_authorization_server import RealAuthorizationServer  # noqa: E402
from redis_server import RedisServer  # noqa: E402
from shared_cache import Sharing  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root, because it takes on other users or other namespaces")
    config.addinivalue_line("markers", "install: about an installation rather than a running daemon")
    config.addinivalue_line("markers", "package: about the Debian packages in build/package")
    config.addinivalue_line("markers", "bench: about tools/bench; takes both CPUs and a minute")
    config.addinivalue_line("markers", "stampede: many callers at once; also run under ThreadSanitizer")
    config.addinivalue_line("markers", "shared_cache: about the cache that machines share; also run with Valkey")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name.startswith("test_shared_cache"):
            item.add_marker("shared_cache")
        if item.get_closest_marker("root") and not local_http.has_root():
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def directory():
    made = grantd.Directory()
    yield made.path
    made.remove()


@pytest.fixture
def authorization_server():
    server = AuthorizationServer()
    yield server
    server.close()


@pytest.fixture
def api_server():
    server = ApiServer()
    yield server
    server.close()


@pytest.fixture
def make_daemon():
    """Makes daemons, each in a directory of its own; all are ended and judged after the test."""
    daemons, directories = [], []

    def make(configuration, **options):
        directories.append(grantd.Directory())
        daemons.append(grantd.Daemon(directories[-1].path, configuration, **options))
        return daemons[-1]

    yield make
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda daemon: daemon.finish(), daemons))
    finally:
        for directory in directories:
            directory.remove()


@pytest.fixture
def start_daemon(make_daemon):
    return lambda configuration, **options: make_daemon(configuration, **options).start()


@pytest.fixture(scope="session")
def certificate_authority(tmp_path_factory):
    return certificates.make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_certificate(tmp_path_factory, certificate_authority):
    return certificates.make_server_certificate(tmp_path_factory.mktemp("server"), certificate_authority)


def real_client(client_id, method="client_secret_basic", suffix="", **metadata):
    return {"client_id": client_id, "client_secret": grantd.new_secret(suffix),
            "token_endpoint_auth_method": method, "scope": "catalog catalog.read catalog.write invoices"} | metadata


@pytest.fixture(scope="session")
def real_server():
    """oidc-provider with the clients of all tests that want a correct server."""
    clients = [
        real_client("catalog"),
        real_client("post", method="client_secret_post", suffix=" %+&=/:?\"'~"),
        real_client("odd client: 100%+&", suffix=" %+&=/:?\"'~"),
        real_client("plain"),
        real_client("short", ttl=4),
        real_client("metered"),
        real_client("rotating"),
    ]
    resources = {"urn:api:catalog": {"scope": "catalog"}, "urn:api:jwt": {"scope": "catalog", "format": "jwt"},
                 "https://invoices.example/api": {"scope": "invoices"}}
    server = RealAuthorizationServer(clients, resources)
    yield server
    server.close()


@pytest.fixture
def in_parallel():
    """Runs a function for each item in threads of their own and returns the results in order."""

    def run(function, items, threads=64):
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(function, items))

    return run


@pytest.fixture
def gate():
    """An Event that is opened at the test's end at the latest, so that nothing waits for it for ever."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(scope="module")
def shared_redis():
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def redis(shared_redis):
    """A real one, empty."""
    shared_redis("FLUSHALL")
    return shared_redis


@pytest.fixture
def sharing(directory, redis, authorization_server):
    """What daemons that share a Redis have in common."""
    return Sharing(directory, redis.url, authorization_server)
