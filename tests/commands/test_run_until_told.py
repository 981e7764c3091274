from __future__ import annotations

import asyncio
import os
import signal

import pytest

from gateway.commands.common import run_until_told


class Part:
    """Something that runs for ever and takes its time to end."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> None:
        try:
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
            self.ended.set()
            if self.fails:
                raise OSError("an invented fault of the end")


@pytest.fixture
async def signals():
    """Takes the handlers from the loop again."""
    yield lambda which: os.kill(os.getpid(), which)
    for which in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(which)


async def turns(count=20):
    """Let everything else run as far as it gets."""
    for _ in range(count):
        await asyncio.sleep(0)


async def fail():
    raise OSError("an invented fault")


class TestUntilTold:
    @pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
    async def test_a_signal_ends_every_part_and_the_slowest_is_waited_for(self, signals, which):
        parts = [Part(), Part()]
        running = asyncio.create_task(run_until_told(*(part.run() for part in parts)))
        await asyncio.gather(*(part.begun.wait() for part in parts))
        signals(which)
        parts[0].may_end.set()
        await parts[0].ended.wait()
        await turns()
        assert not running.done()
        parts[1].may_end.set()
        await running
        assert parts[1].ended.is_set()

    async def test_a_second_signal_does_not_cut_the_end_short(self, signals):
        part = Part()
        running = asyncio.create_task(run_until_told(part.run()))
        await part.begun.wait()
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
        for which in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signals(which)
        await told.wait()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
        await turns()
        assert not part.ended.is_set()
        part.may_end.set()
        await running
        assert part.ended.is_set()

    async def test_a_part_that_fails_ends_the_others_first_and_is_told_as_it_is(self, signals):
        part = Part()
        part.may_end.set()
        with pytest.raises(OSError, match=r"an invented fault$"):
            await run_until_told(part.run(), fail())
        assert part.ended.is_set()

    async def test_a_fault_at_the_end_is_told(self, signals):
        part = Part(fails=True)
        part.may_end.set()
        running = asyncio.create_task(run_until_told(part.run()))
        await part.begun.wait()
        signals(signal.SIGTERM)
        with pytest.raises(OSError, match="of the end"):
            await running

    async def test_parts_that_end_by_themselves_end_it(self, signals):
        ended: list[int] = []

        async def part(number: int) -> None:
            await asyncio.sleep(0)
            ended.append(number)

        await run_until_told(part(1), part(2))
        assert sorted(ended) == [1, 2]
