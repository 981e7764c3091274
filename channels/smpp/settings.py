"""What an operator sets for one SMPP route; README.md beside this file explains each value."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, SecretStr, field_validator

from channels.base import RouteSettings
from channels.smpp.receipt import IdForm  # noqa: TC001 - pydantic reads it at run time

Octet = Annotated[int, Field(ge=0, le=255)]
Ascii = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]


class SmppSettings(RouteSettings):
    """One account at one SMSC."""

    model_config = ConfigDict(hide_input_in_errors=True)

    host: str
    """Name or address of the SMSC."""
    port: int = Field(default=2775, ge=1, le=65535)
    """Its TCP port."""
    tls: bool = False
    """TLS to the SMSC, with the system's certificate authorities."""
    system_id: Ascii = Field(max_length=15)
    """The account's name."""
    password: SecretStr = SecretStr("")
    """The account's password: at most 8 characters in the standard, longer ones are sent as they are."""
    system_type: Ascii = Field(default="", max_length=12)
    """A word that some SMSCs want in the bind."""
    source_address: Ascii = Field(default="", max_length=20)
    """The number or name the message comes from; empty lets the SMSC choose."""
    source_ton: Octet = 0
    """Type of the source number: 0 unknown, 1 international, 2 national, 3 short number, 5 a name."""
    source_npi: Octet = 0
    """Numbering plan of the source number: 0 unknown, 1 telephone."""
    destination_ton: Octet = 1
    """Type of the recipients' numbers: 1 international, as ours are."""
    destination_npi: Octet = 1
    """Numbering plan of the recipients' numbers: 1 telephone (E.164)."""
    connections: int = Field(default=1, ge=1, le=64)
    """Binds at a time; the operator says how many it allows."""
    window: int = Field(default=10, ge=1, le=10_000)
    """PDUs written and not yet answered, on each connection."""
    timeout: float = Field(default=30.0, gt=0)
    """Seconds without an answer after which the outcome is unknown."""
    enquire_interval: float = Field(default=30.0, gt=0)
    """Seconds of silence before the line is tested with enquire_link."""
    validity: Literal["absolute", "relative", "none"] = "absolute"
    """How the SMSC is told when the warning expires."""
    max_parts: int = Field(default=10, ge=1, le=255)
    """The longest message the desk may send, in parts."""
    price: float | None = Field(default=None, ge=0)
    """What one part costs by contract, in your currency; the draft page shows it. Absent: none is shown."""
    id_form: IdForm = "exact"
    """How the SMSC writes message ids; ``hex-decimal`` answers in hex and reports in decimal."""
    unmarked_receipts: bool = False
    """Whether the SMSC does not mark its receipts in esm_class, so that their words must tell them:
    then anybody with a phone can write one."""
    zone: str = "Asia/Shanghai"
    """The time zone of the dates in the SMSC's receipts."""

    @field_validator("password")
    @classmethod
    def _is_sendable(cls, password: SecretStr) -> SecretStr:
        secret = password.get_secret_value()
        if not (secret.isascii() and (secret.isprintable() or not secret)):
            raise ValueError("an SMPP password is written in ASCII without control characters")
        return password

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (LookupError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is no time zone: write one as Asia/Shanghai") from error
        return name

    @property
    def zone_info(self) -> ZoneInfo:
        """Return the zone of receipt dates."""
        return ZoneInfo(self.zone)
