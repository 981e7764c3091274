"""Invented authorities and signers: keys and certificates made for one test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

NOW = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
KINDS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "weak": lambda: rsa.generate_private_key(65537, 1024),
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "koblitz": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


class Holder(NamedTuple):
    """A key and its certificate."""

    key: object
    certificate: x509.Certificate


def make(
    name: str,
    kind: str = "ec",
    *,
    key: object | None = None,
    issuer: Holder | None = None,
    authority: bool = False,
    begin: datetime = NOW - timedelta(days=30),
    end: datetime = NOW + timedelta(days=30),
    signs: bool = True,
    extensions: bool = True,
) -> Holder:
    key = key or KINDS[kind]()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if extensions:
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        builder = builder.add_extension(usage(signs, authority), critical=True)
    signing = issuer.key if issuer else key
    return Holder(key, builder.sign(signing, None if kind == "ed25519" and not issuer else hashes.SHA256()))


def usage(signs: bool, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def write_key(holder: Holder, path, password: str | None = None, mode: int = 0o600):
    kept = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    path.write_bytes(holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept))
    path.chmod(mode)
    return path


def write_certificates(path, *holders: Holder):
    path.write_bytes(b"".join(one.certificate.public_bytes(Encoding.PEM) for one in holders))
    return path
