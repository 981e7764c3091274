"""``tongda account`` as a person at the server types it, and what a first start prints."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from typer.testing import CliRunner

from gateway.accounts.sealing import Sealing
from gateway.commands import account
from gateway.commands import desk as desk_commands
from gateway.commands.web import say_first_code
from gateway.settings import load_settings
from gateway.store.desk import Person
from tests.accounts.conftest import Accounts

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


class TestSealingAnew:
    """S7: the key is changed by two settings and one command."""

    EARLIER, LATEST = "5f3a9c0e7b1d4826-invented-6a94c1f0", "e3b7d582c90a4f61-invented-77b0d2aa"

    @pytest.fixture
    async def sealed(self, database, clock, monkeypatch, tmp_path, database_url) -> None:
        """A desk whose two people have second factors under the earlier key."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TONGDA_DATABASE_URL", database_url)
        door = Accounts(database, clock)
        door.sealing = Sealing(self.EARLIER.encode())
        for login in ("author", "first"):
            await door.desk.set_person(Person(login, f"虚构 {login}", ("author",), active=True))
            await door.add(login)

    def with_keys(self, monkeypatch, newest: str, *earlier: str) -> None:
        monkeypatch.setenv("TONGDA_SECRETS__FACTOR_KEY", newest)
        monkeypatch.setenv("TONGDA_SECRETS__OLD_FACTOR_KEYS", json.dumps(earlier))

    async def tell(self, *words, code=0) -> str:
        return await asyncio.to_thread(tell, "reseal", *words, code=code)

    async def test_it_says_how_many_are_left_under_earlier_keys(self, sealed, monkeypatch):
        self.with_keys(monkeypatch, self.LATEST, self.EARLIER)
        assert "earlier keys 2" in await self.tell("--dry-run")
        said = await self.tell()
        assert "sealed anew 2; with the newest key 2, with earlier keys 0, not to be opened 0" in said
        self.with_keys(monkeypatch, self.LATEST)
        assert "with the newest key 2, with earlier keys 0" in await self.tell()

    async def test_without_the_key_it_names_people_and_setting_and_changes_nothing(self, sealed, monkeypatch):
        self.with_keys(monkeypatch, self.LATEST)
        said = await self.tell(code=1)
        assert "author, first do not open" in said
        assert "secrets.old_factor_keys" in said
        self.with_keys(monkeypatch, self.EARLIER)
        assert "with the newest key 2" in await self.tell()

    async def test_it_seals_nothing_with_a_key_that_the_desk_does_not_have(
        self, sealed, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("TONGDA_STATE_DIR", str(tmp_path / "elsewhere"))
        monkeypatch.setenv("TONGDA_SECRETS__OLD_FACTOR_KEYS", json.dumps([self.EARLIER]))
        assert "there is no keys/factor_key" in await self.tell(code=2)
        assert not (tmp_path / "elsewhere").exists()


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
