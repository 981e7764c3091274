"""Which solutions are one earthquake. Pure: what is known in, groups out, whatever the order of arrival.

Ids that intersect within a source are exact. Otherwise two solutions may be one event when they are close in
time, place and magnitude; the closest pair joins first. Three things keep groups apart: two ids of one
agency (aftershocks), an id that a source took out of an event again, and members that are too far from each
other, so that no chain of neighbours joins two earthquakes. Real events and those of exercises never meet.

The windows are those of the file's ``[association]``; libcomcat and the associator of USGS PDL use 16 s and
100 km in the same manner, the smallest normalised distance first.
"""

from __future__ import annotations

import math
import re
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from gateway.feeds.seismic.intensity import distance_km

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, KeysView, Mapping

    from gateway.feeds.seismic.settings import Association
    from gateway.feeds.seismic.versions import Key, Known

SAME_NAME_SECONDS = 600
"""Equal ids of two sources farther apart in time than this are chance: plain numbers repeat."""


# Pairs


def covers(one: Known, other: Known) -> bool:
    """Whether a solution takes another one's place: the source made both, and the later one names it."""
    if one.key == other.key or _side(one) != _side(other) or other.key.name not in one.ids:
        return False
    mutual = one.key.name in other.ids
    return (one.stamp, one.key) > (other.stamp, other.key) if mutual else one.stamp >= other.stamp


def voices(solutions: Collection[Known]) -> list[Known]:
    """Return the solutions whose place no other one has taken, by key."""
    naming: dict[str, list[Known]] = {}
    for one in solutions:
        for name in one.ids:
            naming.setdefault(name, []).append(one)
    return [
        one
        for one in sorted(solutions, key=lambda each: each.key)
        if not any(covers(other, one) for other in naming[one.key.name])
    ]


def _side(one: Known) -> tuple[str, str]:
    return one.key.source, one.key.status


def same_by_name(one: Known, other: Known) -> bool:
    """Whether ids say that two solutions are one event."""
    if one.key.status != other.key.status or one.ids.isdisjoint(other.ids):
        return False
    if one.key.source == other.key.source or one.time is None or other.time is None:
        return True
    return abs((one.time - other.time).total_seconds()) <= SAME_NAME_SECONDS


def are_apart(one: Known, other: Known) -> bool:
    """Whether two solutions are known to be two events: one agency has two ids, or took an id out."""
    if not one.ids.isdisjoint(other.ids):
        return False
    if one.agency == other.agency and (
        one.key.source == other.key.source or _form(one.key.name) == _form(other.key.name)
    ):
        return True
    return one.key.source == other.key.source and not (
        (one.named - one.ids).isdisjoint(other.ids) and (other.named - other.ids).isdisjoint(one.ids)
    )


def _form(name: str) -> str:
    """How an id is built: one agency's solution has ids of other forms where others pass it on."""
    return re.sub(r"[a-z]", "a", re.sub(r"\d", "9", name.lower()))


def score(one: Known, other: Known, limits: Association) -> float | None:
    """Return how far apart two solutions are, 1 at the limit of one measure; ``None`` beyond a limit."""
    place = _gap(one, other, limits)
    if place is None or one.key.status != other.key.status:
        return None
    if one.magnitude is None or other.magnitude is None:
        return math.hypot(*place)
    step = abs(one.magnitude - other.magnitude) / limits.magnitude
    # 5.6 and 4.6 differ by one; as binary numbers by a little less or more.
    return math.hypot(*place, step) if step <= 1 + 1e-9 else None


def _gap(one: Known, other: Known, limits: Association) -> tuple[float, float] | None:
    """Return the gaps in time and place as shares of their limits; ``None`` beyond one of them."""
    here, there = one.point, other.point
    if one.time is None or other.time is None or here is None or there is None:
        return None
    time = abs((one.time - other.time).total_seconds()) / limits.seconds
    place = distance_km(*here, *there) / _reach(one, other, limits) if time <= 1 else math.inf
    return (time, place) if place <= 1 else None


def _reach(one: Known, other: Known, limits: Association) -> float:
    wide = any(
        each.review == "automatic"
        or (each.depth_km or 0.0) > limits.wide_depth_km
        or (each.magnitude or 0.0) >= limits.wide_magnitude
        for each in (one, other)
    )
    return limits.wide_km if wide else limits.km


# Groups


