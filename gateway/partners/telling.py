"""What a partner is told of what it pushed, and of nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import Proof
from gateway.audience.codes import township_of
from gateway.coverage import coverage
from gateway.partners.answers import (
    ChannelReceipts,
    CoverageAnswer,
    KeyAnswer,
    OurAlert,
    PushedAlert,
    PushedPage,
    ReceiptsAnswer,
    RegionReceipts,
    ReleaseReceipts,
)
from gateway.partners.refused import PartnerRefused
from gateway.store import partners as store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.store.database import Database


async def tell(connection: AsyncConnection, partner: str, incoming_id: int) -> PushedAlert:
    """Return an alert that the partner pushed.

    Raises:
        PartnerRefused: with status 404, where it pushed none of that number.
    """
    return _alert(await _find(connection, partner, incoming_id))


async def page(database: Database, partner: str, limit: int, cursor: str | None) -> PushedPage:
    """Return the newest alerts that the partner pushed; ``cursor`` is the ``next`` of the page before."""
    async with database.begin() as connection:
        before = int(cursor) if cursor else None
        rows = await store.pushes(connection, partner, limit + 1, before)
    shown = rows[:limit]
    more = str(shown[-1].number) if len(rows) > limit else None
    return PushedPage(alerts=[_alert(row) for row in shown], next=more)


async def receipts(database: Database, partner: str, incoming_id: int, clock: Clock) -> ReceiptsAnswer:
    """Return how far the deliveries are that came of an alert.

    Raises:
        PartnerRefused: with status 404, where the partner pushed none of that number.
    """
    async with database.begin() as connection:
        row = await _find(connection, partner, incoming_id)
        rows = await store.deliveries(connection, row.release_id) if row.release_id else []
    releases = [_receipts(row, rows)] if row.release_id else []
    return ReceiptsAnswer(id=row.id, measured_at=clock.now(), releases=releases)


async def report(database: Database, partner: str, incoming_id: int, clock: Clock) -> CoverageAnswer:
    """Return the coverage of the release that came of an alert.

    Raises:
        PartnerRefused: with status 404, where the partner pushed none of that number, or none left the desk.
    """
    async with database.begin() as connection:
        row = await _find(connection, partner, incoming_id)
    if row.release_id is None:
        raise PartnerRefused(404, "not_released", f"nothing was released of alert {incoming_id} so far")
    return CoverageAnswer.of(await coverage(database, row.release_id, clock))


async def _find(connection: AsyncConnection, partner: str, incoming_id: int) -> Any:  # noqa: ANN401 - a row
    row = await store.pushed(connection, partner, incoming_id)
    if row is None:
        raise PartnerRefused(404, "no_alert", f"you pushed no alert {incoming_id}")
    return row


REPEATED = "repeated"
"""What a partner is told of the state of an alert that another source had brought."""
_SENTENCES = {
    "drafted": "it is drafted at the desk",
    "submitted": "it waits for approval at the desk",
    "released": "it was sent",
    "taken_back": "it was sent and taken back",
    "superseded": "another message took its place",
    "quarantined": "another message of the same sender, identifier and time says something else",
    "dismissed": "the desk laid it aside",
}
"""What is told instead of the desk's own reason, which may name persons and other sources."""


class Standing(NamedTuple):
    """How far an alert got."""

    state: str
    reason: str


def standing(state: str, reason: str, *, first: bool) -> Standing:
    """Return what a partner is told of a state of the inbox and its reason.

    Args:
        state: in the inbox.
        reason: the desk's own.
        first: whether the alert is the partner's, not one that another source had brought.
    """
    if not first:
        return Standing(REPEATED, "another source had brought it: what became of it is not told")
    return Standing(state, _SENTENCES.get(state, reason))


def _alert(row: Any) -> PushedAlert:  # noqa: ANN401 - a row
    told = standing(row.state, row.reason, first=row.first)._asdict()
    if not row.first:
        told |= {"findings": [], "changed_at": row.pushed_at}
    plain = {name: getattr(row, name) for name in PushedAlert.model_fields if name not in {"key", "alert"}}
    key = KeyAnswer(sender=row.sender, identifier=row.identifier, sent=row.sent)
    return PushedAlert(**plain | told, key=key, alert=_ours(row))


def _ours(row: Any) -> OurAlert | None:  # noqa: ANN401 - a row
    if row.our_identifier is None:
        return None
    return OurAlert(
        sender=row.our_sender,
        identifier=row.our_identifier,
        state=row.our_state,
        hazard=row.hazard,
        level=row.level,
        mode=row.mode,
        released_at=row.left_at,
    )


def _receipts(row: Any, counts: Iterable[Any]) -> ReleaseReceipts:  # noqa: ANN401 - a row
    total: Counter[str] = Counter()
    channels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    regions: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for channel, region, state, count in counts:
        # A village may have one recipient, whose receipt would then be a person's.
        for counter in (total, channels[channel], regions[channel, township_of(region)]):
            counter[_word(state)] += count
    return ReleaseReceipts(
        reference=row.reference,
        mode=row.mode,
        state=row.release_state,
        released_at=row.left_at,
        total=total,
        channels=[ChannelReceipts(channel=name, states=states) for name, states in channels.items()],
        regions=[
            RegionReceipts(channel=name, region=region, states=states)
            for (name, region), states in regions.items()
        ],
    )


def _word(state: int) -> str:
    return "pending" if state == Proof.PLANNED else Proof(state).name.lower()
