"""Which regions an area reaches, and why. Pure: regions in, hits and findings out.

A geocode reaches the division that it names and everything below it. A shape reaches a township
when it covers enough of it, and a village when the village's point lies inside. What lies
outside of the loaded regions, or belongs to a code list that we do not hold, reaches nobody; when
nothing else remains the area is refused. It never grows to everyone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import shapely

from gateway.alerts.findings import Finding
from gateway.audience import codes, shapes
from gateway.audience.area import AreaRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from gateway.audience.area import AreaSpec
    from gateway.audience.shapes import Shape

SHARES: Mapping[str, float] = {"red": 0.0, "orange": 0.0, "yellow": 0.1, "blue": 0.1}
"""Colour level -> share of a township that a shape must cover to reach it; 0 is any overlap."""

_TOUCH = 1e-6
"""Overlap, as a share of the smaller of the two, below which two shapes only share a border."""

_SEPARATORS = re.compile(r"[,，;；\s]+")
_SHAPED = ("township", "village")
"""Levels whose polygons decide; a county's polygon would make a small shape reach everyone."""


class Region(NamedTuple):
    """A division as loaded; geometry is a shapely polygon, longitude first, or None."""

    code: str
    name: str
    level: str
    lon: float | None = None
    lat: float | None = None
    geometry: shapely.Geometry | None = None


class RegionHit(NamedTuple):
    """A region that the area reaches."""

    code: str
    name: str
    level: str
    reason: str
    """In words, for the desk."""
    whole: bool
    """By its code: all its contacts. Else by a shape: contacts with coordinates go by their own."""


class Located(NamedTuple):
    """Where an area lies."""

    hits: tuple[RegionHit, ...]
    everyone_in: frozenset[str]
    """Codes, with all below, whose contacts are all meant."""
    placed_in: frozenset[str]
    """Codes, with all below, that a shape reaches."""
    shape: shapely.Geometry | None
    """The union of the usable shapes that lie inside."""
    findings: tuple[Finding, ...]


def locate(
    area: AreaSpec, regions: Sequence[Region], share: float, code_lists: Collection[str] = codes.CODE_LISTS
) -> Located:
    """Return the regions that an area reaches.

    Raises:
        AreaRefused: nothing can be located; a hit of no region is no refusal where there are shapes,
            because contacts may still lie inside them.
    """
    if not regions:
        raise AreaRefused("no_regions", "no regions are loaded; load them with tongda audience regions FILE")
    if area.is_empty and not area.lost:
        raise AreaRefused(
            "no_area", "the warning has no polygon, circle or geocode; choose a region by its code for it"
        )
    drawn, shape_findings = shapes.build(area)
    code_hits, code_findings = _by_codes(area.geocodes, regions, code_lists)
    inside, outside_findings = _split(drawn, regions)
    shape = shapely.union_all([one.geometry for one in inside]) if inside else None
    shape_hits, share_findings = _by_shape(inside, shape, regions, share) if shape is not None else ([], [])
    if not code_hits and shape is None:
        raise _lost(area, regions, drawn)
    words = [
        Finding("area_text_only", "warning", "area", f"{name!r} has words only and is not located.")
        for name in area.words
    ]
    everyone_in = _with_below(code_hits, regions)
    return Located(
        hits=(*code_hits, *[hit for hit in shape_hits if hit.code not in everyone_in]),
        everyone_in=everyone_in,
        placed_in=_with_below(shape_hits, regions),
        shape=shape,
        findings=(*shape_findings, *code_findings, *outside_findings, *share_findings, *words),
    )


def _with_below(hits: Iterable[RegionHit], regions: Sequence[Region]) -> frozenset[str]:
    prefixes = tuple(codes.parse_code(hit.code).prefix for hit in hits)
    return frozenset(region.code for region in regions if prefixes and region.code.startswith(prefixes))


def _by_codes(
    geocodes: Iterable[tuple[str, str]], regions: Sequence[Region], code_lists: Collection[str]
) -> tuple[list[RegionHit], list[Finding]]:
    hits: dict[str, RegionHit] = {}
    findings = []
    for name, value in geocodes:
        if codes.list_key(name) not in code_lists:
            findings.append(
                _unlocated(f"The list {name!r} of geocode {value!r} is not held here; it reaches nobody.")
            )
            continue
        for text in filter(None, _SEPARATORS.split(value)):
            found, finding = _by_code(text, regions)
            findings.extend(finding)
            hits |= {hit.code: hit for hit in found}
    return list(hits.values()), findings


def _unlocated(message: str) -> Finding:
    return Finding("geocode_not_located", "warning", "area/geocode", message)


def _by_code(text: str, regions: Sequence[Region]) -> tuple[list[RegionHit], list[Finding]]:
    try:
        code = codes.parse_code(text)
    except codes.CodeRefused as refused:
        return [], [_unlocated(f"Geocode {text!r} is not used: {refused}.")]
    # A province's code also reaches a county below it, though only the county is loaded.
    below = [region for region in regions if region.code.startswith(code.prefix)]
    if not below:
        return [], [_unlocated(f"Geocode {text!r} is none of the loaded regions; it reaches nobody.")]
    findings = []
    if codes.is_finer(text):
        findings.append(
            Finding(
                "geocode_finer",
                "info",
                "area/geocode",
                f"Geocode {text!r} is finer than a village; the village is warned.",
            )
        )
    top = min(below, key=lambda region: len(codes.parse_code(region.code).prefix))
    heads = [region for region in below if region.level == top.level]
    return [
        RegionHit(head.code, head.name, head.level, f"geocode {text}", whole=True) for head in heads
    ], findings


