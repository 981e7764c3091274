"""The desk's steps, one method and one transaction each, but for Cancels; see the package docstring.

A Cancel that leaves takes two: the first stops its warning, the second sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog
import tenacity

from gateway.alerts.findings import Refused
from gateway.alerts.model import MsgType
from gateway.alerts.parse import parse
from gateway.desk import calling, drafting, emergency, incoming, leaving, people, signing, submission
from gateway.desk.checks import check_status
from gateway.desk.compose import NOTHING, Changes, Fields, key_text
from gateway.desk.leaving import Released
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import SYSTEM, Step, step
from gateway.store import audit, emergencies, summons
from gateway.store import desk as store
from gateway.store.database import AWAY
from gateway.store.faults import DATABASE_FAULTS, took_back

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from gateway.alerts.model import Alert
    from gateway.clock import Clock
    from gateway.desk.findings import Said
    from gateway.desk.office import Office
    from gateway.desk.policy import Step as Right
    from gateway.store.audit import Head
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow, Approval, Person, ReleaseRow
    from gateway.store.emergencies import EmergencyRow
    from gateway.store.summons import Summoned


log = structlog.get_logger(__name__)

_TRIES = 3
"""Times that a Cancel is planned where the database takes it back for another step."""


class Signed(NamedTuple):
    """What an approval led to."""

    alert: AlertRow
    have: int
    need: int
    released: Released | None = None
    """Where the policy lets the last approval of a Cancel send it."""


class Sheet(NamedTuple):
    """An alert with everything that an approver looks at."""

    alert: AlertRow
    signatures: list[Approval]
    need: int | None
    """Approvers needed; None before it is submitted."""
    recipients: int | None
    release: ReleaseRow | None
    cancel: AlertRow | None
    """The Cancel that was prepared, if any."""
    alike: list[Said]
    """Signers who bear the name of an author or of another signer."""
    asked: list[Summoned]
    """Who was asked to sign it, in order."""
    emergency: EmergencyRow | None
    """Set where it was sent on one signature."""


class Desk:
    """Draft, submit, approve, release, correct and take back warnings.

    Every method takes the login of the person who asks. Asked twice it returns the same thing
    again or refuses; it raises :class:`gateway.desk.refused.DeskRefused` where the step cannot be
    taken, and then nothing has changed.
    """

    def __init__(self, database: Database, clock: Clock, office: Office) -> None:
        """Keep what the steps need; nothing is read yet."""
        self.database = database
        self.clock = clock
        self.office = office
        self._head: Head | None = None

    def _step(self, actor: str) -> AbstractAsyncContextManager[Step]:
        return step(self.database, actor, self.clock.now(), self.office.policy)

    async def set_person(self, person: Person, by: str = SYSTEM) -> None:
        """Add somebody to the desk, or replace what that person may do."""
        async with self._step(by) as one:
            await people.put(one, person)

    async def draft_from_cap(
        self, data: bytes, author: str, mode: str = "live", changes: Changes = NOTHING
    ) -> AlertRow:
        """Draft our message from a CAP message that came in.

        Args:
            data: The file as it came; kept untouched beside the draft.
            author: Login of the author.
            mode: ``live`` or ``drill``; the file's status must fit.
            changes: What the desk decides otherwise from the start, e.g. ``Changes(region=code)``.
        """
        came = _read(data)
        check_status(came, mode)
        async with self._step(author) as one:
            await one.may("draft")
            row = await incoming.from_cap(one, self.office, came, data, mode, changes)
            return await one.inside("draft", row)

    async def drafted_before(self, data: bytes, mode: str = "live") -> AlertRow | None:
        """Return the alert in work or in force that was drafted from this message."""
        async with self.database.begin() as connection:
            return await store.alert_drafted_from(connection, key_text(_read(data)), mode)

    async def draft(self, fields: Fields, author: str, changes: Changes = NOTHING) -> AlertRow:
        """Draft a warning that is written at the desk."""
        async with self._step(author) as one:
            await one.may("draft")
            return await one.inside("draft", await drafting.from_fields(one, self.office, fields, changes))

    async def edit(
        self, alert_id: int, author: str, changes: Changes, version: int | None = None
    ) -> AlertRow:
        """Change a draft, or a submitted or approved alert, which then is a draft again and unsigned.

        ``version`` is the one that the author looked at: another one is refused, so that nobody
        overwrites what somebody else wrote meanwhile.
        """
        async with self._step(author) as one:
            row = await one.hold(alert_id)
            await one.may(_right(row), row)
            _check_version(row, version)
            return await one.inside(_right(row), await drafting.edit(one, self.office, row, changes))

    async def submit(self, alert_id: int, author: str, version: int | None = None) -> AlertRow:
        """Check the draft, freeze people, texts and plan, and ask for approval.

        ``version`` is the one that the author looked at, as in :meth:`edit`.
        """
        seen = (await self.show(alert_id)).alert
        if seen.state in {"submitted", "approved"}:
            return seen
        _check_version(seen, version)
        chosen = await submission.resolve(self.database, self.office, seen)
        async with self._step(author) as one:
            row = await one.hold(alert_id)
            await one.may(_right(row), row)
            _check_version(row, seen.version)
            if row.state in {"submitted", "approved"}:
                return row
            return await one.inside(_right(row), await submission.submit(one, self.office, row, chosen))

    async def approve(self, alert_id: int, digest: str, person: str) -> Signed:
        """Sign what the approver saw, named by its digest."""
        async with self._step(person) as one:
            row = await one.hold(alert_id)
            have, need = await signing.sign(one, self.office, row, digest)
            if have < need or row.state == "released":
                return Signed(row, have, need)
            if row.state == "submitted":
                row = await one.change(row, "approve", approved_at=one.now)
            if not self._leaves_at_once(row):
                return Signed(row, have, need)
            await self._halt(one, row)
        released = await self._leave(row, person)
        return Signed((await self.show(row.id)).alert, have, need, released)

    async def check_approve(self, alert_id: int, digest: str, person: str, *, send: bool) -> bool:
        """Refuse as :meth:`approve`, and :meth:`release` where it is to be sent, and change nothing.

        Returns whether anything of it is to be done yet.
        For whoever asks for a code first: a code that is used up for a refusal is missing a moment later.
        """
        async with self._step(person) as one:
            row = await one.read(alert_id)
            signed, _ = await signing.check(one, self.office, row, digest)
            if send:
                await one.may("release", row)
                leaving.check_routes(self.office, row)
            return person not in signed or (send and row.state != "released")

    async def check_release(self, alert_id: int, person: str, digest: str) -> bool:
        """Refuse as :meth:`release` and change nothing; return whether it is not sent yet."""
        async with self._step(person) as one:
            row = await one.read(alert_id)
            await one.may("release", row)
            if await store.release_of(one.connection, row.id):
                return False
            if digest != row.digest:
                raise signing.stale(row)
            await leaving.check(one, self.office, row)
            return True

    async def check_release_alone(self, alert_id: int, digest: str, person: str, reason: str) -> bool:
        """Refuse as :meth:`release_alone` and change nothing; return whether it is not sent yet."""
        async with self._step(person) as one:
            return await emergency.check(one, self.office, await one.read(alert_id), digest, reason)

    async def check_cosign(self, alert_id: int, digest: str, person: str) -> bool:
        """Refuse as :meth:`cosign` and change nothing; return whether the signature is missing yet."""
        async with self._step(person) as one:
            return await emergency.check_cosign(one, await one.read(alert_id), digest)

    async def reject(self, alert_id: int, digest: str, person: str, reason: str) -> AlertRow:
        """Send a submitted or approved alert back to its author with a reason."""
        if not reason.strip():
            raise DeskRefused("reason", "say why, so that the author can mend it", why="reject")
        async with self._step(person) as one:
            row = await one.hold(alert_id)
            await signing.may_sign(one, row, digest)
            await store.sign(one.connection, row.id, digest, person, "reject", reason, one.now)
            void = {"digest": None, "texts": None, "submitted_at": None, "approved_at": None}
            row = await one.change(row, "reject", version=row.version + 1, **void)
            one.record("reject", row.id, digest=digest, reason=reason)
            return row

    async def release(self, alert_id: int, person: str, digest: str | None = None) -> Released:
        """Send an approved alert; a second call returns the release that the first one made.

        ``digest`` is what the person looked at: anything else is refused, approved or not.
        """
        async with self._step(person) as one:
            row = await one.hold(alert_id)
            await one.may("release", row)
            if done := await store.release_of(one.connection, row.id):
                return Released(done.id, done.reference, {})
            if digest not in (None, row.digest):
                raise signing.stale(row)
            if row.msg_type != MsgType.CANCEL:
                return await leaving.leave(one, self.office, row)
            await self._halt(one, row)
        return await self._leave(row, person)

    async def _halt(self, one: Step, cancel: AlertRow) -> None:
        await leaving.check(one, self.office, cancel)
        await leaving.halt(one, cancel)

    async def _leave(self, seen: AlertRow, person: str) -> Released:
        """Send a Cancel whose warning was stopped a step before; tried again where the database took it back.

        What is left to do then is another word than that nothing was done.
        """
        try:
            async for trial in tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception(took_back),
                stop=tenacity.stop_after_attempt(_TRIES),
                wait=tenacity.wait_random(max=0.2),
                reraise=True,
            ):
                with trial:
                    return await self._leave_now(seen, person)
        except DATABASE_FAULTS as error:
            if not took_back(error):
                raise
        raise DeskRefused(
            "cancel_waits",
            f"its warning is stopped and alert {seen.id} is approved, but it could not be sent yet: send it",
            alert=seen.id,
        )

    async def _leave_now(self, seen: AlertRow, person: str) -> Released:
        async with self._step(person) as one:
            row = await one.hold(seen.id)
            if done := await store.release_of(one.connection, row.id):
                return Released(done.id, done.reference, {})
            if row.digest != seen.digest:
                raise DeskRefused(
                    "cancel_waits",
                    f"its warning is stopped, and alert {row.id} was sent back meanwhile: look at it again",
                    why="sent_back",
                    alert=row.id,
                )
            return await leaving.leave(one, self.office, row)

    async def release_alone(self, alert_id: int, digest: str, person: str, reason: str) -> Released:
        """Sign and send by the emergency path; another approver signs afterwards (:meth:`cosign`)."""
        async with self._step(person) as one:
            row = await one.hold(alert_id)
            if done := await emergency.sign(one, self.office, row, digest, reason):
                return done
            row = await one.read(alert_id)
            if row.msg_type != MsgType.CANCEL:
                return await leaving.leave(one, self.office, row)
            await self._halt(one, row)
        return await self._leave(row, person)

    async def cosign(self, alert_id: int, digest: str, person: str) -> None:
        """Sign what one person sent by the emergency path."""
        async with self._step(person) as one:
            await emergency.cosign(one, await one.hold(alert_id), digest)

    async def update(self, alert_id: int, author: str) -> AlertRow:
        """Draft an Update of an alert that was released, expired or not; it says the same until edited."""
        async with self._step(author) as one:
            row = await one.hold(alert_id)
            await one.may("draft", row)
            return await one.inside("draft", await drafting.open_update(one, self.office, row))

    async def cancel(self, alert_id: int, person: str, version: int | None = None) -> AlertRow:
        """Submit the Cancel that was prepared when the alert was released, and return it.

        ``version`` is the one of the Cancel that the person looked at, as in :meth:`edit`.
        """
        async with self._step(person) as one:
            row = await one.hold(alert_id)
            await one.may("cancel", row)
            prepared = await store.prepared_cancel(one.connection, row.id)
            if prepared is None or row.state not in {"released", "cancelled"}:
                raise DeskRefused(
                    "state",
                    f"alert {row.id} is {row.state}: only a released one can be cancelled",
                    why="not_released",
                    alert=row.id,
                    state=row.state,
                )
            if prepared.state == "draft":
                _check_version(prepared, version)
                prepared = await self._submit_cancel(one, prepared)
            if prepared.state != "approved" or not self._leaves_at_once(prepared):
                return prepared
            await self._halt(one, prepared)
        await self._leave(prepared, person)
        return (await self.show(prepared.id)).alert

    async def _submit_cancel(self, one: Step, prepared: AlertRow) -> AlertRow:
        plan = prepared.plan or {}
        plan |= {"authors": sorted({*plan["authors"], one.actor})}
        await store.change_alert(one.connection, prepared.id, author=one.actor, plan=plan)
        submitted = await submission.submit(one, self.office, await one.read(prepared.id), None)
        return await one.inside("cancel", submitted)

    async def withdraw(
        self, alert_id: int, person: str, digest: str | None = None, version: int | None = None
    ) -> AlertRow:
        """Give up an alert that was not released; a prepared Cancel stays as long as its warning stands.

        ``digest`` is that of what the person looked at, empty for a draft, and ``version`` as in
        :meth:`edit`: anything else is refused.
        """
        async with self._step(person) as one:
            row = await one.hold(alert_id)
            await one.may(_right(row), row)
            if row.state == "withdrawn":
                return row
            if row.msg_type == MsgType.CANCEL:
                raise DeskRefused(
                    "cancel_kept", "the Cancel stays ready while its warning stands: reject it instead"
                )
            if digest not in (None, row.digest or ""):
                raise signing.stale(row)
            _check_version(row, version)
            row = await one.change(row, "withdraw")
            one.record("withdraw", row.id)
            return row

    async def expire_due(self) -> list[int]:
        """Close every alert whose validity is over; return their numbers. Safe to call at any time.

        A head of the audit log that was not told yet goes into this process's log, so that whoever
        keeps that elsewhere can prove later that the audit log was not cut.
        """
        async with self.database.begin() as connection:
            due = await store.overdue(connection, self.clock.now())
            self._tell_head(await audit.head(connection))
        return [number for number in due if await self._expire(number)]

    async def call_next(self) -> dict[int, str]:
        """Ask the next approver of each alert that nobody signs; return whom. Safe to call at any time."""
        now, seconds = self.clock.now(), self.office.policy.escalation.seconds()
        async with self.database.begin() as connection:
            await summons.calm(connection, now)
            due = await summons.due(connection, now, seconds)
        asked = {number: await self._call_next(number) for number in due}
        return {number: login for number, login in asked.items() if login is not None}

    async def _call_next(self, alert_id: int) -> str | None:
        try:
            async with self._step(SYSTEM) as one:
                row = await one.hold(alert_id)
                return await calling.call_next(one, row) if row.digest is not None else None
        except (*DATABASE_FAULTS, *AWAY):
            raise
        except Exception:  # the other alerts must not wait for it
            log.exception("nobody can be asked to sign", alert=alert_id, alarm=True)
            return None

    async def remind_senders(self) -> list[int]:
        """Raise an alarm for each alert that is approved and not sent in time; safe at any time."""
        now, seconds = self.clock.now(), self.office.policy.escalation.until_sent()
        async with self.database.begin() as connection:
            await summons.calm(connection, now)
            late = await summons.unsent(connection, now, seconds)
        return [number for number in late if await self._call_out(number, calling.call_sender)]

    async def remind_cancellers(self) -> list[int]:
        """Raise an alarm for each warning that is stopped and not cancelled; safe at any time."""
        now = self.clock.now()
        async with self.database.begin() as connection:
            await summons.calm(connection, now)
            halted = await summons.halted(connection, now)
        return [number for number in halted if await self._call_out(number, calling.call_canceller)]

    async def _call_out(self, alert_id: int, call: Callable[[Step, AlertRow], Awaitable[bool]]) -> bool:
        try:
            async with self._step(SYSTEM) as one:
                return await call(one, await one.hold(alert_id))
        except (*DATABASE_FAULTS, *AWAY):
            raise
        except Exception:  # the other alerts must not wait for it
            log.exception("nobody can be told what waits for people", alert=alert_id, alarm=True)
            return False

    async def remind_cosigners(self) -> list[int]:
        """Raise an alarm for each emergency release that nobody signed in time; safe at any time."""
        async with self.database.begin() as connection:
            late = await emergencies.unsigned(connection, due_by=self.clock.now())
        return [row.alert_id for row in late if await self._remind(row.alert_id)]

    async def _remind(self, alert_id: int) -> bool:
        async with self._step(SYSTEM) as one:
            return await emergency.overdue(one, await one.hold(alert_id))

    def _tell_head(self, head: Head) -> None:
        if head != self._head:
            log.info("audit head", records=head.records, head=head.hash)
            self._head = head

    async def _expire(self, alert_id: int) -> bool:
        async with self._step(SYSTEM) as one:
            row = await one.hold(alert_id)
            if row.expires > one.now or row.state not in store.UNFINISHED:
                return False
            await one.change(row, "expire")
            one.record("expire", row.id)
            return True

    def _leaves_at_once(self, row: AlertRow) -> bool:
        return row.msg_type == MsgType.CANCEL and self.office.policy.cancel.release_on_approval

    async def show(self, alert_id: int) -> Sheet:
        """Return an alert with its signatures, release and prepared Cancel."""
        async with self.database.begin() as connection:
            row = await store.alert(connection, alert_id)
            if row is None:
                raise DeskRefused("no_alert", f"there is no alert {alert_id}", alert=alert_id)
            signed = await store.signatures(connection, row.id, row.digest) if row.digest else []
            targets = await store.target_list(connection, row.target_list_id) if row.target_list_id else None
            return Sheet(
                alert=row,
                signatures=signed,
                need=(row.plan or {}).get("approvers"),
                recipients=targets.count if targets else None,
                release=await store.release_of(connection, row.id),
                cancel=await store.prepared_cancel(connection, row.id),
                alike=await signing.alike(connection, row, {one.person for one in signed}),
                asked=await summons.summoned(connection, row.id, row.digest) if row.digest else [],
                emergency=await emergencies.of_alert(connection, row.id),
            )

    async def alerts(self, state: str | None = None, limit: int = 50) -> list[AlertRow]:
        """Return the latest alerts, newest first."""
        async with self.database.begin() as connection:
            return await store.list_alerts(connection, state, limit)

    async def people(self) -> list[Person]:
        """Return everybody who works at the desk."""
        async with self.database.begin() as connection:
            return await store.list_people(connection)


def _read(data: bytes) -> Alert:
    """Return the message of a file, or refuse what was not understood whole: it would be sent otherwise."""
    try:
        parsed = parse(data)
    except Refused as error:
        raise DeskRefused("not_cap", f"not a usable CAP message: {error}") from None
    if unsure := next((one for one in parsed.findings if one.severity == "error"), None):
        raise DeskRefused(
            "not_cap", f"{unsure.path}: {unsure.message}; mend the file, or write the warning at the desk"
        )
    return parsed.alert


def _check_version(row: AlertRow, version: int | None) -> None:
    if version not in (None, row.version):
        raise DeskRefused("changed", f"alert {row.id} was changed meanwhile: look at it again", alert=row.id)


def _right(row: AlertRow) -> Right:
    return "cancel" if row.msg_type == MsgType.CANCEL else "draft"
