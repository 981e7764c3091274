"""The live display of a release: one bar for each channel, from the counters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from channels.base import Proof

if TYPE_CHECKING:
    from collections.abc import Mapping

BAR = 24
LINE_SECONDS = 2.0
"""Seconds between two lines where there is no terminal to draw on."""
FAILED = (Proof.REJECTED, Proof.EXPIRED, Proof.SUPPRESSED)


class Standing(NamedTuple):
    """How one channel's deliveries stand; proof is cumulative."""

    intended: int
    accepted: int
    delivered: int
    confirmed: int
    failed: int
    unknown: int

    @property
    def pending(self) -> int:
        """Deliveries that have not been handed over yet."""
        return self.intended - self.accepted - self.failed - self.unknown


def standing(counts: Mapping[int, int]) -> Standing:
    """Return the standing of {state: deliveries}."""

    def least(proof: Proof) -> int:
        return sum(count for state, count in counts.items() if state >= proof and state not in FAILED)

    return Standing(
        sum(counts.values()),
        least(Proof.ACCEPTED),
        least(Proof.DELIVERED),
        least(Proof.CONFIRMED),
        sum(counts.get(state, 0) for state in FAILED),
        counts.get(Proof.UNKNOWN, 0),
    )


class Screen:
    """Draws on a terminal; elsewhere it writes a line now and then."""

    def __init__(self, console: Console) -> None:
        """Nothing is drawn before :meth:`show`."""
        self._console = console
        self._live: Live | None = None
        self._began = time.monotonic()
        self._written = -LINE_SECONDS

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=8, transient=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last picture standing."""
        if self._live:
            self._live.stop()

    def show(self, standings: Mapping[str, Standing]) -> None:
        """Draw how the channels stand."""
        seconds = time.monotonic() - self._began
        if self._live:
            self._live.update(Group(_table(standings), Text(f"  {seconds:5.1f} s since the release")))
            return
        if seconds - self._written < LINE_SECONDS:
            return
        self._written = seconds
        told = "  ".join(
            f"{name} {one.intended - one.pending}/{one.intended} sent, {one.delivered} delivered"
            for name, one in standings.items()
        )
        self._console.print(f"  {seconds:5.1f} s  {told}", highlight=False, soft_wrap=True)


def _table(standings: Mapping[str, Standing]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2))
    table.add_column("channel")
    table.add_column("█ delivered ▒ accepted")
    for name in ("intended", "accepted", "delivered", "confirmed", "failed", "unknown"):
        table.add_column(name, justify="right")
    for name, one in standings.items():
        numbers = (one.intended, one.accepted, one.delivered, one.confirmed, one.failed, one.unknown)
        table.add_row(name, _bar(one), *(f"{number:,}" for number in numbers))
    return table


def _bar(one: Standing) -> Text:
    whole = max(1, one.intended)
    delivered = BAR * one.delivered // whole
    accepted = BAR * one.accepted // whole - delivered
    return Text.assemble(
        ("█" * delivered, "green"), ("▒" * accepted, "cyan"), ("·" * (BAR - delivered - accepted), "dim")
    )
