"""``tongda up`` as an operator runs it: real processes, killed one by one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.ops.lifeline import occupants

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
class TestUp:
    def test_whatever_is_killed_comes_back_and_ctrl_c_leaves_nothing(self, gateway):
        with gateway.up() as process:
            assert gateway.ready(), "it says that it is up only when it is"
            assert f"confirm links lead to http://127.0.0.1:{gateway.port} only" in gateway.words()

            for words in (("web",), ("reconcile",), ("worker", "sms.urgent")):
                killed = gateway.settled(lambda words=words: gateway.child(*words))
                os.kill(killed, signal.SIGKILL)
                gateway.settled(
                    lambda words=words, killed=killed: gateway.child(*words) not in (None, killed)
                )
            for name in ("postgres", "valkey"):
                killed = gateway.server(name)
                for one in occupants((gateway.state / name).resolve()):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(one, signal.SIGKILL)
                gateway.settled(lambda name=name, killed=killed: gateway.server(name) not in (None, killed))
            gateway.settled(gateway.ready)
            assert gateway.tell("desk", "list").returncode == 0

            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(gateway.within) == 0
        assert not gateway.child("web")
        assert not occupants((gateway.state / "postgres").resolve())
        assert not occupants((gateway.state / "valkey").resolve())
        assert "Traceback" not in gateway.words()

    def test_a_second_one_on_the_same_state_folder_is_refused_in_one_line(self, gateway):
        with gateway.up():
            second = gateway.tell("up")
            assert second.returncode == 2
            assert second.stderr.count("\n") == 1
            assert f"another tongda uses state_dir {gateway.state.resolve()}" in second.stderr
            assert gateway.ready(), "the first one does not mind"

    def test_it_does_not_lean_on_a_server_that_a_short_command_started(self, gateway):
        holder = (
            "import sys\nfrom pathlib import Path\nfrom gateway.ops.services import services\n"
            f"with services(Path({str(gateway.state)!r}), durable=False):\n"
            "    print('here', flush=True); sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", holder],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as short:
            assert short.stdout.readline() == "here\n"
            refused = gateway.tell("up")
            short.stdin.close()
        assert refused.returncode == 2
        assert "another tongda uses state_dir" in refused.stderr

    def test_a_taken_port_is_told_with_the_way_out_and_it_does_not_say_that_it_is_up(self, gateway):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", gateway.port))
            taken.listen()
            with (
                gateway.said.open("wb") as said,
                subprocess.Popen(
                    [*gateway.command, "up"], env=gateway.env, cwd=ROOT, stdout=said, stderr=said
                ) as process,
            ):
                try:
                    gateway.settled(lambda: "cannot listen" in gateway.words())
                finally:
                    process.terminate()
                assert process.wait(gateway.within) == 0
        line = next(line for line in gateway.words().splitlines() if "cannot listen" in line)
        assert f"web.port {gateway.port}: address already in use; set TONGDA_WEB__PORT" in line
        assert "Tongda is up" not in gateway.words()
