"""An alert as partners may send it in JSON: CAP's elements, named as in :mod:`gateway.alerts.model`.

What is foreign to CAP, signatures and what only a reader of XML can know has no place here. The
form says types and sizes; what they mean is checked where every CAP message is read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from gateway.alerts.model import (
    Category,
    Certainty,
    MsgType,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)

Short: TypeAlias = Annotated[str, Field(max_length=1_000)]
Long: TypeAlias = Annotated[str, Field(max_length=50_000)]
Word: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s,&<]+$")]
Feet: TypeAlias = Annotated[float, Field(ge=-100_000, le=1_000_000, strict=True)]
Degrees: TypeAlias = Annotated[float, Field(ge=-360, le=360, strict=True)]
Point: TypeAlias = tuple[Degrees, Degrees]


def _closed(points: list[Point]) -> list[Point]:
    return points if points[0] == points[-1] else [*points, points[0]]


Ring: TypeAlias = Annotated[list[Point], Field(min_length=3, max_length=20_000), AfterValidator(_closed)]


_TIME = re.compile(r"[12]\d{3}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _rfc3339(value: Any) -> Any:  # noqa: ANN401 - whatever came
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("must be a time such as 2026-07-01T08:00:00+08:00")
    return value


Time: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_rfc3339)]


class _Form(BaseModel):
    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, frozen=True
    )


class ReferenceForm(_Form):
    """An earlier message that a message is about."""

    sender: Word
    identifier: Word
    sent: Time


class PairForm(_Form):
    """An entry of eventCode, parameter or geocode."""

    value_name: Short
    """The code list, for example `GB/T 2260`."""
    value: Short


class CircleForm(_Form):
    """A circle."""

    lat: Annotated[float, Field(ge=-90, le=90, strict=True)]
    lon: Annotated[float, Field(ge=-180, le=180, strict=True)]
    radius_km: Annotated[float, Field(ge=0, le=20_000, strict=True)]


class AreaForm(_Form):
    """Where: the union of all shapes and codes."""

    area_desc: Short
    polygons: Annotated[list[Ring], Field(max_length=1_000)] = []
    """Rings of `[latitude, longitude]` in degrees, WGS-84; closed or not."""
    circles: Annotated[list[CircleForm], Field(max_length=1_000)] = []
    geocodes: Annotated[list[PairForm], Field(max_length=5_000)] = []
    altitude: Feet | None = None
    """Feet above mean sea level."""
    ceiling: Feet | None = None


class ResourceForm(_Form):
    """A file that belongs to an info block, by its address."""

    resource_desc: Short
    mime_type: Annotated[str, Field(max_length=200, pattern=r"^[\w.+-]+/[\w.+-]+$")]
    size: Annotated[int, Field(ge=0, le=2**53, strict=True)] | None = None
    uri: Short
    digest: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{40}$")] | None = None


class InfoForm(_Form):
    """What happens, where and what to do, in one language."""

    language: Annotated[str, Field(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$", max_length=35)] | None = (
        None
    )
    """Absent means `en-US`."""
    categories: Annotated[list[Category], Field(min_length=1, max_length=12)]
    event: Short
    response_types: Annotated[list[ResponseType], Field(max_length=9)] = []
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    audience: Short | None = None
    event_codes: Annotated[list[PairForm], Field(max_length=100)] = []
    effective: Time | None = None
    onset: Time | None = None
    expires: Time | None = None
    sender_name: Short | None = None
    headline: Short | None = None
    description: Long | None = None
    instruction: Long | None = None
    web: Short | None = None
    contact: Short | None = None
    parameters: Annotated[list[PairForm], Field(max_length=500)] = []
    resources: Annotated[list[ResourceForm], Field(max_length=100)] = []
    areas: Annotated[list[AreaForm], Field(max_length=1_000)] = []


class AlertForm(_Form):
    """A CAP 1.2 alert in JSON."""

    identifier: Word
    """Unique for the sender; sender, identifier and sent are the key by which an alert is taken once."""
    sender: Word
    sent: Time
    status: Status
    msg_type: MsgType
    scope: Scope
    source: Short | None = None
    restriction: Short | None = None
    addresses: Annotated[list[Short], Field(max_length=100)] = []
    codes: Annotated[list[Short], Field(max_length=100)] = []
    note: Long | None = None
    references: Annotated[list[ReferenceForm], Field(max_length=1_000)] = []
    incidents: Annotated[list[Short], Field(max_length=100)] = []
    infos: Annotated[list[InfoForm], Field(max_length=50)] = []


class CapForm(_Form):
    """A CAP document inside of JSON."""

    cap: Annotated[str, Field(min_length=1, max_length=1_000_000)]
    """The document, in UTF-8."""
