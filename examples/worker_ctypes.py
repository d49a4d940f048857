#!/usr/bin/env python3
"""Uses libgrantd from Python through its C interface, with nothing but the standard library: gets a token, calls an API with it,
and asks for another one when the API answers 401.

    CATALOG_URL=https://catalog.example.com/v1/products ./worker_ctypes.py
"""

import ctypes
import os
import sys
import urllib.error
import urllib.request

library = ctypes.CDLL(os.environ.get("LIBGRANTD", "libgrantd.so.1"))


class Pair(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p)]


class TokenRequest(ctypes.Structure):
    """grantd_token_request of <grantd/grantd.h>; what is left out is zero."""

    _fields_ = [("size", ctypes.c_size_t), ("force_renewal", ctypes.c_int), ("scope", ctypes.c_char_p),
                ("resource", ctypes.POINTER(ctypes.c_char_p)), ("resource_count", ctypes.c_size_t),
                ("audience", ctypes.c_char_p), ("parameters", ctypes.POINTER(Pair)), ("parameter_count", ctypes.c_size_t),
                ("assertion", ctypes.c_char_p), ("has_min_valid", ctypes.c_int), ("min_valid", ctypes.c_int64),
                ("rejected", ctypes.c_char_p)]

    def __init__(self, **wishes):
        super().__init__(size=ctypes.sizeof(TokenRequest), **wishes)


handle, out = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
for name, result, *arguments in (
        ("client_new", ctypes.c_int, handle, out, out),
        ("client_free", None, handle),
        ("get_access_token", ctypes.c_int, handle, ctypes.c_char_p, ctypes.POINTER(TokenRequest), out, out),
        ("token_authorization", ctypes.c_char_p, handle, ctypes.POINTER(ctypes.c_size_t)),
        ("token_version", ctypes.c_char_p, handle, ctypes.POINTER(ctypes.c_size_t)),
        ("token_free", None, handle),
        ("error_code", ctypes.c_char_p, handle),
        ("error_message", ctypes.c_char_p, handle),
        ("error_free", None, handle)):
    function = getattr(library, f"grantd_{name}")
    function.restype, function.argtypes = result, arguments


class GrantdError(Exception):
    def __init__(self, error):
        super().__init__(library.grantd_error_message(error).decode())
        self.code = library.grantd_error_code(error).decode()
        library.grantd_error_free(error)


class Client:
    """The way to the daemon; usable from many threads."""

    def __init__(self):
        self._client = self._call(library.grantd_client_new, None)

    def close(self):
        library.grantd_client_free(self._client)
        self._client = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def get_access_token(self, name, **wishes):
        """(value of the Authorization header, version of the token)"""
        request = ctypes.byref(TokenRequest(**wishes)) if wishes else None
        token = self._call(library.grantd_get_access_token, self._client, name.encode(), request)
        try:
            return (library.grantd_token_authorization(token, None).decode(),
                    library.grantd_token_version(token, None))
        finally:
            library.grantd_token_free(token)

    @staticmethod
    def _call(function, *arguments):
        made, error = ctypes.c_void_p(), ctypes.c_void_p()
        if function(*arguments, ctypes.byref(made), ctypes.byref(error)) != 0:
            raise GrantdError(error)
        return made


def get(url, authorization):
    """Status and body, whatever the status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": authorization})) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def main():
    url = os.environ.get("CATALOG_URL")
    if not url:
        print("set CATALOG_URL to the address of the catalog API", file=sys.stderr)
        return 64
    try:
        with Client() as client:
            authorization, version = client.get_access_token("catalog.client")
            status, body = get(url, authorization)
            if status == 401:  # with a token that somebody has renewed already, or else a new one
                authorization, renewed = client.get_access_token("catalog.client", rejected=version)
                if renewed != version:
                    status, body = get(url, authorization)
    except GrantdError as error:
        print(f"worker: {error.code}: {error}", file=sys.stderr)
        return 1
    print(f"worker: {status} {body}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
