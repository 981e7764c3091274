"""The words that both directions of the national codec share; docs/national.md has them as a table.

What the national message says and CAP has no element for is kept in parameters whose valueName begins with
:data:`PREFIX`. Colour and event type are kept under the names of the hazard table.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

from gateway.alerts.model import Category
from gateway.alerts.title import read_title

if TYPE_CHECKING:
    from gateway.alerts.hazards import Hazards

NAMESPACE = "http://com.icss.amp"
"""Of some messages; others have none."""
CHINA_TIME = timezone(timedelta(hours=8))
"""All times of the national message are Beijing time."""

PREFIX = "12379:"
CERTAINTY = f"{PREFIX}certainty"
"""Only ever :data:`VERY_LIKELY`, which CAP 1.2 lacks; the certainty itself is then Likely."""
VERY_LIKELY = "VeryLikely"
SIGNER = f"{PREFIX}senderName"
"""The person who signed (签发员); CAP's senderName is the office, the national message's sender."""
PHONE = f"{PREFIX}phone"
FIRST_ISSUE = f"{PREFIX}firstIssue"
"""On a message of ours that references others by CAP's triples: identifier of the warning's first issue."""
METHOD = f"{PREFIX}method"
"""``12379:method.1`` is the channel of the first method (SMS); ``12379:method.1.message`` its text."""
METHOD_PARTS = ("message", "audienceGrp", "audiencePrt")

INNER = "Inner"
INNER_RESTRICTION = "12379 secClassification: Inner"
"""CAP's restriction of a message that is for authorities only (内部)."""
DIVISIONS = "GB/T 2260"
"""valueName of the division codes."""

IDENTIFIER = re.compile(r"([0-9]{6}[0-9A-Z]{8})_[0-9]{14}(?:_[0-9])?")
"""Issuer of 14 characters, time of entry, and in newer messages a serial number."""
ISSUER = re.compile(r"[0-9]{6}[0-9A-Z]{8}")

_MIME_TYPES = {
    "pdf": "application/pdf",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "txt": "text/plain",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
}
_CATEGORIES = {
    "11A": Category.MET,
    "11B": Category.MET,
    "11C": Category.GEO,
    "11D": Category.GEO,
    "11E": Category.MET,
    "11F": Category.ENV,
    "11G": Category.FIRE,
    "12": Category.SAFETY,
    "13": Category.HEALTH,
    "14": Category.SECURITY,
}
"""Beginning of an event type -> category, for types that the hazard table does not name."""


def mime_type_of(name: str) -> str:
    """Return the type that the name of an attachment ends in; the national message does not say it."""
    return _MIME_TYPES.get(name.rpartition(".")[2].strip().lower(), "application/octet-stream")


def category_of(event_type: str, hazards: Hazards) -> Category:
    """Return CAP's category of an event type: the hazard's, else that of its family."""
    hazard = hazards.by_code(event_type)
    if hazard:
        return hazard.category
    return next((one for start, one in _CATEGORIES.items() if event_type.startswith(start)), Category.OTHER)


def event_of(event_type: str, headline: str, hazards: Hazards) -> str:
    """Return the event in words: the hazard's Chinese name, else the headline's word, else the code."""
    hazard = hazards.by_code(event_type)
    if hazard:
        return hazard.zh
    title = read_title(headline)
    return title.event.strip() if title else event_type
