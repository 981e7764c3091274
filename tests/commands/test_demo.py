"""``tongda demo`` as a newcomer starts it: the real one, with all its processes."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gateway.ops.places import account, closed_to

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "gateway.cli", "demo"]
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from gateway import cli
cli.main(["demo"])
"""
AT_A_TERMINAL = [sys.executable, "-c", PROGRAM]
"""The demo, with Ctrl-C in force even where the tests run in the background."""

WITHIN = 150
"""Seconds: far more than a demo takes, on a machine that does other things as well."""


@pytest.fixture
def place():
    """A folder for the demo's state that the servers' account reaches, and that must be empty at the end."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o711)
        assert closed_to(account(), path) is None
        yield path


def environment(place):
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGDA_")}
    return ours | {"TMPDIR": str(place), "PYTHONPATH": str(ROOT)}


def left(place):
    """Processes that were told of this place, in their arguments or their environment."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            if os.fsencode(place) in told:
                found.append(told[:200])
    return found


async def until_nothing_is_left(place):
    async with asyncio.timeout(30):
        while left(place):  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.05)


def play(place, folder, *options):
    """The demo with these options, ended."""
    return subprocess.run(
        [*DEMO, *options],
        cwd=folder,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


def row(text, name):
    """The whole numbers in the first line of a table that begins with ``name``."""
    line = next(line for line in text.splitlines() if line.split()[:1] == [name])
    return [int(number.replace(",", "")) for number in re.findall(r"(?<![\d.,/])\d[\d,]*(?![\d.,/%])", line)]


@pytest.mark.timeout(WITHIN + 60)
class TestOneWarningAllTheWay:
    def test_it_is_drafted_approved_sent_measured_and_leaves_nothing_running(self, place, tmp_path):
        ended = play(place, tmp_path, "--lang", "en", "--area", "990101001")
        assert ended.returncode == 0, ended.stderr
        said = ended.stdout
        assert "20,000 contacts, 600 of them responsible persons" in said
        assert "approved by demo-approver-2: 2 of 2" in said
        assert "counters and rows agree; the audit chain of 9 records verifies" in said
        for channel in ("sms", "email", "wecom", "radio"):
            intended, accepted, delivered, confirmed, unknown, failed = row(said, channel)[:6]
            assert intended >= accepted >= delivered >= confirmed
            assert accepted + unknown + failed == intended, "nothing is still on its way"
        assert row(said, "sms")[2] > 0.8 * row(said, "sms")[0]
        assert row(said, "wecom")[2] == 0, "a webhook's 200 is not a delivery"
        assert "<html" in (tmp_path / "coverage.html").read_text(encoding="utf-8")
        with (tmp_path / "coverage.csv").open(encoding="utf-8-sig", newline="") as sheet:
            assert len(list(csv.reader(sheet))) > 10
        asyncio.run(until_nothing_is_left(place))
        assert not list(place.iterdir())


@pytest.mark.timeout(WITHIN + 60)
class TestASourceAllTheWay:
    def test_a_recorded_feed_is_played_read_judged_and_its_warning_sent(self, place, tmp_path):
        ended = play(
            place,
            tmp_path,
            "--lang",
            "en",
            "--feed",
            str(ROOT / "config" / "demo" / "feed"),
            "--area",
            "990101001",
        )
        assert ended.returncode == 0, ended.stderr
        said = ended.stdout
        assert "(atom) is played at http://127.0.0.1:" in said
        states = re.findall(r"message \d+ 暴雨: (\w+), ", said)
        assert sorted(states) == ["drafted", "stored", "stored", "superseded"]
        assert "not taken: entry[6]: the link leads to a private or local address" in said
        assert "drafted from what the source sent by source.recording: rainstorm, orange" in said
        assert "counters and rows agree" in said
        assert row(said, "sms")[2] > 0.8 * row(said, "sms")[0]
        asyncio.run(until_nothing_is_left(place))
        assert not list(place.iterdir())

    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("missing.xml", None, "No such file or directory"),
            ("page.html", b"<!doctype html><html>502</html>", "holds no feed that is known here"),
            ("empty", "folder", "holds no feed that is known here"),
        ],
    )
    def test_what_is_no_recording_is_refused_in_one_line(self, place, tmp_path, name, content, sentence):
        path = tmp_path / name
        if content == "folder":
            path.mkdir()
        elif content is not None:
            path.write_bytes(content)
        ended = play(place, tmp_path, "--feed", str(path))
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert ended.stderr.startswith(f"tongda: {path}: ")
        assert sentence in ended.stderr


@pytest.mark.timeout(WITHIN + 60)
class TestCtrlC:
    @pytest.mark.parametrize(
        ("moment", "which"),
        [("invented", signal.SIGINT), ("submitted", signal.SIGHUP), ("released", signal.SIGTERM)],
    )
    def test_it_ends_everything_however_often_it_is_pressed(self, place, tmp_path, moment, which):
        with subprocess.Popen(
            AT_A_TERMINAL,
            cwd=tmp_path,
            env=environment(place) | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                assert any(moment in line for line in running.stdout)
                for _ in range(3):
                    os.killpg(running.pid, which)
                said, _ = running.communicate(timeout=WITHIN)
            finally:
                running.kill()
        assert running.returncode == 128 + which
        assert "stopping ..." in said
        assert "Traceback" not in said
        asyncio.run(until_nothing_is_left(place))
        assert not list(place.iterdir())


class TestAFileThatIsNoWarning:
    def test_it_is_refused_in_one_line_that_names_it(self, place, tmp_path):
        file = tmp_path / "给.xml"
        file.write_bytes(b"<alert/>")
        ended = play(place, tmp_path, "--cap", str(file))
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"tongda: {file}: ")
        assert ended.stderr.count("\n") == 1
        assert not list(tmp_path.glob("coverage.*"))
