"""Turn a route or a source off and on again, with a reason that stands in the audit log.

A route that is off sends nothing more within two seconds: its workers look at the switch with each
claim and twice a second in between (:mod:`gateway.dispatch.run`). What was planned stays open, is tried
as often as before, and goes on when the route is on again, unless its warning has ended meanwhile.
The database is the truth; a worker that cannot read it sends nothing either.

Off is always taken. On is taken from the state that the person saw only: whoever turned it off meanwhile
had a reason that the person has not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.desk.refused import DeskRefused
from gateway.desk.scope import check_everywhere
from gateway.store import switches as store

if TYPE_CHECKING:
    from gateway.desk.steps import Step
    from gateway.store.switches import Kind

LONGEST_REASON = 200


async def switch(
    step: Step, kind: Kind, name: str, *, off: bool, reason: str, seen: str | None = None
) -> bool:
    """Turn something off or on inside a step; False where it was so already.

    Args:
        step: The actor needs the right ``operate``.
        kind: ``route`` or ``source``.
        name: ``{channel}.{live|drill}``, or the source's name; the caller knows that there is one.
        off: Whether it is turned off.
        reason: Why, in one line; demanded both ways.
        seen: :attr:`gateway.store.switches.SwitchRow.version` of the switch as a page showed it, empty for
            one that was on; None where no page lay between.

    Raises:
        DeskRefused: ``switched``: it was turned off after it was seen, and stays off.
    """
    check_everywhere(await step.may("operate"))
    said = reason.strip()
    if not said or len(said) > LONGEST_REASON or not said.isprintable():
        raise DeskRefused("reason", f"say why, in one line of at most {LONGEST_REASON} characters")
    if not off and seen is not None:
        await _check_seen(step, kind, name, seen)
    changed = await store.set_switch(
        step.connection, kind, name, off=off, reason=said, by=step.actor, at=step.now
    )
    if changed:
        step.record("turn_off" if off else "turn_on", f"{kind} {name}", reason=said)
    return changed


async def _check_seen(step: Step, kind: Kind, name: str, seen: str) -> None:
    row = await store.hold(step.connection, kind, name)
    if row is None or not row.off or row.version == seen:
        return
    raise DeskRefused(
        "switched",
        f"{row.by} turned it off at {row.at.isoformat()}, after you saw it: it stays off; look at it again",
        person=row.by,
        since=row.at,
        reason=row.reason,
    )
