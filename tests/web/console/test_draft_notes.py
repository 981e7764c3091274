"""Consultation notes and files on the draft page."""

from __future__ import annotations

import io

import pytest
from aiohttp import FormData

from gateway.store import notes as store
from gateway.store.console_tables import attachments, consultations
from tests.web.console.test_draft import count, drafted, form, latest, pairs

PDF = b"%PDF-1.7 an invented paper"


def upload(data: bytes, name: str = "会商纪要.pdf", kind: str = "application/pdf") -> FormData:
    sent = FormData()
    sent.add_field("file", io.BytesIO(data), filename=name, content_type=kind)
    return sent


async def files(console, row):
    async with console.database.begin() as connection:
        return await store.attachments_of(connection, row.id)


class TestNotes:
    async def test_are_kept_and_shown(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        note = {"held_at": "2026-07-01T09:30", "participants": "虚构甲、虚构乙", "minutes": "同意<b>发布</b>"}
        answer = await browser.post(f"/alerts/{row.id}/consultations", note)
        assert answer.location == f"/desk/alerts/{row.id}/edit#consultations"
        page = (await browser.get(f"/alerts/{row.id}/edit")).text
        assert "虚构甲、虚构乙" in page
        assert "同意&lt;b&gt;发布&lt;/b&gt;" in page

    async def test_void_what_was_submitted(self, visitor, console):
        browser = await visitor("author")
        await browser.post("/alerts/new", pairs(form(do="submit")))
        row = await latest(console)
        note = {"held_at": "2026-07-01T09:30", "participants": "甲", "minutes": "乙"}
        await browser.post(f"/alerts/{row.id}/consultations", note)
        assert ((await latest(console)).state, (await latest(console)).digest) == ("draft", None)

    @pytest.mark.parametrize(
        "note",
        [{"held_at": "yesterday"}, {"participants": ""}, {"minutes": " "}, {"held_at": "2027-01-01T00:00"}],
    )
    async def test_that_say_nothing_are_refused(self, visitor, console, note):
        browser = await visitor("author")
        row = await drafted(browser, console)
        good = {"held_at": "2026-07-01T09:30", "participants": "甲", "minutes": "乙"}
        assert (await browser.post(f"/alerts/{row.id}/consultations", good | note)).status == 422
        assert await count(console, consultations) == 0

    async def test_take_the_right_to_draft(self, visitor, console):
        row = await drafted(await visitor("author"), console)
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/consultations", {})
        assert answer.status == 403


class TestFiles:
    """S5: kind, size and number of attachments; they come back as downloads only."""

    async def test_come_back_as_downloads_only(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        await browser.post(f"/alerts/{row.id}/attachments", upload(PDF, "../../e<v>il.html", "text/html"))
        (kept,) = await files(console, row)
        answer = await (await visitor("first")).get(f"/attachments/{kept.id}")
        assert answer.text.encode() == PDF
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not set('<>/\\"\r\n') & set(kept.name)
        assert kept.name.endswith(".pdf")

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"MZ\x90\x00",
            b"<html>\x00",
            b"PK\x03\x04\x14\x00",
            b"%PDF-" + b"x" * (5 * 2**20),
            b"\xff\xfe\x00",
        ],
    )
    async def test_of_another_kind_or_size_are_refused(self, visitor, console, data):
        browser = await visitor("author")
        row = await drafted(browser, console)
        assert (await browser.post(f"/alerts/{row.id}/attachments", upload(data))).status == 422
        assert await count(console, attachments) == 0

    async def test_are_five_at_most(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        answers = [await browser.post(f"/alerts/{row.id}/attachments", upload(PDF)) for _ in range(6)]
        assert [one.status for one in answers] == [303] * 5 + [422]

    async def test_are_taken_away(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        await browser.post(f"/alerts/{row.id}/attachments", upload(PDF))
        (kept,) = await files(console, row)
        answer = await browser.post(f"/attachments/{kept.id}/remove")
        assert answer.location == f"/desk/alerts/{row.id}/edit#files"
        assert await files(console, row) == []
        assert (await browser.post(f"/attachments/{kept.id}/remove")).status == 422
        assert (await browser.get(f"/attachments/{kept.id}")).status == 404

    async def test_a_form_without_a_file_is_refused(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        assert (await browser.post(f"/alerts/{row.id}/attachments", {"file": "no file"})).status == 422
