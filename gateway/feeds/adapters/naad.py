"""Canada's NAAD System (Alert Ready): a stream of CAP-CP over TCP.

Source: NAADS LMD User Guide R10.0 (Pelmorex).

Documents follow each other without any framing. Every minute a heartbeat comes, whose references are the
last ten messages: those that did not arrive are fetched from the archive.
What decides about broadcast (``layer:SOREM:1.0:Broadcast_Immediately``) and what holds for one area only
(``layer:EC-MSC-SMC:1.0:Alert_Location_Status``) stays in the parameters of the message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.alerts.model import Status
from gateway.alerts.times import write_time
from gateway.feeds.cap_item import cap_item
from gateway.feeds.contract import Adapter, FeedRefused, Reading
from gateway.feeds.document import LARGEST
from gateway.feeds.noted import Noted
from gateway.feeds.outside import whole_root

if TYPE_CHECKING:
    from gateway.alerts.model import Reference
    from gateway.feeds.document import Document

KIND = "naad"
HEARTBEAT = "NAADS-Heartbeat"
_NAME = rb"(?:[A-Za-z_][A-Za-z0-9_.-]{0,63}:)?[A-Za-z_][A-Za-z0-9_.-]{0,63}"
_DECLARATION = rb"(?P<declaration><\?xml[ \t\r\n])"
_AFTER_A_LOSS = re.compile(_DECLARATION)
_START = re.compile(_DECLARATION + rb"|<(?:[A-Za-z_][A-Za-z0-9_.-]{0,63}:)?alert[\s/>]")
_OTHER = rb"(?P<instruction><\?(?=[^x]|x[^m]|xm[^l]|xml[^ \t\r\n]))"
_OPENING = rb"(?P<comment><!--)|(?P<cdata><!\[CDATA\[)|" + _DECLARATION + rb"|" + _OTHER + rb"|"
_BEFORE_ROOT = re.compile(_OPENING + rb"<(?P<root>" + _NAME + rb")[\s/>]")
_CLOSING = {"comment": b"-->", "cdata": b"]]>", "instruction": b"?>"}
"""What may hold anything, and its end."""
_LONGEST_TAG = 256
"""More than the name of a root or its end tag can have."""
_MAY_BEGIN = re.compile(rb"<(?:\?(?:x(?:m(?:l)?)?)?|[A-Za-z0-9_.:-]*)")


class Frames:
    """Cuts the stream into documents, however it arrives.

    A document goes from ``<?xml``, or its root where it has no declaration, to the end tag of its root;
    what looks like one inside of a comment or CDATA is none. A document that is not whole when the next
    ``<?xml`` comes is given up.

    Attributes:
        skipped: Bytes that belonged to no document, white space not counted.
    """

    def __init__(self) -> None:
        """Start between two documents."""
        self.skipped = 0
        self._buffer = bytearray()
        self._at = 0
        self._tags: re.Pattern[bytes] | None = None
        self._until = b""
        self._lost = False
        self._ready: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived and return the documents that are whole.

        Raises:
            FeedRefused: A document has more than :data:`gateway.feeds.document.LARGEST` bytes. It is given
                up; reading goes on at the next ``<?xml``, with the next call, which also returns what was
                whole before. ``feed(b"")`` is enough.
        """
        self._buffer += data
        while self._at <= LARGEST and self._step():
            pass
        if self._tags and len(self._buffer) > LARGEST:
            self._give_up()
            raise FeedRefused("feed_too_large", f"a document of the stream has more than {LARGEST} bytes")
        ready, self._ready = self._ready, []
        return ready

    def _step(self) -> bool:
        """Go on to the next tag that matters; whether there may be more to do."""
        if self._tags is None:
            return self._seek()
        if self._until:
            return self._pass_over()
        match = self._tags.search(self._buffer, self._at)
        if match is None:
            self._at = max(self._at, self._last_tag(), 0)
            return False
        self._take(match)
        return True

    def _seek(self) -> bool:
        """Look for the beginning of a document; after a loss only a declaration is one."""
        match = (_AFTER_A_LOSS if self._lost else _START).search(self._buffer)
        if match is None:
            last = self._last_tag()
            rest = bytes(self._buffer[last:])
            self._drop(last if _MAY_BEGIN.fullmatch(rest) else len(self._buffer))
            return False
        self._begin(match.start())
        return True

    def _last_tag(self) -> int:
        """Where a tag begins that has not arrived as a whole; the end of the buffer where there is none."""
        found = self._buffer.rfind(b"<", max(0, len(self._buffer) - _LONGEST_TAG))
        return len(self._buffer) if found < 0 else found

    def _take(self, match: re.Match[bytes]) -> None:
        kind = match.lastgroup or ""
        if kind == "declaration" and match.start():
            self._begin(match.start())
        elif kind == "root":
            self._take_root(match["root"], match.end())
        elif kind == "end":
            self._finish(match.end())
        else:
            self._at, self._until = match.end(), _CLOSING.get(kind, b"?>")

    def _take_root(self, name: bytes, after: int) -> None:
        if name.rpartition(b":")[2] != b"alert":
            self._drop(after)
            self._tags, self._at = None, 0
            return
        end = rb"(?P<end></" + re.escape(name) + rb"\s{0,64}>)"
        self._tags, self._at = re.compile(_OPENING + end), after

    def _pass_over(self) -> bool:
        found = self._buffer.find(self._until, self._at)
        if found < 0:
            self._at = max(self._at, len(self._buffer) - len(self._until) + 1)
            return False
        self._at, self._until = found + len(self._until), b""
        return True

    def _begin(self, start: int) -> None:
        self._drop(start)
        self._tags, self._at, self._until, self._lost = _BEFORE_ROOT, 0, b"", False

    def _finish(self, end: int) -> None:
        if end > LARGEST:
            self._at = end
            return
        self._ready.append(bytes(self._buffer[:end]))
        del self._buffer[:end]
        self._tags, self._at = None, 0

    def _give_up(self) -> None:
        self._drop(LARGEST)
        self._tags, self._at, self._until, self._lost = None, 0, b"", True

    def _drop(self, count: int) -> None:
        self.skipped += len(bytes(self._buffer[:count]).translate(None, b" \t\r\n"))
        del self._buffer[:count]


