"""The CAP 1.2 message as frozen models (OASIS CAP-v1.2, section 3.2).

Field names are CAP's element names in Python's spelling; a repeated element is a tuple with a plural
name.
Texts are trimmed, times are aware and cut to the second, polygons are closed; what a received message
had otherwise is kept beside the model, in :class:`gateway.alerts.parse.Parsed`.
All models go to JSON and back without loss: ``Alert.model_validate_json(alert.model_dump_json())``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from gateway.alerts.times import settle

_XML_TEXT = r"^[\t\n\r\x20-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$"
_WORD = re.compile(r"[^\s,&<]+")
_LANGUAGE = r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$"


class Status(StrEnum):
    """How a message is to be handled."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"


class MsgType(StrEnum):
    """The nature of a message."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Scope(StrEnum):
    """For whom a message is."""

    PUBLIC = "Public"
    RESTRICTED = "Restricted"
    PRIVATE = "Private"


class Category(StrEnum):
    """The kind of the event."""

    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


class ResponseType(StrEnum):
    """What people should do."""

    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


class Urgency(StrEnum):
    """When to act."""

    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    """How bad the event is."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Certainty(StrEnum):
    """How sure the event is."""

    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


def is_word(text: str) -> bool:
    """Whether the text may be an identifier or a sender: no white space, comma, ``<`` or ``&``."""
    return _WORD.fullmatch(text) is not None


def _word(text: str) -> str:
    if not is_word(text):
        raise ValueError("must not be empty or have white space, comma, < or &")
    return text


def _item(text: str) -> str:
    if '"' in text:
        raise ValueError("must not have quotation marks")
    return text


Text: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, pattern=_XML_TEXT)]
"""Trimmed; only characters that XML can carry."""
Line: TypeAlias = Annotated[Text, Field(min_length=1)]
"""A text that is there; its absence is ``None``."""
Word: TypeAlias = Annotated[Line, AfterValidator(_word)]
Item: TypeAlias = Annotated[Text, AfterValidator(_item)]
"""An entry of a list in which entries with spaces are quoted."""
Language: TypeAlias = Annotated[str, StringConstraints(pattern=_LANGUAGE)]
Time: TypeAlias = Annotated[AwareDatetime, AfterValidator(settle)]
Degrees: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Polygon: TypeAlias = tuple[tuple[Degrees, Degrees], ...]
"""(latitude, longitude) in degrees, WGS-84; the first point is also the last."""


class AlertKey(NamedTuple):
    """What identifies a message: sender, identifier and the instant of sending, in UTC."""

    sender: str
    identifier: str
    sent: datetime


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Model):
    """An earlier message that a message is about."""

    sender: Word
    identifier: Word
    sent: Time

    @property
    def key(self) -> AlertKey:
        """The key of the message meant."""
        return AlertKey(self.sender, self.identifier, self.sent.astimezone(UTC))


class ValuePair(_Model):
    """An entry of eventCode, parameter or geocode: ``value_name`` names the code list."""

    value_name: Text
    value: Text
    extensions: tuple[str, ...] = ()
    """Elements foreign to CAP, as XML."""


class Circle(_Model):
    """A circle; centre in degrees, radius in kilometres."""

    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-360, le=360)
    radius_km: float = Field(ge=0, allow_inf_nan=False)


class Area(_Model):
    """Where: the union of all shapes and codes."""

    area_desc: Text
    polygons: tuple[Polygon, ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[ValuePair, ...] = ()
    altitude: Annotated[Decimal, Field(allow_inf_nan=False)] | None = None
    """Feet above mean sea level."""
    ceiling: Annotated[Decimal, Field(allow_inf_nan=False)] | None = None
    """Feet above mean sea level; only with an altitude."""
    unusable_polygons: tuple[Text, ...] = ()
    """Polygons as received that cannot be used: whoever counts on this area must stop, never widen it."""
    unusable_circles: tuple[Text, ...] = ()
    extensions: tuple[str, ...] = ()
    """Elements foreign to CAP, as XML."""


class Resource(_Model):
    """A file that belongs to an info block."""

    resource_desc: Text
    mime_type: Text
    size: int | None = None
    """Bytes, as the sender claims."""
    uri: Line | None = None
    deref_uri: Line | None = None
    """The content, in base64."""
    digest: Line | None = None
    """SHA-1 of the content, in hexadecimal."""
    extensions: tuple[str, ...] = ()


class Info(_Model):
    """What happens, where and what to do, in one language."""

    language: Language | None = None
    """As sent; absent means en-US: see :func:`gateway.alerts.language.tag_of`."""
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    event: Text
    response_types: tuple[ResponseType, ...] = ()
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    audience: Line | None = None
    event_codes: tuple[ValuePair, ...] = ()
    effective: Time | None = None
    """Absent means: from ``sent`` on."""
    onset: Time | None = None
    """When the event is expected to begin; may lie after ``expires``."""
    expires: Time | None = None
    """When the message loses its validity, which is not the end of the event."""
    sender_name: Line | None = None
    headline: Line | None = None
    description: Line | None = None
    instruction: Line | None = None
    web: Line | None = None
    contact: Line | None = None
    parameters: tuple[ValuePair, ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()
    extensions: tuple[str, ...] = ()


class Alert(_Model):
    """One immutable CAP message."""

    identifier: Word
    sender: Word
    sent: Time
    status: Status
    msg_type: MsgType
    source: Line | None = None
    scope: Scope
    restriction: Line | None = None
    addresses: tuple[Item, ...] = ()
    codes: tuple[Text, ...] = ()
    note: Line | None = None
    references: tuple[Reference, ...] = ()
    malformed_references: tuple[Line, ...] = ()
    """References that are not ``sender,identifier,sent``; they may match within the same sender only."""
    incidents: tuple[Item, ...] = ()
    infos: tuple[Info, ...] = ()
    signatures: tuple[str, ...] = ()
    """XML-DSig elements, as XML. To verify one, go back to the bytes received."""
    extensions: tuple[str, ...] = ()
    """Elements foreign to CAP, as XML."""

    @property
    def key(self) -> AlertKey:
        """What identifies this message; instants, not strings."""
        return AlertKey(self.sender, self.identifier, self.sent.astimezone(UTC))

    @property
    def expires(self) -> datetime | None:
        """When the last info block loses its validity; ``None`` where one of them, or all, do not say."""
        ends = [info.expires for info in self.infos]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None
