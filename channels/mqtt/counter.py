"""The counter of commands: rises for ever, without a store, over restarts, processes and hosts."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Annotated, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.mqtt.frames import FrameRefused, device_key, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable

GATEWAY: Final = "gateway"
"""Stands for an address where the senders of a fleet speak to one another; no terminal can have it."""


class Counter:
    """Gives the time in microseconds since 1970, or one more than the last where the clock stood still.

    A terminal takes a command only if its counter is above the last one it took. Time as the
    counter needs no store. Where the clocks of two hosts differ, the sender that is behind
    hears the other's counter (:class:`Beacon`) and runs ahead of its own clock from then on.
    It fits in the 53 bits of a JSON number until the year 2255.

    Where the clock is set back while a process runs, its counter goes on rising by one. A
    process that starts after such a step hears the counter that was told last.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Begin at the present time of ``clock_ns``."""
        self._clock_ns = clock_ns
        self._last = 0
        self._ahead = 0

    def next(self, lead: float = 0.0) -> int:
        """Return a counter above all earlier ones; ``lead`` is the least to run ahead by, in seconds."""
        moment = self._clock_ns() // 1000 + max(self._ahead, int(lead * 1_000_000))
        self._last = max(self._last + 1, moment)
        return self._last

    def hear(self, other: int) -> None:
        """Rise above the counter of another sender, and stay as far ahead as that one is."""
        self._last = max(self._last, other)
        self._ahead = max(self._ahead, other - self._clock_ns() // 1000)


@functools.cache
def counter_of(_fleet_key: bytes) -> Counter:
    """Return this process's counter for a fleet: its channels share it, so their counters never meet."""
    return Counter()


class _Told(BaseModel):
    model_config = ConfigDict(strict=True)

    counter: Annotated[int, Field(ge=1, lt=2**52)]
    """Of the year 2112 at most: a sender with a mad clock must not use the numbers up."""


class Beacon:
    """The message by which the senders of a fleet tell one another their counters."""

    def __init__(self, fleet_key: bytes) -> None:
        """Derive the key, which no terminal has."""
        self._key = device_key(fleet_key, GATEWAY)

    def write(self, counter: int) -> bytes:
        """Return the signed frame."""
        return seal(self._key, "counter", GATEWAY, orjson.dumps({"counter": counter}))

    def read(self, frame: bytes) -> int | None:
        """Return the counter that a sender told; None where no sender of this fleet wrote the frame."""
        try:
            return _Told.model_validate(unseal(self._key, "counter", GATEWAY, frame)).counter
        except (FrameRefused, ValidationError):
            return None
