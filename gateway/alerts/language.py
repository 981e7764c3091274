"""Language tags: what a block of text is in, and which block a reader gets (CAP 1.2, 3.2.2; RFC 5646)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.alerts.model import Alert, Info

DEFAULT = "en-US"
UNDETERMINED = "und"

_LONGEST = 64
_TAG = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_SHORT = {
    "ara": "ar",
    "ben": "bn",
    "bod": "bo",
    "tib": "bo",
    "chi": "zh",
    "zho": "zh",
    "cmn": "zh",
    "deu": "de",
    "ger": "de",
    "eng": "en",
    "fra": "fr",
    "fre": "fr",
    "hin": "hi",
    "ind": "id",
    "ita": "it",
    "jpn": "ja",
    "kor": "ko",
    "mon": "mn",
    "mya": "my",
    "bur": "my",
    "nld": "nl",
    "dut": "nl",
    "por": "pt",
    "ron": "ro",
    "rum": "ro",
    "rus": "ru",
    "spa": "es",
    "tha": "th",
    "uig": "ug",
    "vie": "vi",
}
_REGIONS = {"UK": "GB"}
_SCRIPT = 4


def is_tag(text: str) -> bool:
    """Whether the text has the form of a language tag."""
    return len(text) <= _LONGEST and _TAG.fullmatch(text) is not None


def usual(tag: str) -> str:
    """The tag in its usual spelling: ``zh-cn`` -> ``zh-CN``, ``eng`` -> ``en``, ``en-UK`` -> ``en-GB``."""
    primary, *rest = tag.lower().split("-")
    parts = [_SHORT.get(primary, primary)]
    for part in rest:
        if len(part) == _SCRIPT and part.isalpha():
            parts.append(part.title())
        elif len(part) == 2 and len(parts[0]) > 1:  # noqa: PLR2004 - a region has two letters
            parts.append(_REGIONS.get(part.upper(), part.upper()))
        else:
            parts.append(part)
    return "-".join(parts)


def tag_of(info: Info) -> str:
    """The block's language in its usual spelling; en-US where it does not say (never the local language)."""
    return usual(info.language) if info.language else DEFAULT


def blocks_for(alert: Alert, *wanted: str) -> tuple[Info, ...]:
    """All info blocks in the one language that suits a reader best.

    The wishes are tried in their order, each by its exact tag, then by its primary language (``zh`` for
    ``zh-TW``); then CAP's default, then the language of the first block. Blocks of one language belong
    together, so all of them are returned, in their order.
    """
    tags = [tag_of(info) for info in alert.infos]
    for wish in (*wanted, DEFAULT):
        for same in (
            lambda tag, wish=wish: tag == usual(wish),
            lambda tag, wish=wish: _primary(tag) == _primary(wish),
        ):
            found = next((tag for tag in tags if same(tag)), None)
            if found:
                return _in(alert, tags, found)
    return _in(alert, tags, tags[0]) if tags else ()


def _primary(tag: str) -> str:
    return usual(tag).split("-", maxsplit=1)[0]


def _in(alert: Alert, tags: list[str], tag: str) -> tuple[Info, ...]:
    return tuple(info for info, has in zip(alert.infos, tags, strict=True) if has == tag)
