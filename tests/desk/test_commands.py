"""``tongda desk`` and ``tongda audit`` as a person types them."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from gateway.commands import audit as audit_commands
from gateway.commands import desk as desk_commands
from gateway.ops.places import temporary_state_dir
from gateway.share import share

from .conftest import COUNTY, NORTH, ROUTES, fill, run_aside_with

runner = CliRunner()


@pytest.fixture
def told(monkeypatch, tmp_path, database_url):
    """Settings as a deployment gives them, and a county in the database."""
    sections = "".join(
        f'[channels.{name}]\nkind = "{kind}"\n[channels.{name}.live]\n'
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        for name, (kind, settings) in ROUTES.items()
    )
    config = tmp_path / "tongda.toml"
    config.write_text(sections, encoding="utf-8")
    monkeypatch.setenv("TONGDA_CONFIG", str(config))
    monkeypatch.setenv("TONGDA_DATABASE_URL", database_url)
    run_aside_with(database_url, fill)


def tell(app, *words, code=0):
    result = runner.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def desk(*words, code=0):
    return tell(desk_commands.app, *words, code=code)


def add_people():
    for login, role in (("ana", "author"), ("bo", "approver"), ("cai", "releaser")):
        desk("person", "add", login, "--name", f"虚构 {login}", "--role", role)


def draft(region=NORTH[:9]):
    later = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="seconds")
    texts = ("--description", "暴雨将至", "--instruction", "请远离山沟", "--expires", later)
    kind = ("--hazard", "rainstorm", "--level", "yellow", "--region", region)
    return json.loads(desk("draft", "--as", "ana", *kind, *texts, "--json"))["id"]


@pytest.mark.usefixtures("told")
class TestAtTheTerminal:
    """S6: what a person types makes no second line."""

    def test_a_warning_goes_from_draft_to_release_and_is_taken_back_in_two_steps(self):
        add_people()
        number = draft()
        desk("submit", number, "--as", "ana")
        shown = json.loads(desk("show", number, "--json"))
        assert shown["need"] == 1
        assert "北山镇" in shown["texts"]["sms"]["zh-CN"]["text"]
        assert "1 of 1" in desk("approve", number, "--as", "bo", "--digest", shown["digest"][:12])
        assert "sms 3" in desk("release", number, "--as", "cai")
        taken_back = json.loads(desk("cancel", number, "--as", "ana", "--json"))
        assert "released" in desk("approve", taken_back["id"], "--as", "bo", "--digest", taken_back["digest"])
        assert "cancelled" in desk("show", number)
        assert "records hold" in tell(audit_commands.app, "verify")
        assert "prepare_cancel" in tell(audit_commands.app, "show")

    def test_a_warning_for_unusually_many_says_why_it_takes_one_more(self, monkeypatch, tmp_path):
        packaged = share("config/approval.toml").read_text(encoding="utf-8")
        policy = packaged.replace("floor = 1000", "floor = 1")
        (tmp_path / "approval.toml").write_text(policy, encoding="utf-8")
        monkeypatch.setenv("TONGDA_APPROVAL_FILE", str(tmp_path / "approval.toml"))
        add_people()
        number = draft(COUNTY[:6])
        said = desk("submit", number, "--as", "ana")
        assert "needs 2 approval(s)" in said
        assert "look at   4 people: everybody who can be reached\n" in said
        assert "look at   1 more must sign because of so many people" in said
        shown = desk("show", number)
        assert "4 people: everybody who can be reached" in shown
        assert "(0 of 2)" in shown

    def test_a_refusal_is_one_line_and_exit_code_1(self):
        add_people()
        number = draft()
        desk("submit", number, "--as", "ana")
        output = desk("approve", number, "--as", "ana", "--digest", "0" * 64, code=1)
        assert output.count("\n") == 1
        assert "approve" in output

    def test_a_digest_that_nobody_printed_is_stale(self):
        add_people()
        number = draft()
        desk("submit", number, "--as", "ana")
        assert "not what you saw" in desk("approve", number, "--as", "bo", "--digest", "123456789abc", code=1)

    def test_a_file_that_is_no_cap_is_refused_in_one_line(self, tmp_path):
        add_people()
        file = tmp_path / "broken.xml"
        file.write_text("<alert>", encoding="utf-8")
        said = desk("draft", file, "--as", "ana", code=1)
        assert said.count("\n") == 1
        assert said.startswith(f"tongda: {file}: not a usable CAP message")

    def test_an_old_file_is_refused_with_the_option_that_mends_it(self, tmp_path):
        add_people()
        file = tmp_path / "good.xml"
        file.write_bytes(share("config/demo/rainstorm_orange.xml").read_bytes())
        said = desk("draft", file, "--as", "ana", "--region", NORTH[:9], code=1)
        assert said.startswith(f"tongda: {file}: the warning ended at ")
        assert "--expires" in said
        later = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="seconds")
        words = (file, "--as", "ana", "--region", NORTH[:9], "--expires", later)
        assert "alert 1 drafted" in desk("draft", *words)
        assert "in work as alert 1: edit that one" in desk("draft", *words, code=1)

    def test_a_file_drafted_twice_says_by_whom(self, tmp_path):
        add_people()
        file = tmp_path / "good.xml"
        text = share("config/demo/rainstorm_orange.xml").read_text(encoding="utf-8")
        later = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="seconds")
        file.write_text(text.replace("2026-07-15T20:30:00+08:00", later), encoding="utf-8")
        assert "alert 1 drafted" in desk("draft", file, "--as", "ana")
        desk("person", "add", "eve", "--name", "虚构 eve", "--role", "author")
        assert "alert 1 was drafted before by ana" in desk("draft", file, "--as", "eve")

    def test_a_signer_with_the_name_of_the_author_is_flagged(self):
        add_people()
        desk("person", "add", "bo", "--name", "虚构 ana", "--role", "approver")
        number = draft()
        desk("submit", number, "--as", "ana")
        digest = json.loads(desk("show", number, "--json"))["digest"]
        assert "look at   ana and bo bear the same name" in desk(
            "approve", number, "--as", "bo", "--digest", digest
        )
        assert "look at   ana and bo bear the same name" in desk("show", number)

    def test_what_a_person_types_never_makes_a_second_line(self):
        for words in (("--as", "ana\n"), ("--as", "ana", "--language", "zh\nx", "--headline", "x")):
            add_people()
            assert desk("edit", draft(), *words, code=1).count("\n") == 1

    def test_a_refusal_that_no_other_file_would_mend_does_not_blame_the_file(self, tmp_path):
        file = tmp_path / "good.xml"
        file.write_bytes(share("config/demo/rainstorm_orange.xml").read_bytes())
        assert desk("draft", file, "--as", "nobody", code=1).startswith("tongda: nobody does not work at")

    def test_a_control_character_in_an_option_is_one_line_that_names_the_field(self):
        add_people()
        words = ("--hazard", "rainstorm", "--level", "yellow", "--region", NORTH[:9], "--instruction", "x")
        until = ("--expires", (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="seconds"))
        said = desk("draft", "--as", "ana", *words, *until, "--description", "a\x01b", code=1)
        assert said == "tongda: description: has a control character, which XML cannot write: take it out\n"

    @pytest.mark.parametrize(
        ("login", "name", "role", "named"),
        [
            ("dan", "虚构", "king", "'king': one of administrator, approver, auditor, author"),
            ("dan\nroot", "虚构", "author", "login"),
            ("", "虚构", "author", "login"),
            ("dan", " ", "author", "name"),
        ],
    )
    def test_a_person_who_could_never_act_is_not_added(self, login, name, role, named):
        said = desk("person", "add", login, "--name", name, "--role", role, code=1)
        assert named in said
        assert said.count("\n") == 1
        assert not desk("person", "list")

    def test_a_number_that_no_alert_can_have_is_not_blamed_on_the_database(self):
        assert "ALERT" in desk("show", 2**64, code=2)

    def test_nor_is_one_of_the_audit_log(self):
        assert "--alert" in tell(audit_commands.app, "show", "--alert", 2**70, code=2)
        assert "--limit" in tell(audit_commands.app, "show", "--limit", 2**70, code=2)

    def test_a_state_that_there_is_not_is_refused(self):
        assert "released" in desk("list", "--state", "relaesed", code=2)

    def test_a_missing_file_is_named(self, tmp_path):
        assert "absent.xml" in desk("draft", tmp_path / "absent.xml", "--as", "ana", code=2)

    def test_a_missing_option_is_named(self):
        assert "--description" in desk("draft", "--as", "ana", "--hazard", "gale", "--level", "red", code=2)

    def test_a_head_that_is_no_hash_is_refused(self):
        assert "64 hexadecimal" in tell(audit_commands.app, "verify", "--head", "abc", code=2)


class TestWithoutADatabase:
    def test_the_embedded_one_serves_where_none_is_named(self, monkeypatch):
        state_dir = temporary_state_dir()
        monkeypatch.delenv("TONGDA_DATABASE_URL", raising=False)
        monkeypatch.setenv("TONGDA_STATE_DIR", str(state_dir))
        try:
            assert json.loads(desk("list", "--json")) == []
        finally:
            shutil.rmtree(state_dir)

    def test_a_database_that_does_not_answer_is_one_line(self, monkeypatch):
        monkeypatch.setenv("TONGDA_DATABASE_URL", "postgresql://invented@127.0.0.1:1/nothing")
        assert "does not answer" in desk("list", code=2)
