"""Keeps the gateway's processes up on one box: ``tongda up``.

A child that dies is started again after a pause that doubles; no child's death touches
another. A signal stops all of them in order. Should the supervisor itself be killed, the
kernel kills its children: they are stateless by design, the database knows the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gateway.clock import SYSTEM
from gateway.ops.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.clock import Clock

_log = get_logger(__name__)

FIRST_PAUSE = 1.0
"""Seconds before the first restart; doubles with each that follows."""
LONGEST_PAUSE = 30.0
STEADY = 60.0
"""Seconds of life after which a child's earlier deaths are forgotten."""
GRACE = 30.0
"""Seconds from SIGTERM to SIGKILL: time to end a batch and to write what was sent."""

READY_WITHIN = 30.0
"""Seconds that a child has to say that it serves before the next one is started all the same."""

_PROBE = 0.1
_LAST_LINES = 1.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Child(NamedTuple):
    """A process to keep up."""

    name: str
    """Stands before each of its lines."""
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    """What is added to our environment."""
    ready: Callable[[], Awaitable[bool]] | None = None
    """Says whether it serves already; the next child is started after that. Absent: at once."""


class Supervisor:
    """Runs children until it is told to stop.

    Args:
        children: started in this order, stopped in the reverse one.
        output: takes the children's lines, each with its name before it; standard error unless told.
        clock: measures how long a child lived.
        grace: seconds from SIGTERM to SIGKILL.
        signals: whether SIGINT and SIGTERM stop it; False where they are somebody else's to mind, who then
            calls :meth:`stop` or cancels :meth:`run`.
    """

    def __init__(
        self,
        children: Sequence[Child],
        output: BinaryIO | None = None,
        clock: Clock = SYSTEM,
        grace: float = GRACE,
        *,
        signals: bool = True,
    ) -> None:
        """Keep the list; :meth:`run` starts it."""
        self.children = children
        self.ready = asyncio.Event()
        """Set once every child was started and said that it serves, or had its time to."""
        self.restarts = dict.fromkeys((child.name for child in children), 0)
        self._output = output or sys.stderr.buffer
        self._clock = clock
        self._grace = grace
        self._signals = (signal.SIGINT, signal.SIGTERM) if signals else ()
        self._stopping = asyncio.Event()
        self._born = {child.name: asyncio.Event() for child in children}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._width = max((len(child.name) for child in children), default=0)

    def pid(self, name: str) -> int | None:
        """Return the process number of a child, or None while it is down."""
        process = self._running.get(name)
        return process.pid if process is not None and process.returncode is None else None

    def stop(self) -> None:
        """Begin to stop; :meth:`run` returns when all are down."""
        self._stopping.set()

    async def run(self) -> None:
        """Start the children and keep them up until SIGINT, SIGTERM or :meth:`stop`."""
        loop = asyncio.get_running_loop()
        for which in self._signals:
            loop.add_signal_handler(which, self.stop)
        keepers: list[asyncio.Task[None]] = []
        try:
            for child in self.children:
                if self._stopping.is_set():
                    break
                keepers.append(asyncio.create_task(self._keep(child), name=child.name))
                await self._until_ready(child)
            else:
                self.ready.set()
            await self._stopping.wait()
        finally:
            await self._stop_all(keepers)
            for which in self._signals:
                loop.remove_signal_handler(which)

    async def _until_ready(self, child: Child) -> None:
        await self._born[child.name].wait()
        if child.ready is None:
            return
        deadline = self._clock.monotonic() + READY_WITHIN
        while not await child.ready():
            if self._clock.monotonic() > deadline:
                _log.warning("child does not serve yet; going on", child=child.name)
                return
            if await self._stops_within(_PROBE):
                return

    async def _keep(self, child: Child) -> None:
        try:
            await self._keep_alive(child)
        finally:  # told to stop before it was born: nobody must wait for that
            self._born[child.name].set()

    async def _keep_alive(self, child: Child) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            born = self._clock.monotonic()
            code = await self._live(child)
            if self._stopping.is_set():
                return
            lived = self._clock.monotonic() - born
            pause = FIRST_PAUSE if lived >= STEADY else pause
            _log.error("child ended", child=child.name, code=code, lived=round(lived, 1), restart_in=pause)
            if await self._stops_within(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE)
            self.restarts[child.name] += 1

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    async def _live(self, child: Child) -> int | str:
        """Run the child once, to its end; return its exit code, or why it did not start."""
        try:
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **(child.env or {})},
                start_new_session=True,  # Ctrl-C is for us; we tell the children in order
                preexec_fn=_die_with(os.getpid()),
            )
        except OSError as error:
            return f"{child.argv[0]}: {error.strerror}"
        finally:
            self._born[child.name].set()
        self._running[child.name] = process
        if self._stopping.is_set():  # told to stop while it was being born
            _signal_group(process.pid, signal.SIGTERM)
        assert process.stdout is not None
        lines = asyncio.create_task(self._pass_on(child.name, process.stdout))
        code = await process.wait()
        _signal_group(process.pid, signal.SIGKILL)  # what the child left behind
        # Something that left the group may hold the pipe open for ever: what is in it by now is enough.
        await asyncio.wait([lines], timeout=_LAST_LINES)
        lines.cancel()
        return code

    async def _pass_on(self, name: str, lines: asyncio.StreamReader) -> None:
        head = f"{name:<{self._width}} | ".encode()
        while not lines.at_eof():
            try:
                line = await lines.readline()
            except ValueError:  # longer than the reader's limit; what was read of it is gone
                line = b"(a line too long to pass on)"
            if line:
                with contextlib.suppress(OSError):  # whoever read us has gone; the children go on
                    self._output.write(head + line.rstrip(b"\r\n") + b"\n")
                    self._output.flush()

    async def _stop_all(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        self._stopping.set()
        for keeper in reversed(keepers):
            process = self._running.get(keeper.get_name())
            if process is not None and process.returncode is None:
                _signal_group(process.pid, signal.SIGTERM)
        if keepers:
            await asyncio.wait(keepers, timeout=self._grace)
        for process in self._running.values():
            if process.returncode is None:
                _log.error("child did not stop in time and is killed", pid=process.pid)
                _signal_group(process.pid, signal.SIGKILL)
        await asyncio.gather(*keepers)


def _signal_group(pid: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, which)


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a new child does first: ask the kernel to be killed when the supervisor ends.

    Sound only because children are started from the main thread, which lives as long as we do.
    """

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return ask
