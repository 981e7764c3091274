"""One source that is asked at intervals, and the documents that its index leads to.

A poll that fails, an error page or half a document is a failed poll: what was known stays known, and it is
never read as an empty list. Links are remembered in the database, so that nothing is fetched twice; one that
fails is tried again at the next poll, whether or not the index has changed, and keeps no other waiting.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from yarl import URL

from gateway.feeds.book import digest
from gateway.feeds.contract import FeedRefused, Reading
from gateway.feeds.document import Document
from gateway.feeds.fetch.pace import AT_ONCE, LONGEST_WAIT
from gateway.feeds.fetch.refused import FetchRefused
from gateway.feeds.recheck import Recheck
from gateway.feeds.taking import (
    LINK_FIXES,
    hand_over,
    index_adapter,
    linked_adapter,
    place_of,
    read,
    trouble,
    troubles,
)
from gateway.store.database import heed
from gateway.store.sources import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.feeds.book import Book
    from gateway.feeds.contract import Link
    from gateway.feeds.fetch.client import Client, Fetched
    from gateway.feeds.intake import Intake
    from gateway.store.sources import LinkRow

MOST_LINKS = 3_000
"""Of one index; more are a trouble and are left out."""
WHOLE_SECONDS = 900.0
"""After this a document is fetched even if the source would say that it has not changed."""
_LONGEST_URL = 2_000
_NO_CONTENT, _NOT_FOUND, _OK = 204, 404, 200
_FDSN = frozenset({"fdsn_text", "quakeml", "emsc"})


class Poller:
    """Polls one source; the lease is asked before each fetch, and before each alert is handed over."""

    def __init__(self, book: Book, client: Client, intake: Intake) -> None:
        """Poll nothing yet."""
        self._recheck = Recheck(book, client, intake)
        self._book = book
        self._client = client
        self._intake = intake
        self._source = book.source
        self._etag = self._last_modified = self._digest = ""
        self._whole_at = float("-inf")

    async def run(self) -> None:
        """Poll until cancelled or the lease is lost; raises what the database raises."""
        pause = await self._first_pause()
        while True:
            heed()
            await asyncio.sleep(pause)
            pause = await self.poll()

    async def _first_pause(self) -> float:
        """Return the seconds that are left of the last pause: a restart must not ask more often."""
        state, now = await self._book.state(), self._book.clock.now()
        if state.next_at is None or (state.polled_at and state.polled_at > now):  # the clock was set back
            return 0.0
        left = (state.next_at - now).total_seconds()
        return min(max(left, 0.0), max(self._source.interval_seconds, LONGEST_WAIT))

    async def poll(self) -> float:
        """Poll once; return the seconds to the next poll."""
        self._book.lease.require()
        try:
            fetched = await self._fetch()
            reading = await self._read(fetched)
        except (FetchRefused, FeedRefused) as refused:
            return await self._book.failed(refused)
        pause = await self._take(fetched, reading) if reading else await self._book.unchanged(fetched)
        loop = asyncio.get_running_loop()
        until = loop.time() + pause
        await self._fetch_links(until)
        return max(until - loop.time(), 0.0)

    async def _fetch(self) -> Fetched:
        """Fetch the document, at times the whole of it: some servers say for ever that it is the same."""
        now = self._book.clock.monotonic()
        if now - self._whole_at < WHOLE_SECONDS:
            return await self._client.fetch(
                self._source.url, etag=self._etag, last_modified=self._last_modified
            )
        fetched = await self._client.fetch(self._source.url)
        self._whole_at = now
        return fetched

    async def _read(self, fetched: Fetched) -> Reading | None:
        """Return what the document holds; None where it is the one that was read last."""
        if fetched.unchanged or (fetched.data and digest(fetched.data) == self._digest):
            return None
        if self._says_no_data(fetched):
            return Reading(self._source.kind)
        if fetched.status != _OK:
            raise FetchRefused("missing", f"there is nothing at the address (HTTP {fetched.status})")
        document = Document(fetched.data, fetched.url)
        return await read(index_adapter(self._source.adapter, document), document)

    def _says_no_data(self, fetched: Fetched) -> bool:
        """Whether an FDSN node answers that no event fits, which is a good answer (fdsnws-event 1.2)."""
        url = URL(self._source.url)
        if self._source.kind not in _FDSN and "/fdsnws/" not in url.path:
            return False
        asked = url.query.get("nodata") == str(_NOT_FOUND)
        return fetched.status == _NO_CONTENT or (fetched.status == _NOT_FOUND and asked)

    async def _take(self, fetched: Fetched, reading: Reading) -> float:
        handed = await hand_over(self._intake, self._book, reading)
        links, refused = self._allowed(reading.links)
        noted = [*troubles(reading.findings, ""), *handed.troubles, *refused]
        pause = await self._book.good(fetched, reading, links, noted)
        await self._book.took(handed.total, new=handed.new)
        await self._recheck.missing(reading)
        # Only what was handed over whole may be left out the next time.
        whole = not handed.troubles
        self._etag, self._last_modified = (fetched.etag, fetched.last_modified) if whole else ("", "")
        self._digest = digest(fetched.data) if whole else ""
        return pause

    def _allowed(self, links: Sequence[Link]) -> tuple[dict[str, str], list[Trouble]]:
        """Return the links that may be fetched, URL to ``updated``, and what is wrong with the others."""
        allowed: dict[str, str] = {}
        refused: list[Trouble] = []
        for link in links[:MOST_LINKS]:
            try:
                allowed[_checked(self._client, link.url)] = link.updated
            except FetchRefused as why:
                refused.append(trouble(why, place_of(link.url), LINK_FIXES)._replace(code="link_refused"))
        if len(links) > MOST_LINKS:
            more = f"the index has more than {MOST_LINKS} links; the rest is left out"
            refused.append(Trouble("links_left_out", "", more, "choose a smaller feed of the source"))
        return allowed, refused

    async def _fetch_links(self, until: float) -> None:
        """Fetch what is due, several at once, until the next poll is; a link's own failure ends nothing."""
        due = iter(await self._book.due_links())
        work = (self._work(due, until) for _ in range(AT_ONCE))
        ended = await asyncio.gather(*work, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure

    async def _work(self, due: Iterator[LinkRow], until: float) -> None:
        loop = asyncio.get_running_loop()
        for link in due:
            self._book.lease.require()
            try:
                fetched = await self._client.fetch(link.url)
                reading = await self._read_linked(fetched)
            except (FetchRefused, FeedRefused) as refused:
                await self._book.link_failed(link, trouble(refused, place_of(link.url), LINK_FIXES))
            else:
                await self._take_linked(link, reading)
            if loop.time() >= until:
                return

    async def _read_linked(self, fetched: Fetched) -> Reading:
        if fetched.status != _OK:
            raise FetchRefused("missing", f"a link leads to nothing (HTTP {fetched.status})")
        document = Document(fetched.data, fetched.url)
        return await read(linked_adapter(self._source.adapter, document), document)

    async def _take_linked(self, link: LinkRow, reading: Reading) -> None:
        """Hand over what a link leads to; its name in the index is its address."""
        # A list inside is complete for that document, not for the source.
        place = place_of(link.url)
        whole = replace(reading, listed=None)
        handed = await hand_over(self._intake, self._book, whole, name=link.url, place=place)
        if handed.troubles:
            await self._book.link_failed(link, handed.troubles[0])
        else:
            await self._book.link_fetched(link, troubles(reading.findings, place))
        await self._book.took(handed.total, new=handed.new)


def _checked(client: Client, url: str) -> str:
    client.guard.url(url)
    if len(url) > _LONGEST_URL:
        raise FetchRefused("url", f"the address has more than {_LONGEST_URL} characters")
    return url
