"""What a release says, as it is kept in the database.

``releases.texts`` is ``{channel: {text key: content}}``. A text key is a language tag, or a
language tag with :data:`CONFIRM` for the persons whose text carries a confirm link.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from channels.base import Content

CONFIRM = "+confirm"
_TIMES = ("sent", "expires")

Texts = dict[str, dict[str, dict[str, Any]]]


def freeze(content: Content) -> dict[str, Any]:
    """Return the content as JSON values, in one order, so that a digest over it is stable."""
    frozen = content._asdict()
    return frozen | {name: frozen[name].isoformat() for name in _TIMES}


def thaw(frozen: dict[str, Any]) -> Content:
    """Return the content that :func:`freeze` took."""
    return Content(**frozen | {name: datetime.fromisoformat(frozen[name]) for name in _TIMES})


def choose_language(wanted: str, offered: list[str]) -> str:
    """Return the offered language for a recipient: exact, then primary tag, then the first offered."""
    if wanted in offered:
        return wanted
    primary = wanted.partition("-")[0].lower()
    return next((tag for tag in offered if tag.partition("-")[0].lower() == primary), offered[0])
