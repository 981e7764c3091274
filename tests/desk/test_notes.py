"""Notes and files beside an alert: audited, signed with it, and never changed under a signature."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from gateway.desk import notes
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import authors_of
from gateway.store import audit
from gateway.store import notes as store
from tests.desk.conftest import START, fields, ready, sent

TEXT = "虚构的会商纪要".encode()
NOTE = {"held_at": START - timedelta(minutes=5), "participants": "虚构甲", "minutes": "同意发布"}


async def told(desk, row) -> list[str]:
    async with desk.database.begin() as connection:
        return [one.action for one in await audit.show(connection, f"alert {row.id}")]


class TestSealing:
    async def test_the_plan_that_is_signed_names_each_hash(self, desk):
        row = await desk.draft(fields(), "author")
        await notes.attach(desk, row.id, "author", name="a.txt", data=TEXT)
        await notes.consult(desk, row.id, "author", **NOTE)
        plan = (await desk.submit(row.id, "author")).plan
        assert plan["attachments"] == [
            {"name": "a.txt", "size": len(TEXT), "sha256": hashlib.sha256(TEXT).hexdigest()}
        ]
        assert len(plan["consultations"]) == 1

    async def test_without_any_the_plan_says_nothing_of_them(self, desk):
        plan = (await ready(desk)).plan
        assert not {"attachments", "consultations"} & set(plan)

    @pytest.mark.parametrize("state", ["submitted", "approved"])
    async def test_a_later_one_voids_every_signature(self, desk, state):
        row = await ready(desk)
        if state == "approved":
            row = (await desk.approve(row.id, row.digest, "first")).alert
        assert row.state == state
        old = row.digest
        await notes.attach(desk, row.id, "writer", name="a.txt", data=TEXT)
        row = (await desk.show(row.id)).alert
        assert (row.state, row.digest, row.version) == ("draft", None, 2)
        again = await desk.submit(row.id, "author")
        assert again.digest != old
        with pytest.raises(DeskRefused) as refused:
            await desk.approve(row.id, old, "first")
        assert refused.value.code == "stale"

    async def test_taking_one_away_voids_them_as_well(self, desk):
        row = await desk.draft(fields(), "author")
        number = await notes.attach(desk, row.id, "author", name="a.txt", data=TEXT)
        await desk.submit(row.id, "author")
        await notes.detach(desk, number, "author")
        assert (await desk.show(row.id)).alert.digest is None

    async def test_whoever_adds_one_is_an_author_and_does_not_approve(self, desk):
        row = await desk.draft(fields(), "author")
        await notes.consult(desk, row.id, "both", **NOTE)
        row = await desk.submit(row.id, "author")
        assert "both" in authors_of(row)
        with pytest.raises(DeskRefused) as refused:
            await desk.approve(row.id, row.digest, "both")
        assert refused.value.code == "author_approves"

    async def test_nothing_is_added_to_what_was_sent(self, desk):
        row = await sent(desk)
        with pytest.raises(DeskRefused) as refused:
            await notes.consult(desk, row.id, "author", **NOTE)
        assert refused.value.code == "note"

    async def test_each_is_in_the_audit_log(self, desk):
        row = await desk.draft(fields(), "author")
        number = await notes.attach(desk, row.id, "author", name="a.txt", data=TEXT)
        await notes.consult(desk, row.id, "author", **NOTE)
        await notes.detach(desk, number, "author")
        assert await told(desk, row) == ["draft", "attach", "consultation", "detach"]
        async with desk.database.begin() as connection:
            assert (await audit.verify(connection)).broken_at is None

    async def test_a_refused_one_leaves_nothing(self, desk):
        row = await desk.draft(fields(), "author")
        with pytest.raises(DeskRefused):
            await notes.attach(desk, row.id, "first", name="a.txt", data=TEXT)
        async with desk.database.begin() as connection:
            assert await store.attachments_of(connection, row.id) == []


class TestFiles:
    """S5: kind by content, names that can do nothing."""

    @pytest.mark.parametrize(
        ("data", "mime"),
        [
            (b"%PDF-1.4 x", "application/pdf"),
            (b"\x89PNG\r\n\x1a\nx", "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            ("纪要\r\n\t甲".encode(), "text/plain"),
            (b"\xef\xbb\xbfplain", "text/plain"),
        ],
    )
    def test_are_told_by_their_first_bytes(self, data, mime):
        assert notes.kind_of(data)[0] == mime

    @pytest.mark.parametrize("data", [b"", b"GIF89a\x00", b"\x7fELF\x02", b"\x1b[31m", b"\x00\x00"])
    def test_of_other_kinds_are_refused(self, data):
        with pytest.raises(DeskRefused):
            notes.kind_of(data)

    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("纪要.pdf", "纪要.txt"),
            ("../../etc/passwd", "passwd.txt"),
            ("C:\\temp\\a b.exe", "a b.txt"),
            ("\u202egnp.exe", "gnp.txt"),
            ("", "file.txt"),
            ("...", "file.txt"),
            ('a"b<c>;d', "a_b_c__d.txt"),
            ("长" * 300, "长" * 100 + ".txt"),
        ],
    )
    def test_have_names_that_can_do_nothing(self, name, kept):
        assert notes.clean_name(name, ".txt") == kept
