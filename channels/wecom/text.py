"""What a group reads: checked and encoded once, filled for each message."""

from __future__ import annotations

from typing import Final, Literal

import orjson

from channels.base import HOLE, ContentRefused, Prepared, refuse_text, unfit_fill

LIMITS: Final = {"text": 2048, "markdown": 4096}
"""Longest content in bytes of UTF-8, by message type."""
ROOM_FOR_FILL: Final = 256
"""Bytes kept free for each message's link where the text has a hole."""


class WecomText(Prepared):
    """The request body, encoded around the hole."""

    def __init__(self, style: Literal["text", "markdown"], text: str) -> None:
        """Check and encode the text.

        Raises:
            ContentRefused: the text cannot be shown as it stands, or is over the limit.
        """
        self.limit = LIMITS[style]
        self._text = text
        refuse_text(text)
        _refuse_calls(style, text)
        _refuse_long(style, text)
        whole = orjson.dumps({"msgtype": style, style: {"content": text}})
        self._pieces = whole.split(HOLE.encode())

    def preview(self, fill: str = "") -> str:
        """Return what the group reads."""
        return self._text.replace(HOLE, fill)

    def body(self, fill: str) -> bytes:
        """Return the JSON to post for one message."""
        return orjson.dumps(fill)[1:-1].join(self._pieces)

    def unfit(self, fill: str) -> str:
        """Return why a message with this fill cannot be posted; empty where it can."""
        return unfit_fill(fill) or ("text-too-long" if len(self.preview(fill).encode()) > self.limit else "")


def _refuse_calls(style: str, text: str) -> None:
    if style == "markdown" and "<@" in text:
        raise ContentRefused("markdown text must not hold <@...>: it would call members of the group by name")


def _refuse_long(style: str, text: str) -> None:
    """Refuse a text over the limit, because a warning is never cut."""
    size = len(text.replace(HOLE, "").encode()) + (ROOM_FOR_FILL if HOLE in text else 0)
    if size > LIMITS[style]:
        link = " with its link" if HOLE in text else ""
        raise ContentRefused(
            f"the text takes {size} bytes{link} and a WeCom {style} message holds {LIMITS[style]} "
            "(a Chinese character takes 3): shorten the text of this channel"
        )
