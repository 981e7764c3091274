"""Takes solutions, keeps the events that they are of, and hands the warnings of them to the inbox.

Everything that one document changes is one transaction under one lock, the warning due among it: two
processes cannot make two events of one earthquake, and a crash loses no warning. The inbox gets it after the
commit; what it has not got yet is handed over with the next document, or by :meth:`Seismology.hand_over`.
The inbox takes the same message twice without harm.
"""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import shapely
import structlog

from gateway.alerts.findings import Finding
from gateway.alerts.hazards import Level
from gateway.alerts.model import Alert
from gateway.alerts.write import write
from gateway.desk.office import load_hazards
from gateway.feeds.contract import Item
from gateway.feeds.seismic import association, versions
from gateway.feeds.seismic.association import Event
from gateway.feeds.seismic.case import Case, Report, Setup
from gateway.feeds.seismic.intensity import Township
from gateway.feeds.seismic.preference import live, preferred
from gateway.feeds.seismic.settings import open_seismic
from gateway.feeds.seismic.versions import Key, Known
from gateway.feeds.seismic.warning import Concern, Made, decide
from gateway.store import alarms
from gateway.store import seismic as store
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.feeds.contract import Solution
    from gateway.feeds.intake import Taken
    from gateway.settings import Settings
    from gateway.store.database import Database

log = structlog.get_logger(__name__)

SOURCE = "seismic"
"""Source and kind of the warnings that are made here, in the inbox."""
NEIGHBOURHOOD = timedelta(minutes=10)
"""Solutions farther from a changed one than this keep their event, unless ids tie them together."""

_APART = {"key", "ids", "named", "official", "number"}
_COLUMNS = {
    one.name: "received_at" if one.name == "received" else one.name
    for one in fields(Known)
    if one.name not in _APART
}
"""Field of a version -> its column, where the value is the same in both."""


class Takes(Protocol):
    """The intake, as far as it is needed here."""

    async def take(self, source: str, kind: str, item: Item, name: str = "") -> Taken:
        """Take one message."""


class _Came(NamedTuple):
    """One version that came in."""

    known: Known
    digest: str
    original: bytes


class _Near(NamedTuple):
    """The solutions around those that changed."""

    known: Mapping[Key, Known]
    links: Mapping[Key, int]


def open_setup(settings: Settings) -> Setup:
    """Read what warnings are made with.

    Raises:
        SeismicRefused, HazardsRefused: the file and the entry to mend.
    """
    return Setup(open_seismic(settings), load_hazards(settings.hazards), settings.desk)


