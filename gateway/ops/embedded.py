"""What the embedded servers have in common: one owner at a time, started, stopped, found again."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from abc import ABC, abstractmethod
from typing import IO, TYPE_CHECKING, ClassVar

from gateway.ops import ServiceRefused, places
from gateway.ops.lifeline import Guarded, evict

if TYPE_CHECKING:
    from pathlib import Path


class EmbeddedServer(ABC):
    """A server whose files lie in one folder below the state folder.

    Works as a plain and as an asynchronous context manager that yields the address.
    Starting twice, or after :meth:`kill`, is allowed.

    Args:
        state_dir: made if absent; no two live gateways can share it.
        durable: whether what was committed must survive a power cut. Tests need no more than
            that it survives a killed process.
    """

    name: ClassVar[str]
    _gentle: ClassVar[signal.Signals]
    _socket_name: ClassVar[str]
    _start_timeout: ClassVar[float] = 180.0
    """Seconds; the longest part is recovery after a crash."""
    _stop_timeout: ClassVar[float] = 60.0

    def __init__(self, state_dir: Path, *, durable: bool = True) -> None:
        """Make the state folder; nothing is started yet."""
        self.state_dir = places.prepare(state_dir)
        self.durable = durable
        self.data = self.state_dir / self.name
        self.account = places.account(self.data)
        self._lock: IO[str] | None = None
        self._server: Guarded | None = None
        self._sockets: Path | None = None

    @property
    def sockets(self) -> Path:
        """The private folder of the server's unix socket."""
        if self._sockets is None:
            self._sockets = places.socket_folder(self.state_dir, self.name, self._socket_name, self.account)
        return self._sockets

    @property
    @abstractmethod
    def url(self) -> str:
        """The address for clients; known before the server is started."""

    @property
    def pid(self) -> int | None:
        """The server's process, where its pid file tells."""
        try:
            return int(self._pid_file.read_text(encoding="ascii").split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    @property
    def running(self) -> bool:
        """Whether a server that this object started has not ended."""
        return self._server is not None and self._server.running

    @property
    def owned(self) -> bool:
        """Whether a live gateway, this or another, holds the state folder."""
        held = places.lock(self._lock_file)
        if held is not None:
            held.close()
        return held is None

    @property
    def _lock_file(self) -> Path:
        return self.state_dir / f"{self.name}.lock"

    def start(self) -> str:
        """Start the server and return its address once it answers.

        What an earlier, killed run left behind is ended first, in good order where it can be.

        Raises:
            ServiceRefused: another live gateway holds the state folder, or the server does not start.
        """
        if self.running:
            return self.url
        places.require_reachable(self.account, self.state_dir)
        self._lock = self._lock or places.lock(self._lock_file)
        if self._lock is None:
            raise ServiceRefused(
                f"another tongda uses state_dir {self.state_dir}; stop it or set TONGDA_STATE_DIR"
            )
        try:
            self._server = self._launch()
        except BaseException:
            self._release()
            raise
        return self.url

    def _launch(self) -> Guarded:
        if self._server is not None:
            self._server.let_go()
        logs = self.state_dir / "log"
        logs.mkdir(exist_ok=True, mode=0o700)
        evict(self.data, self.pid, self._gentle, self._stop_timeout)
        self._prepare()
        argv = self._argv()
        gentle = self._gentle.name.removeprefix("SIG")
        server = Guarded(self.name, argv, gentle, self.account, self.data, logs / f"{self.name}.log")
        try:
            server.wait_ready(self.answers, self._start_timeout)
        except BaseException:
            server.kill()
            raise
        return server

    def stop(self) -> None:
        """Stop the server in good order; nothing happens if it is not running."""
        if self._server is not None:
            self._server.stop(self._stop_timeout)
            self._server = None
            shutil.rmtree(self.sockets, ignore_errors=True)
            self._sockets = None
        self._release()

    def kill(self) -> None:
        """Kill the server as a power cut would, for fault tests; :meth:`start` recovers it."""
        if self._server is not None:
            self._server.kill()
            self._server = None
            evict(self.data, None, signal.SIGKILL, 10)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    @abstractmethod
    def _pid_file(self) -> Path:
        """Where the server writes its process number."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data folder ready; nothing works in it."""

    @abstractmethod
    def _argv(self) -> list[str]:
        """Return the program and its arguments."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether a server, ours or another gateway's, answers at :attr:`url`."""

    def __enter__(self) -> str:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    async def __aenter__(self) -> str:
        """Start, without holding up the loop."""
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        """Stop, without holding up the loop."""
        await asyncio.to_thread(self.stop)


def use(server: EmbeddedServer) -> contextlib.AbstractContextManager[str]:
    """Use the server of a gateway that runs already on this state folder, else start one meanwhile."""
    return contextlib.nullcontext(server.url) if server.owned and server.answers() else server
