"""``tongda web`` as a process: it comes up, takes a confirmation, and ends in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from asyncio import to_thread
from http.client import HTTPConnection
from urllib.request import urlopen

import pytest
from aiohttp.web import Application
from typer import Typer
from typer.testing import CliRunner

from channels.base import Proof
from gateway.commands.coverage import coverage
from gateway.commands.web import _serving, web
from gateway.receipts.confirm import make_token
from tests.conftest import ROOT
from tests.web.conftest import CALLBACK, CONFIRM

DEADLINE = 60
PROGRAM = """
import asyncio
from gateway.commands.web import serve
from gateway.ops import log
from gateway.settings import load_settings
log.setup()
asyncio.run(serve(load_settings(), lambda port: print(port, flush=True)))
"""


def environment(tmp_path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TONGDA_STATE_DIR": str(tmp_path / "state"),
        "TONGDA_WEB__PORT": "0",
        "TONGDA_SECRETS__CONFIRM_KEY": CONFIRM,
        "TONGDA_SECRETS__CALLBACK_KEYS": json.dumps({"sms": CALLBACK}),
        **more,
    }


@pytest.fixture
def running(database_url, redis_url, tmp_path):
    """The server in a process of its own, and its port."""
    how = environment(tmp_path, TONGDA_DATABASE_URL=database_url, TONGDA_REDIS_URL=redis_url)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=how,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_a_confirmation_outlives_the_signal_that_ends_it(self, running, release, database, number):
        process, port = running
        built = await release()
        token = make_token(built.deliveries[0]["sms"], CONFIRM.encode())
        assert await to_thread(press, f"http://127.0.0.1:{port}/c/{token}") == 200
        process.send_signal(number)
        assert process.wait(DEADLINE) == 0
        async with database.raw() as connection:
            assert await connection.fetchval("SELECT state FROM deliveries") == Proof.CONFIRMED
        words = process.stderr.read()
        assert "Traceback" not in words
        assert token not in words

    def test_an_idle_connection_does_not_keep_it_from_ending(self, running):
        process, port = running
        idle = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        idle.request("GET", "/healthz")
        assert json.load(idle.getresponse()) == {"alive": True}
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert time.monotonic() - started < DEADLINE
        idle.close()


def press(address: str) -> int:
    with urlopen(address, b"", timeout=DEADLINE) as response:
        return response.status


def call(command, tmp_path, monkeypatch, *arguments: str, **more: str):
    for name, value in environment(tmp_path, **more).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    app = Typer()
    app.command()(command)
    return CliRunner().invoke(app, list(arguments))


class TestServing:
    async def test_what_goes_wrong_later_is_not_told_as_a_port_that_is_taken(self, settings):
        settings.web.port = 0
        with pytest.raises(TimeoutError):
            async with _serving(settings, Application(), None):
                raise TimeoutError


class TestCommands:
    def test_a_port_that_is_taken_is_named_in_one_line(self, running, tmp_path, database_url, redis_url):
        _, port = running
        how = environment(
            tmp_path,
            TONGDA_WEB__PORT=str(port),
            TONGDA_DATABASE_URL=database_url,
            TONGDA_REDIS_URL=redis_url,
        )
        program = "import typer; from gateway.commands.web import web; typer.run(web)"
        result = subprocess.run(
            [sys.executable, "-c", program],
            env=how,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert result.returncode == 2
        assert f"cannot listen at web.host 127.0.0.1 and web.port {port}" in result.stderr
        assert "Traceback" not in result.stderr

    def test_a_wrong_setting_is_named_in_one_line(self, tmp_path, monkeypatch):
        result = call(web, tmp_path, monkeypatch, TONGDA_SECRETS__CONFIRM_KEY="short")
        assert result.exit_code == 2
        assert "TONGDA_SECRETS__CONFIRM_KEY" in result.stderr
        assert len(result.stderr.splitlines()) == 1

    async def test_coverage_prints_and_writes_its_three_forms(
        self, release, tmp_path, monkeypatch, database_url
    ):
        built = await release(Proof.DELIVERED)
        how = {"TONGDA_DATABASE_URL": database_url}
        forms = ("--html", "coverage.html", "--csv", "coverage.csv")
        result = await to_thread(call, coverage, tmp_path, monkeypatch, built.reference, *forms, **how)
        assert result.exit_code == 0, result.output
        assert "各乡镇" in result.stdout
        assert (tmp_path / "coverage.html").read_text(encoding="utf-8").startswith("<!doctype html>")
        assert (tmp_path / "coverage.csv").read_bytes().startswith(b"\xef\xbb\xbf")
        result = await to_thread(call, coverage, tmp_path, monkeypatch, str(built.release), "--json", **how)
        assert json.loads(result.stdout)["people"]["rate"] == 1.0

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("nothing",), "no release has the id or reference nothing"),
            (("1", "--lang", "fr"), "reports are written in zh and en"),
        ],
    )
    def test_what_a_person_can_get_wrong_is_one_line(
        self, tmp_path, monkeypatch, database_url, arguments, words
    ):
        result = call(coverage, tmp_path, monkeypatch, *arguments, TONGDA_DATABASE_URL=database_url)
        assert result.exit_code == 2
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1

    async def test_a_report_that_cannot_be_written_is_one_line(
        self, release, tmp_path, monkeypatch, database_url
    ):
        built = await release()
        how = {"TONGDA_DATABASE_URL": database_url}
        result = await to_thread(call, coverage, tmp_path, monkeypatch, built.reference, "--html", ".", **how)
        assert result.exit_code == 2
        assert "cannot be written" in result.stderr

    def test_a_database_that_is_away_is_one_line(self, tmp_path, monkeypatch):
        away = "postgresql://tongda@/gone?host=/nonexistent"
        result = call(coverage, tmp_path, monkeypatch, "1", TONGDA_DATABASE_URL=away)
        assert result.exit_code == 2
        assert "the database does not answer" in result.stderr
