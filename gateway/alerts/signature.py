"""XML signatures of CAP messages (CAP 1.2, 3.3.4; W3C XML-DSig 1.1): verifying and making them. Pure.

Verified is one shape only: a ``Signature`` that is a child of ``alert`` and covers the whole of it, with
one reference, the transform ``enveloped-signature`` and at most one canonicalisation, strong algorithms,
and a key whose certificate was pinned for the source. What the message says of its own key (``KeyInfo``)
helps to find the certificate and proves nothing. What was signed is read once more by our own parser and
must say the same as the message, so that a signature never vouches for what it does not cover.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidDigest, InvalidSignature
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from gateway.alerts.certificates import (
    KeyRefused,
    SigningKey,
    distrust,
    is_strong,
    load_certificates,
    load_key,
    name_of,
)
from gateway.alerts.findings import Refused
from gateway.alerts.parse import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from gateway.alerts.model import Alert

__all__ = [
    "KeyRefused",
    "One",
    "SigningKey",
    "State",
    "Verdict",
    "load_certificates",
    "load_key",
    "sign",
    "verify",
]

State: TypeAlias = Literal["valid-trusted", "valid-untrusted", "invalid", "absent", "unverifiable"]
"""``valid-untrusted``: intact, but by a key that is not pinned; anybody can make that.
``unverifiable``: of a kind that is not relied on here, or by a key that is not known."""

MOST_SIGNATURES = 3
MOST_CERTIFICATES = 4
"""In one signature; further ones are not looked at."""

_DS = "http://www.w3.org/2000/09/xmldsig#"
_D = f"{{{_DS}}}"
_ENVELOPED = SignatureConstructionMethod.enveloped.value
_CANONICAL = frozenset(one.value for one in CanonicalizationMethod)
_SIZES = ("SHA256", "SHA384", "SHA512")
_DIGESTS = frozenset(DigestAlgorithm[size] for size in _SIZES)
_METHODS = frozenset(
    SignatureMethod[name] for size in _SIZES for name in (f"RSA_{size}", f"ECDSA_{size}", f"{size}_RSA_MGF1")
)
_ID = re.compile(r"(?:\{[^}]*\})?id", re.IGNORECASE)
_LONGEST_CERTIFICATE = 20_000


@dataclass(frozen=True, slots=True)
class One:
    """What one signature of a message is worth.

    Attributes:
        state: Never ``absent``.
        sentence: Why, for people.
        signer: Subject of the certificate that it was made with; empty where it is not known.
        fingerprint: SHA-256 of that certificate, hexadecimal; likewise.
    """

    state: State
    sentence: str
    signer: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the signatures of a message are worth together: one that is invalid spoils all."""

    state: State
    signatures: tuple[One, ...] = ()


class _Unusable(Exception):
    """A signature is of no use, and why."""

    def __init__(self, state: State, sentence: str) -> None:
        super().__init__(sentence)
        self.one = One(state, sentence)


def verify(data: bytes, trusted: Sequence[x509.Certificate], now: datetime) -> Verdict:
    """Look at the signatures of a message, up to one that is invalid; never raises for what is in it.

    A message of usual size takes a few milliseconds; a hostile one of the largest size up to a second, so
    that a server calls this in a thread.

    Args:
        data: the bytes as they were received, never as written again by us or anybody.
        trusted: the certificates pinned for the source: of signers, of authorities, or both.
        now: the moment at which certificates must hold, aware.
    """
    try:
        alert = parse(data).alert
    except Refused as refused:
        return Verdict("unverifiable", (One("unverifiable", f"the message is refused: {refused.message}"),))
    try:
        root = _tree(data)
    except etree.XMLSyntaxError:
        return _unreadable(alert)
    ones = tuple(_each(root, alert, trusted, now))
    return Verdict(_together(ones), ones)


def _unreadable(alert: Alert) -> Verdict:
    if not alert.signatures:
        return Verdict("absent")
    return Verdict("unverifiable", (One("unverifiable", "the XML cannot be read as it was signed"),))


def _together(ones: Sequence[One]) -> State:
    states = {one.state for one in ones}
    order: tuple[State, ...] = ("invalid", "valid-trusted", "valid-untrusted", "unverifiable")
    return next((state for state in order if state in states), "absent")


def _tree(data: bytes) -> etree._Element:
    # Comments and instructions stay: canonical XML has its own rules for them.
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    return etree.fromstring(data, parser)


def _each(
    root: etree._Element, alert: Alert, trusted: Sequence[x509.Certificate], now: datetime
) -> Iterator[One]:
    everywhere = list(root.iter(f"{_D}Signature"))
    own = root.findall(f"{_D}Signature")
    if len(everywhere) > len(own):
        yield One("invalid", "a signature stands elsewhere than directly in alert, where CAP has it")
    if len(own) > MOST_SIGNATURES:
        yield One("unverifiable", f"the message has more than {MOST_SIGNATURES} signatures")
        return
    for number in range(len(own)):
        try:
            yield _judge(root, number, alert, trusted, now)
        except _Unusable as unusable:
            yield unusable.one
            if unusable.one.state == "invalid":  # the verdict stands, and a large message costs time
                return


