"""A whole gateway in processes of its own, and a played SMSC for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gateway.ops.lifeline import occupants

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 60
"""Seconds that anything here may take before it counts as never."""

PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from gateway import cli
cli.main()
"""
TONGDA = [sys.executable, "-c", PROGRAM]
"""The command, with Ctrl-C in force even where the tests run in the background."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def settled(condition):
    """Wait until the condition holds; return what it returned."""
    pause = threading.Event()
    for _ in range(WITHIN * 10):
        found = condition()
        if found:
            return found
        pause.wait(0.1)
    raise AssertionError(f"not within {WITHIN} s")


class Gateway:
    """A running ``tongda up`` and where it is reached."""

    command = TONGDA
    within = WITHIN
    settled = staticmethod(settled)

    def __init__(self, folder, config):
        self.state = folder / "state"
        self.port = free_port()
        self.said = folder / "said.txt"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGDA_")}
        self.env = ours | {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "TONGDA_STATE_DIR": str(self.state),
            "TONGDA_WEB__PORT": str(self.port),
            "TONGDA_CONFIG": str(config),
        }

    @contextlib.contextmanager
    def up(self):
        with (
            self.said.open("wb") as said,
            subprocess.Popen(
                [*TONGDA, "up"], env=self.env, cwd=ROOT, stdout=said, stderr=said, start_new_session=True
            ) as process,
        ):
            try:
                settled(lambda: "Tongda is up" in self.words() or process.poll() is not None)
                assert process.poll() is None, self.words()
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)
                    process.wait(WITHIN)

    def words(self):
        return self.said.read_text(encoding="utf-8", errors="replace")

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return json.load(answer)["ready"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def tell(self, *words):
        return subprocess.run(
            [*TONGDA, *words],
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )

    def child(self, *words):
        """The process with these last arguments, if it lives."""
        tail = b"\0".join([b"gateway.cli", *(word.encode() for word in words)]) + b"\0"
        place = f"TONGDA_STATE_DIR={self.state}".encode()
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not process.name.isdigit() or not (process / "cmdline").read_bytes().endswith(tail):
                    continue
                if place in (process / "environ").read_bytes():
                    return int(process.name)
        return None

    def server(self, name):
        """The main process of an embedded server, if it lives."""
        data = (self.state / name).resolve()
        pids = occupants(data)
        return min(pids) if pids else None


@pytest.fixture
def folder():
    """A folder that the servers' account reaches."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as made:
        path = Path(made)
        path.chmod(0o711)
        yield path


@pytest.fixture
def smsc():
    """Route settings that lead to a played SMSC in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "channels.simulate", "smpp"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield json.loads(process.stdout.readline())["settings"]
        process.stdin.close()


@pytest.fixture
def config(folder, smsc):
    path = folder / "tongda.toml"
    route = "".join(f"{name} = {json.dumps(value)}\n" for name, value in smsc.items())
    path.write_text(f'[channels.sms]\nkind = "smpp"\n[channels.sms.live]\n{route}', encoding="utf-8")
    return path


@pytest.fixture
def gateway(folder, config):
    """A gateway on a state folder of its own; ``with gateway.up():`` runs it."""
    return Gateway(folder, config)
