"""A wrong configuration stops the start with 78 and says where and what was expected, but never what the secret is."""

import os
import re

import pytest

from grantd import check, client, control_program, grantctl, new_secret, tables, until
from problems import assert_problem

valid = """\
[clients.a]
token_endpoint = "https://as.example/token"
client_id = "a"
client_secret_file = "{directory}/secret"
"""


@pytest.fixture
def write(directory):
    """Writes a configuration file, and a secret for it to name."""
    (directory / "secret").write_text("cs-file\n")
    (directory / "secret").chmod(0o600)

    def write_file(text, name="grantd.toml"):
        file = directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("{directory}", str(directory)))
        file.chmod(0o600)
        return file

    return write_file


def test_a_valid_configuration_passes_the_check(write):
    assert check(write(valid)).returncode == 0


def test_a_missing_file_is_a_configuration_error(directory):
    result = check(directory / "absent.toml")
    assert result.returncode == 78
    assert "absent.toml" in result.stderr


def other_client(name="b", **keys):
    """A second client definition; a key that is None is left out."""
    defaults = {"token_endpoint": "https://as.example/t", "client_id": "b", "client_secret": "x"}
    return tables({"clients": {name: {key: value for key, value in (defaults | keys).items() if value is not None}}})


def some_api(name="x", **keys):
    defaults = {"client": "a", "base_url": "https://x.example"}
    return tables({"apis": {name: {key: value for key, value in (defaults | keys).items() if value is not None}}})


# what is appended to the valid text, the key that the error must name, and a word of what was expected
wrong = {
    "unknown key": ("[daemon]\nsockett = '/x'", "sockett", "socket"),
    "unknown table": ("[deamon]", "deamon", "daemon"),
    "misspelt client key": ("scoope = 'x'", "scoope", "scope"),
    "wrong type": ("scope = 5", "scope", ""),
    "wrong type of boolean": ("prefetch = 'yes'", "prefetch", ""),
    "duration without a unit": ("request_timeout = '10'", "request_timeout", ""),
    "duration as a number": ("request_timeout = 10", "request_timeout", ""),
    "duration of two units": ("request_timeout = '1m30s'", "request_timeout", ""),
    "zero duration": ("request_timeout = '0s'", "request_timeout", ""),
    "negative duration": ("request_timeout = '-1s'", "request_timeout", ""),
    "duration over a day": ("request_timeout = '25h'", "request_timeout", "24h"),
    "size of no unit known": (some_api(max_replay_body="1 cow"), "max_replay_body", ""),
    "plain http": (other_client(token_endpoint="http://127.0.0.1/t"), "token_endpoint", "allow_insecure_http"),
    "endpoint with a user": (other_client(token_endpoint="https://u:p@as.example/t"), "token_endpoint", ""),
    "endpoint with a fragment": (other_client(token_endpoint="https://as.example/t#f"), "token_endpoint", ""),
    "endpoint that is no url": (other_client(token_endpoint="as.example"), "token_endpoint", ""),
    "no endpoint": (other_client(token_endpoint=None), "token_endpoint", ""),
    "no client id": (other_client(client_id=None), "client_id", ""),
    "no secret": (other_client(client_secret=None), "client_secret", ""),
    "two secrets": ("client_secret = 'x'", "client_secret", ""),
    "empty secret": (other_client(client_secret=""), "client_secret", ""),
    "unknown auth method": ("token_endpoint_auth_method = 'basic'", "token_endpoint_auth_method",
                            "client_secret_basic"),
    "unknown header style": ("authorization_header_style = 'rfc1'", "authorization_header_style", "rfc6749"),
    "scope with a quote": ("scope = 'a\"b'", "scope", ""),
    "relative resource": ("resource = 'catalog'", "resource", ""),
    "resource with a fragment": ("resource = 'https://x.example/#a'", "resource", ""),
    "reserved parameter": ("parameters = {grant_type = 'x'}", "parameters", ""),
    "reserved parameter by prefix": ("parameters = {client_assertion = 'x'}", "parameters", ""),
    "framing header": ("headers = {Content-Length = '1'}", "headers", ""),
    "header with a line break": ('headers = {X-A = "1\\r\\nX-B: 2"}', "headers", ""),
    "authorization header": ("headers = {authorization = 'x'}", "headers", ""),
    "unknown override": ("allow_overrides = ['scopes']", "allow_overrides", "scope"),
    "issuer and endpoint": ("issuer = 'https://as.example'", "issuer", "not both"),
    "issuer with a query": (other_client(token_endpoint=None, issuer="https://as.example/?x"), "issuer", "query"),
    "hosts without an issuer": ("allow_endpoint_hosts = ['x.example']", "allow_endpoint_hosts", "issuer"),
    "secret and private key": ("private_key_file = '/x'", "token_endpoint_auth_method", "required"),
    "key of no method": ("token_endpoint_auth_method = 'private_key_jwt'", "private_key_file", "private_key_jwt"),
    "certificate without its key": ("tls_cert_file = '/x'", "tls_cert_file", "tls_key_file"),
    "algorithm of no method": ("signing_alg = 'RS256'", "signing_alg", "assertion"),
    "dpop with an hmac": ("dpop = true\ndpop_alg = 'HS256'", "dpop_alg", "HMAC"),
    "proxy over https": ("http_proxy = 'https://127.0.0.1:3128'", "http_proxy", "http://host:port"),
    "negative number": ("max_variants = -1", "max_variants", ""),
    "client name with a slash": (other_client("a/b"), "a/b", ""),
    "client name of dots": (other_client(".."), "..", ""),
    "api of no client": (some_api(client=None), "client", ""),
    "api of an unknown client": (some_api(client="aa"), "client", "a"),
    "api without address": (some_api(base_url=None), "base_url", ""),
    "api address with a query": (some_api(base_url="https://x.example/?a=b"), "base_url", ""),
    "api over plain http": (some_api(base_url="http://x.example"), "base_url", "allow_insecure_http"),
    "api called localhost": (some_api("localhost"), "localhost", ""),
    "api called grantd": (some_api("Grantd"), "Grantd", ""),
    "apis that differ in case": (some_api("x") + some_api("X"), "apis", "case"),
    "api host header": (some_api(headers={"Host": "x"}), "headers", ""),
    "log level": ("[daemon]\nlog_level='loud'", "log_level", "warning"),
    "socket mode": ("[daemon]\nsocket_mode='9999'", "socket_mode", ""),
    "relative socket": ("[daemon]\nsocket='grantd.sock'", "socket", ""),
    "metrics without a port": ("[daemon]\nmetrics_listen='127.0.0.1'", "metrics_listen", ""),
    "no connections": ("[daemon]\nmax_connections=0", "max_connections", ""),
    "timing out of range in defaults": ("[defaults]\nrequest_timeout='0ms'", "request_timeout", ""),
    "no timing in defaults": ("[defaults]\nscope='x'", "scope", ""),
    "key twice": ("client_id = 'b'", "", ""),
    "table twice": ("[clients.a]\nscope='x'", "", ""),
    "broken text": ("scope = [", "", ""),
    "shared cache without a port": ("[cache]\nshared='redis://127.0.0.1'\nkey_file='/k'", "cache.shared", "redis://"),
    "shared cache without keys": ("[cache]\nshared='redis://127.0.0.1:6379'", "cache.key_file", "required"),
}


