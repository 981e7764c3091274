"""Who has signed an alert, who may, and whether it is enough."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from gateway.desk import unusual
from gateway.desk.findings import said
from gateway.desk.refused import DeskRefused
from gateway.desk.scope import check_authorised
from gateway.desk.steps import authors_of
from gateway.store import desk as store
from gateway.store import emergencies

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.desk.findings import Said
    from gateway.desk.office import Office
    from gateway.desk.policy import Policy
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow


class ByRule(TypedDict):
    """Why a written rule stands for the approvers of an alert."""

    source: str
    """Whose rule it is."""
    grounds: str
    """One sentence: what made the rule hold."""


class Standing(NamedTuple):
    """How far the approval of an alert is."""

    have: int
    need: int


async def sign(step: Step, office: Office, row: AlertRow, digest: str) -> Standing:
    """Sign what the approver saw, named by its digest; signing twice is one signature."""
    signed, need = await check(step, office, row, digest)
    if step.actor in signed:
        return Standing(len(signed), need)
    if await store.sign(step.connection, row.id, digest, step.actor, "approve", "", step.now):
        step.record("approve", row.id, digest=digest, **await _alike(step, row, signed))
    return Standing(len(await step.signed(row)), need)


async def check(step: Step, office: Office, row: AlertRow, digest: str) -> tuple[set[str], int]:
    """Refuse a signature that would not be taken; return who has signed, and how many must."""
    await may_sign(step, row, digest)
    await _check_not_over(step, row)
    need = await needed(step, office, row)
    signed = {one.person for one in await step.signed(row)}
    if step.actor not in signed and (len(signed) >= need or row.state == "released"):
        raise DeskRefused(
            "state",
            f"alert {row.id} is {row.state} already: no further approval is needed",
            why="enough",
            alert=row.id,
            state=row.state,
        )
    return signed, need


async def may_sign(step: Step, row: AlertRow, digest: str) -> None:
    """Refuse unless the actor may approve, or reject, what lies there at this moment."""
    person = await step.may("approve", row)
    if step.actor in authors_of(row):
        raise DeskRefused(
            "author_approves",
            f"{step.actor} wrote, changed or submitted alert {row.id}: another person approves it",
            person=step.actor,
            alert=row.id,
        )
    await check_authorised(step.connection, step.policy, person, row, step.now)
    if row.digest is None:
        raise DeskRefused(
            "state",
            f"alert {row.id} is {row.state}: it waits for nobody's approval",
            why="not_waiting",
            alert=row.id,
            state=row.state,
        )
    if row.digest != digest:
        raise stale(row)
    if row.state in {"submitted", "approved"} and row.expires <= step.now:
        raise DeskRefused(
            "expired",
            f"alert {row.id} ended at {row.expires.isoformat()}: its author gives it a later end",
            alert=row.id,
            ended=row.expires,
        )


def stale(row: AlertRow) -> DeskRefused:
    """Return the refusal of a step on something else than what the person saw."""
    return DeskRefused(
        "stale", f"alert {row.id} is not what you saw any more: look at it again", alert=row.id
    )


async def _check_not_over(step: Step, row: AlertRow) -> None:
    """Refuse a signature under what is over, and say whether it was sent."""
    if row.state in {"submitted", "approved", "released"}:
        return
    sent = await store.release_of(step.connection, row.id)
    now = f"alert {row.id} is {row.state}"
    raise DeskRefused(
        "state",
        f"{now}: it was sent and needs no approval" if sent else f"not sent: {now}",
        why="was_sent" if sent else "not_sent",
        alert=row.id,
        state=row.state,
    )


async def check_signed(step: Step, office: Office, row: AlertRow) -> None:
    """Refuse unless enough people who may approve have signed this very digest.

    One of them is enough where that person sends this very digest by the emergency path.
    """
    have = {one.person for one in await step.signed(row)}
    need = await needed(step, office, row)
    if len(have) < need and not await _sends_alone(step, row, have):
        raise DeskRefused(
            "approvals",
            f"alert {row.id} needs {need} approvers who may approve at this moment, and has {len(have)}: "
            f"have it approved by {need - len(have)} more",
            alert=row.id,
            need=need,
            have=len(have),
            missing=need - len(have),
        )


async def _sends_alone(step: Step, row: AlertRow, have: set[str]) -> bool:
    alone = await emergencies.of_alert(step.connection, row.id)
    return alone is not None and alone.digest == row.digest and alone.person in have


async def needed(step: Step, office: Office, row: AlertRow) -> int:
    """Return how many approvers it takes: by the policy of today, and never fewer than were announced.

    An alert that a rule sends was sealed together with that rule, and any edit takes the rule away.
    """
    assert row.plan is not None
    assert row.target_list_id is not None
    if "by_rule" in row.plan:
        return int(row.plan["approvers"])
    targets = await store.target_list(step.connection, row.target_list_id)
    return at_least(office.policy, row, targets.count)


def at_least(policy: Policy, row: AlertRow, count: int) -> int:
    """Return how many must sign an alert for so many recipients that people approve.

    Whether so many are unusual was settled at submission and stays as it was frozen.
    """
    assert row.plan is not None
    today = policy.needed(row.level, row.msg_type, count, unusual.further(row.plan))
    return max(int(row.plan["approvers"]), today)


async def alike(connection: AsyncConnection, row: AlertRow, signers: set[str]) -> list[Said]:
    """Return which signers bear the name of an author or of another signer.

    Two people may share a name, so it is for the others to look at: one person with two accounts
    would approve what that person wrote.
    """
    names = await store.names_of(connection, authors_of(row) | signers)
    found = []
    for login, name in names.items():
        for other, its in names.items():
            if login < other and folded(name) == folded(its) and not {login, other} <= authors_of(row):
                found.append(said("alike", one=login, other=other))
    return found


async def _alike(step: Step, row: AlertRow, signed: set[str]) -> dict[str, list[Said]]:
    found = await alike(step.connection, row, signed | {step.actor})
    return {"findings": found} if found else {}


def folded(name: str) -> str:
    """Return a name without case, spaces and punctuation, to see whether two accounts bear the same."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()
