"""From rows to figures: the questions are asked in ``store``, the adding up is done here."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import Proof
from gateway.clock import SYSTEM
from gateway.coverage.approval import approval
from gateway.coverage.model import (
    ChannelRow,
    Coverage,
    DeviceRow,
    Devices,
    Head,
    Point,
    Reason,
    Related,
    RoleRow,
    Share,
    Tally,
    TownshipRow,
)
from gateway.coverage.villages import Villages, township_of
from gateway.store import coverage as store
from gateway.store.coverage import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.store.database import Database

RESPONSIBLE_LIMIT = 300.0
"""Seconds within which a responsible person should have confirmed (domain practice: 5 minutes)."""
PUBLIC_LIMIT = 600.0
"""Seconds within which everybody else should have been reached."""

_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_BUCKETS = 60
_REASONS = 5


class ReleaseUnknown(LookupError):
    """No release has that id or reference; the text says so for people."""


class Difference(NamedTuple):
    """A counter that does not agree with the rows."""

    channel: str
    region: str
    state: int
    kept: int
    counted: int


class _Facts(NamedTuple):
    """What the rows told, all in one snapshot."""

    head: Any
    related: Sequence[Any]
    standings: Sequence[Any]
    groups: Sequence[Any]
    regions: Mapping[str, Any]
    speed: Any
    step: float
    curve: Sequence[Any]
    channels: Sequence[Any]
    attempts: Mapping[str, Share]
    channel_speed: Mapping[str, Any]
    reasons: Sequence[Any]
    signed: Sequence[datetime]
    devices: Sequence[Any]


async def coverage(database: Database, release: int | str, clock: Clock = SYSTEM) -> Coverage:
    """Measure a release, named by its id or its public reference.

    Raises:
        ReleaseUnknown: there is no such release.
    """
    facts = await _read(database, release)
    people = Counter[int]()
    for row in facts.standings:
        people[row.standing] += row.people
    villages = Villages(facts.regions, facts.standings)
    return Coverage(
        release=_head(facts.head, clock),
        people=Tally.of(people),
        without_address=people[Standing.NO_ADDRESS],
        deliveries=Tally.of(_tally((row.standing, row.deliveries) for row in facts.channels)),
        attempts_accepted=_sum(facts.attempts.values()),
        townships=tuple(_townships(facts, villages)),
        channels=tuple(_channels(facts)),
        roles=_rows((row.role, row.standing, row.people) for row in facts.standings),
        groups=_rows((row.name, row.standing, row.people) for row in facts.groups),
        responsible=_confirmed(facts.standings),
        responsible_in_time=_in_time(facts.standings),
        public_in_time=_public_in_time(facts.standings),
        responsible_limit_s=RESPONSIBLE_LIMIT,
        public_limit_s=PUBLIC_LIMIT,
        villages=villages.share(),
        population=villages.weighted(),
        first_receipt_s=facts.speed.first,
        t90_s=facts.speed.t90,
        curve=tuple(_curve(facts)),
        curve_step_s=facts.step,
        approval=approval(facts.head, facts.signed),
        devices=Devices(**_devices(facts.devices)),
        device_townships=tuple(_device_townships(facts)),
        related=tuple(Related.model_validate(dict(row._mapping)) for row in facts.related),  # noqa: SLF001 - SQLAlchemy's public name
    )


async def recount(database: Database, release: int | str) -> list[Difference]:
    """Return every counter of a release that differs from a count of its rows; empty is right.

    Raises:
        ReleaseUnknown: there is no such release.
    """
    async with store.snapshot(database) as connection:
        head = await store.head(connection, release)
        if head is None:
            raise ReleaseUnknown(f"no release has the id or reference {release}")
        return [Difference(**row._mapping) for row in await store.recount(connection, head.id)]  # noqa: SLF001 - SQLAlchemy's public name


async def _read(database: Database, release: int | str) -> _Facts:
    async with store.snapshot(database) as connection:
        head = await store.head(connection, release)
        if head is None:
            raise ReleaseUnknown(f"no release has the id or reference {release}")
        await store.gather_people(connection, head.id)
        speed = await store.people_speed(connection)
        step = next((step for step in _STEPS if step * _BUCKETS >= (speed.last or 0)), _STEPS[-1])
        channels = await store.channels(connection, head.id)
        return _Facts(
            head=head,
            related=await store.related(connection, head.id, head.warning_id),
            standings=await store.people_standings(
                connection, responsible=RESPONSIBLE_LIMIT, public=PUBLIC_LIMIT
            ),
            groups=await store.people_groups(connection),
            regions={row.code: row for row in await store.people_regions(connection, head.target_list_id)},
            speed=speed,
            step=step,
            curve=await store.people_curve(connection, step),
            channels=channels,
            attempts=await _attempts(connection, head.id, channels),
            channel_speed={row.channel: row for row in await store.channel_speed(connection, head.id)},
            reasons=await store.reasons(connection, head.id),
            signed=await store.signatures(connection, head.alert_id, head.digest),
            devices=await store.people_devices(connection),
        )


async def _attempts(connection: AsyncConnection, release: int, channels: Sequence[Any]) -> dict[str, Share]:
    if not channels:
        return {}
    first, last = min(row.first for row in channels), max(row.last for row in channels)
    rows = await store.attempts(connection, release, first, last)
    return {row.channel: Share(part=row.accepted, of=row.attempts) for row in rows}


def _tally(pairs: Iterable[tuple[int, int]]) -> Counter[int]:
    counts = Counter[int]()
    for standing, number in pairs:
        counts[standing] += number
    return counts


def _sum(shares: Iterable[Share]) -> Share:
    parts = [*shares]
    return Share(part=sum(share.part for share in parts), of=sum(share.of for share in parts))


def _rows(named: Iterable[tuple[str, int, int]]) -> tuple[RoleRow, ...]:
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for name, standing, number in named:
        counts[name][standing] += number
    return tuple(RoleRow.of(counts[name], name=name) for name in sorted(counts))


def _confirmed(rows: Sequence[Any]) -> Share:
    responsible = [row for row in rows if row.role == "responsible"]
    return Share(
        part=sum(row.people for row in responsible if row.standing == Standing.CONFIRMED),
        of=sum(row.people for row in responsible),
    )


def _in_time(rows: Sequence[Any]) -> Share:
    responsible = [row for row in rows if row.role == "responsible"]
    return Share(
        part=sum(row.confirmed_in_time for row in responsible), of=sum(row.people for row in responsible)
    )


def _public_in_time(rows: Sequence[Any]) -> Share:
    public = [row for row in rows if row.role != "responsible"]
    return Share(part=sum(row.reached_in_time for row in public), of=sum(row.people for row in public))


def _townships(facts: _Facts, villages: Villages) -> list[TownshipRow]:
    rows = _by_township(facts.standings)
    for code in villages.targeted:
        rows[township_of(code)]  # a row of its own even where nobody is known
    tallies = {code: Tally.of(_tally((row.standing, row.people) for row in of)) for code, of in rows.items()}
    rates = sorted((tally.rate or 0.0 for tally in tallies.values()), reverse=True)
    return [
        TownshipRow(
            **tallies[code].model_dump(exclude={"rate"}),
            code=code,
            name=_name(facts, code),
            rank=rates.index(tallies[code].rate or 0.0) + 1,
            villages=villages.share(code),
            population=villages.weighted(code),
            responsible=_confirmed(rows[code]),
            in_time=_in_time(rows[code]),
        )
        for code in sorted(rows)
    ]


def _by_township(rows: Iterable[Any]) -> defaultdict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[township_of(row.region)].append(row)
    return found


def _name(facts: _Facts, code: str) -> str:
    return facts.regions[code].name if code in facts.regions else code


def _device_townships(facts: _Facts) -> list[DeviceRow]:
    rows = _by_township(facts.devices)
    return [DeviceRow(**_devices(rows[code]), code=code, name=_name(facts, code)) for code in sorted(rows)]


def _devices(rows: Iterable[Any]) -> dict[str, Any]:
    parts = [*rows]
    all_, on, off = (sum(getattr(row, name) for row in parts) for name in ("devices", "online", "offline"))
    return {"online": Share(part=on, of=all_), "offline": off, "silent": all_ - on - off}


def _channels(facts: _Facts) -> list[ChannelRow]:
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in facts.channels:
        counts[row.channel][row.standing] += row.deliveries
    reasons: defaultdict[str, list[Reason]] = defaultdict(list)
    for row in facts.reasons:
        reason = Reason(state=Proof(row.state).name.lower(), code=row.code, count=row.deliveries)
        reasons[row.channel].append(reason)
    return [
        ChannelRow.of(
            standings,
            channel=channel,
            attempts_accepted=facts.attempts.get(channel, Share(part=0, of=0)),
            p50_s=facts.channel_speed[channel].p50 if channel in facts.channel_speed else None,
            p90_s=facts.channel_speed[channel].p90 if channel in facts.channel_speed else None,
            reasons=tuple(reasons[channel][:_REASONS]),
        )
        for channel, standings in sorted(counts.items())
    ]


def _curve(facts: _Facts) -> list[Point]:
    """Return one point for each step in which something changed, beginning with nobody at the release."""
    delivered = accumulate(row.reached for row in facts.curve)
    confirmed = accumulate(row.confirmed for row in facts.curve)
    start = [] if facts.curve and facts.curve[0].bucket == 0 else [Point(seconds=0, delivered=0, confirmed=0)]
    return start + [
        Point(seconds=row.bucket * facts.step, delivered=reached, confirmed=told)
        for row, reached, told in zip(facts.curve, delivered, confirmed, strict=True)
    ]


def _head(row: Any, clock: Clock) -> Head:  # noqa: ANN401 - a row of releases
    texts = [text for by_key in row.texts.values() for text in by_key.values()]
    first: dict[str, str] = next(iter(texts), {})
    return Head(
        id=row.id,
        reference=row.reference,
        mode=row.mode,
        msg_type=row.msg_type,
        level=row.level,
        headlines={text["language"]: text["subject"] for text in reversed(texts) if text.get("subject")},
        event=first.get("event", row.hazard),
        senders={text["language"]: text["sender"] for text in reversed(texts) if text.get("sender")},
        state=row.state,
        released_at=row.released_at,
        expires=row.expires,
        measured_at=clock.now(),
    )
