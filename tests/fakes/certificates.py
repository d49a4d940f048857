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


def make_client_certificate(directory, name):
    """A certificate that nobody but itself vouches for."""
    return _self_signed(directory, name)


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


_curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def make_private_key(path, algorithm):
    """A private key for a signature algorithm of RFC 7518 or 8037, as PKCS#8; returns its public key in PEM."""
    if algorithm == "EdDSA":
        options = ["-algorithm", "ed25519"]
    elif algorithm in _curves:
        options = ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{_curves[algorithm]}"]
    else:
        options = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    _openssl("genpkey", *options, "-out", path)
    return public_key(path)


def public_key(path):
    return subprocess.run(["openssl", "pkey", "-in", str(path), "-pubout"], check=True, capture_output=True, timeout=30,
                          text=True).stdout