def _split(drawn: Sequence[Shape], regions: Sequence[Region]) -> tuple[list[Shape], list[Finding]]:
    """Part the shapes that reach into the loaded regions from those that lie outside."""
    if not drawn:
        return [], []
    tree = shapely.STRtree([*_polygons(regions), *_points(regions)])
    inside = [one for one in drawn if len(tree.query(one.geometry, predicate="intersects"))]
    return inside, [
        Finding(
            "shape_outside", "warning", one.name, "It lies outside of the loaded regions and reaches nobody."
        )
        for one in drawn
        if one not in inside
    ]


def _polygons(regions: Iterable[Region]) -> list[shapely.Geometry]:
    return [region.geometry for region in regions if region.geometry is not None]


def _points(regions: Iterable[Region]) -> list[shapely.Geometry]:
    placed = [(one.lon, one.lat) for one in regions if one.lon is not None and one.lat is not None]
    # All in one call: one by one they cost more than the rest of a search.
    return list(shapely.points(placed)) if placed else []


def _by_shape(
    inside: Sequence[Shape], shape: shapely.Geometry, regions: Sequence[Region], share: float
) -> tuple[list[RegionHit], list[Finding]]:
    """Reach what any of the shapes touches, so that a further shape never takes a region away."""
    hits, findings = [], []
    shaped = [region for region in regions if region.geometry is not None and region.level in _SHAPED]
    for index in _meet(inside, _polygons(shaped), _touches):
        region = shaped[index]
        covered = _covered(shape, region.geometry)
        if covered >= share:
            hits.append(_hit(region, f"the shape covers {_percent(covered)} of it"))
        else:
            words = (
                f"{region.name} is covered to {_percent(covered)}, less than {_percent(share)}: not reached."
            )
            findings.append(Finding("share_too_small", "info", region.code, words))
    reached = _with_below(hits, regions)
    villages = [region for region in regions if region.level == "village" and region.lon is not None]
    hits += [
        _hit(villages[index], "its point lies inside the shape")
        for index in _meet(inside, _points(villages))
        if villages[index].code not in reached
    ]
    return hits, findings


def _meet(
    inside: Sequence[Shape],
    places: Sequence[shapely.Geometry],
    truly: Callable[[shapely.Geometry, shapely.Geometry], bool] = lambda *_: True,
) -> list[int]:
    """Return the numbers of the places that one of the shapes meets, in order."""
    pairs = shapely.STRtree(places).query([one.geometry for one in inside], predicate="intersects")
    return sorted(
        {int(place) for one, place in zip(*pairs, strict=True) if truly(inside[one].geometry, places[place])}
    )


def _hit(region: Region, reason: str) -> RegionHit:
    return RegionHit(region.code, region.name, region.level, reason, whole=False)


def _touches(shape: shapely.Geometry, polygon: shapely.Geometry) -> bool:
    """Whether they share more than a common border."""
    least = _TOUCH * min(float(shapely.area(shape)), float(shapely.area(polygon)))
    return float(shapely.area(shapely.intersection(shape, polygon))) > least


def _covered(shape: shapely.Geometry, polygon: shapely.Geometry) -> float:
    """Return the share of the polygon that the shape covers."""
    return float(shapely.area(shapely.intersection(shape, polygon)) / shapely.area(polygon))


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.995 else "100 %"  # noqa: PLR2004 - 1e+02 is no percentage


def _lost(area: AreaSpec, regions: Sequence[Region], drawn: Sequence[Shape]) -> AreaRefused:
    """Say why nothing is left, as exactly as can be."""
    where = area.description or "the area"
    way_out = "the desk can choose a region by its code"
    outline = shapely.union_all(_polygons(regions))
    if any(shapely.intersects(shapes.swapped(one), outline) for one in drawn):
        return AreaRefused(
            "shape_unusable",
            f"{where} has longitude before latitude: exchanged, it lies inside; correct it, or {way_out}",
        )
    county = min(regions, key=lambda region: region.code).name
    given = [one.name for one in drawn] + [f"geocode {name}={value}" for name, value in area.geocodes]
    parts = ", ".join(given[:5]) or "a circle of radius 0"
    return AreaRefused(
        "outside", f"{where} ({parts}) lies outside of {county} or cannot be located; {way_out}"
    )


def townships_named(text: str, regions: Iterable[Region]) -> set[str]:
    """Return the codes of the townships whose name, with or without its suffix, the text holds."""
    found = set()
    for region in regions:
        stem = re.sub(r"(镇|乡|街道|街道办事处)$", "", region.name)
        if region.level == "township" and any(len(name) > 1 and name in text for name in (region.name, stem)):
            found.add(region.code)
    return found


def check_text(located: Located, text: str, regions: Sequence[Region]) -> list[Finding]:
    """Compare the reach with the words: an area that was lost on its way often became the whole county.

    Raises:
        AreaRefused: ``wider_than_text``.
    """
    townships = {region.code for region in regions if region.level == "township"}
    named = townships_named(text, regions)
    reached = (located.everyone_in | located.placed_in) & townships
    if len(townships) < 2 or reached != townships:  # noqa: PLR2004 - "every" needs two
        return []
    findings = [
        Finding("covers_every_township", "warning", "area", f"It reaches all {len(townships)} townships.")
    ]
    if len(named) != 1:
        return findings
    name = next(region.name for region in regions if region.code in named)
    words = f"the area reaches every township, while the text names {name} alone"
    if located.placed_in >= townships:
        raise AreaRefused(
            "wider_than_text",
            f"{words}; draw the area again, or choose {next(iter(named))} or the whole county by its code",
        )
    return [*findings, Finding("wider_than_text", "warning", "area", f"{words[0].upper()}{words[1:]}.")]
