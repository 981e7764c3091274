"""Which villages were meant, and which of them have somebody who knows (通达覆盖)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.coverage.model import Share
from gateway.store.coverage import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WATCHERS = ("responsible", "informant")


def township_of(region: str) -> str:
    """Return the code of the township that a village or township code belongs to; a county's is its own."""
    return region[:9].ljust(12, "0")


class Villages:
    """The villages of the warned area and of the target list, and which of them are covered."""

    def __init__(self, regions: Mapping[str, Any], standings: Sequence[Any]) -> None:
        """Take rows of regions by code, and of people by region, role and standing."""
        self._regions = regions
        lived = {row.region for row in standings if self._is_village(row.region)}
        self.targeted = lived | {code for code, region in regions.items() if region.aimed}
        self.covered = {row.region for row in standings if _covers(row)} & self.targeted

    def share(self, township: str = "") -> Share:
        """Return villages covered, of the villages targeted."""
        targeted, covered = self._of(township)
        return Share(part=len(covered), of=len(targeted))

    def weighted(self, township: str = "") -> Share:
        """Return the same by population; a village of unknown population weighs nothing."""
        targeted, covered = self._of(township)
        return Share(part=self._population(covered), of=self._population(targeted))

    def _is_village(self, code: str) -> bool:
        region = self._regions.get(code)
        return region.level == "village" if region else not code.endswith("000")

    def _of(self, township: str) -> tuple[list[str], list[str]]:
        targeted = [code for code in self.targeted if not township or township_of(code) == township]
        return targeted, [code for code in targeted if code in self.covered]

    def _population(self, codes: Iterable[str]) -> int:
        return sum(self._regions[code].population for code in codes if code in self._regions)


def _covers(row: Any) -> bool:  # noqa: ANN401 - a row of the standings
    if row.role in _WATCHERS:
        return bool(row.standing == Standing.CONFIRMED)
    return bool(row.role == "device" and row.standing >= Standing.DELIVERED)
