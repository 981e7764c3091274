"""``tongda partner`` as a person types it."""

from __future__ import annotations

import base64
import json
import re

import pytest
from typer.testing import CliRunner

from gateway.commands import partner as commands
from gateway.ops.keys import kept_key
from gateway.partners import keys

runner = CliRunner()


@pytest.fixture
def told(monkeypatch, tmp_path, database_url):
    """Settings with one partner."""
    config = tmp_path / "tongda.toml"
    config.write_text(
        f'state_dir = "{tmp_path / "state"}"\n[partners.water]\nname = "虚构水利局"\n', encoding="utf-8"
    )
    monkeypatch.setenv("TONGDA_CONFIG", str(config))
    monkeypatch.setenv("TONGDA_DATABASE_URL", database_url)
    return tmp_path


def partner(*words: str, code: int = 0) -> str:
    result = runner.invoke(commands.app, ["key", *words])
    assert result.exit_code == code, result.output
    return result.output


def make(*words: str) -> dict:
    return json.loads(partner("add", "water", "--json", *words))


def listed() -> list[dict]:
    return [json.loads(line) for line in partner("list", "--json").splitlines()]


class TestKeys:
    def test_a_key_is_shown_once_and_never_listed(self, told):
        shown = partner("add", "water")
        key = re.search(r"tk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", shown)[0]
        secret = re.search(r"whsec_[A-Za-z0-9+/=]{44}", shown)[0]
        assert "cannot be shown again" in shown
        for way in ((), ("--json",)):
            again = partner("list", *way)
            assert keys.prefix_of(key) in again
            assert key not in again
            assert secret not in again
            assert keys.digest(key) not in again

    def test_the_secret_is_made_from_the_kept_key_of_the_gateway(self, told):
        made = make()
        server_key = kept_key(told / "state", "partner_key")
        assert keys.make(server_key).secret != made["secret"]
        secret = keys.signing_secret(server_key, made["prefix"])
        assert made["secret"] == "whsec_" + base64.b64encode(secret).decode()

    @pytest.mark.parametrize(
        ("words", "field", "value"),
        [
            ((), "scopes", ["push", "read"]),
            (("--scopes", "read"), "scopes", ["read"]),
            (("--regions", "9999,999901101000"), "regions", ["9999", "999901101"]),
            (("--regions", "999901"), "regions", ["999901"]),
            (("--regions", "990000"), "regions", ["99"]),
            (("--hazards", "rainstorm,11B06"), "hazards", ["rainstorm", None]),
            (("--level", "orange"), "highest_level", "orange"),
            (("--expires", "2099-01-01T00:00:00+08:00"), "expires_at", "2098-12-31T16:00:00+00:00"),
        ],
    )
    @pytest.mark.usefixtures("told")
    def test_a_key_is_as_narrow_as_asked(self, words, field, value):
        make(*words)
        found = listed()[0][field]
        if isinstance(value, list) and None in value:
            assert len(found) == len(value)
        else:
            assert found == value

    @pytest.mark.usefixtures("told")
    def test_a_key_is_revoked_and_the_list_says_so(self):
        made = make()
        assert listed()[0]["state"] == "live"
        assert "is revoked" in partner("revoke", made["prefix"])
        assert listed()[0]["state"] == "revoked"
        assert "revoked" in partner("list")

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("add", "nobody"), "no partner 'nobody' in the settings"),
            (("add", "water", "--scopes", "write"), "one or both of push, read"),
            (("add", "water", "--scopes", ""), "one or both of push, read"),
            (("add", "water", "--regions", "北山"), "has 2 to 12 digits"),
            (("add", "water", "--hazards", "meteor"), "--hazards 'meteor': one of"),
            (("add", "water", "--expires", "2020-01-01T00:00:00+08:00"), "expired already"),
            (("revoke", "0" * 12), "there is no key"),
        ],
    )
    @pytest.mark.usefixtures("told")
    def test_what_cannot_be_done_is_one_line(self, words, sentence):
        output = partner(*words, code=2)
        assert sentence in output
        assert output.count("\n") == 1

    @pytest.mark.usefixtures("told")
    def test_an_empty_list_says_so_and_stays_empty_for_programs(self):
        assert "there is no key so far" in partner("list")
        assert partner("list", "--json") == ""

    def test_times_are_told_in_the_zone_of_the_desk(self, told):
        config = told / "tongda.toml"
        config.write_text(config.read_text() + '[desk]\nutc_offset = "+06:00"\n', encoding="utf-8")
        shown = partner("add", "water", "--expires", "2099-01-01T00:00:00+08:00")
        assert "until 2098-12-31T22:00:00+06:00" in shown
        assert "until 2098-12-31 22:00+06:00" in partner("list")

    @pytest.mark.usefixtures("told")
    def test_a_time_without_a_zone_is_refused(self):
        partner("add", "water", "--expires", "2099-01-01T00:00:00", code=2)
        assert listed() == []

    @pytest.mark.usefixtures("told")
    def test_a_third_key_is_one_line(self):
        make()
        make()
        assert "2 live keys already" in partner("add", "water", code=2)
