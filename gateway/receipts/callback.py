"""Delivery reports that a provider posts to us: who sent them, and what they say.

The provider sends ``POST /receipts/{channel}`` with the headers

- ``Tongda-Timestamp``: Unix time in seconds, within 300 s of our clock;
- ``Tongda-Signature``: lower-case hex of HMAC-SHA256, by the channel's callback key, over the
  channel as it stands in the address, a full stop, the timestamp as sent, a full stop, and the body as sent;

and as body ``{"receipts": [{"ref": "...", "state": "delivered", "code": "000",
"at": "2026-11-22T10:55:00+08:00"}]}``; ``code`` and ``at`` (ISO 8601 with a zone, or Unix time)
may be left out.
Sending the same call again within those 300 s does no harm: proof only rises.
The provider of a channel's drills posts to ``/receipts/{channel}.drill``, with a key of its own.
"""

from __future__ import annotations

import hmac
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails  # noqa: TC002 - named in a signature that is read at run time

from channels.base import AddressRefused, Proof, Receipt, refuse_controls

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMESTAMP = "Tongda-Timestamp"
SIGNATURE = "Tongda-Signature"
TOLERANCE = 300.0
"""Seconds that the sender's clock may be off."""
LARGEST = 1 << 20
"""Bytes of one body."""
MOST = 10_000
"""Receipts of one body."""

_DEEPEST = 8
_STAMP = re.compile(r"[1-9][0-9]{9,11}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_YEARS = range(2000, 2100)


class CallbackRefused(ValueError):
    """The call is not taken; the text tells its sender what to mend, and ``status`` is HTTP's."""

    def __init__(self, text: str, status: int = 400) -> None:
        """Keep both."""
        super().__init__(text)
        self.status = status


def _plain(text: str) -> str:
    try:
        text.encode()  # JSON can spell half a surrogate pair; no database takes one
        return refuse_controls(text)
    except (AddressRefused, UnicodeEncodeError):
        raise ValueError("holds a control character or half a character") from None


def _sane(at: datetime) -> datetime:
    if at.year not in _YEARS:
        raise ValueError("is out of range")
    return at.astimezone(UTC)


_Plain = Annotated[str, AfterValidator(_plain)]


class _Entry(BaseModel):
    """One receipt as the provider wrote it; what it may say goes no further than ``read``."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    ref: Annotated[_Plain, Field(min_length=1, max_length=200)]
    state: Literal["accepted", "delivered", "rejected", "expired", "read", "unknown"]
    code: Annotated[_Plain, Field(max_length=64)] = ""
    at: Annotated[AwareDatetime, AfterValidator(_sane)] | None = None

    def receipt(self) -> Receipt:
        raw = self.model_dump_json(exclude_defaults=True)
        return Receipt(Proof[self.state.upper()], ref=self.ref, code=self.code, at=self.at, raw=raw)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    receipts: Annotated[list[_Entry], Field(min_length=1, max_length=MOST)]


def sign(channel: str, timestamp: str, body: bytes, key: bytes) -> str:
    """Return the signature of a call; what a provider (or its simulator) does."""
    return hmac.digest(key, f"{channel}.{timestamp}.".encode() + body, "sha256").hex()


def verify(
    channel: str,
    timestamp: str | None,
    signature: str | None,
    body: bytes,
    keys: Sequence[bytes],
    now: datetime,
) -> None:
    """Check who sent a call, before anything of it is read.

    Args:
        channel: as it stands in the address, so that a call cannot be turned to another channel.
        timestamp: the header as it came; None where it was missing.
        signature: likewise.
        body: the bytes as they came.
        keys: the channel's live keys: one, or the new and the old one during a change of key.
        now: our time.

    Raises:
        CallbackRefused: with status 401.
    """
    if not timestamp or not _STAMP.fullmatch(timestamp):
        raise CallbackRefused(f"{TIMESTAMP} must be the Unix time in seconds", 401)
    if not signature or not _HEX.fullmatch(signature):
        raise CallbackRefused(f"{SIGNATURE} must be 64 hexadecimal digits in lower case", 401)
    genuine = [hmac.compare_digest(sign(channel, timestamp, body, key), signature) for key in keys]
    if not any(genuine):
        raise CallbackRefused(
            f"{SIGNATURE} does not match: check the key and that the body is signed as sent", 401
        )
    # Told only to a genuine sender: a stranger needs no hint about our clock.
    if abs(int(timestamp) - now.timestamp()) > TOLERANCE:
        raise CallbackRefused(
            f"{TIMESTAMP} is more than {TOLERANCE:g} s off our clock: set yours by NTP", 401
        )


def parse(body: bytes) -> list[Receipt]:
    """Return the receipts of a body; one bad receipt refuses the whole call, so that none is lost unseen.

    Raises:
        CallbackRefused: with status 400 and the place of the fault.
    """
    try:
        return [entry.receipt() for entry in _Body.model_validate(_strict_json(body)).receipts]
    except ValidationError as error:
        raise CallbackRefused(_place(error.errors(include_url=False, include_input=False)[0])) from None


def _place(fault: ErrorDetails) -> str:
    return ".".join(str(step) for step in fault["loc"]) + ": " + fault["msg"]


def _strict_json(body: bytes) -> Any:  # noqa: ANN401 - whatever the sender wrote
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except CallbackRefused:
        raise
    except (ValueError, RecursionError):
        raise CallbackRefused("the body is not JSON in UTF-8") from None
    if _depth(found) > _DEEPEST:
        raise CallbackRefused(f"the body is nested deeper than {_DEEPEST}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two parsers may pick different ones of two equal names: refuse instead of picking."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CallbackRefused("a name occurs twice in one object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise CallbackRefused(f"{constant} is not JSON")


def _depth(value: Any, so_far: int = 1) -> int:  # noqa: ANN401 - whatever the sender wrote
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if so_far > _DEEPEST:
        return so_far
    return max((_depth(one, so_far + 1) for one in inner), default=so_far)
