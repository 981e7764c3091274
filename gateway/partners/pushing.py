"""A partner pushes an alert: within its key's scope, through the intake, answered once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import shapely
import structlog

from gateway.alerts.model import Alert, MsgType
from gateway.feeds.intake import meaning_of
from gateway.partners import scope, telling
from gateway.partners.answers import Checked, FindingAnswer, KeyAnswer
from gateway.partners.idempotency import Answer, Once
from gateway.partners.reading import Pushed, read
from gateway.partners.refused import PartnerRefused
from gateway.partners.scope import Earlier
from gateway.store import alarms
from gateway.store import partners as store
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.alerts.hazards import Hazards
    from gateway.clock import Clock
    from gateway.feeds.intake import Intake
    from gateway.partners.access import Holder
    from gateway.partners.keys import Scope
    from gateway.store.database import Database
    from gateway.store.partners import Named

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
        pushed = await asyncio.to_thread(read, content_type, body)
        try:
            await self._admit(holder, pushed.item.alert)
        except ForeignRefused as refused:
            await self._tell_desk(holder, refused)
            raise
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
        kind, item = await asyncio.to_thread(read, content_type, body)
        await self._admit(holder, item.alert)
        judged = await self.intake.judge(holder.source, kind, item)
        async with self.database.begin() as connection:
            before = await store.source_of(connection, item.alert.key, meaning_of(item.alert))
        told = telling.standing(judged.state, judged.reason, first=before in {None, holder.source})
        return Checked(
            key=_key(item.alert),
            state=told.state,
            reason=told.reason,
            findings=[
                FindingAnswer(code=one.code, severity=one.severity, path=one.path, message=one.message)
                for one in judged.findings
            ],
        )

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

    async def _admit(self, holder: Holder, alert: Alert) -> None:
        """Refuse what the partner may not say.

        Raises:
            PartnerRefused: with status 403: it is outside of the key's scope, or changes what others brought.
        """
        earlier = await self._earlier(alert)
        _check_sender(holder, alert, earlier)
        if holder.scope.is_narrow:
            await self._check_scope(holder.scope, alert, earlier)

    async def _earlier(self, alert: Alert) -> Sequence[Named]:
        if not (names := _names(alert)):
            return ()
        async with self.database.begin() as connection:
            return await store.named(connection, names)

    async def _check_scope(self, limits: Scope, alert: Alert, named: Sequence[Named]) -> None:
        complete = {(one.sender, one.identifier) for one in named} >= _names(alert)
        earlier = Earlier(tuple(Alert.model_validate(one.content) for one in named), complete)
        borders: list[bytes] = []
        if limits.regions and scope.has_shapes([alert, *earlier.alerts]):
            async with self.database.begin() as connection:
                borders = await store.outlines(connection, limits.regions)
        outlines = [shapely.from_wkb(one) for one in borders]
        await asyncio.to_thread(scope.check, limits, alert, earlier, self.hazards, outlines)

    async def _tell_desk(self, holder: Holder, refused: ForeignRefused) -> None:
        """Sound an alarm: what was refused may be a genuine Cancel whose sender the settings do not name."""
        sentence = f"{holder.source} was refused: {refused.sentence}"
        async with self.database.begin() as connection:
            await alarms.sound(
                connection, f"partner {holder.partner}", refused.code, sentence, self.clock.now()
            )


class ForeignRefused(PartnerRefused):
    """An alert would change what others brought."""

    def __init__(self, alert: Alert) -> None:
        """Name the message and the way out."""
        super().__init__(
            403,
            "foreign_sender",
            f"this {alert.msg_type} ({alert.identifier[:80]}) is about an alert of {alert.sender[:80]} that "
            "another source had brought: ask the gateway's operator to name it in your rule (senders)",
        )


def _names(alert: Alert) -> set[tuple[str, str]]:
    """Return (sender, identifier) of what an alert is about; a bare number is of its own sender."""
    bare = {(alert.sender, one) for one in alert.malformed_references}
    return bare | {(one.sender, one.identifier) for one in alert.references}


def _check_sender(holder: Holder, alert: Alert, earlier: Sequence[Named]) -> None:
    """Refuse an Update or Cancel of what others brought: a CAP sender is a word that anybody can write.

    Who changes another sender's alerts is a matter of delegates, which the intake looks at.

    Raises:
        ForeignRefused: the partner's rule does not name the sender.
    """
    rule = holder.settings.rule
    if alert.msg_type not in {MsgType.UPDATE, MsgType.CANCEL} or alert.sender in {
        *rule.senders,
        *rule.delegates,
    }:
        return
    if any(one.sender == alert.sender and one.source != holder.source for one in earlier):
        raise ForeignRefused(alert)


def _key(alert: Alert) -> KeyAnswer:
    return KeyAnswer(sender=alert.sender, identifier=alert.identifier, sent=alert.key.sent)
