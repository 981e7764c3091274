"""Servers that never outlive us, and what to do about those that did.

A server is started through a few lines of ``sh`` that hold the other end of a pipe. However
our process ends, the kernel closes the pipe, and the shell then stops the server gently.
Stopping a server in the ordinary way is the same act: we close the pipe.
(A parent-death signal would not do: it fires when the *thread* that started the server ends.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.ops import ServiceRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ops.places import Account

_GUARD = """
sig=$1; shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{ read -r _; kill -s "$sig" "$server"; } <&3 2>/dev/null &
watch=$!
exec 3<&-
wait "$server"; code=$?
kill "$watch" 2>/dev/null
exit "$code"
"""

_STEP = 0.02
"""Seconds between two looks at a server that is starting or stopping."""

_LOG_LIMIT = 8 * 2**20
"""Bytes after which a server's log is put aside at the next start."""


class Guarded:
    """A server process that stops when we do.

    Args:
        name: for messages.
        argv: the program and its arguments.
        gentle: the signal name that makes it stop in good order (``INT``, ``TERM``).
        who: the account it runs as.
        folder: its working directory, which is also how leftovers are recognised.
        log: takes its output.
    """

    def __init__(
        self, name: str, argv: Sequence[str], gentle: str, who: Account, folder: Path, log: Path
    ) -> None:
        """Start the server."""
        self.name = name
        self._log = log
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".1.log"))
        with log.open("ab") as output:
            self._start = output.tell()
            self._process = subprocess.Popen(  # type: ignore[call-overload] # noqa: S603 - our own program and paths
                ["/bin/sh", "-c", _GUARD, name, gentle, *argv],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=environment(),
                start_new_session=True,  # a Ctrl-C in the terminal is for us, not for the server
                **who.popen(),
            )

    @property
    def running(self) -> bool:
        """Whether the server has not ended."""
        return self._process.poll() is None

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Return once ``ready`` says so.

        Raises:
            ServiceRefused: the server ended or the time is over; quotes its last words.
        """
        for _ in range(int(timeout / _STEP)):
            if ready():
                return
            try:
                code = self._process.wait(_STEP)
            except subprocess.TimeoutExpired:
                continue
            self._process.stdin.close()
            raise ServiceRefused(f"{self.name} ended while starting (exit code {code}): {self._last_words()}")
        self.stop(5)
        raise ServiceRefused(f"{self.name} was not ready within {timeout:g} s: {self._last_words()}")

    def stop(self, timeout: float) -> None:
        """Stop the server in good order; kill it where that takes longer than ``timeout`` seconds."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def let_go(self) -> None:
        """Close the pipe: whatever of the server still lives stops by itself."""
        self._process.stdin.close()

    def kill(self) -> None:
        """Kill the server at once, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.stdin.close()
        self._process.wait()

    def _last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._start)
            lines = [line.strip() for line in log.read().decode(errors="replace").split("\n") if line.strip()]
        grave = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (grave or lines or [f"it said nothing in {self._log}"])[-1]


def environment() -> dict[str, str]:
    """Return the environment of a server: nothing of ours reaches it."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/nonexistent"}


def occupants(folder: Path) -> list[int]:
    """Return the processes whose working directory is ``folder``: a server of ours and its children."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if (process / "cwd").readlink() == folder:
                    found.append(int(process.name))
            except OSError:  # it ended, or is none of ours to look at
                continue
    return found


def evict(folder: Path, main: int | None, gentle: signal.Signals, timeout: float) -> bool:
    """End whatever a killed run left working in ``folder``.

    Args:
        folder: the server's working directory, resolved.
        main: the process that takes the gentle signal, where its pid file tells.
        gentle: the signal that makes it stop in good order.
        timeout: seconds until what is left is killed.

    Returns:
        Whether there was anything.
    """
    found = occupants(folder)
    if main in found:
        _signal(main, gentle)
    # Without its main process a server's children end by themselves, or never.
    if found and not _gone(folder, timeout if main in found else min(timeout, 5)):
        for process in occupants(folder):
            _signal(process, signal.SIGKILL)
        if not _gone(folder, 10):
            raise ServiceRefused(f"a server of an earlier run still works in {folder} and cannot be ended")
    return bool(found)


def _signal(process: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, which)


def _gone(folder: Path, timeout: float) -> bool:
    pause = threading.Event()
    for _ in range(int(timeout / _STEP)):
        if not occupants(folder):
            return True
        pause.wait(_STEP)
    return False
