"""Certificates and keys of signatures: reading them, and whether one leads to a pinned one.

Trust comes from what was pinned for a source alone, never from the machine's store of authorities:
a certificate for a web site says nothing about who may warn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import verification
from cryptography.x509.verification import Criticality, ExtensionPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

SigningKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_RSA_BITS = range(2048, 8193)
"""Shorter ones can be broken, longer ones cost a verifier seconds."""
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_LARGEST = 256 * 1024
_READ_BY_OTHERS = 0o077


class KeyRefused(ValueError):
    """A key or certificate file cannot be used; the text is one sentence for people, with the way out."""


def load_certificates(paths: Iterable[Path]) -> list[x509.Certificate]:
    """Return the certificates of PEM files, in their order.

    Raises:
        KeyRefused: a file cannot be read or has no certificate.
    """
    found: list[x509.Certificate] = []
    for path in paths:
        try:
            found += x509.load_pem_x509_certificates(_read(path))
        except ValueError as error:
            if isinstance(error, KeyRefused):
                raise
            raise KeyRefused(
                f"{path} has no certificate in PEM form; convert it: openssl x509 -in FILE -out FILE.pem"
            ) from None
    return found


def load_key(path: Path, password: str | None = None) -> SigningKey:
    """Return the private key of a PEM file.

    Args:
        path: readable for its owner alone.
        password: of an encrypted key.

    Raises:
        KeyRefused: the file cannot be read or is open to others, the password is wrong or missing, or the
            key is neither RSA of 2048 to 8192 bits nor on P-256, P-384 or P-521.
    """
    data = _read(path)
    if path.stat().st_mode & _READ_BY_OTHERS:
        raise KeyRefused(f"{path} can be read by others: chmod 600 {path}")
    try:
        key = load_pem_private_key(data, password.encode() if password else None)
    except TypeError:
        wrong = "has no password, but one is set" if password else "is encrypted: set its password"
        raise KeyRefused(f"the key {path} {wrong}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused(f"{path} has no private key in PEM form, or the password is wrong") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or not is_strong(key.public_key()):
        raise KeyRefused(f"the key {path} must be RSA of 2048 to 8192 bits or on P-256, P-384 or P-521")
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise KeyRefused(f"{path} cannot be read: {error.strerror}") from None


def is_strong(key: object) -> bool:
    """Whether a public key is of a kind and length that is relied on."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in _RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES


def name_of(certificate: x509.Certificate) -> str:
    """Return the subject as one line, without control characters."""
    try:
        text = certificate.subject.rfc4514_string()
    except ValueError:
        return "(unreadable name)"
    return "".join(one if one.isprintable() else "?" for one in text)[:200]


def distrust(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    now: datetime,
) -> str:
    """Return why a certificate is not trusted; empty where it is.

    It is trusted if it is pinned itself, or if a chain leads from it to a pinned authority, with every
    certificate in its time, and if it may sign. Revocation is not looked up: take a pin away instead.

    Args:
        signer: the certificate that the signature was made with.
        others: those that came with it, to build a chain of.
        trusted: those pinned for the source: signers, authorities, or both.
        now: the moment in question, aware.
    """
    who = name_of(signer)
    if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
        begin, end = signer.not_valid_before_utc, signer.not_valid_after_utc
        return f"the certificate {who} holds from {begin:%Y-%m-%d} to {end:%Y-%m-%d} only"
    if not _may_sign(signer):
        return f"the certificate {who} is not for signatures"
    if signer in trusted:
        return ""
    return _distrust_chain(signer, others, trusted, now)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except (ValueError, x509.UnsupportedGeneralNameType):
        return False
    return usage.digital_signature or usage.content_commitment


def _distrust_chain(
    signer: x509.Certificate,
    others: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    now: datetime,
) -> str:
    refusal = f"no chain leads from the certificate {name_of(signer)} to one that is pinned"
    authorities = [one for one in trusted if _is_authority(one)]
    if not authorities:
        return refusal
    policy = verification.PolicyBuilder().store(verification.Store(authorities)).time(now)
    policy = policy.extension_policies(ee_policy=ExtensionPolicy.permit_all(), ca_policy=_authority_policy())
    try:
        policy.build_client_verifier().verify(signer, list(others))
    except (verification.VerificationError, ValueError):
        return refusal
    return ""


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError, x509.UnsupportedGeneralNameType):
        return False


def _authority_policy() -> ExtensionPolicy:
    """What an authority must have: not all that web browsers ask for, which warning authorities lack."""
    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _check_authority)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _check_usage)
    )


def _check_authority(_: object, __: x509.Certificate, extension: x509.BasicConstraints) -> None:
    if not extension.ca:
        raise ValueError("no authority")


def _check_usage(_: object, __: x509.Certificate, extension: x509.KeyUsage | None) -> None:
    if extension is not None and not extension.key_cert_sign:
        raise ValueError("may not issue")
