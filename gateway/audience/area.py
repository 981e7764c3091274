"""Where a warning is for, as the sender drew it: the small input of :func:`gateway.audience.resolve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gateway.alerts.model import Alert


class AreaRefused(ValueError):
    """The area cannot become a list of people; nothing was selected.

    Attributes:
        code: short and stable, for programs: a key of :data:`REFUSALS`.
        sentence: for the desk, with the way out.
    """

    def __init__(self, code: str, sentence: str) -> None:
        """Keep the code and the sentence."""
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


REFUSALS = {
    "no_area": "the warning has no polygon, circle or geocode",
    "no_regions": "no regions are loaded, so nothing can be located",
    "shape_unusable": "a polygon or circle cannot be used, and the rest would be less than was meant",
    "outside": "the area lies outside of the regions of this gateway",
    "nothing": "the area lies inside, but reaches no region and nobody",
    "group": "the regions are known, but nobody of the group that is meant belongs to them",
    "nobody": "the regions are known, but no active contact belongs to them",
    "wider_than_text": "the shapes cover every township, while the text names a single one",
    "unreachable": "nobody of the audience has an address",
}
"""Code of a refusal -> what it means."""


class AreaSpec(NamedTuple):
    """An area; the union of all its parts. Degrees are WGS-84, latitude first as in CAP."""

    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Rings of (latitude, longitude); closed or not."""
    circles: tuple[tuple[float, float, float], ...] = ()
    """(latitude, longitude, radius in kilometres)."""
    geocodes: tuple[tuple[str, str], ...] = ()
    """(name of the code list, code)."""
    description: str = ""
    """What the sender calls the area (``areaDesc``)."""
    lost: tuple[str, ...] = ()
    """Names of shapes that came in but could not be read; one is enough to refuse the area."""
    words: tuple[str, ...] = ()
    """Descriptions of areas that have words only and so cannot be located."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it can be located."""
        return not (self.polygons or self.circles or self.geocodes)


def of_region(code: str) -> AreaSpec:
    """Return the area of one division, as the desk chooses it by its code."""
    return AreaSpec(geocodes=(("GB/T 2260", code),), description=code)


def from_alert(alert: Alert) -> AreaSpec:
    """Return the union of all areas of all info blocks; languages repeat them, so doubles fall away."""
    areas = [area for info in alert.infos for area in info.areas]
    located = [area for area in areas if area.polygons or area.circles or area.geocodes]
    names = dict.fromkeys(area.area_desc for area in areas if area.area_desc)
    return AreaSpec(
        polygons=tuple(dict.fromkeys(ring for area in areas for ring in area.polygons)),
        circles=tuple(
            dict.fromkeys((one.lat, one.lon, one.radius_km) for area in areas for one in area.circles)
        ),
        geocodes=tuple(dict.fromkeys((one.value_name, one.value) for area in areas for one in area.geocodes)),
        description="; ".join(names),
        lost=tuple(
            f"a shape of {area.area_desc or 'an area'}"
            for area in areas
            if area.unusable_polygons or area.unusable_circles
        ),
        words=tuple(dict.fromkeys(area.area_desc for area in areas if area not in located)),
    )


def text_of(alert: Alert) -> str:
    """Return what the alert says about where, for the check of area against text."""
    parts = [
        text
        for info in alert.infos
        for text in (info.headline, info.description, *(area.area_desc for area in info.areas))
        if text
    ]
    return "\n".join(dict.fromkeys(parts))
