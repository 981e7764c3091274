"""Whether a warning goes to unusually many people, which takes further approvers.

It is compared with what the desk's earlier warnings went to: the live ones of the last year, the youngest
hundred at most, each with the message of it that went to most. Cancels are left out, and so are drills and
test messages, which are not live.
Those of the same hazard at a similar level (red and orange, or yellow and blue) count where there are
enough of them, else all; where there are too few of all, nothing is usual yet. A warning for everybody who
can be reached, in more than one township, is unusual until one of those hundred went to half as many.

The comparison is made at submission and frozen into the plan, so the digest covers it and nothing that
happens between the page and the signature changes it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from gateway.desk.findings import said
from gateway.desk.freeze import URGENT
from gateway.desk.refused import DeskRefused
from gateway.store import usual as store
from gateway.store.usual import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.audience import Audience
    from gateway.desk.findings import Said
    from gateway.desk.policy import Policy, Usual
    from gateway.store.usual import Earlier

PERIOD = timedelta(days=365)
"""How far back earlier warnings count."""
MOST = 100
"""So many of them count, the youngest."""
_CALM = frozenset({"yellow", "blue"})


class Case(NamedTuple):
    """A warning that is compared."""

    hazard: str
    level: str
    people: int
    """Recipients, people and terminals."""
    unreachable: int
    """Those of them without an address on any channel."""
    places: frozenset[str]
    """Townships that they belong to; who belongs to the county itself stands under the county's code."""

    @property
    def kind(self) -> Kind:
        """The warnings that are like it."""
        return Kind(self.hazard, URGENT if self.level in URGENT else _CALM)


class Compared(TypedDict):
    """What a warning was compared with, as it is kept in the plan."""

    median: int | None
    """People that earlier warnings went to; None where there were too few."""
    of: int
    """How many earlier warnings that was taken of."""
    among: str
    """``kind``: those of the same hazard and a similar level; ``all``; empty without a median."""
    many: bool
    """Whether it goes to more than so many times the median as the policy allows."""
    everybody: bool
    """Whether it goes to everybody who can be reached, and no earlier one went to half as many."""
    further: int
    """Approvers that it takes in addition; 0: it is not unusual."""


def case_of(hazard: str, level: str, chosen: Audience, people: int) -> Case:
    """Return the case of an audience; ``people`` is the length of the list that was made of it."""
    return Case(hazard, level, people, chosen.unreachable, frozenset(chosen.per_township))


async def compare(connection: AsyncConnection, policy: Policy, case: Case, now: datetime) -> Compared | None:
    """Return what a warning compares to at this moment; None where there is nothing to compare it with."""
    rule = policy.usual
    if case.people < rule.floor:
        return None
    earlier, among = await _earlier(connection, rule, case.kind, now - PERIOD)
    everybody = rule.everybody and await _is_first_to_everybody(connection, case, now - PERIOD)
    if earlier is None and not everybody:
        return None
    many = earlier is not None and case.people > rule.times * earlier.median
    return {
        "median": earlier.median if earlier else None,
        "of": earlier.of if earlier else 0,
        "among": among,
        "many": many,
        "everybody": everybody,
        "further": rule.further if many or everybody else 0,
    }


async def _earlier(
    connection: AsyncConnection, rule: Usual, kind: Kind, since: datetime
) -> tuple[Earlier | None, str]:
    for among, alike in (("kind", kind), ("all", None)) if rule.times else ():
        found = await store.earlier(connection, since, MOST, alike)
        if found is not None and found.of >= rule.least:
            return found, among
    return None, ""


async def _is_first_to_everybody(connection: AsyncConnection, case: Case, since: datetime) -> bool:
    townships = [one for one in case.places if not one.endswith("000000")]
    if len(townships) < 2:  # noqa: PLR2004 - the one township of a register is no more than was meant
        return False
    earlier = await store.earlier(connection, since, MOST)
    if earlier is not None and 2 * earlier.widest >= case.people:
        return False
    return not await store.more_reachable(connection, case.places, case.people - case.unreachable)


def further(plan: Mapping[str, Any] | None) -> int:
    """Return how many further approvers a plan asks for because it goes to unusually many; 0: it does not."""
    found: Compared | None = (plan or {}).get("usual")
    return found["further"] if found else 0


def findings(compared: Compared | None, people: int) -> list[Said]:
    """Return why a warning for so many people is unusual; nothing where it is not."""
    if compared is None or not compared["further"]:
        return []
    found = [said("unusual_everybody", count=people)] if compared["everybody"] else []
    if compared["many"]:
        found.append(said(f"unusual_{compared['among']}", count=people, **_usual(compared, people)))
    return [*found, said("unusual_asks", further=compared["further"])]


def told(plan: Mapping[str, Any] | None) -> list[Said]:
    """Return those findings of a plan that say why it is unusual."""
    found = (plan or {}).get("findings", ()) if further(plan) else ()
    return [one for one in found if not isinstance(one, str) and one["code"].startswith("unusual_")]


def _usual(compared: Compared, people: int) -> dict[str, int]:
    median = compared["median"] or 1
    return {"times": people // median, "median": median, "of": compared["of"]}


def refuse_by_rule(compared: Compared | None, people: int) -> None:
    """Refuse to send without people what is unusual.

    Raises:
        DeskRefused: ``unusual``, with the reason in its sentence.
    """
    if compared is None or not compared["further"]:
        return
    if compared["everybody"]:
        raise DeskRefused(
            "unusual",
            f"it goes to everybody who can be reached, {people} recipients: a person approves",
            why="everybody",
            count=people,
        )
    usual = _usual(compared, people)
    raise DeskRefused(
        "unusual",
        f"it goes to {people} recipients, {usual['times']} times as many as usual (median of {usual['of']} "
        f"earlier warnings: {usual['median']}): a person approves",
        why="many",
        count=people,
        times=usual["times"],
        of=usual["of"],
        median=usual["median"],
    )
