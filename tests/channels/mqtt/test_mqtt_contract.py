from __future__ import annotations

from typing import ClassVar

from tests.channels.contract import ChannelContract, until


class TestMqtt(ChannelContract):
    kind = "mqtt"
    silent: ClassVar = {"silent_share": 1.0}
    slow: ClassVar = {"latency": 0.05}
    cut: ClassVar = {"cut_every": 6}
    rejecting: ClassVar = None
    throttling: ClassVar = None
    secret_addresses = False  # a loudspeaker is no person
    bad_addresses = (
        "horn-07",
        "33072610100/horn-07",
        "330726101001",
        "330726101001/",
        "330726101001/horn/07",
        "330726101001/+",
        "330726101001/#",
        "330726101001/喇叭",
        "330726101001/" + "x" * 33,
    )

    def address(self, number):
        return f"330726101001/horn-{number:02d}"

    def settings(self, simulator, **changes):
        self.played_by = simulator
        return super().settings(simulator, **changes)

    async def sent(self, channel, book, messages, **changes):
        """A broker accepts before a loudspeaker plays: wait until all have judged what came."""
        prepared = await super().sent(channel, book, messages, **changes)
        await until(lambda: self.played_by.settled)
        return prepared
