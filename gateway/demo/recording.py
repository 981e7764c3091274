"""A recorded feed, played from a server on this machine as if it were live.

A file is served alone, a folder with everything in it; its index is the file that links to others. All times
in the documents are moved by the same span, so that the newest message was sent a moment ago: a gateway never
drafts what is old. Nothing outside this machine is asked: links to other hosts are refused by the client.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway.feeds.adapters import recognise
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import LARGEST, Document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from gateway.feeds.contract import Adapter, Reading

MOST_FILES = 2000
AGE = timedelta(seconds=20)
"""How long ago the newest message was sent, as the recording is played."""
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)")
_MILLIS = re.compile(rb"(?<![\d.])1[0-9]{12}(?![\d.])")
_CLOCK = "%Y-%m-%d %H:%M:%S"


class RecordingRefused(ValueError):
    """The recording cannot be played; the text names the file and the way out."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is played.

    Attributes:
        kind: The adapter of the first document.
        first: Name of the document at the source's address.
        documents: Name -> bytes, as they were recorded.
    """

    kind: str
    first: str
    documents: dict[str, bytes]

    def moved(self, now: datetime) -> dict[str, bytes]:
        """Return the documents as they would be if the newest message had been sent just before ``now``."""
        newest = max(_times(self), default=None)
        if newest is None:
            return self.documents
        span = timedelta(seconds=round((now - AGE - newest).total_seconds()))
        return {name: _moved(data, span) for name, data in self.documents.items()}


def load(path: Path) -> Recording:
    """Read a recording.

    Raises:
        RecordingRefused: there is no such file, or nothing in it that is known.
    """
    folder, files = path.parent, [path]
    if path.is_dir():
        folder, files = path, [file for file in sorted(path.rglob("*")) if file.is_file()]
    try:
        documents = {str(file.relative_to(folder)): _read(file) for file in files[:MOST_FILES]}
    except OSError as error:
        raise RecordingRefused(f"{path}: {error.strerror}") from None
    known = {name: adapter for name, data in documents.items() if (adapter := _adapter(data))}
    if not known:
        raise RecordingRefused(
            f"{path}: holds no feed that is known here; look at it with 'tongda feed check'"
        )
    first = min(known, key=lambda name: (not _leads_on(known[name], documents[name]), name))
    return Recording(known[first].kind, first, documents)


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(LARGEST)


def _adapter(data: bytes) -> Adapter | None:
    return recognise(Document(data))


def _reading(adapter: Adapter, data: bytes) -> Reading | None:
    try:
        return adapter.read(Document(data, "http://127.0.0.1/"))
    except FeedRefused:
        return None


def _leads_on(adapter: Adapter, data: bytes) -> bool:
    reading = _reading(adapter, data)
    return reading is not None and bool(reading.links)


def _times(recording: Recording) -> Iterator[datetime]:
    """Yield when each message was sent and each event made known."""
    for data in recording.documents.values():
        adapter = _adapter(data)
        reading = _reading(adapter, data) if adapter else None
        if reading is not None:
            yield from (item.alert.sent.astimezone(UTC) for item in reading.items)
            yield from (at for one in reading.solutions if (at := one.updated or one.time))


def _moved(data: bytes, span: timedelta) -> bytes:
    def stamp(match: re.Match[bytes]) -> bytes:
        try:
            at = datetime.strptime(f"{match[1].decode()} {match[3].decode()}", _CLOCK)  # noqa: DTZ007 - moved as it stands
            return f"{at + span:%Y-%m-%d}{match[2].decode()}{at + span:%H:%M:%S}".encode()
        except (ValueError, OverflowError):
            return match[0]

    def millis(match: re.Match[bytes]) -> bytes:
        return str(int(match[0]) + round(span.total_seconds()) * 1000).encode()

    return _MILLIS.sub(millis, _STAMP.sub(stamp, data))


@asynccontextmanager
async def playing(recording: Recording, now: datetime) -> AsyncIterator[dict[str, Any]]:
    """Serve the recording on a free loopback port; yields the settings of a source that reads it."""
    documents = recording.moved(now)

    async def document(request: web.Request) -> web.Response:
        data = documents.get(request.match_info["name"])
        return web.Response(body=data, status=200 if data is not None else 404)

    app = web.Application()
    app.add_routes([web.get("/{name:.+}", document)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield {
            "kind": recording.kind,
            "url": f"http://127.0.0.1:{runner.addresses[0][1]}/{recording.first}",
            "allow_http": True,
            "allow_private": True,
            "accept_unofficial": True,
            "interval_seconds": 5,
            "rule": {"action": "draft", "max_age_minutes": 10080, "valid_hours": 6},
        }
    finally:
        await runner.cleanup()