class Seismology:
    """Solutions in, warnings out."""

    def __init__(self, database: Database, intake: Takes, settings: Settings, setup: Setup) -> None:
        """Keep what is needed; nothing is read yet."""
        self._database = database
        self._intake = intake
        self._settings = settings
        self._setup = setup

    async def take(self, source: str, solutions: Sequence[Solution], *, at: datetime) -> list[Taken]:
        """Take the solutions of one document.

        Args:
            source: Name in ``[sources]``; one that is not there is taken for unofficial.
            solutions: As the adapter read them; one without an id cannot be followed and is left out.
            at: When they came in.

        Returns:
            What became of the warnings that were due.
        """
        came = self._read(source, solutions, at)
        if came:
            async with self._database.begin() as connection:
                await store.hold(connection)
                changed = await self._keep(connection, source, came)
                if changed:
                    await self._sort(connection, changed, at)
        return await self.hand_over(at)

    async def hand_over(self, at: datetime) -> list[Taken]:
        """Hand the inbox what it has not got yet, in the order in which it was made."""
        async with self._database.begin() as connection:
            waiting = await store.waiting(connection)
        taken = []
        stuck: set[int] = set()
        for row in waiting:
            if row.event_id in stuck:  # its later reports must not go before this one
                continue
            try:
                taken.append(await self._intake.take(SOURCE, SOURCE, _item(row)))
            except DATABASE_FAULTS:
                raise
            except Exception:
                log.exception("warning of an earthquake is stuck", event_id=row.event_id, alarm=True)
                stuck.add(row.event_id)
                continue
            async with self._database.begin() as connection:
                await store.handed(connection, row.id, at)
        return taken

    def _read(self, source: str, solutions: Sequence[Solution], at: datetime) -> list[_Came]:
        official = self._is_official(source)
        came = []
        for one in solutions:
            known = versions.known(source, one, at, official=official)
            if known is not None:
                came.append(_Came(known, versions.digest(known), one.original))
        return came

    def _is_official(self, source: str) -> bool:
        known = self._settings.sources.get(source)
        return known is not None and known.adapter.official

    # Versions

    async def _keep(
        self, connection: AsyncConnection, source: str, came: Sequence[_Came]
    ) -> dict[Key, Known]:
        """Store the versions that were not here yet; return what they belong to, as it stands after them."""
        names = {one.known.key.name for one in came}
        rows = await store.current(connection, source, names)
        seen = await store.digests(connection, source, names)
        now = {one.key: one for one in map(self._known, rows)}
        newest = {self._key(row): row.digest for row in rows}
        firsts = {one.known.key: one for one in reversed(came) if one.known.key not in now}
        changed = await self._store_firsts(connection, list(firsts.values()))
        now |= changed
        newest |= {key: one.digest for key, one in firsts.items()}
        for one in came:
            key = one.known.key
            told = (key.name, key.status, one.digest)
            # Without a version or time of its own, what was said before may be said again: 5.1, 5.3, 5.1.
            if newest[key] == one.digest or (told in seen and (one.known.updated or one.known.version)):
                continue
            seen.add(told)
            old = now[key]
            now[key] = changed[key] = await self._store(connection, old, one)
            if now[key].number != old.number:
                newest[key] = one.digest
        return changed

    async def _store_firsts(self, connection: AsyncConnection, came: Sequence[_Came]) -> dict[Key, Known]:
        """Store the first versions of solutions, all at once."""
        numbers = await store.insert_solutions(
            connection, [_row(one, one.known, current=True) for one in came]
        )
        return {
            one.known.key: replace(one.known, number=number)
            for one, number in zip(came, numbers, strict=True)
        }

    async def _store(self, connection: AsyncConnection, old: Known, came: _Came) -> Known:
        """Store one more version; return the newest one after it."""
        folded = versions.fold(old, came.known)
        if not versions.is_newer(came.known, old):
            await store.insert_solutions(connection, [_row(came, came.known, current=False)])
            await store.change_solution(connection, folded.number, **_columns(folded))
            return folded
        await store.change_solution(connection, old.number, current=False)
        (number,) = await store.insert_solutions(connection, [_row(came, folded, current=True)])
        return replace(folded, number=number)

    def _known(self, row: Any) -> Known:  # noqa: ANN401 - a row of solutions
        facts = {name: getattr(row, column) for name, column in _COLUMNS.items()}
        facts |= {"ids": frozenset(row.ids), "named": frozenset(row.named)}
        return Known(key=self._key(row), official=self._is_official(row.source), number=row.id, **facts)

    @staticmethod
    def _key(row: Any) -> Key:  # noqa: ANN401 - a row with the columns of a key
        return Key(row.source, row.name, row.status)

    # Events

    async def _sort(self, connection: AsyncConnection, changed: Mapping[Key, Known], at: datetime) -> None:
        """Put the changed solutions and their neighbours into events, and write the warnings that are due."""
        near = await self._near(connection, changed.values())
        limits = self._setup.rules.association
        keys = association.touched(list(near.known.values()), list(changed), near.links, limits)
        links = {key: near.links[key] for key in sorted(keys) if key in near.links}
        groups = association.partition([near.known[key] for key in keys], limits)
        history = await self._history(connection, links.values())
        events = await self._events(connection, links.values(), history, at)
        placed = association.assign(groups, links, events)
        numbers = await self._number(connection, placed, near.known, at)
        await _link(connection, dict(zip(numbers, groups, strict=True)), links, at)
        cases = [
            Case(
                number,
                [near.known[key] for key in sorted(group)],
                history.get(number, []),
                at,
                split=event is None and not links.keys().isdisjoint(group),
            )
            for (group, event), number in zip(placed, numbers, strict=True)
        ]
        empty = sorted(set(links.values()) - set(numbers))
        cases += [Case(number, (), history.get(number, []), at) for number in empty]
        await self._settle(connection, cases, known=set(links.values()))

    async def _number(
        self,
        connection: AsyncConnection,
        placed: Sequence[tuple[frozenset[Key], int | None]],
        known: Mapping[Key, Known],
        at: datetime,
    ) -> list[int]:
        """Return the event of each group, opening those that are due."""
        new = [group for group, event in placed if event is None]
        rows = [
            {
                "status": min(group).status,
                **self._state([known[key] for key in group]),
                "created_at": at,
                "changed_at": at,
            }
            for group in new
        ]
        opened = iter(await store.open_events(connection, rows))
        return [next(opened) if event is None else event for _, event in placed]

    def _state(self, members: Sequence[Known]) -> dict[str, Any]:
        """Return state and preferred solution of an event with these members."""
        chosen = preferred(members, self._setup.rules.preference)
        state = "merged" if not members else "open" if live(members) else "withdrawn"
        return {"state": state, "preferred": chosen.number if chosen else None}

    async def _near(self, connection: AsyncConnection, changed: Collection[Known]) -> _Near:
        times = [one.time for one in changed if one.time is not None]
        spans = [(time - NEIGHBOURHOOD, time + NEIGHBOURHOOD) for time in times]
        rows = await store.near(connection, spans, {name for one in changed for name in one.named})
        links = {self._key(row): row.event_id for row in rows if row.event_id is not None}
        return _Near({one.key: one for one in map(self._known, rows)}, links)

    async def _history(
        self, connection: AsyncConnection, numbers: Collection[int]
    ) -> dict[int, list[Report]]:
        history: dict[int, list[Report]] = {}
        for row in await store.reports(connection, set(numbers)):
            townships = {code: Level(level) for code, level in row.townships.items()}
            report = Report(
                row.number,
                Alert.model_validate(row.alert),
                row.magnitude,
                townships,
                tuple(row.agreeing),
                tuple(one["code"] for one in row.findings),
            )
            history.setdefault(row.event_id, []).append(report)
        return history

    async def _events(
        self,
        connection: AsyncConnection,
        numbers: Collection[int],
        history: Mapping[int, Sequence[Report]],
        at: datetime,
    ) -> list[Event]:
        return [
            Event(
                row.id,
                self._key(row) if row.source is not None else None,
                Case(row.id, (), history.get(row.id, []), at).standing is not None,
            )
            for row in await store.events(connection, set(numbers))
        ]

    async def _settle(
        self, connection: AsyncConnection, cases: Sequence[Case], known: Collection[int]
    ) -> None:
        """Write what each of the known events is by now, and what is to be said about any."""
        rows = await store.townships(connection)
        townships = [one for row in rows if (one := _township(row)) is not None]
        for case in cases:
            if case.event in known:
                await store.change_event(connection, case.event, case.at, **self._state(case.solutions))
            outcome = decide(case, townships, self._setup)
            if isinstance(outcome, Concern):
                await alarms.sound(connection, f"quake {case.event}", outcome.code, outcome.sentence, case.at)
            elif outcome is not None:
                await _write(connection, case, outcome)


