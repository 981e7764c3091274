"""Which delivery a report is about.

References that this process has seen accepted come first, then the attempts table; a receipt
that matches nothing yet is parked, because it may come before the answer to its submission or
over another worker's session. The reconciler matches it later (:func:`match_parked`).
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from channels.base import Accepted, DeviceState, Proof, Receipt, Reply, mask
from gateway.store import ledger as store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg

    from channels.base import Report
    from gateway.receipts.ledger import Attempt

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


class Matched(NamedTuple):
    """A receipt whose delivery is known."""

    delivery: int
    parts: int
    state: Proof
    told: Told

    def row(self) -> tuple[Any, ...]:
        """Return the row of the receipts table."""
        return (self.delivery, *_columns(self.told, self.state))


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
                    refs[ref] = (attempt.delivery, len(outcome.refs))
        for refs in self._refs.values():
            if len(refs) > REMEMBERED:
                for ref in list(itertools.islice(refs, len(refs) - REMEMBERED)):
                    del refs[ref]

    def get(self, channel: str, ref: str) -> tuple[int, int] | None:
        """Return (delivery, parts) of a reference, if it is remembered."""
        return self._refs[channel].get(ref)


async def match(
    connection: asyncpg.Connection, told: Sequence[Told], known: Known
) -> tuple[list[Matched], list[tuple[Any, ...]]]:
    """Return the receipts whose delivery is known and the rows to park; keeps device states."""
    matched: list[Matched] = []
    claimed: dict[tuple[str, str], list[Told]] = defaultdict(list)
    strange: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for one in told:
        report = one.report
        if type(report) is Receipt:
            found = known.get(one.channel, report.ref) if report.delivery is None else None
            if found:
                matched.append(Matched(*found, report.state, one))
            else:
                (strange if report.delivery is None else claimed)[one.channel, one.mode].append(one)
        elif isinstance(report, Reply):
            matched += await _replied(connection, one, report)
        elif isinstance(report, DeviceState):
            await store.keep_device(
                connection, one.channel, report.device, online=report.online, at=report.at
            )
    for route, ours in claimed.items():
        matched += await _own(connection, *route, ours)
    parked: list[tuple[Any, ...]] = []
    for route, unknown in strange.items():
        found_now, missing = await _find(connection, *route, unknown)
        matched += found_now
        parked += [(*_columns(one, one.receipt.state), one.mode) for one in missing]
    return matched, parked


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
    connection: asyncpg.Connection, channel: str, mode: str, told: Sequence[Told]
) -> list[Matched]:
    """Keep reports that name a delivery only where that delivery was sent over their route.

    A person's word stands for itself: the confirm link was signed by us.
    """
    named = [(one.receipt.delivery or 0, one) for one in told]
    sent = await store.own(connection, channel, [delivery for delivery, _ in named])
    return [
        Matched(delivery, 1, one.receipt.state, one)
        for delivery, one in named
        if delivery in sent and (sent[delivery] == mode or one.source == "person")
    ]


async def _replied(connection: asyncpg.Connection, told: Told, reply: Reply) -> list[Matched]:
    delivery = await store.replied(connection, told.channel, told.mode, reply.address)
    if delivery is None:
        return []
    state = Proof.CONFIRMED if CONFIRMING.fullmatch(reply.text) else Proof.READ
    receipt = Receipt(state, "", delivery, "reply", reply.at, f"{mask(reply.address)}: {reply.text[:160]}")
    return [Matched(delivery, 1, state, told._replace(source="person", report=receipt))]


def _columns(told: Told, state: Proof) -> tuple[Any, ...]:
    _, ref, _, code, at, raw = told.receipt
    return (told.channel, ref, int(state), told.source, code, at, told.received_at, raw)
