"""The four providers of the demo, each with the faults of an ordinary day."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from channels.base import Simulator

SCRIPTS: dict[str, tuple[str, dict[str, Any]]] = {
    "sms": (
        "smpp",
        {
            "states": {"DELIVRD": 0.965, "UNDELIV": 0.015, "EXPIRED": 0.01, "UNKNOWN": 0.01},
            "receipt_delay": 0.6,
            "receipt_missing": 0.01,
            "receipt_duplicate": 0.02,
            "reply_share": 0.004,
            "reply_delay": 2.0,
        },
    ),
    "email": ("smtp", {"reject": 0.01, "report_failed": 0.02, "report_missing": 0.1, "report_delay": 0.3}),
    "wecom": ("wecom", {"latency": 0.05}),
    "radio": ("mqtt", {"offline_share": 0.04, "refuse_share": 0.02, "ack_delay": 0.3, "play_s": 1.0}),
}
"""Channel -> adapter kind and what its provider does."""

ROUTES: dict[str, dict[str, Any]] = {
    "sms": {"rate": 6_000, "window": 200},
    "email": {"rate": 1_000, "window": 20},
    "wecom": {"rate": 20, "window": 4},
    "radio": {"rate": 200, "window": 20},
}
"""Channel -> what its contract would allow."""


class Providers(NamedTuple):
    """The providers, running."""

    played: dict[str, Simulator]
    channels: dict[str, Any]
    """The settings ``channels`` that lead to them."""


@asynccontextmanager
async def providers() -> AsyncIterator[Providers]:
    """Start the four providers on free loopback ports and stop them at the end."""
    async with AsyncExitStack() as stack:
        played: dict[str, Simulator] = {}
        for channel, (kind, script) in SCRIPTS.items():
            one = simulator(kind)()
            for name, value in script.items():
                setattr(one, name, value)
            await one.start()
            stack.push_async_callback(one.stop)
            played[channel] = one
        yield Providers(
            played,
            {
                channel: {"kind": SCRIPTS[channel][0], "live": one.settings() | ROUTES[channel]}
                for channel, one in played.items()
            },
        )