@pytest.mark.parametrize("case", wrong)
def test_an_error_names_file_line_column_key_and_expectation(write, case):
    text, key, expectation = wrong[case]
    file = write(valid + text + "\n")
    result = check(file)
    assert result.returncode == 78, result
    place = re.compile(rf"{re.escape(str(file))}:(\d+):(\d+): ")
    located = [line for line in result.stderr.splitlines() if place.search(line)]
    assert located, result.stderr
    assert any(key in line and expectation in line for line in located), result.stderr
    assert all(1 <= int(place.search(line)[1]) <= len(file.read_text().splitlines()) + 1 for line in located)


def test_an_error_points_at_the_very_place(write):
    result = check(write(valid + '\nscoope = "x"\n'))
    assert re.search(r"grantd\.toml:6:1: ", result.stderr), result.stderr


def test_all_errors_of_a_run_are_reported_together(write):
    file = write(valid + "scoope = 'x'\nprefetch = 1\n[apis.x]\nclient = 'b'\n")
    other = write("[clients.c]\ntoken_endpoint = 'ftp://x'\n", "conf.d/10.toml")
    result = check(file)
    assert result.returncode == 78
    for place in (f"{file}:5:", f"{file}:6:", f"{file}:8:", f"{other}:2:"):
        assert place in result.stderr, result.stderr


def test_no_message_quotes_what_may_be_secret(write):
    secrets = {name: new_secret() for name in "abcdefg"}
    file = write(f"""\
[clients.a]
token_endpoint = "https://as.example/token"
client_id = "a"
client_secret = ["{secrets['a']}"]
client_secrt = "{secrets['b']}"
parameters = {{grant_type = "{secrets['c']}"}}
headers = {{Authorization = "{secrets['d']}", X-A = 5}}
[clients.b]
parameters = "{secrets['e']}"
headers = ["{secrets['f']}"]
""")
    write(f'client_secret = "{secrets["g"]}\n', "conf.d/broken.toml")
    result = check(file)
    assert result.returncode == 78
    for secret in secrets.values():
        assert secret not in result.stderr + result.stdout


def test_a_name_defined_in_two_files_is_an_error(write):
    file = write(valid)
    other = write(valid, "conf.d/again.toml")
    result = check(file)
    assert result.returncode == 78
    assert str(other) in result.stderr


