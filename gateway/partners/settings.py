"""Settings of partner agencies: who they are and what may become of what they push."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.feeds.settings import RuleSettings
from gateway.sections import ExistingFile, Section

_FINGERPRINT_LENGTH = 64


def _fingerprint(value: str) -> str:
    digits = value.replace(":", "").lower()
    if len(digits) != _FINGERPRINT_LENGTH or not set(digits) <= set("0123456789abcdef"):
        raise ValueError("a fingerprint is the SHA-256 of the certificate, 64 hexadecimal digits")
    return digits


Fingerprint = Annotated[str, AfterValidator(_fingerprint)]


class PartnerSettings(Section):
    """One partner agency."""

    name: str = Field(min_length=1)
    """The agency in words."""
    rule: RuleSettings = Field(default_factory=RuleSettings)
    """What becomes of the alerts that it pushes."""
    signature: Literal["required", "optional"] = "required"
    """Whether each request that pushes must be signed. A signature that is given is always checked."""
    cap_signature: Literal["ignore", "flag", "require"] = "flag"
    """An XML signature of a pushed CAP document that is absent, not trusted or wrong: not looked at, told to
    the desk, or held for a person. One that is wrong is always held unless it is ignored."""
    signers: list[ExistingFile] = Field(default_factory=list)
    """Certificates, or CAs of certificates, that sign its CAP documents, in PEM."""
    certificate_fingerprints: list[Fingerprint] = Field(default_factory=list)
    """SHA-256 of the client certificates of which it must present one. Needs ``web.tls.client_ca_file``."""
    push_per_minute: int = Field(default=60, ge=1, le=100_000)
    """Requests a minute that push, for each key."""
    read_per_minute: int = Field(default=600, ge=1, le=100_000)
    """Requests a minute that only ask, for each key; a coverage report counts as ten."""
