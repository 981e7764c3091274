"""Which delivery a report is about.

References that this process has seen accepted come first, then the attempts table; a receipt
that matches nothing yet is parked, because it may come before the answer to its submission or
over another worker's session. The reconciler matches it later (:func:`match_parked`).
What can never match (an answer from a stranger, a report without a reference) is kept in the
ledger without a delivery: it proves nothing, and it is evidence.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import structlog

from channels.base import Accepted, DeviceState, Proof, Receipt, Reply, mask, plain_text
from gateway.store import ledger as store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg

    from channels.base import Report
    from gateway.receipts.ledger import Attempt

log = structlog.get_logger(__name__)

CONFIRMING = re.compile(r"\s*(1|１|y|yes|ok|收到|已收到|确认|已确认)[\s。.!！]*", re.IGNORECASE)
"""Replies that confirm; any other reply shows only that the person has read something."""

REMEMBERED = 50_000
"""References kept in memory for each channel; older ones are found in the attempts table."""


class Told(NamedTuple):
    """One report and where it came from."""

    channel: str
    source: str
    received_at: datetime
    report: Report
    mode: str = "live"
    """Whose provider told: one of drills can prove nothing of a live release, nor the other way round."""

    @property
    def receipt(self) -> Receipt:
        """The report, where the caller knows that it is a receipt."""
        return cast("Receipt", self.report)


def storable(report: Report) -> Report:
    """Return the report with a stranger's words as a database can hold them."""
    if all(told.isprintable() for told in report if type(told) is str):
        return report
    kind: Any = type(report)
    return cast("Report", kind(*[plain_text(told) if type(told) is str else told for told in report]))


class Matched(NamedTuple):
    """A receipt whose delivery is known."""

    delivery: int
    parts: int
    state: Proof
    told: Told

    def row(self) -> tuple[Any, ...]:
        """Return the row of the receipts table."""
        return (self.delivery, *_columns(self.told, self.state))


class Found(NamedTuple):
    """What became of the reports of one flush."""

    matched: list[Matched]
    parked: list[tuple[Any, ...]]
    """Rows of the parked receipts."""
    stray: list[tuple[Any, ...]]
    """Rows of the receipts table that name no delivery."""

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows of the receipts table."""
        return [one.row() for one in self.matched] + self.stray


class Known:
    """References of attempts accepted by this process: {channel: {reference: (delivery, parts)}}."""

    def __init__(self) -> None:
        """Begin with none."""
        self._refs: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)

    def remember(self, attempts: Sequence[Attempt]) -> None:
        """Keep the references of accepted attempts, the youngest :data:`REMEMBERED` of each channel."""
        for attempt in attempts:
            outcome = attempt.outcome
            if type(outcome) is Accepted:
                refs = self._refs[attempt.channel]
                for ref in outcome.refs:
                    if ref:
                        refs[ref] = (attempt.delivery, len(outcome.refs))
        for refs in self._refs.values():
            if len(refs) > REMEMBERED:
                for ref in list(itertools.islice(refs, len(refs) - REMEMBERED)):
                    del refs[ref]

    def get(self, channel: str, ref: str) -> tuple[int, int] | None:
        """Return (delivery, parts) of a reference, if it is remembered."""
        return self._refs[channel].get(ref)


async def match(connection: asyncpg.Connection, told: Sequence[Told], known: Known) -> Found:
    """Find the delivery of each report; keeps device states."""
    found = Found([], [], [])
    claimed: dict[tuple[str, str], list[Told]] = defaultdict(list)
    strange: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for one in told:
        report = one.report
        if type(report) is Receipt:
            sent = known.get(one.channel, report.ref) if report.delivery is None else None
            if sent:
                found.matched.append(Matched(*sent, report.state, one))
            else:
                (strange if report.delivery is None else claimed)[one.channel, one.mode].append(one)
        elif isinstance(report, Reply):
            await _replied(connection, one, report, found)
        elif isinstance(report, DeviceState):
            await store.keep_device(
                connection, one.channel, report.device, online=report.online, at=report.at
            )
    for route, ours in claimed.items():
        await _own(connection, *route, ours, found)
    for route, unknown in strange.items():
        await _borne(connection, *route, unknown, found)
    if found.stray:
        log.warning("reports that name no delivery of ours", count=len(found.stray))
    return found


async def match_parked(connection: asyncpg.Connection, limit: int = 5_000) -> tuple[list[Matched], list[int]]:
    """Return parked receipts whose attempt has been recorded meanwhile, and the parked ids they had."""
    by_route: dict[tuple[str, str], list[tuple[int, Told]]] = defaultdict(list)
    for row in await store.parked(connection, limit):
        receipt = Receipt(Proof(row["state"]), row["ref"], None, row["code"], row["reported_at"], row["raw"])
        told = Told(row["channel"], row["source"], row["received_at"], receipt, row["mode"])
        by_route[told.channel, told.mode].append((row["id"], told))
    matched: list[Matched] = []
    ids: list[int] = []
    for route, waiting in by_route.items():
        found, missing = await _find(connection, *route, [told for _, told in waiting])
        matched += found
        ids += [number for number, told in waiting if told not in missing]
    return matched, ids


async def _borne(
    connection: asyncpg.Connection, channel: str, mode: str, told: Sequence[Told], found: Found
) -> None:
    """Match what an attempt bears; the rest waits for its attempt, and what bears no reference never can."""
    matched, missing = await _find(connection, channel, mode, told)
    found.matched.extend(matched)
    for one in missing:
        if one.receipt.ref:
            found.parked.append((*_columns(one, one.receipt.state), one.mode))
        else:
            found.stray.append(_stray(one))


async def _find(
    connection: asyncpg.Connection, channel: str, mode: str, told: Sequence[Told]
) -> tuple[list[Matched], list[Told]]:
    refs = await store.find(connection, channel, mode, [one.receipt.ref for one in told])
    matched, missing = [], []
    for one in told:
        found = refs.get(one.receipt.ref)
        if found:
            matched.append(Matched(*found, one.receipt.state, one))
        else:
            missing.append(one)
    return matched, missing


async def _own(
    connection: asyncpg.Connection, channel: str, mode: str, told: Sequence[Told], found: Found
) -> None:
    """Keep reports that name a delivery only where that delivery was sent over their route.

    A person's word stands for itself: the confirm link was signed by us.
    """
    sent = await store.own(connection, channel, [one.receipt.delivery or 0 for one in told])
    for one in told:
        delivery = one.receipt.delivery or 0
        own = sent.get(delivery)
        if own and (one.source == "person" or own == (mode, True)):
            found.matched.append(Matched(delivery, 1, one.receipt.state, one))
        else:
            found.stray.append(_stray(one))


async def _replied(connection: asyncpg.Connection, told: Told, reply: Reply, found: Found) -> None:
    state = Proof.CONFIRMED if CONFIRMING.fullmatch(reply.text) else Proof.READ
    receipt = Receipt(state, "", None, "reply", reply.at, f"{mask(reply.address)}: {reply.text[:160]}")
    person = told._replace(source="person", report=receipt)
    answered = await store.replied(connection, told.channel, told.mode, reply.address)
    found.matched.extend(Matched(delivery, 1, state, person) for delivery in answered)
    if not answered:
        found.stray.append(_stray(person))


def _stray(told: Told) -> tuple[Any, ...]:
    return (None, *_columns(told, told.receipt.state))


def _columns(told: Told, state: Proof) -> tuple[Any, ...]:
    _, ref, _, code, at, raw = told.receipt
    return (told.channel, ref, int(state), told.source, code, at, told.received_at, raw)
