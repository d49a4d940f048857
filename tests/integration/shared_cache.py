"""Daemons that share a cache: one definition, one set of keys, one Redis."""

import base64
import os

from grantd import client, until


def new_key():
    return base64.b64encode(os.urandom(32)).decode()


class Sharing:
    """What every machine of a fleet has in common. `keys` is a file, one key a line."""

    def __init__(self, directory, url, server, **keys):
        self.key_file = directory / "cache-keys"
        self.write_keys(new_key())
        self.cache = {"shared": url, "key_file": self.key_file}
        self.clients = {"a": client(server, **keys)}

    def write_keys(self, *keys):
        self.key_file.write_text("".join(key + "\n" for key in keys))

    def configuration(self, **cache):
        return {"clients": self.clients, "cache": self.cache | cache}


def entry_names(redis):
    """The names of all entries, once nobody holds a lease any more: an answer does not wait for the write."""
    return until(lambda: (names := redis.names()) and not any(name.endswith(":lease") for name in names) and names)


def state_of(daemon):
    """State and last error of the shared cache."""
    shared = daemon.get("/v1/clients").json()["shared_cache"]
    return shared["state"], shared["last_error"]


def is_up(daemon):
    return state_of(daemon)[0] == "up"
