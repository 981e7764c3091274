"""``tongda account`` as a person at the server types it, and what a first start prints."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from gateway.commands import account
from gateway.commands import desk as desk_commands
from gateway.commands.web import say_first_code
from gateway.settings import load_settings

runner = CliRunner()
CODE = re.compile(r"\b([2-9A-Z]{5}(?:-[2-9A-Z]{5}){3})\b")


@pytest.fixture
def told(monkeypatch, tmp_path, database_url):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TONGDA_DATABASE_URL", database_url)


def tell(*words, code=0, app=account.app):
    result = runner.invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.output


def add(login: str) -> None:
    tell("person", "add", login, "--name", f"虚构 {login}", "--role", "author", app=desk_commands.app)


@pytest.mark.usefixtures("told")
class TestAtTheTerminal:
    def test_a_person_is_invited_and_listed(self):
        assert "tongda account first" in tell("list")
        add("ana")
        assert "no account" in tell("list")
        output = tell("invite", "ana")
        assert CODE.search(output)
        assert "24 hours" in output
        assert "/desk/welcome" in output
        assert "invited" in tell("list")
        assert json.loads(tell("list", "--json"))["state"] == "invited"

    def test_what_cannot_be_is_one_line(self):
        assert "does not work at this desk" in tell("invite", "nobody", code=1)
        add("ana")
        assert "give an invitation" in tell("reset", "ana", code=1)

    def test_a_code_for_the_first_administrator_can_be_had_again(self):
        assert CODE.search(tell("first"))[1] != CODE.search(tell("first"))[1]


class TestTheFirstStart:
    async def test_it_prints_code_and_address_while_nobody_can_sign_in(
        self, database, capsys, monkeypatch, tmp_path
    ):
        monkeypatch.chdir(tmp_path)
        settings = load_settings(state_dir=tmp_path / "state", web={"public_url": "https://desk.example.org"})
        await say_first_code(settings, database)
        said = capsys.readouterr().err
        assert CODE.search(said)
        assert "https://desk.example.org/desk/welcome" in said

    async def test_and_nothing_once_somebody_can(self, door, capsys, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        await say_first_code(load_settings(state_dir=tmp_path / "state"), door.database)
        assert capsys.readouterr().err == ""
