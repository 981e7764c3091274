"""A partner pushes an alert: within its key's scope, through the intake, answered once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import shapely
import structlog

from gateway.alerts.model import Alert
from gateway.partners import scope, telling
from gateway.partners.answers import Checked, FindingAnswer, KeyAnswer
from gateway.partners.idempotency import Answer, Once
from gateway.partners.reading import Pushed, read
from gateway.partners.scope import Earlier
from gateway.store import partners as store
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from gateway.alerts.hazards import Hazards
    from gateway.clock import Clock
    from gateway.feeds.intake import Intake
    from gateway.partners.access import Holder
    from gateway.store.database import Database

log = structlog.get_logger(__name__)

TAKEN = 202


class Pusher(NamedTuple):
    """Takes what partners push."""

    database: Database
    clock: Clock
    intake: Intake
    hazards: Hazards

    async def push(self, holder: Holder, content_type: str, body: bytes, once: Once) -> Answer:
        """Take the alert of a body, and return the same answer to the same request ever after.

        Raises:
            PartnerRefused: it is no usable alert, outside of the key's scope, or another request's key.
        """
        pushed = await self._read(holder, content_type, body)
        if (before := await once.begin(self.database)) is not None:
            return before
        try:
            return await self._take(holder, pushed, once)
        except BaseException:
            # What died half way is repeated when the lease runs out; what can be told at once, is.
            with suppress(*DATABASE_FAULTS):
                await once.drop(self.database)
            raise

    async def check(self, holder: Holder, content_type: str, body: bytes) -> Checked:
        """Say what would become of the alert of a body; nothing is written.

        Raises:
            PartnerRefused: it is no usable alert, or outside of the key's scope.
        """
        kind, item = await self._read(holder, content_type, body)
        judged = await self.intake.judge(holder.source, kind, item)
        return Checked(
            key=_key(item.alert),
            state=judged.state,
            reason=judged.reason,
            findings=[
                FindingAnswer(code=one.code, severity=one.severity, path=one.path, message=one.message)
                for one in judged.findings
            ],
        )

    async def _read(self, holder: Holder, content_type: str, body: bytes) -> Pushed:
        pushed = await asyncio.to_thread(read, content_type, body)
        if holder.scope.is_narrow:
            await self._check_scope(holder, pushed.item.alert)
        return pushed

    async def _take(self, holder: Holder, pushed: Pushed, once: Once) -> Answer:
        taken = await self.intake.take(holder.source, pushed.kind, pushed.item)
        async with self.database.begin() as connection:
            await store.note_push(
                connection, holder.partner, taken.incoming_id, holder.key_id, self.clock.now()
            )
            told = await telling.tell(connection, holder.partner, taken.incoming_id)
            answer = Answer(TAKEN, told.model_dump_json())
            await once.finish(connection, answer)
        log.info("partner pushed", partner=holder.partner, incoming=taken.incoming_id, state=taken.state)
        return answer

    async def _check_scope(self, holder: Holder, alert: Alert) -> None:
        async with self.database.begin() as connection:
            known = [await store.contents(connection, holder.partner, one.key) for one in alert.references]
            earlier = Earlier(
                tuple(Alert.model_validate(one) for found in known for one in found),
                complete=all(known) and not alert.malformed_references,
            )
            borders: list[bytes] = []
            if holder.scope.regions and scope.has_shapes([alert, *earlier.alerts]):
                borders = await store.outlines(connection, holder.scope.regions)
        outlines = [shapely.from_wkb(one) for one in borders]
        await asyncio.to_thread(scope.check, holder.scope, alert, earlier, self.hazards, outlines)


def _key(alert: Alert) -> KeyAnswer:
    return KeyAnswer(sender=alert.sender, identifier=alert.identifier, sent=alert.key.sent)
