"""``tongda publish`` as people call it: one line where it cannot begin, and how a target is resumed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import make_app
from gateway.ops.gateway import processes
from gateway.settings import load_settings
from tests.alerts.pki import make, write_certificates, write_key
from tests.desk.conftest import START
from tests.publish.conftest import SECRET

if TYPE_CHECKING:
    from pathlib import Path

HOOK = {"url": "https://partner.example.org/", "secrets": SECRET}


@pytest.fixture
def tongda(tmp_path: Path, monkeypatch, database_url, redis_url):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TONGDA_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TONGDA_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGDA_REDIS_URL", redis_url)

    def run(*arguments: str, **publish):
        monkeypatch.setenv("TONGDA_PUBLISH", json.dumps(publish))
        return CliRunner().invoke(make_app({"publish"}), ["publish", *arguments])

    return run


class TestBeginning:
    def test_a_key_that_does_not_fit_is_one_line(self, tongda, tmp_path):
        key = write_key(make("One"), tmp_path / "key.pem")
        certificate = write_certificates(tmp_path / "certificate.pem", make("Other"))
        result = tongda(key_file=str(key), certificate_file=str(certificate))
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert "does not fit" in result.stderr

    def test_an_area_that_is_none_is_one_line(self, tongda, tmp_path):
        (tmp_path / "area.geojson").write_text("{}")
        result = tongda(webhooks={"city": HOOK | {"area_file": str(tmp_path / "area.geojson")}})
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


class TestResuming:
    def test_a_target_that_is_not_in_the_settings_is_one_line(self, tongda):
        result = tongda("--resume", "city")
        assert (result.exit_code, "publish.webhooks.city" in result.stderr) == (2, True)

    def test_a_target_that_is_not_stopped_is_said_to_be(self, tongda):
        assert "was not stopped" in tongda("--resume", "city", webhooks={"city": HOOK}).stdout

    async def test_a_stopped_target_is_told_again(self, tongda, sql):
        import asyncio

        await sql(
            "INSERT INTO webhook_targets (name, stopped_at, sentence) VALUES ('city', :at, 'x')", at=START
        )
        result = await asyncio.to_thread(tongda, "--resume", "city", webhooks={"city": HOOK})
        assert "told again" in result.stdout
        assert await sql("SELECT name FROM webhook_targets") == []


class TestTheLog:
    def test_a_target_that_is_not_in_the_settings_is_one_line(self, tongda):
        result = tongda("--log", "city")
        assert (result.exit_code, "publish.webhooks.city" in result.stderr) == (2, True)

    async def test_it_says_each_try_and_what_waits(self, tongda, desk, outgoing, partner, clock, monkeypatch):
        import asyncio

        from tests.desk.conftest import sent
        from tests.publish.conftest import hook

        publisher, webhooks = outgoing(city=hook(partner.url))
        row = await sent(desk)
        await publisher.publish_due()
        partner.script = [500]
        await webhooks.serve_one("city")
        result = await asyncio.to_thread(tongda, "--log", "city", webhooks={"city": HOOK})
        first, second = result.stdout.splitlines()
        assert first == "webhook city: 1 waiting"
        assert f"{row.identifier}  try 1: HTTP 500, waiting  it answers 500" in second


class TestTheGateway:
    @pytest.mark.parametrize(
        ("publish", "there"),
        [({}, False), ({"enabled": True}, True), ({"webhooks": {"city": HOOK}}, True)],
    )
    def test_it_runs_the_publisher_where_there_is_something_to_do(
        self, tmp_path, monkeypatch, publish, there
    ):
        monkeypatch.chdir(tmp_path)
        settings = load_settings(state_dir=tmp_path, publish=publish)
        assert ("publish" in [child.name for child in processes(settings, {})]) is there
