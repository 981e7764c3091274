"""``tongda web`` with TLS of its own, and a partner who does what the guide says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import requests
import trustme
from typer.testing import CliRunner

from gateway.commands import partner as commands
from gateway.commands.web import web
from tests.conftest import ROOT
from tests.web.test_serve import PROGRAM, call

from .conftest import JSON, encode, form
from .test_partner_keys import write_files

DEADLINE = 60


def example(page: str):
    """The function of the guide that signs a request."""
    guide = (ROOT / "docs" / page).read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)\n\nheaders = ", guide, re.DOTALL)[1]
    names: dict = {}
    exec(code, names)
    return names["signed"]


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def environment(tmp_path, database_url, redis_url, ca, monkeypatch):
    """Settings as a deployment gives them; the keys are made by the program itself."""
    tls = "\n".join(f'{name} = "{path}"' for name, path in write_files(tmp_path, ca).items())
    config = tmp_path / "tongda.toml"
    config.write_text(
        f'[web]\nport = 0\n[web.tls]\n{tls}\n[partners.water]\nname = "虚构水利局"\n', encoding="utf-8"
    )
    said = {
        "TONGDA_CONFIG": str(config),
        "TONGDA_STATE_DIR": str(tmp_path / "state"),
        "TONGDA_DATABASE_URL": database_url,
        "TONGDA_REDIS_URL": redis_url,
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **said}


@pytest.fixture
def running(environment, tmp_path):
    """The server in a process of its own, and its port."""
    command = [sys.executable, "-c", PROGRAM]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, cwd=tmp_path, **streams) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


class TestProcess:
    def test_the_guide_leads_to_an_alert_in_the_inbox(self, running, ca, tmp_path):
        process, port = running
        made = json.loads(CliRunner().invoke(commands.app, ["key", "add", "water", "--json"]).output)
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(ca.cert_pem.bytes())
        status, told = push(port, made, str(trusted))
        assert (status, told["state"]) == (202, "inbox")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        words = process.stderr.read() + process.stdout.read()
        assert made["text"] not in words
        assert made["secret"] not in words
        assert "Traceback" not in words

    def test_a_certificate_that_cannot_be_used_is_one_line(self, environment, tmp_path, monkeypatch):
        (tmp_path / "key_file.pem").write_text("no key")
        result = call(web, tmp_path, monkeypatch, **environment)
        assert result.exit_code == 2
        assert "web.tls.key_file cannot be used" in result.output
        assert result.output.count("\n") == 1


def push(port: int, made: dict, trusted: str) -> tuple[int, dict]:
    now = datetime.now(UTC).replace(microsecond=0)
    body = encode(form(sent=now.isoformat(), info={"expires": (now + timedelta(hours=2)).isoformat()}))
    headers = example("partner-api.md")(made["secret"], "POST", "/api/v1/alerts", body)
    headers |= {"Authorization": f"Bearer {made['text']}", "Idempotency-Key": "one", "Content-Type": JSON}
    address = f"https://127.0.0.1:{port}/api/v1/alerts"
    answer = requests.post(address, data=body, headers=headers, verify=trusted, timeout=DEADLINE)
    return answer.status_code, answer.json()
