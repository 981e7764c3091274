"""The demo's source: a recording played to the real reader, and what became of each message."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from gateway.clock import SYSTEM
from gateway.demo.recording import playing
from gateway.desk.refused import DeskRefused
from gateway.feeds.by_hand import ByHand
from gateway.feeds.health import overview
from gateway.ops.gateway import environment, running, tongda
from gateway.ops.supervisor import Child, Supervisor
from gateway.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.demo.recording import Recording
    from gateway.desk.compose import Changes
    from gateway.desk.service import Desk
    from gateway.settings import Settings
    from gateway.store.desk import AlertRow
    from gateway.store.incoming import IncomingRow

NAME = "recording"
LOOK_SECONDS = 0.25
QUIET_SECONDS = 2.0
"""All is in once nothing has changed for so long."""
LONGEST_SECONDS = 45.0


class Source:
    """Brings the draft that the story goes on with."""

    def __init__(self, desk: Desk, tell: Callable[[str], None]) -> None:
        """``tell`` writes one line of the story."""
        self._desk = desk
        self._tell = tell

    async def bring(
        self, recording: Recording, given: dict[str, Any], person: str, changes: Changes
    ) -> AlertRow:
        """Play the recording to ``tongda feeds`` and return the draft of what came in.

        Raises:
            DeskRefused: nothing of it can become a warning here.
        """
        async with playing(recording, SYSTEM.now()) as source:
            read = given | {"sources": {NAME: source}}
            settings = load_settings(**read)
            inbox = ByHand(self._desk.database, SYSTEM, self._desk, settings)
            self._tell(
                f"[bold]source[/bold] {recording.first} ({source['kind']}) is played at {source['url']}"
            )
            child = Child("feeds", tongda("feeds"), environment(read))
            supervisor = Supervisor([child], signals=False)
            async with running(supervisor.run(), stop=supervisor.stop):
                rows = await self._until_quiet(inbox)
        for row in rows:
            self._tell(
                f"  message {row.id} {row.event or row.msg_type}: [bold]{row.state}[/bold], {row.reason}"
            )
        await self._say_troubles(settings)
        return await self._draft(inbox, rows, person, changes)

    async def _say_troubles(self, settings: Settings) -> None:
        """Say what of the source could not be read or was not fetched."""
        seen = await overview(self._desk.database, settings, SYSTEM)
        for one in (trouble for source in seen.sources for trouble in source.troubles):
            self._tell(f"  not taken: {one.place}: {one.sentence}; {one.fix}")

    async def _until_quiet(self, inbox: ByHand) -> list[IncomingRow]:
        """Return the messages, oldest first, once nothing changes any more."""
        began = changed = time.monotonic()
        before: list[IncomingRow] = []
        while True:
            rows = (await inbox.latest((), None, 200))[::-1]
            now = time.monotonic()
            if [(one.id, one.state) for one in rows] != [(one.id, one.state) for one in before]:
                before, changed = rows, now
            if (rows and now - changed > QUIET_SECONDS) or now - began > LONGEST_SECONDS:
                return rows
            await asyncio.sleep(LOOK_SECONDS)

    async def _draft(self, inbox: ByHand, rows: list[IncomingRow], person: str, changes: Changes) -> AlertRow:
        """Return the source's own draft, or one that a person makes of what waits, for the chosen region."""
        drafted = [row for row in rows if row.state == "drafted" and row.alert_id is not None]
        if drafted:
            assert drafted[-1].alert_id is not None
            return await self._desk.edit(drafted[-1].alert_id, person, changes)
        refused = DeskRefused("source", "the recording holds nothing that can become a warning here")
        for row in rows if changes.region is not None else ():
            try:
                return await inbox.draft(row.id, person, changes)
            except DeskRefused as error:
                refused = error
        raise refused
