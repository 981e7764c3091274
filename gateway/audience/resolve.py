"""From an area to the people: who is meant, why, and how many on each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import shapely

from gateway.audience import codes
from gateway.audience.area import AreaRefused
from gateway.audience.locate import SHARES, Region, RegionHit, check_text, locate
from gateway.store import audience as statements
from gateway.store.audience import Choice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gateway.alerts.findings import Finding
    from gateway.audience.area import AreaSpec
    from gateway.audience.locate import Located
    from gateway.store.database import Database


@dataclass(frozen=True)
class Audience:
    """Who an area reaches, as counted now; :func:`gateway.audience.freeze` makes it a list."""

    area: AreaSpec
    share: float
    hits: tuple[RegionHit, ...]
    findings: tuple[Finding, ...]
    choice: Choice
    counts: tuple[tuple[str, str, Sequence[str] | None, int], ...]
    """(township, role, channels, people); channels is None for those without any address."""
    names: Mapping[str, str]
    """Names of the townships and of what lies above them, by code."""

    @property
    def people(self) -> int:
        """How many contacts are meant."""
        return sum(people for *_, people in self.counts)

    @property
    def unreachable(self) -> int:
        """How many of them have no address on any channel."""
        return sum(people for _, _, channels, people in self.counts if channels is None)

    @property
    def per_township(self) -> dict[str, int]:
        """Contacts by township; those of the county itself stand under the county's code."""
        return _sums((township, people) for township, _, _, people in self.counts)

    @property
    def per_role(self) -> dict[str, int]:
        """Contacts by role."""
        return _sums((role, people) for _, role, _, people in self.counts)

    @property
    def per_channel(self) -> dict[str, int]:
        """Contacts with an address, by channel; one contact counts on each of its channels."""
        pairs = ((channel, people) for _, _, channels, people in self.counts for channel in channels or ())
        return _sums(pairs)

    def as_json(self) -> dict[str, Any]:
        """Return the area as it is kept beside the list: input, rule, regions with reasons, findings."""
        return {
            "area": {name: value for name, value in self.area._asdict().items() if value},
            "share": self.share,
            "regions": [hit._asdict() for hit in self.hits],
            "points": len(self.choice.points),
            "group": self.choice.group,
            "findings": [[one.code, one.severity, one.path, one.message] for one in self.findings],
        }


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for key, people in pairs:
        sums[key] = sums.get(key, 0) + people
    return dict(sorted(sums.items()))


async def resolve(
    database: Database,
    area: AreaSpec,
    *,
    level: str = "red",
    shares: Mapping[str, float] = SHARES,
    text: str = "",
    code_lists: Collection[str] = codes.CODE_LISTS,
    group: str | None = None,
) -> Audience:
    """Return who an area reaches: the union of its geocodes, polygons and circles.

    A division reached by its code means all its contacts. Inside a shape, contacts with
    coordinates go by these; posts (responsible persons, informants, liaisons, chat groups) and
    contacts without coordinates go by their region.

    Args:
        database: regions and contacts.
        area: as drawn; see :func:`gateway.audience.from_alert`.
        level: the colour level, which chooses the share below.
        shares: level -> share of a township that a shape must cover to reach it.
        text: headline, description and the like, to compare with the reach.
        code_lists: names of geocode lists that hold division codes.
        group: name of the contact group that alone is meant, for example that of drills.

    Raises:
        AreaRefused: the area cannot become a list; nothing is ever widened instead.
    """
    share = shares[level]
    async with database.raw() as connection:
        regions = [_region(row) for row in await statements.all_regions(connection)]
        located = locate(area, regions, share, code_lists)
        findings = [*located.findings, *check_text(located, text, regions)]
        choice = Choice(
            everyone_in=sorted(located.everyone_in),
            placed_in=sorted(located.placed_in),
            points=await _points(connection, located),
            group=group,
        )
        if not (located.hits or choice.points):
            raise _nothing(located)
        counts = tuple(tuple(row) for row in await statements.count(connection, choice))
    names = {region.code: region.name for region in regions if region.level != "village"}
    audience = Audience(area, share, located.hits, tuple(findings), choice, counts, names)
    if not audience.people:
        if group is not None:
            raise AreaRefused("group", f"nobody of the group {group!r} is in the area; look at the group")
        raise AreaRefused(
            "nobody",
            "no active contact belongs to the regions reached; import contacts or choose another region",
        )
    return audience


async def all_regions(database: Database) -> list[Region]:
    """Return every region that is loaded, by code."""
    async with database.raw() as connection:
        return [_region(row) for row in await statements.all_regions(connection)]


def _region(row: Sequence[Any]) -> Region:
    code, name, level, lon, lat, wkb = row
    return Region(code, name, level, lon, lat, shapely.from_wkb(wkb) if wkb else None)


async def _points(connection: Any, located: Located) -> list[int]:  # noqa: ANN401 - asyncpg's, in store
    """Return the contacts whose own coordinates lie inside the shape or on its border."""
    if located.shape is None:
        return []
    ids, lons, lats = await statements.points_within(connection, tuple(shapely.bounds(located.shape)))
    shapely.prepare(located.shape)
    chosen: list[int] = ids[shapely.intersects_xy(located.shape, lons, lats)].tolist()
    return chosen


def _nothing(located: Located) -> AreaRefused:
    near = [one for one in located.findings if one.code == "share_too_small"]
    if near:
        words = f"the area reaches no village and no contact: {near[0].message}"
        return AreaRefused("nothing", f"{words} Choose a region by its code ({near[0].path})")
    return AreaRefused("nothing", "the area reaches no region and no contact; choose a region by its code")
