"""Who has signed an alert, who may, and whether it is enough."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from gateway.desk.refused import DeskRefused
from gateway.desk.steps import authors_of
from gateway.store import desk as store

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.desk.office import Office
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
    await may_sign(step, row, digest)
    await _check_not_over(step, row)
    need = await needed(step, office, row)
    signed = {one.person for one in await step.signed(row)}
    if step.actor in signed:
        return Standing(len(signed), need)
    if len(signed) >= need or row.state == "released":
        raise DeskRefused("state", f"alert {row.id} is {row.state} already: no further approval is needed")
    if await store.sign(step.connection, row.id, digest, step.actor, "approve", "", step.now):
        step.record("approve", row.id, digest=digest, **await _alike(step, row, signed))
    return Standing(len(await step.signed(row)), need)


async def may_sign(step: Step, row: AlertRow, digest: str) -> None:
    """Refuse unless the actor may approve, or reject, what lies there at this moment."""
    await step.may("approve")
    if step.actor in authors_of(row):
        raise DeskRefused(
            "author_approves",
            f"{step.actor} wrote, changed or submitted alert {row.id}: another person approves it",
        )
    if row.digest is None:
        raise DeskRefused("state", f"alert {row.id} is {row.state}: it waits for nobody's approval")
    if row.digest != digest:
        raise DeskRefused("stale", f"alert {row.id} is not what you saw any more: look at it again")
    if row.state in {"submitted", "approved"} and row.expires <= step.now:
        raise DeskRefused(
            "expired", f"alert {row.id} ended at {row.expires.isoformat()}: its author gives it a later end"
        )


async def _check_not_over(step: Step, row: AlertRow) -> None:
    """Refuse a signature under what is over, and say whether it was sent."""
    if row.state in {"submitted", "approved", "released"}:
        return
    sent = await store.release_of(step.connection, row.id)
    said = f"alert {row.id} is {row.state}"
    raise DeskRefused("state", f"{said}: it was sent and needs no approval" if sent else f"not sent: {said}")


async def check_signed(step: Step, office: Office, row: AlertRow) -> None:
    """Refuse unless enough people who may approve have signed this very digest."""
    have = {one.person for one in await step.signed(row)}
    need = await needed(step, office, row)
    if len(have) < need:
        raise DeskRefused(
            "approvals",
            f"alert {row.id} needs {need} approvers who may approve at this moment, and has {len(have)}: "
            f"have it approved by {need - len(have)} more",
        )


async def needed(step: Step, office: Office, row: AlertRow) -> int:
    """Return how many approvers it takes: by the policy of today, and never fewer than were announced.

    An alert that a rule sends was sealed together with that rule, and any edit takes the rule away.
    """
    assert row.plan is not None
    assert row.target_list_id is not None
    if "by_rule" in row.plan:
        return int(row.plan["approvers"])
    targets = await store.target_list(step.connection, row.target_list_id)
    return max(int(row.plan["approvers"]), office.policy.needed(row.level, row.msg_type, targets.count))


async def alike(connection: AsyncConnection, row: AlertRow, signers: set[str]) -> list[str]:
    """Return, as sentences, which signers bear the name of an author or of another signer.

    Two people may share a name, so it is for the others to look at: one person with two accounts
    would approve what that person wrote.
    """
    names = await store.names_of(connection, authors_of(row) | signers)
    said = []
    for login, name in names.items():
        for other, its in names.items():
            if login < other and _folded(name) == _folded(its) and not {login, other} <= authors_of(row):
                said.append(f"{login} and {other} bear the same name: are they two people?")
    return said


async def _alike(step: Step, row: AlertRow, signed: set[str]) -> dict[str, list[str]]:
    said = await alike(step.connection, row, signed | {step.actor})
    return {"findings": said} if said else {}


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()
