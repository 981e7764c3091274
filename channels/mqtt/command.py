"""What a release says to every terminal: checked and encoded once, numbered and signed for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from channels.base import HOLE, ContentRefused, Prepared, refuse_text
from channels.mqtt.frames import FRAME_LIMIT, longest_ref, seal

if TYPE_CHECKING:
    from channels.base import Content

TEXT_LIMIT: Final = 3000
"""Bytes of UTF-8: leaves room for the other members in a frame of 4096 bytes."""
_HIGHEST_COUNTER: Final = 2**53 - 1


class Command(Prepared):
    """What every terminal gets, encoded but for its id, counter and signature."""

    def __init__(self, content: Content, volume: int, repeat: int) -> None:
        """Check the text and encode the members that all terminals share.

        Raises:
            ContentRefused: the text cannot be read out as it stands, or no frame has room for it.
        """
        self.release = content.release
        self._text = content.text.replace(HOLE, "")
        refuse_text(content.text)
        if not self._text.strip():
            raise ContentRefused("the text is a link alone: write what the loudspeakers are to read out")
        _refuse_long(self._text)
        shared = {
            "text": self._text,
            "lang": content.language,
            "level": content.level,
            "repeat": repeat,
            "volume": volume,
            "expires": int(content.expires.timestamp()),
            "drill": content.drill,
        }
        self._tail = b"," + _encoded(shared)[1:]
        _refuse_big(self.body(longest_ref(content.release), _HIGHEST_COUNTER))

    def preview(self, fill: str = "") -> str:  # noqa: ARG002 - a link is not read out
        """Return the text that is read out; a link has no use there and is left out."""
        return self._text

    def body(self, ref: str, counter: int) -> bytes:
        """Return the JSON that is signed for one terminal."""
        return orjson.dumps({"id": ref, "counter": counter})[:-1] + self._tail


def _refuse_long(text: str) -> None:
    """Refuse a text over the limit, because a warning is never cut."""
    size = len(text.encode())
    if size > TEXT_LIMIT:
        raise ContentRefused(
            f"the text takes {size} bytes and a command to a loudspeaker holds {TEXT_LIMIT} "
            "(a Chinese character takes 3): shorten the text of this channel"
        )


def _refuse_big(body: bytes) -> None:
    """Refuse what would make a frame that a terminal drops without a word."""
    size = len(seal(b"", "cmd", "", body))
    if size > FRAME_LIMIT:
        raise ContentRefused(
            f"the command takes {size} bytes and a loudspeaker's frame holds {FRAME_LIMIT} "
            "(a quotation mark, a backslash or a line break takes 2): shorten the text of this channel"
        )


def _encoded(members: dict[str, object]) -> bytes:
    try:
        return orjson.dumps(members)
    except orjson.JSONEncodeError:
        raise ContentRefused("the language or level holds half of a character: type it again") from None