class _Groups:
    """Disjoint groups of solutions."""

    def __init__(self, solutions: Iterable[Known]) -> None:
        self._of: dict[Key, list[Known]] = {one.key: [one] for one in solutions}

    def of(self, key: Key) -> list[Known]:
        return self._of[key]

    def keys(self) -> KeysView[Key]:
        return self._of.keys()

    def join(self, one: Key, other: Key) -> None:
        into, rest = self._of[one], self._of[other]
        if into is not rest:
            into.extend(rest)
            for each in rest:
                self._of[each.key] = into

    def all(self) -> list[frozenset[Key]]:
        groups = {id(group): group for group in self._of.values()}.values()
        return sorted((frozenset(one.key for one in group) for group in groups), key=min)


def partition(solutions: Iterable[Known], limits: Association) -> list[frozenset[Key]]:
    """Return which solutions are one event each; the same for the same solutions in any order."""
    ordered = sorted(solutions, key=lambda one: one.key)
    speaking = {one.key for one in voices(ordered)}
    groups = _Groups(ordered)
    for one, other in _namesakes(ordered):
        groups.join(one.key, other.key)
    heard = [one for one in ordered if one.key in speaking]
    for _, here, there in sorted(_candidates(heard, limits)):
        if _may_join(groups.of(here), groups.of(there), speaking, limits):
            groups.join(here, there)
    return groups.all()


def _namesakes(solutions: Iterable[Known]) -> Iterator[tuple[Known, Known]]:
    """Yield the pairs that are one event by their ids."""
    bearers: dict[str, list[Known]] = {}
    for one in solutions:
        for name in sorted(one.ids):
            bearers.setdefault(name, []).append(one)
    for group in bearers.values():
        yield from ((one, other) for one, other in combinations(group, 2) if same_by_name(one, other))


def _candidates(solutions: Iterable[Known], limits: Association) -> Iterator[tuple[float, Key, Key]]:
    """Yield (score, key, key) of the pairs that may be one event."""
    for one, other in _close_in_time(solutions, limits.seconds):
        value = score(one, other, limits)
        if value is not None and not are_apart(one, other):
            yield value, min(one.key, other.key), max(one.key, other.key)


def _close_in_time(solutions: Iterable[Known], seconds: float) -> Iterator[tuple[Known, Known]]:
    timed = sorted(
        ((one.time.timestamp(), one.key, one) for one in solutions if one.time is not None),
        key=lambda each: each[:2],
    )
    for place, (time, _, one) in enumerate(timed):
        for later, _, other in timed[place + 1 :]:
            if later - time > seconds:
                break
            yield one, other


def _may_join(group: list[Known], other: list[Known], speaking: Collection[Key], limits: Association) -> bool:
    if group is other:
        return True
    pairs = [(a, b) for a in group for b in other]
    if any(are_apart(a, b) for a, b in pairs):
        return False
    heard = [(a, b) for a, b in pairs if a.key in speaking and b.key in speaking]
    return all(_gap(a, b, limits) is not None for a, b in heard)


def touched(
    solutions: Collection[Known],
    changed: Collection[Key],
    events: Mapping[Key, int],
    limits: Association,
) -> set[Key]:
    """Return the solutions whose grouping may depend on those that changed.

    Args:
        solutions: All that are near.
        changed: Those of which a version came in.
        events: The event that each belongs to so far.
        limits: The windows.
    """
    groups = _Groups(solutions)
    for one, other in _namesakes(solutions):
        groups.join(one.key, other.key)
    for one, other in _close_in_time(solutions, limits.seconds):
        if score(one, other, limits) is not None:
            groups.join(one.key, other.key)
    first: dict[int, Key] = {}
    for key in sorted(groups.keys() & events.keys()):
        groups.join(first.setdefault(events[key], key), key)
    return {one.key for key in changed for one in groups.of(key)}


# Events


class Event(NamedTuple):
    """An event that stands."""

    id: int
    anchor: Key | None
    """Its preferred solution: where an event is split, it stays with this one."""
    warned: bool
    """Whether a warning was made of it that has not been cancelled."""


def assign(
    groups: Iterable[frozenset[Key]], links: Mapping[Key, int], events: Iterable[Event]
) -> list[tuple[frozenset[Key], int | None]]:
    """Return the event of each group; ``None`` where a new one is due.

    An event goes with its preferred solution, else with most of its former members. Where two events become
    one, that of which a warning was made lives on, else the older one.
    """
    left = sorted(groups, key=min)
    taken: dict[frozenset[Key], int] = {}
    for event in sorted(events, key=lambda one: (not one.warned, one.id)):
        heirs = [group for group in left if group not in taken and _shares(group, links, event)]
        if heirs:
            best = max(heirs, key=lambda group: (event.anchor in group, _shares(group, links, event)))
            taken[best] = event.id
    return [(group, taken.get(group)) for group in left]


def _shares(group: frozenset[Key], links: Mapping[Key, int], event: Event) -> int:
    return sum(links.get(key) == event.id for key in group)