def archive_names(reference: Reference) -> list[str]:
    """Return the names under which the archive may hold a message, the usual rule first, with its folder.

    A name is ``sent`` and ``identifier`` with an I between them; what stands for the signs that a file name
    cannot have changed over time. Names of 2019 keep the date and have 3 (of ``%3A``) for a colon of the
    identifier; the guide's own rule has ``_`` for ``-`` and ``:``, and ``p`` for ``+``.
    """
    sent = write_time(reference.sent)
    day, time = sent[:10], sent[10:]
    hours = _plain(time).rpartition("_")[0]
    names = (
        f"{_plain(sent)}I{_plain(reference.identifier)}",
        f"{day}{hours}I{_plain(reference.identifier.replace(':', '3'))}",
    )
    return [f"{day}/{name}.xml" for name in names]


def _plain(text: str) -> str:
    return text.replace("-", "_").replace(":", "_").replace("+", "p")


def _recognises(_: Document) -> bool:
    """Never: a document of the stream is CAP like any other."""
    return False


def _read(document: Document) -> Reading:
    whole_root(document, "alert")
    noted = Noted()
    item = cap_item(document.data, "alert", noted)
    if item is None:
        return Reading(KIND, findings=noted.all())
    alert = item.alert
    if alert.status == Status.SYSTEM and alert.sender == HEARTBEAT:
        return Reading(KIND, heartbeat=True, recent=alert.references, generated=alert.sent)
    return Reading(KIND, items=[item], findings=noted.all())


ADAPTER = Adapter(KIND, _recognises, _read, transport="tcp", frames=Frames, archive_names=archive_names)
