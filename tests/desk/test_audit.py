"""The chain of records: what breaks it, and what shows a cut."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from gateway.desk.compose import Changes
from gateway.store import audit
from gateway.store.audit import GENESIS
from gateway.store.desk import Person

from .conftest import fields, ready

AT = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)


async def write(database, number: int) -> list[str]:
    heads = []
    for index in range(number):
        async with database.begin() as connection:
            heads.append(
                await audit.append(
                    connection,
                    actor="author",
                    action="draft",
                    subject=f"alert {index + 1}",
                    detail={"number": index, "words": "暴雨"},
                    at=AT + timedelta(seconds=index),
                )
            )
    return heads


async def tamper(database, *statements: str) -> None:
    """Change the log as its owner can, with the trigger out of the way."""
    async with database.begin() as connection:
        await connection.execute(text("ALTER TABLE audit DISABLE TRIGGER append_only"))
        for statement in statements:
            await connection.execute(text(statement))
        await connection.execute(text("ALTER TABLE audit ENABLE TRIGGER append_only"))


async def verify(database, head=None):
    async with database.begin() as connection:
        return await audit.verify(connection, head)


WORDS = "actor, action, subject, detail"
TAMPERINGS = {
    "an edited actor": (["UPDATE audit SET actor = 'other' WHERE seq = 4"], 4, "changed"),
    "an edited detail": (["UPDATE audit SET detail = '{}' WHERE seq = 1"], 1, "changed"),
    "an edited time": (["UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = 7"], 7, "changed"),
    "a removed record": (["DELETE FROM audit WHERE seq = 5"], 5, "missing"),
    "a removed beginning": (["DELETE FROM audit WHERE seq <= 2"], 1, "missing"),
    "a removed record, renumbered": (
        ["DELETE FROM audit WHERE seq = 5", "UPDATE audit SET seq = seq - 1 WHERE seq > 5"],
        5,
        "does not follow",
    ),
    "two records swapped": (
        [
            "UPDATE audit SET seq = 100 WHERE seq = 3",
            "UPDATE audit SET seq = 3 WHERE seq = 4",
            "UPDATE audit SET seq = 4 WHERE seq = 100",
        ],
        3,
        "does not follow",
    ),
    "a forged hash": (["UPDATE audit SET hash = repeat('a', 64) WHERE seq = 6"], 6, "changed"),
    "a record slipped in": (
        [
            "UPDATE audit SET seq = seq + 100 WHERE seq > 5",
            f"INSERT INTO audit SELECT 6, at, {WORDS}, hash, repeat('b', 64) FROM audit WHERE seq = 5",
            "UPDATE audit SET seq = seq - 99 WHERE seq > 100",
        ],
        6,
        "changed",
    ),
}


class TestTheChain:
    async def test_an_empty_log_holds(self, database):
        assert await verify(database) == (0, None, "", GENESIS)

    async def test_a_log_holds_and_names_its_head(self, database):
        heads = await write(database, 8)
        assert await verify(database) == (8, None, "", heads[-1])

    @pytest.mark.parametrize(("statements", "at", "reason"), TAMPERINGS.values(), ids=TAMPERINGS)
    async def test_it_finds(self, database, statements, at, reason):
        await write(database, 8)
        await tamper(database, *statements)
        report = await verify(database)
        assert report.broken_at == at
        assert reason in report.reason
        assert report.records == at - 1

    async def test_a_cut_shows_by_a_head_noted_before(self, database):
        heads = await write(database, 8)
        await tamper(database, "DELETE FROM audit WHERE seq > 6")
        assert (await verify(database)).broken_at is None
        report = await verify(database, heads[-1])
        assert report.broken_at == 7
        assert "cut" in report.reason

    async def test_an_older_head_still_holds_after_more_was_written(self, database):
        heads = await write(database, 3)
        await write(database, 3)
        assert (await verify(database, heads[-1])).broken_at is None

    async def test_a_chain_rewritten_as_a_whole_shows_by_the_head(self, database):
        heads = await write(database, 4)
        await tamper(database, "DELETE FROM audit")
        async with database.begin() as connection:
            for _ in range(4):
                await audit.append(connection, actor="x", action="y", subject="z", detail={}, at=AT)
        assert (await verify(database)).broken_at is None
        assert (await verify(database, heads[-1])).broken_at is not None

    async def test_the_database_refuses_to_change_a_record(self, database):
        await write(database, 2)
        for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(DBAPIError, match="append-only"):
                async with database.begin() as connection:
                    await connection.execute(text(statement))

    async def test_writers_at_once_make_one_chain(self, database):
        await asyncio.gather(*(write(database, 5) for _ in range(8)))
        report = await verify(database)
        assert (report.records, report.broken_at) == (40, None)

    async def test_a_step_that_fails_leaves_no_record(self, database):
        await write(database, 1)

        async def fail() -> None:
            async with database.begin() as connection:
                await audit.append(connection, actor="a", action="b", subject="c", detail={}, at=AT)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        assert (await verify(database)).records == 1

    async def test_pages_join_without_a_seam(self, database, monkeypatch):
        monkeypatch.setattr(audit, "_PAGE", 3)
        await write(database, 8)
        assert (await verify(database)).records == 8


CUT = "DELETE FROM audit WHERE seq > {}"


async def life(desk):
    """Every kind of step that leaves something in the tables."""
    row = await desk.draft(fields(level="orange"), "author")
    row = await desk.submit(row.id, "author")
    await desk.reject(row.id, row.digest, "first", "再看一遍")
    await desk.edit(row.id, "author", Changes(headline="暴雨"))
    row = await desk.submit(row.id, "author")
    for person in ("first", "second"):
        await desk.approve(row.id, row.digest, person)
    await desk.release(row.id, "sender")
    newer = await desk.submit((await desk.update(row.id, "author")).id, "author")
    for person in ("first", "second"):
        await desk.approve(newer.id, newer.digest, person)
    await desk.release(newer.id, "sender")
    cancel = await desk.cancel(newer.id, "author")
    await desk.approve(cancel.id, cancel.digest, "first")
    await desk.withdraw((await desk.draft(fields(), "author")).id, "author")
    await desk.set_person(Person("first", "虚构 first", ("author",), active=True))


class TestAgainstTheTables:
    async def test_a_log_that_tells_every_step_holds(self, desk, database, clock):
        await life(desk)
        clock.advance(24 * 3600)
        await desk.expire_due()
        report = await verify(database)
        assert (report.broken_at, report.reason) == (None, "")

    async def test_a_cut_shows_at_whichever_record_it_was_made(self, desk, database):
        await life(desk)
        total = (await verify(database)).records
        assert total > 30
        for last in reversed(range(total)):
            await tamper(database, CUT.format(last))
            report = await verify(database)
            assert (report.records, report.broken_at) == (last, last + 1), last
            assert report.reason.startswith("the log was cut: it has no record of ")

    async def test_a_right_that_was_given_by_hand_shows(self, desk, database):
        await tamper(database, "UPDATE people SET roles = '{approver}' WHERE login = 'author'")
        assert "what author may do" in (await verify(database)).reason

    async def test_a_signature_that_nobody_gave_shows(self, desk, database):
        row = await ready(desk)
        await tamper(
            database,
            f"INSERT INTO approvals (alert_id, digest, person, decision) "
            f"VALUES ({row.id}, '{row.digest}', 'first', 'approve')",
        )
        assert f"a signature under alert {row.id}" in (await verify(database)).reason

    async def test_each_head_goes_into_the_log_of_the_process_once(self, desk, database):
        with capture_logs() as lines:
            await desk.expire_due()
            await desk.expire_due()
            await ready(desk)
            await desk.expire_due()
        told = [(line["records"], line["head"]) for line in lines if line["event"] == "audit head"]
        report = await verify(database)
        assert [records for records, _ in told] == [report.records - 2, report.records]
        assert told[-1][1] == report.head
        assert (await verify(database, told[0][1])).broken_at is None


class TestCanonicalJson:
    def test_equal_values_are_equal_bytes(self):
        one = {"b": 1, "a": {"d": AT, "c": "暴雨"}}
        two = {"a": {"c": "暴雨", "d": AT}, "b": 1}
        assert (
            audit.canonical(one)
            == audit.canonical(two)
            == ('{"a":{"c":"暴雨","d":"2026-07-01T02:00:00Z"},"b":1}'.encode())
        )
