"""Settings of an e-mail route, and the one form of an address."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import Field, SecretStr, field_validator, model_validator

from channels.base import AddressRefused, RouteSettings, refuse_controls

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


class SmtpSettings(RouteSettings):
    """One mail server (submission or relay) and the credentials of one route."""

    window: int = Field(10, ge=1, le=200)
    """Connections held to the mail server; each carries one message at a time."""
    host: str = "127.0.0.1"
    """Name or address of the mail server."""
    port: int = Field(587, ge=1, le=65535)
    """Its TCP port."""
    tls: Literal["none", "starttls", "tls"] = "starttls"
    """``starttls`` is demanded, never optional: a server that does not offer it is not used."""
    ca_file: str = ""
    """PEM file of the authority that signed the server's certificate; empty for the system's."""
    username: str = ""
    """The account's name."""
    password: SecretStr = SecretStr("")
    """The account's password."""
    from_address: str
    """Stands in ``From``; the name beside it is the warning's sender."""
    bounce_domain: str = ""
    """Domain whose mail exchanger is our listener; empty for the domain of ``from_address``."""
    verp_key: SecretStr = Field(min_length=16)
    """Signs return paths. Changing it makes reports of earlier mail foreign."""
    helo_name: str = ""
    """Name told in EHLO; empty for ``bounce_domain``."""
    connect_timeout: float = Field(10.0, gt=0)
    """Seconds to reach the mail server."""
    command_timeout: float = Field(10.0, gt=0)
    """Seconds for each answer before the text is handed over; ``timeout`` is for the answer after it."""
    reuse_messages: int = Field(100, ge=1)
    """Messages after which a connection is replaced."""
    reuse_idle: float = Field(60.0, gt=0)
    """Seconds of rest after which a connection is replaced instead of used again."""
    listen_host: str = "127.0.0.1"
    """The address on which delivery reports are taken."""
    listen_port: int | None = Field(None, ge=0, le=65535)
    """Where delivery reports are taken; none if not set, a free port if 0."""
    listen_size: int = Field(200_000, ge=10_000)
    """Longest report in octets; one that gives back headers only, as we ask, has some 10,000."""

    @field_validator("from_address")
    @classmethod
    def _one_form(cls, address: str) -> str:
        return check_address(address)

    @field_validator("bounce_domain", "helo_name")
    @classmethod
    def _host_name(cls, name: str) -> str:
        if name and not _HOST_NAME.fullmatch(name):
            raise ValueError("is no host name: letters, digits, dots and hyphens only")
        return name.lower()

    @model_validator(mode="after")
    def _filled(self) -> SmtpSettings:
        if self.username and self.tls == "none" and not _is_loopback(self.host):
            raise ValueError("username is set but tls is none: the password would go out in clear text")
        self.bounce_domain = self.bounce_domain or self.from_address.rpartition("@")[2]
        self.helo_name = self.helo_name or self.bounce_domain
        return self


def check_address(address: str) -> str:
    """Return the address in the one form we store and send: ASCII, domain in lower case.

    International domains become their ASCII form (RFC 5891). A local part beyond ASCII needs
    SMTPUTF8 (RFC 6531) on every hop, which the mail systems of small places do not offer, so
    it is refused where it is entered and not on the day of the warning.

    Raises:
        AddressRefused: the reason in words, without the address.
    """
    refuse_controls(address)
    if not address.rpartition("@")[0].isascii():
        raise AddressRefused("the e-mail address has letters beyond ASCII before the @")
    try:
        checked = validate_email(address, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as refused:
        # After a colon the library lists the characters of the address.
        reason = str(refused).partition(":")[0].rstrip(".")
        raise AddressRefused(f"the e-mail address cannot be used: {reason}") from None
    assert checked.ascii_email is not None  # always there where SMTPUTF8 is not allowed
    return checked.ascii_email


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