async def _link(
    connection: AsyncConnection,
    groups: Mapping[int, Collection[Key]],
    links: Mapping[Key, int],
    at: datetime,
) -> None:
    """Link what is not yet in its event, and write down what moved."""
    due = [
        (key, event) for event, group in groups.items() for key in sorted(group) if links.get(key) != event
    ]
    moved = [key for key, _ in due if key in links]
    if moved:
        await store.unlink(connection, moved, at)
    await store.link(connection, [(*key, event) for key, event in due if key not in links], "came", at)
    await store.link(connection, [(*key, event) for key, event in due if key in links], "moved", at)


async def _write(connection: AsyncConnection, case: Case, made: Made) -> None:
    report = made.report
    await store.insert_report(
        connection,
        event_id=case.event,
        number=report.number,
        solution_id=made.chosen.number if made.chosen else None,
        magnitude=report.magnitude,
        townships={code: level.value for code, level in report.townships.items()},
        agreeing=list(report.agreeing),
        findings=[asdict(one) for one in made.findings],
        alert=report.alert.model_dump(mode="json"),
        made_at=case.at,
    )
    log.info(
        "warning made of an earthquake",
        event_id=case.event,
        report=report.number,
        msg_type=report.alert.msg_type.value,
        magnitude=report.magnitude,
        townships=len(report.townships),
    )


def _item(row: Any) -> Item:  # noqa: ANN401 - a row of waiting warnings
    alert = Alert.model_validate(row.alert)
    return Item(
        alert=alert,
        original=row.original if row.original is not None else write(alert),
        agreeing=tuple(row.agreeing),
        findings=tuple(Finding(**one) for one in row.findings),
    )


def _township(row: Any) -> Township | None:  # noqa: ANN401 - a row of regions
    """Return a township by its own point, else by a point inside of its polygon; ``None``: it has neither."""
    if row.lat is not None and row.lon is not None:
        return Township(row.code, row.name, row.lat, row.lon)
    if row.geometry is None:
        return None
    point = shapely.point_on_surface(shapely.from_wkb(row.geometry))
    return Township(row.code, row.name, point.y, point.x)


def _row(came: _Came, known: Known, *, current: bool) -> dict[str, Any]:
    """Return the row of a version; ``known`` is what is known with it."""
    return _columns(known) | {"digest": came.digest, "original": came.original, "current": current}


def _columns(one: Known) -> dict[str, Any]:
    """Return a version as columns of its row."""
    facts = {column: getattr(one, name) for name, column in _COLUMNS.items()}
    lists = {"ids": sorted(one.ids), "named": sorted(one.named)}
    return facts | lists | one.key._asdict()