def test_only_toml_files_of_the_drop_in_directory_count(write):
    file = write(valid)
    write("nonsense", "conf.d/readme.txt")
    assert check(file).returncode == 0


def test_an_inline_secret_in_a_file_that_others_may_read_is_an_error(write):
    file = write(valid.replace("client_secret_file = ", "client_secret = "))
    file.chmod(0o644)
    result = check(file)
    assert result.returncode == 78
    assert "client_secret" in result.stderr
    file.chmod(0o600)
    assert check(file).returncode == 0


@pytest.mark.parametrize("text, mention", [
    ("client_secret_file = '/absent/secret'", "/absent/secret"),
    ("client_secret_env = 'GRANTD_TEST_UNSET'", "GRANTD_TEST_UNSET"),
    ("client_secret_file = '{directory}/empty'", "empty"),
    ("client_secret_file = '{directory}/secret'\nallow_users = ['no-such-user-here']", "no-such-user-here"),
    ("client_secret_file = '{directory}/secret'\nallow_groups = ['no-such-group-here']", "no-such-group-here"),
    ("client_secret_file = '{directory}/secret'\ntls_ca_file = '/absent/ca.pem'", "/absent/ca.pem"),
], ids=["secret file", "variable", "empty secret", "user", "group", "authority"])
def test_what_is_wrong_with_the_machine_fails_the_check_alone(write, directory, text, mention):
    write("", "empty")
    file = write("[clients.a]\ntoken_endpoint='https://as.example/t'\nclient_id='a'\n" + text)
    result = check(file)
    assert result.returncode == 78
    assert mention in result.stderr
    result = check(file, option="--check-text")
    assert (result.returncode, result.stderr) == (0, "")


def test_what_is_wrong_with_the_text_fails_the_check_of_it_with_the_same_errors(write):
    file = write(valid + "scoope = 'x'\n")
    whole, of_text = check(file), check(file, option="--check-text")
    assert of_text.returncode == 78 and "scoope" in of_text.stderr
    assert of_text.stderr == whole.stderr


def test_grantctl_check_says_the_same_as_the_daemon(write):
    good = write(valid)
    assert grantctl("check", good).returncode == 0
    bad = write(valid + "scoope = 'x'\n")
    mine, daemons = grantctl("check", bad), check(bad)
    assert mine.returncode == daemons.returncode == 78
    assert [line for line in mine.stderr.splitlines() if ".toml:" in line] == \
           [line for line in daemons.stderr.splitlines() if ".toml:" in line]
    assert os.access(control_program, os.X_OK)


def test_a_daemon_does_not_start_on_an_error(make_daemon):
    daemon = make_daemon("[daemon]\nsockett = '/x'\n")
    daemon.expected_status = 78
    daemon.launch()
    assert daemon.process.wait(20) == 78
    assert "sockett" in daemon.log()
    assert not daemon.socket.exists()


def test_a_running_daemon_goes_on_without_the_secret_of_one_client(start_daemon, authorization_server, directory):
    broken = client(authorization_server, client_secret_file=directory / "secret")
    del broken["client_secret"]
    daemon = start_daemon({"clients": {"broken": broken, "whole": client(authorization_server)}})
    until(lambda: "<4>" in daemon.log())
    assert_problem(daemon.get_token("broken"), "client_unavailable", client="broken")
    assert daemon.get_token("whole").status == 200
    assert authorization_server.count == 1
    (directory / "secret").write_text(new_secret())  # and tries again at the next use
    assert until(lambda: daemon.get_token("broken").status == 200)


def test_an_unknown_user_matches_nobody(start_daemon, authorization_server):
    definition = client(authorization_server, allow_users=["no-such-user-here"])
    daemon = start_daemon({"clients": {"a": definition}})
    until(lambda: "no-such-user-here" in daemon.log())
    assert_problem(daemon.get_token("a"), "access_denied")


def test_the_conf_d_directory_beside_the_file_is_read(make_daemon, authorization_server):
    daemon = make_daemon({"clients": {"first": client(authorization_server)}})
    drop_in = daemon.directory / "conf.d"
    drop_in.mkdir()
    (drop_in / "50.toml").touch(mode=0o600)
    (drop_in / "50.toml").write_text(tables({"clients": {"second": client(authorization_server)}}))
    daemon.start()
    assert set(daemon.clients()) == {"first", "second"}


def test_timing_defaults_hold_for_every_client_that_says_nothing_itself(start_daemon, authorization_server):
    daemon = start_daemon({
        "defaults": {"refresh_before_expiry": "100s"},
        "clients": {"a": client(authorization_server),
                    "b": client(authorization_server, refresh_before_expiry="200s")},
    })
    for name in "ab":
        daemon.get_token(name)
    listed = daemon.clients()
    assert 3480 <= listed["a"]["renews_in"] <= 3515
    assert 3380 <= listed["b"]["renews_in"] <= 3425
