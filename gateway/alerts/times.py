"""CAP's dateTime: ``YYYY-MM-DDThh:mm:ss+hh:mm``, to the second, offset always given (CAP 1.2, 3.3.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""Between these two any offset can be applied without leaving the calendar."""

_FORM = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2})(:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|z|[+-][0-9]{2}:[0-9]{2})?"
)
_DAY_END = "24"
_MOST_OFFSET = timedelta(hours=14)


class TimeRefused(ValueError):
    """The text is no CAP time; ``code`` says whether only the offset is missing."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code of the refusal and a sentence."""
        super().__init__(message)
        self.code = code


class ReadTime(NamedTuple):
    """A time and the codes of what was unusual in its form."""

    value: datetime
    oddities: tuple[str, ...]


def read_time(text: str) -> ReadTime:
    """Read a CAP time leniently where its meaning is certain.

    ``Z``, fractions, ``+00:00`` and hour 24 are taken with a remark; a missing offset never is.

    Raises:
        TimeRefused: The text is no time, the day does not exist, or the offset is missing.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise TimeRefused("time_malformed", "not of the form YYYY-MM-DDThh:mm:ss+hh:mm")
    day, hour, rest, fraction, zone = match.groups()
    if zone is None:
        raise TimeRefused("time_without_offset", "the time has no offset from UTC; one is never guessed")
    value = _value(day, hour, rest, _offset(zone))
    oddities = _oddities(hour, fraction, zone)
    kept = settle(value)
    return ReadTime(kept, oddities if kept == value else (*oddities, "time_out_of_range"))


def _oddities(hour: str, fraction: str | None, zone: str) -> tuple[str, ...]:
    seen = {
        "time_zulu": zone in ("Z", "z"),
        "time_plus_zero": zone == "+00:00",
        "time_fraction": fraction is not None,
        "time_hour_24": hour == _DAY_END,
    }
    return tuple(code for code, is_so in seen.items() if is_so)


def _offset(zone: str) -> timezone:
    if zone in ("Z", "z"):
        return UTC
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    if offset > _MOST_OFFSET or zone[4:6] > "59":
        raise TimeRefused("time_malformed", "the offset from UTC does not exist")
    return timezone(-offset if zone[0] == "-" else offset) if offset else UTC


def _value(day: str, hour: str, rest: str, zone: timezone) -> datetime:
    midnight = hour == _DAY_END
    if midnight and rest != ":00:00":
        raise TimeRefused("time_malformed", "the time of day does not exist")
    try:
        value = datetime.fromisoformat(f"{day}T{'00' if midnight else hour}{rest}").replace(tzinfo=zone)
    except ValueError:
        raise TimeRefused("time_malformed", "the day or time of day does not exist") from None
    try:
        return value + timedelta(days=midnight)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def settle(value: datetime) -> datetime:
    """Cut to whole seconds, and hold within the range in which every offset can be applied."""
    if not EARLIEST <= value <= LATEST:
        return EARLIEST if value < EARLIEST else LATEST
    offset = value.utcoffset() or timedelta()
    if offset % timedelta(minutes=1) or abs(offset) > _MOST_OFFSET:
        value = value.astimezone(UTC)  # an offset that CAP cannot write; the instant stays
    return value.replace(microsecond=0)


def write_time(value: datetime) -> str:
    """The CAP form of an aware time; UTC is written ``-00:00``."""
    offset = value.strftime("%z")
    zone = "-00:00" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return f"{value.replace(tzinfo=None, microsecond=0).isoformat()}{zone}"