def _judge(
    root: etree._Element, number: int, alert: Alert, trusted: Sequence[x509.Certificate], now: datetime
) -> One:
    signature = root.findall(f"{_D}Signature")[number]
    _check_shape(root, signature)
    sent = _certificates(signature)
    signed, fitting = _signed(root, number, trusted, sent)
    if not _says_the_same(signed, alert):
        raise _Unusable("invalid", "what is signed is not what the message says")
    reasons = {one: distrust(one, sent, trusted, now) for one in fitting}
    signer, reason = min(reasons.items(), key=lambda both: bool(both[1]))
    name = name_of(signer)
    return One(
        "valid-untrusted" if reason else "valid-trusted",
        reason or f"signed by {name}",
        name,
        signer.fingerprint(hashes.SHA256()).hex(),
    )


def _check_shape(root: etree._Element, signature: etree._Element) -> None:
    """Refuse what is not one plain signature over the whole of the alert.

    Raises:
        _Unusable: ``invalid`` where it covers something else, ``unverifiable`` where it is of another kind.
    """
    references = signature.findall(f"{_D}SignedInfo/{_D}Reference")
    if len(references) != 1:
        raise _Unusable("unverifiable", f"the signature has {len(references)} references instead of one")
    uri = references[0].get("URI")
    if uri is None or (uri and not uri.startswith("#")):
        raise _Unusable("unverifiable", "the signature refers to something outside of the message")
    if uri and not _names_root(root, uri[1:]):
        raise _Unusable("invalid", "the signature covers something else than the whole alert")
    transforms = [one.get("Algorithm") for one in references[0].findall(f"{_D}Transforms/{_D}Transform")]
    if transforms[:1] != [_ENVELOPED] or len(transforms) > 2 or not set(transforms[1:]) <= _CANONICAL:  # noqa: PLR2004 - enveloped, then one canonicalisation
        raise _Unusable("unverifiable", "the signature uses transforms that are not relied on")
    _check_methods(signature)


def _names_root(root: etree._Element, name: str) -> bool:
    """Whether an id is the root's, and nobody else's in any spelling: verifiers differ in which counts."""
    named = [
        element
        for element in root.iter(etree.Element)
        if any(_ID.fullmatch(str(key)) and value == name for key, value in element.attrib.items())
    ]
    return named == [root]


def _check_methods(signature: etree._Element) -> None:
    info = signature.find(f"{_D}SignedInfo")
    canonical, method = (_algorithm(info, name) for name in ("CanonicalizationMethod", "SignatureMethod"))
    digest = _algorithm(info, f"Reference/{_D}DigestMethod")
    if method not in {one.value for one in _METHODS} or digest not in {one.value for one in _DIGESTS}:
        raise _Unusable(
            "unverifiable", "the signature is not RSA or ECDSA with SHA-256, SHA-384 or SHA-512 throughout"
        )
    if canonical not in _CANONICAL:
        raise _Unusable("unverifiable", "the signature uses a canonical form that is not relied on")


def _algorithm(info: etree._Element, name: str) -> str | None:
    found = info.find(f"{_D}{name}")
    return None if found is None else found.get("Algorithm")


def _certificates(signature: etree._Element) -> list[x509.Certificate]:
    """Return the readable certificates that came with the signature; none of them is trusted for that."""
    found = []
    for element in signature.findall(f"{_D}KeyInfo/{_D}X509Data/{_D}X509Certificate")[:MOST_CERTIFICATES]:
        text = "".join((element.text or "").split())
        try:
            raw = base64.b64decode(text[:_LONGEST_CERTIFICATE], validate=True)
            certificate = x509.load_der_x509_certificate(raw)
            certificate.public_key()
        except (binascii.Error, ValueError, UnsupportedAlgorithm):
            continue
        found.append(certificate)
    return found


def _signed(
    root: etree._Element,
    number: int,
    trusted: Sequence[x509.Certificate],
    sent: Sequence[x509.Certificate],
) -> tuple[bytes, list[x509.Certificate]]:
    """Return what the signature covers, and the certificates of the key that it was made with.

    A key may have several: a renewed certificate beside the one that it takes the place of.

    Raises:
        _Unusable: no key fits, or the message was changed after it was signed.
    """
    signature = root.findall(f"{_D}Signature")[number]
    candidates = [*trusted, *(one for one in sent if one not in trusted)]
    for certificate in [one for one in candidates if _is_of_kind(one, signature)]:
        try:
            key = certificate.public_key()
            return _try_key(root, number, certificate), [one for one in candidates if one.public_key() == key]
        except InvalidDigest:
            raise _Unusable("invalid", "the message was changed after it was signed") from None
        except InvalidSignature:
            continue
        except Exception as error:  # noqa: BLE001 - hostile XML makes the library raise whatever it likes
            name = type(error).__name__
            raise _Unusable("unverifiable", f"the signature cannot be worked out ({name})") from None
    if sent and all(is_strong(one.public_key()) for one in sent):
        raise _Unusable("invalid", "the signature does not fit the certificate that came with it")
    raise _Unusable("unverifiable", "no certificate is known here that the signature could be checked with")


