"""The audit log as a page: found, proved, given out; and the settings, without their secrets."""

from __future__ import annotations

import ast
import csv
import hashlib
from io import StringIO
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from gateway.settings import load_settings
from gateway.store import audit
from gateway.web.console.admin.settings import tables_of
from gateway.web.console.admin.words import ACTIONS
from tests.desk.conftest import START, ready

ROOM = Path(__file__).resolve().parents[3] / "gateway"


async def tamper(console, statement: str) -> None:
    async with console.database.begin() as connection:
        await connection.execute(text("ALTER TABLE audit DISABLE TRIGGER append_only"))
        await connection.execute(text(statement))
        await connection.execute(text("ALTER TABLE audit ENABLE TRIGGER append_only"))


async def write(console, **record: object) -> None:
    base = {"actor": "author", "action": "draft", "subject": "alert 1", "detail": {}, "at": START}
    async with console.database.begin() as connection:
        await audit.append(connection, **base | record)


class TestReading:
    async def test_a_step_is_told_in_words(self, visitor, desk):
        row = await ready(desk)
        page = await (await visitor("auditor")).get(f"/admin/audit?subject={row.id}")
        assert ACTIONS["submit"] in page.text
        assert row.digest[:12] in page.text
        chinese = await (await visitor("auditor", "zh-CN")).get(f"/admin/audit?subject={row.id}")
        assert "提交审核" in chinese.text
        assert "暴雨" in chinese.text

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("actor=author", True),
            ("actor=first", False),
            ("action=submit", True),
            ("action=release", False),
            ("subject=alert+1", True),
            ("since=2026-07-01&until=2026-07-01", True),
            ("since=2026-07-02", False),
            ("since=nonsense&before=nonsense", True),
            ("until=0001-01-01", True),
            ("before=1", False),
        ],
    )
    async def test_it_is_chosen_by(self, visitor, desk, query, found):
        await ready(desk)
        page = await (await visitor("auditor")).get(f"/admin/audit?{query}")
        assert page.status == 200
        assert ("recipients</span> 3" in page.text) is found

    async def test_older_records_are_a_page_away(self, visitor, console):
        for number in range(101):
            await write(console, subject=f"alert {number}", detail={"reason": f"Nr-{number}-"})
        browser = await visitor("auditor")
        newest = await browser.get("/admin/audit?action=draft")
        assert "Nr-100-" in newest.text
        assert "Nr-0-" not in newest.text
        before = newest.text.split("before=")[1].split('"')[0]
        assert "Nr-0-" in (await browser.get(f"/admin/audit?action=draft&before={before}")).text

    async def test_hostile_text_stays_text(self, visitor, console):
        await write(console, detail={"reason": "<script>alert(1)</script>", "<b>": ["<img src=x>"]})
        page = await (await visitor("auditor")).get("/admin/audit")
        assert "<script>alert" not in page.text
        assert "<img src=x>" not in page.text

    def test_every_action_has_its_words(self):
        said = set()
        for path in ROOM.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "attr", "")
                first = node.args[0] if node.args else None
                if name == "record" and isinstance(first, ast.Constant):
                    said.add(first.value)
                said |= {
                    one.value.value
                    for one in node.keywords
                    if name == "append" and one.arg == "action" and isinstance(one.value, ast.Constant)
                }
        assert said - set(ACTIONS) == set()


class TestProving:
    async def test_a_log_that_holds(self, visitor, desk, console):
        await ready(desk)
        page = await (await visitor("auditor")).get("/admin/audit/verify")
        assert "The log holds." in page.text
        async with console.database.begin() as connection:
            assert (await audit.head(connection)).hash in page.text

    async def test_where_it_breaks(self, visitor, desk, console):
        await ready(desk)
        await tamper(console, "UPDATE audit SET actor = 'other' WHERE seq = 4")
        page = await (await visitor("auditor")).get("/admin/audit/verify")
        assert "The log breaks at record 4." in page.text
        assert "changed after it was written" in page.text

    async def test_a_hash_that_was_noted_shows_a_cut(self, visitor, desk, console):
        await write(console, action="sign_in", subject="person author")
        async with console.database.begin() as connection:
            noted = (await audit.head(connection)).hash
        browser = await visitor("auditor")
        assert "The log holds." in (await browser.get(f"/admin/audit/verify?head={noted}")).text
        await tamper(console, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
        assert "cut or rewritten" in (await browser.get(f"/admin/audit/verify?head={noted}")).text


class TestTheFile:
    """S5: cells of the export are inert."""

    async def test_its_cells_are_inert(self, visitor, console):
        for hostile in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"):
            await write(console, actor=hostile, subject=hostile)
        answer = await (await visitor("auditor")).get("/admin/audit/export.csv")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        rows = list(csv.reader(StringIO(answer.text.lstrip("\ufeff"))))
        cells = [cell for row in rows for cell in row]
        assert not [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "＝"))]
        assert "'=1+1" in cells

    async def test_of_json_lines_each_hash_can_be_computed(self, visitor, desk):
        await ready(desk)
        answer = await (await visitor("auditor")).get("/admin/audit/export.jsonl")
        rows = [orjson.loads(line) for line in answer.text.splitlines()]
        previous = "0" * 64
        for row in rows:
            names = ("seq", "at", "actor", "action", "subject", "detail", "previous")
            assert row["hash"] == hashlib.sha256(orjson.dumps([row[name] for name in names])).hexdigest()
            assert row["previous"] == previous
            previous = row["hash"]
        assert len(rows) > 10

    async def test_it_holds_what_was_chosen(self, visitor, desk):
        row = await ready(desk)
        answer = await (await visitor("auditor")).get(f"/admin/audit/export.jsonl?subject={row.id}")
        assert {orjson.loads(line)["subject"] for line in answer.text.splitlines()} == {f"alert {row.id}"}

    async def test_it_takes_the_right(self, visitor):
        assert (await (await visitor("author")).get("/admin/audit/export.csv")).status == 403


class TestSettings:
    async def test_are_shown_without_secrets(self, visitor, console):
        page = await (await visitor("auditor")).get("/admin/settings")
        assert "desk.utc_offset" in page.text
        assert console.settings.secrets.confirm_key.get_secret_value() not in page.text

    def test_every_kind_of_secret_is_masked(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
        settings = load_settings(
            state_dir=tmp_path,
            database_url=f"postgresql://gateway:{secret}@db.example.org/tongda",
            secrets={
                "confirm_key": secret,
                "factor_key": secret,
                "old_factor_keys": [secret],
                "callback_keys": {"sms": [secret]},
            },
            channels={
                "sms": {"kind": "smpp", "live": {"host": "h", "system_id": "s", "password": secret[:8]}}
            },
        )
        shown = {row.name: row.value for table in tables_of(settings) for row in table.rows}
        assert not [name for name, value in shown.items() if secret[:8] in value]
        assert shown["database_url"] == "postgresql://gateway:****@db.example.org/tongda"
        assert shown["secrets.confirm_key"] == "****"
        assert shown["channels.sms.live.host"] == "h"

    def test_where_each_was_given(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "tongda.toml").write_text("[web]\nport = 8099\n", encoding="utf-8")
        monkeypatch.setenv("TONGDA_DESK__SIGNATURE", "虚构")
        given = {row.name: row.given for table in tables_of(load_settings()) for row in table.rows}
        assert given["web.port"] == "tongda.toml"
        assert given["desk.signature"] == "TONGDA_DESK__SIGNATURE"
        assert given["web.host"] == ""
