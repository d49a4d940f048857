"""Secrets that systemd hands to the service as credentials, from files that only root can read."""

import pytest

from grantd import client, known_secrets, new_secret

credential_file = "/etc/credstore/catalog"
encrypted_file = "/etc/credstore.encrypted/catalog"


@pytest.fixture
def secret():
    return new_secret()


@pytest.fixture
def configured(service, authorization_server):
    definition = client(authorization_server, client_secret_credential="catalog")
    del definition["client_secret"]
    service.configure(clients={"a": definition})
    yield
    for name in (credential_file, encrypted_file):
        service.machine.path(name).unlink(missing_ok=True)


def used(machine, server):
    """The secret with which a token was requested."""
    assert machine.ask_token("a", user="alice").status == 200
    return server.basic_credentials().split(":")[1]


def test_a_credential_is_the_secret(service, machine, authorization_server, configured, secret):
    machine.write(credential_file, secret + "\n", mode=0o600)
    service.drop_in(f"LoadCredential=catalog:{credential_file}")
    assert used(machine, authorization_server) == secret
    assert service.run_inside(f"cat {credential_file}").returncode != 0
    machine.write(credential_file, "another", mode=0o600)
    service.systemctl("restart")
    machine.ask("/v1/tokens/a", method="DELETE", user="alice")
    assert used(machine, authorization_server) == "another"


def test_an_encrypted_credential_is_the_secret(service, machine, authorization_server, configured, secret):
    machine.run("mkdir", "--parents", "--mode=700", "/etc/credstore.encrypted")
    made = machine.run("systemd-creds", "encrypt", "--with-key=host", "--name=catalog", "-", encrypted_file, text=secret,
                       check=False)
    if made.returncode != 0:
        pytest.skip(f"systemd-creds encrypts nothing here: {made.stderr.strip()}")
    assert secret not in machine.path(encrypted_file).read_text()
    service.drop_in(f"LoadCredentialEncrypted=catalog:{encrypted_file}")
    assert used(machine, authorization_server) == secret


def test_a_credential_that_was_not_given_is_named_and_fails_that_client_alone(service, machine, authorization_server):
    missing = client(authorization_server, client_secret_credential="catalog")
    del missing["client_secret"]
    service.configure(clients={"a": missing, "b": client(authorization_server)})
    answer = machine.ask_token("a", user="alice")
    assert answer.status == 503 and answer.code == "client_unavailable" and "LoadCredential" in answer.json()["detail"]
    assert machine.ask_token("b", user="alice").status == 200


def test_no_secret_and_no_token_is_in_the_journal_or_on_a_file_system(service, machine, authorization_server, configured,
                                                                     secret):
    machine.write(credential_file, secret, mode=0o600)
    service.drop_in(f"LoadCredential=catalog:{credential_file}")
    token = machine.ask_token("a", user="alice").json()["access_token"]
    service.systemctl("restart")
    machine.ask_token("a", user="alice")
    assert secret in known_secrets
    journal = machine.run("journalctl", "--no-pager", "--all", shown=False).stdout
    assert token not in journal and secret not in journal
    # Where the secret is for root, and where systemd keeps it for the service: memory that is never swapped.
    allowed = {credential_file, "/run/credentials/grantd.service/catalog"}
    found = machine.run("grep", "--recursive", "--files-with-matches", "--fixed-strings", "--devices=skip", "--no-messages",
                        f"--regexp={token}", f"--regexp={secret}", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp",
                        "/var", "/dev/shm", check=False).stdout
    assert set(found.split()) <= allowed
