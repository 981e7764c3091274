from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.ops import supervisor as module
from gateway.ops.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()",
]


@contextlib.asynccontextmanager
async def supervised(*children, grace=10.0):
    output = io.BytesIO()
    supervisor = Supervisor(children, output, grace=grace)
    task = asyncio.create_task(supervisor.run())
    try:
        async with asyncio.timeout(30):
            await supervisor.ready.wait()
        yield supervisor, output
    finally:
        supervisor.stop()
        await task


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.02)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.2)


class TestRestart:
    async def test_a_killed_child_comes_back_and_the_others_stay(self):
        async with supervised(Child("one", SLEEPER), Child("two", SLEEPER)) as (supervisor, _):
            first, other = supervisor.pid("one"), supervisor.pid("two")
            os.kill(first, signal.SIGKILL)
            await until(lambda: supervisor.pid("one") not in (None, first))
            assert supervisor.pid("two") == other
            assert supervisor.restarts == {"one": 1, "two": 0}

    async def test_a_child_that_dies_at_once_is_tried_again_and_again(self):
        async with supervised(Child("bad", ["/bin/false"]), Child("good", SLEEPER)) as (supervisor, _):
            good = supervisor.pid("good")
            await until(lambda: supervisor.restarts["bad"] >= 3)
            assert supervisor.pid("good") == good

    async def test_a_program_that_does_not_exist_stops_nobody(self):
        async with supervised(Child("none", ["/nonexistent"]), Child("good", SLEEPER)) as (supervisor, _):
            await until(lambda: supervisor.restarts["none"] >= 2)
            assert alive(supervisor.pid("good"))


class TestStop:
    async def test_all_children_are_gone_when_run_returns(self):
        async with supervised(Child("one", SLEEPER), Child("two", SLEEPER)) as (supervisor, _):
            pids = [supervisor.pid("one"), supervisor.pid("two")]
        assert not any(alive(pid) for pid in pids)

    async def test_a_child_that_ignores_the_request_is_killed_after_the_grace(self):
        async with supervised(Child("stubborn", STUBBORN), grace=0.3) as (supervisor, output):
            await until(lambda: b"up" in output.getvalue())
            pid = supervisor.pid("stubborn")
        assert not alive(pid)

    async def test_a_grandchild_goes_with_the_child(self):
        script = "sleep 600 & echo pid $!; wait"
        async with supervised(Child("shell", ["/bin/sh", "-c", script])) as (_, output):
            await until(lambda: b"pid" in output.getvalue())
            grandchild = int(output.getvalue().split()[-1])
            assert alive(grandchild)
        await until(lambda: not alive(grandchild))

    async def test_told_to_stop_before_it_began_it_starts_nothing_and_returns(self):
        supervisor = Supervisor([Child("one", SLEEPER), Child("two", SLEEPER)], io.BytesIO())
        supervisor.stop()
        async with asyncio.timeout(30):
            await supervisor.run()
        assert (supervisor.pid("one"), supervisor.pid("two")) == (None, None)
        assert not supervisor.ready.is_set()

    async def test_told_to_stop_while_the_first_is_being_born_it_returns(self):
        supervisor = Supervisor([Child("one", SLEEPER), Child("two", SLEEPER)], io.BytesIO())
        task = asyncio.create_task(supervisor.run())
        await asyncio.sleep(0)  # as far as its first wait
        supervisor.stop()
        async with asyncio.timeout(30):
            await task
        assert (supervisor.pid("one"), supervisor.pid("two")) == (None, None)

    async def test_signals_are_left_to_whoever_minds_them(self):
        before = signal.getsignal(signal.SIGTERM)
        supervisor = Supervisor([], io.BytesIO(), signals=False)
        task = asyncio.create_task(supervisor.run())
        await supervisor.ready.wait()
        assert signal.getsignal(signal.SIGTERM) is before
        supervisor.stop()
        await task

    @pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
    async def test_a_signal_stops_it(self, which):
        async with supervised(Child("one", SLEEPER)) as (supervisor, _):
            pid = supervisor.pid("one")
            os.kill(os.getpid(), which)
            await until(lambda: not alive(pid))


class TestOutput:
    async def test_each_line_bears_the_name_of_its_child(self):
        chatty = ["/bin/sh", "-c", "echo out; echo err >&2; exec sleep 600"]
        async with supervised(Child("a", chatty), Child("long", SLEEPER)) as (_, output):
            await until(lambda: output.getvalue().count(b"\n") == 3)
        assert sorted(output.getvalue().splitlines()) == [b"a    | err", b"a    | out", b"long | up"]

    async def test_a_line_without_end_does_not_block_the_child(self):
        flood = ["/bin/sh", "-c", "head -c 300000 /dev/zero; echo; echo after; exec sleep 600"]
        async with supervised(Child("a", flood)) as (_, output):
            await until(lambda: b"after" in output.getvalue())


class TestReadiness:
    async def test_the_next_child_is_started_only_when_the_one_before_serves(self):
        serving, seen = asyncio.Event(), []
        supervisor = Supervisor([], io.BytesIO())

        async def ready():
            seen.append(supervisor.pid("second"))
            return serving.is_set()

        supervisor = Supervisor(
            [Child("first", SLEEPER, ready=ready), Child("second", SLEEPER)], io.BytesIO()
        )
        task = asyncio.create_task(supervisor.run())
        await until(lambda: len(seen) >= 3)
        assert not supervisor.ready.is_set()
        serving.set()
        await until(supervisor.ready.is_set)
        assert seen == [None] * len(seen)
        assert supervisor.pid("second")
        supervisor.stop()
        await task


class TestDeathOfTheSupervisor:
    def test_killing_it_leaves_no_child(self):
        program = (
            "import asyncio, sys\n"
            "from gateway.ops.supervisor import Child, Supervisor\n"
            f"child = Child('one', [sys.executable, '-c', {SLEEPER[2]!r}])\n"
            "async def main():\n"
            "    supervisor = Supervisor([child])\n"
            "    task = asyncio.create_task(supervisor.run())\n"
            "    await supervisor.ready.wait()\n"
            "    print(supervisor.pid('one'), flush=True)\n"
            "    await task\n"
            "asyncio.run(main())\n"
        )
        command = [sys.executable, "-c", program]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as killed:
            child = int(killed.stdout.readline())
            assert alive(child)
            killed.kill()
        asyncio.run(until(lambda: not alive(child)))
