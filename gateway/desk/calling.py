"""Who is asked to sign: who is on duty first, a deputy in place of whoever is away, the next after silence.

Being asked gives no right and takes none away: whoever may approve may always sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.desk import scope
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import authors_of
from gateway.store import alarms
from gateway.store import summons as store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow, Person
    from gateway.store.summons import Candidate

SILENT = "approver_silent"
"""Code of the alarm that an approver did not sign in time, and the next one was asked."""
NOBODY = "nobody_signs"
"""Code of the alarm that everybody was asked."""
UNSENT = "nobody_sends"
"""Code of the alarm that what was approved does not leave."""
STOPPED = "stopped_only"
"""Code of the alarm that a warning is stopped and its Cancel has not left."""


class Place(NamedTuple):
    """Somebody in the order of those who are asked."""

    login: str
    deputy: bool
    """Whether this person stands in for somebody who is away."""


async def call_first(step: Step, row: AlertRow) -> list[str]:
    """Ask as many approvers as are needed to sign what was just submitted; return their logins."""
    need = (row.plan or {})["approvers"]
    places = (await _order(step, row))[:need] if need else []
    for ordinal, one in enumerate(places, 1):
        reason = "deputy" if one.deputy else "first"
        await store.summon(step.connection, row, ordinal, one.login, reason, step.now)
    return [one.login for one in places]


async def call_next(step: Step, row: AlertRow) -> str | None:
    """Ask the next approver where nobody has signed for too long; return whom.

    The caller holds the alert, so any number of processes may try: the first one changes since when
    it is quiet, and the others find nothing due.
    """
    assert row.digest is not None
    if not await store.due(step.connection, step.now, step.policy.escalation.seconds(), row.id):
        return None
    signed = {one.person for one in await step.signed(row)}
    called = [one.login for one in await store.summoned(step.connection, row.id, row.digest)]
    silent = [login for login in called if login not in signed]
    follower = next((one for one in await _order(step, row) if one.login not in {*called, *signed}), None)
    if follower is None:
        await _everybody_was_asked(step, row, silent)
        return None
    reason = "deputy" if follower.deputy else "silent"
    await store.summon(step.connection, row, len(called) + 1, follower.login, reason, step.now)
    said = f"{', '.join(silent) or 'nobody'} did not sign alert {row.id} in time: {follower.login} is asked"
    await alarms.sound(step.connection, f"alert {row.id}", SILENT, said, step.now)
    step.record("escalate", row.id, digest=row.digest, asked=follower.login, silent=silent)
    return follower.login


async def _everybody_was_asked(step: Step, row: AlertRow, silent: list[str]) -> None:
    standing = await alarms.standing(step.connection, f"alert {row.id}")
    if any(one.code == NOBODY for one in standing):
        return
    said = f"alert {row.id} waits for approval and there is nobody else to ask: call somebody who may sign"
    await alarms.sound(step.connection, f"alert {row.id}", NOBODY, said, step.now)
    step.record("escalate", row.id, digest=row.digest, asked=None, silent=silent)


async def call_sender(step: Step, row: AlertRow) -> bool:
    """Raise the alarm that nobody sends what is approved; return whether it was not raised before.

    The caller holds the alert.
    """
    seconds = step.policy.escalation.until_sent()
    if not await store.unsent(step.connection, step.now, seconds, row.id):
        return False
    said = f"alert {row.id} is approved and nobody sends it: send it, or call somebody who may"
    await alarms.sound(step.connection, f"alert {row.id}", UNSENT, said, step.now)
    step.record("send_overdue", row.id, digest=row.digest)
    return True


async def call_canceller(step: Step, row: AlertRow) -> bool:
    """Raise the alarm that a warning is stopped and not cancelled; return whether it was not raised before.

    The caller holds the alert, and so has waited for a Cancel that is just leaving.
    """
    if not await store.halted(step.connection, step.now, row.id):
        return False
    said = f"alert {row.id} is stopped and not cancelled: send its Cancel, or an Update"
    await alarms.sound(step.connection, f"alert {row.id}", STOPPED, said, step.now)
    step.record("cancel_overdue", row.id)
    return True


async def _order(step: Step, row: AlertRow) -> list[Place]:
    people = await store.candidates(step.connection, step.now)
    able = {one.person.login for one in people if await _may_sign(step, one.person, row)}
    return list(places(people, able))


async def _may_sign(step: Step, person: Person, row: AlertRow) -> bool:
    if person.login in authors_of(row) or not step.policy.allows("approve", person.roles):
        return False
    try:
        await scope.check(step.connection, person, row)
        await scope.check_authorised(step.connection, step.policy, person, row, step.now)
    except DeskRefused:
        return False
    return True


def places(people: list[Candidate], able: Collection[str]) -> Iterator[Place]:
    """Yield who is asked, in order and each once.

    Args:
        people: Everybody who is active, in the order of duty.
        able: Logins of those who may sign the alert.
    """
    known = {one.person.login: one for one in people}
    seen: set[str] = set()
    for one in people:
        here = _present(one, known) if one.person.login in able else None
        if here is None or here.person.login in seen or here.person.login not in able:
            continue
        seen.add(here.person.login)
        yield Place(here.person.login, deputy=here is not one)


def _present(one: Candidate, known: dict[str, Candidate]) -> Candidate | None:
    """Return the person, or the deputy who is here; None where the chain of deputies ends or turns back."""
    passed = set()
    here: Candidate | None = one
    while here is not None and here.away:
        if here.person.login in passed:
            return None
        passed.add(here.person.login)
        here = known.get(here.deputy or "")
    return here
