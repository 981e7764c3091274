"""How templates show times, levels, states and numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gateway.alerts.hazards import Level
from gateway.web.console.assets import address

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta, tzinfo

    Say = Callable[[str], str]


def N_(words: str) -> str:  # noqa: N802 - gettext's name for what is translated later
    """Mark words that are translated where they are shown."""
    return words


LEVELS = {"red": N_("Red"), "orange": N_("Orange"), "yellow": N_("Yellow"), "blue": N_("Blue")}
STATES = {
    "draft": N_("Draft"),
    "submitted": N_("Waiting for approval"),
    "approved": N_("Approved"),
    "released": N_("In force"),
    "updated": N_("Updated"),
    "cancelled": N_("Cancelled"),
    "expired": N_("Expired"),
    "withdrawn": N_("Withdrawn"),
}
MSG_TYPES = {"Alert": N_("First issue"), "Update": N_("Update"), "Cancel": N_("Cancel")}
MODES = {"live": N_("Live"), "drill": N_("Drill")}
ROLES = {
    "author": N_("Author"),
    "approver": N_("Approver"),
    "releaser": N_("Releaser"),
    "registrar": N_("Registrar"),
    "administrator": N_("Administrator"),
    "auditor": N_("Auditor"),
    "leader": N_("Leader"),
}
GROUPS = {
    "responsible": N_("Responsible persons"),
    "informant": N_("Informants"),
    "liaison": N_("Liaisons"),
    "resident": N_("Residents"),
    "group": N_("Chat groups"),
    "device": N_("Terminals"),
}
"""Roles of contacts (``contacts.role``)."""
CHANNELS = {"sms": N_("SMS"), "email": N_("E-mail"), "wecom": N_("WeCom"), "radio": N_("Radio terminals")}
PROOFS = {
    "intended": N_("Intended"),
    "pending": N_("Under way"),
    "accepted": N_("Accepted"),
    "delivered": N_("Delivered"),
    "confirmed": N_("Confirmed"),
    "unknown": N_("Unknown"),
    "failed": N_("Failed"),
}
PROGRESS = {
    "sending": N_("Being sent"),
    "awaiting": N_("All handed over, receipts awaited"),
    "stopped": N_("Sending stopped"),
    "ended": N_("Sending ended"),
}
"""How far the sending of a release is, as :func:`gateway.coverage.progress.progress` tells it."""
PROGRESS_TONES = {"sending": "mind", "awaiting": "ok", "stopped": "bad", "ended": ""}
LANGUAGES = {
    "zh-CN": N_("Chinese"),
    "zh": N_("Chinese"),
    "en": N_("English"),
    "en-US": N_("English"),
}
_SHORT = 10
"""Seconds below which tenths matter: T90 of a fast channel."""
MAP_WORDS = {
    "fault": N_("The map could not be loaded: use the list."),
    "zoomIn": N_("Zoom in"),
    "zoomOut": N_("Zoom out"),
    "chosen": N_("Chosen:"),
    "shapes": N_("drawn shapes:"),
    "filter": N_("Filter by name or code"),
    "none": N_("Nothing is chosen yet."),
    "under": N_("below %(share)s"),
    "from": N_("%(share)s and more"),
    "comma": N_(", "),
}
"""What ``map.js`` says."""
WORDS = {
    "level": LEVELS,
    "state": STATES,
    "msg_type": MSG_TYPES,
    "mode": MODES,
    "role": ROLES,
    "group": GROUPS,
    "channel": CHANNELS,
    "proof": PROOFS,
    "progress": PROGRESS,
    "language": LANGUAGES,
}
"""Kind of word -> value in the database -> English words; what is not here is shown as it is."""


def of(language: str, say: Say) -> dict[str, Callable[..., Any]]:
    """Return the filters of one language."""
    return {
        "word": lambda value, kind: say(WORDS[kind][value]) if value in WORDS[kind] else value,
        "moment": moment,
        "share": percentage,
        "number": lambda value: f"{value:,}" if value is not None else "–",
        "span": lambda value: span(value, language),
    }


def helpers(language: str, say: Say) -> dict[str, Any]:
    """Return what templates may call."""
    return {
        "asset": address,
        "language": language,
        "LEVELS": tuple(Level),
        "PROGRESS_TONES": PROGRESS_TONES,
        "MAP_WORDS": {name: say(words) for name, words in MAP_WORDS.items()},
    }


def moment(at: datetime | None, zone: tzinfo, *, age: bool = True) -> Markup:
    """Return a time in the desk's zone; the page's script keeps its age beside it."""
    if at is None:
        return Markup("–")
    local = at.astimezone(zone)
    aged = Markup(' data-age=""') if age else Markup("")
    return Markup('<time datetime="{}"{}>{}</time>').format(
        local.isoformat(timespec="seconds"), aged, f"{local:%m-%d %H:%M:%S}"
    )


def percentage(part: float | None, of: float | None = None) -> str:
    """Return a share with one decimal: of 0 to 1, or of two numbers; a dash where there is none.

    Rounded down, so that whoever is missing is never rounded away.
    """
    if of is not None:
        part = part / of if of and part is not None else None
    return "–" if part is None else f"{math.floor(part * 1000 + 1e-9) / 10:.1f}%"


def span(length: timedelta | float | None, language: str) -> str:
    """Return a length of time in its largest two units; a short figure keeps its tenths."""
    if length is None:
        return "–"
    chinese = language == "zh-CN"
    if isinstance(length, float) and 0 < length < _SHORT:
        return f"{round(length, 1):g}{'秒' if chinese else ' s'}"
    total = int(length if isinstance(length, int | float) else length.total_seconds())
    hours, rest = divmod(max(total, 0), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}小时{minutes:02d}分" if chinese else f"{hours} h {minutes:02d} min"
    if minutes:
        return f"{minutes}分{seconds:02d}秒" if chinese else f"{minutes} min {seconds:02d} s"
    return f"{seconds}秒" if chinese else f"{seconds} s"