def _is_of_kind(certificate: x509.Certificate, signature: etree._Element) -> bool:
    """Whether the certificate's key is strong and of the kind that the signature names."""
    method = _algorithm(signature.find(f"{_D}SignedInfo"), "SignatureMethod") or ""
    key = certificate.public_key()
    return is_strong(key) and isinstance(key, rsa.RSAPublicKey) == ("ecdsa" not in method)


def _try_key(root: etree._Element, number: int, certificate: x509.Certificate) -> bytes:
    """Return what the signature covers.

    A signature that was added later is not covered by the earlier one; tried are, in this order, the
    message as it stands, without the later ones, and without all others. No signature is part of what
    a message says, so it is the same message each time.

    Raises:
        InvalidSignature: the key does not fit; InvalidDigest, if it fits and the message does not.
    """
    count = len(root.findall(f"{_D}Signature"))
    others = [one for one in range(count) if one != number]
    failure = None
    for without in dict.fromkeys(((), tuple(one for one in others if one > number), tuple(others))):
        try:
            return _covered(root, number, without, certificate)
        except InvalidDigest as error:
            failure = error
    assert failure is not None
    raise failure


class _Verifier(XMLVerifier):
    """Takes one certain signature of several; the library takes the first."""

    def __init__(self, number: int) -> None:
        self._number = number

    def _get_signature(self, root: etree._Element) -> etree._Element:
        return root.findall(f"{_D}Signature")[self._number]


def _covered(
    root: etree._Element, number: int, without: Sequence[int], certificate: x509.Certificate
) -> bytes:
    """Return the canonical bytes that a signature covers in a message without some of its signatures."""
    copy = etree.fromstring(etree.tostring(root), etree.XMLParser(resolve_entities=False, no_network=True))
    signatures = copy.findall(f"{_D}Signature")
    # KeyInfo is no part of what is signed, and the key is chosen here.
    for info in signatures[number].findall(f"{_D}KeyInfo"):
        signatures[number].remove(info)
    for one in without:
        _take_out(signatures[one])
    rules = SignatureConfiguration(
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        # Whether the certificate holds is judged apart: an old one makes a signature no less intact.
        verification_time=certificate.not_valid_before_utc,
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    verifier = _Verifier(number - sum(one < number for one in without))
    result = verifier.verify(copy, x509_cert=certificate, expect_config=rules)
    assert isinstance(result, VerifyResult)
    return result.signed_data


def _take_out(element: etree._Element) -> None:
    """Remove an element and leave the text after it, as the transform enveloped-signature does."""
    parent, before = element.getparent(), element.getprevious()
    if before is None:
        parent.text = (parent.text or "") + (element.tail or "")
    else:
        before.tail = (before.tail or "") + (element.tail or "")
    parent.remove(element)


def _says_the_same(signed: bytes, alert: Alert) -> bool:
    try:
        covered = parse(signed).alert
    except Refused:
        return False
    bare: dict[str, object] = {"signatures": ()}
    return covered.model_copy(update=bare) == alert.model_copy(update=bare)


def sign(data: bytes, key: SigningKey, certificates: Sequence[x509.Certificate]) -> bytes:
    """Return the message with one more signature, the last element of ``alert``.

    It is enveloped, in exclusive canonical form, by RSA or ECDSA with SHA-256, and brings its certificates.

    Args:
        data: a CAP message of ours, UTF-8.
        key: fits the first certificate.
        certificates: the signer's, then what leads from it to an authority.

    Raises:
        KeyRefused: the key does not fit the certificate, or there is none.
        gateway.alerts.findings.Refused: the message cannot be read.
    """
    if not certificates or certificates[0].public_key() != key.public_key():
        raise KeyRefused("the signing key does not fit the first certificate of the certificate file")
    before = parse(data).alert
    method = "RSA_SHA256" if isinstance(key, rsa.RSAPrivateKey) else "ECDSA_SHA256"
    signer = XMLSigner(
        signature_algorithm=SignatureMethod[method],
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signer.namespaces = {None: _DS}  # type: ignore[dict-item]
    signed = signer.sign(_tree(data), key=key, cert=list(certificates))
    made: bytes = etree.tostring(signed, encoding="UTF-8", xml_declaration=True)
    assert parse(made).alert.model_copy(update={"signatures": before.signatures}) == before
    return made
