"""Findings about a document while it is read, no more of a kind than people can look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.feeds.findings import finding

if TYPE_CHECKING:
    from gateway.alerts.findings import Finding


class Noted:
    """Collects findings; of one code it keeps no more than ``most``, and the number of the rest."""

    def __init__(self, most: int = 20) -> None:
        """Start empty."""
        self._most = most
        self._kept: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(self, code: str, path: str, message: str = "") -> None:
        """Remember one finding of :data:`gateway.feeds.findings.CODES`."""
        count = self._counts[code] = self._counts.get(code, 0) + 1
        if count <= self._most:
            self._kept.append(finding(code, path, message))

    def count(self, code: str) -> int:
        """Return how many there were of a code."""
        return self._counts.get(code, 0)

    def all(self) -> list[Finding]:
        """Return the findings in the order they were made, then one line for each code that had too many."""
        surplus = [(code, count - self._most) for code, count in self._counts.items() if count > self._most]
        return [*self._kept, *(finding(code, "", f"{count} more of this kind") for code, count in surplus)]
