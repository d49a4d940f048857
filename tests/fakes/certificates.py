"""Certificates for servers of the tests, made with the openssl command: nothing is checked in, nothing expires."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Certificate:
    certificate: Path
    key: Path


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


def _self_signed(directory, name, *extensions):
    made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             f"/CN={name}", *extensions, "-keyout", made.key, "-out", made.certificate)
    return made


def make_authority(directory, name="authority"):
    return _self_signed(directory, name)


def make_server_certificate(directory, authority, name="server", subject_alternative_name="IP:127.0.0.1"):
    """A certificate of the authority for the given name, by default for 127.0.0.1."""
    made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    request, extensions = directory / f"{name}.csr", directory / f"{name}.ext"
    extensions.write_text(f"subjectAltName={subject_alternative_name}\n")
    _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
             "-keyout", made.key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial",
             "-days", "2", "-extfile", extensions, "-out", made.certificate)
    return made
