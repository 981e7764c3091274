"""Facts are kept for good, and a delivery's state is the highest of them."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from channels.base import Accepted, Proof, Receipt, Rejected, Reply, Retry, Throttled, Unknown
from gateway.dispatch.reconciler import Reconciler
from gateway.receipts.ledger import Attempt, Facts, Ledger
from gateway.store import ledger as store
from gateway.store.database import Database
from gateway.store.ledger import Fact
from tests.coverage.build import NORTH_1, Person, Sent, build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from channels.base import Outcome, Report

NOW = datetime(2026, 7, 1, 2, 5, tzinfo=UTC)
STATES = list(Proof)
FACTS = [Proof.PLANNED, *STATES[Proof.UNKNOWN :]]
"""What a fact can say; leased and submitting are no facts but the engine's own steps."""
LATER = datetime(2026, 7, 1, 2, 6, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=4) as opened:
        yield opened


async def people(database: Database, *states: Proof, copies: int | None = None) -> list[int]:
    """Deliveries by SMS in these states; returns their numbers."""
    built = await build(database, [Person(NORTH_1, sent={"sms": Sent(state)}) for state in states])
    ids = [one["sms"] for one in built.deliveries]
    if copies is not None:
        await run(database, "UPDATE deliveries SET copies = $1 WHERE id = ANY($2)", copies, ids)
    return ids


async def run(database: Database, statement: str, *values: Any) -> None:
    async with database.raw() as connection:
        await connection.execute(statement, *values)


async def fetch(database: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    async with database.raw() as connection:
        return [tuple(row) for row in await connection.fetch(query, *values)]


async def states(database: Database) -> list[int]:
    return [state for (state,) in await fetch(database, "SELECT state FROM deliveries ORDER BY id")]


async def project(database: Database, *facts: Fact) -> None:
    async with database.raw() as connection, connection.transaction():
        await store.project(connection, facts)


async def agree(database: Database) -> None:
    """The counters say what the rows say."""
    differences = await fetch(
        database,
        "SELECT * FROM (SELECT release_id, channel, region, count(*) AS count, "
        "CASE WHEN state < 3 THEN 0 ELSE state END AS state FROM deliveries GROUP BY 1, 2, 3, 5) AS rows "
        "FULL JOIN (SELECT * FROM counters WHERE count <> 0) AS kept "
        "USING (release_id, channel, region, state, count) "
        "WHERE rows IS NULL OR kept IS NULL",
    )
    assert differences == []


def fact(delivery: int, state: Proof, refund: int = 0) -> Fact:
    reached = NOW if state >= Proof.DELIVERED else None
    return Fact(delivery, state, refund, 1, reached, NOW if state == Proof.CONFIRMED else None)


class TestTheLattice:
    @pytest.mark.parametrize("before", STATES)
    async def test_each_fact_raises_a_state_that_is_lower_and_no_other(
        self, database: Database, before: Proof
    ):
        ids = await people(database, *[before] * len(FACTS), copies=1)
        await project(database, *(fact(delivery, state) for delivery, state in zip(ids, FACTS, strict=True)))
        expected = [max(before, state) for state in FACTS]
        if before == Proof.SUBMITTING:  # "try again" is the one way back
            expected[Proof.PLANNED] = Proof.PLANNED
        assert await states(database) == expected
        await agree(database)

    @pytest.mark.parametrize("seed", range(5))
    async def test_the_order_of_facts_does_not_matter(self, database: Database, seed: int):
        chance = random.Random(seed)
        ids = await people(database, *[Proof.SUBMITTING] * 30, copies=1)
        told = [fact(chance.choice(ids), chance.choice(FACTS[1:])) for _ in range(200)]
        for one in told:
            await project(database, one)
        highest = [
            max([Proof.SUBMITTING, *(one.state for one in told if one.delivery == id_)]) for id_ in ids
        ]
        assert await states(database) == highest
        await agree(database)

    async def test_the_times_of_proof_are_the_first_ones(self, database: Database):
        (delivery,) = await people(database, Proof.ACCEPTED)
        await project(database, Fact(delivery, Proof.DELIVERED, 0, 1, NOW, None))
        await project(database, Fact(delivery, Proof.READ, 0, 1, LATER, None))
        await project(database, Fact(delivery, Proof.CONFIRMED, 0, 1, LATER, LATER))
        assert await fetch(database, "SELECT delivered_at, confirmed_at FROM deliveries") == [(NOW, LATER)]

    @pytest.mark.parametrize(
        ("copies", "refund", "state", "left"),
        [
            (1, 1, Proof.REJECTED, 0),
            (2, 1, Proof.UNKNOWN, 1),
            (2, 0, Proof.REJECTED, 2),
            (0, 1, Proof.REJECTED, 0),
        ],
        ids=["the only copy", "the second after a lost one", "by receipt", "one that never left"],
    )
    async def test_a_refusal_is_final_only_where_no_earlier_copy_is_in_doubt(
        self, database, copies, refund, state, left
    ):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=copies)
        await project(database, fact(delivery, Proof.REJECTED, refund))
        assert await fetch(database, "SELECT state, copies FROM deliveries") == [(state, left)]
        await agree(database)

    @pytest.mark.parametrize(("refund", "left"), [(0, 1), (1, 0), (2, 0)])
    async def test_trying_again_gives_back_only_copies_that_surely_did_not_arrive(
        self, database, refund, left
    ):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await project(database, fact(delivery, Proof.PLANNED, refund))
        assert await fetch(database, "SELECT state, copies FROM deliveries") == [(Proof.PLANNED, left)]

    async def test_a_delivery_that_does_not_exist_is_no_error(self, database: Database):
        await people(database, Proof.ACCEPTED)
        await project(database, fact(10**12, Proof.DELIVERED), fact(10**12 + 1, Proof.PLANNED))
        assert await states(database) == [Proof.ACCEPTED]

    async def test_many_projectors_at_once_neither_deadlock_nor_miscount(self, database: Database):
        ids = await people(database, *[Proof.SUBMITTING] * 60, copies=1)
        chance = random.Random(1)

        async def tell() -> None:
            some = chance.sample(ids, 40)
            await project(database, *(fact(delivery, chance.choice(FACTS[1:])) for delivery in some))

        await asyncio.gather(*(tell() for _ in range(30)))
        await agree(database)


class TestMerging:
    """Facts of one delivery that arrive within one flush become one."""

    @pytest.mark.parametrize("order", [1, -1])
    def test_keeps_the_higher_state_adds_refunds_and_keeps_times(self, order):
        facts = Facts()
        pair = [Fact(1, Proof.PLANNED, 1, 1, None, None), Fact(1, Proof.DELIVERED, 0, 3, NOW, None)]
        for one in pair[::order]:
            facts.add(one)
        assert facts.merged[1] == Fact(1, Proof.DELIVERED, 1, 3, NOW, None)

    @pytest.mark.parametrize(
        ("outcome", "again", "state", "refund"),
        [
            (Accepted(("r",)), True, Proof.ACCEPTED, 0),
            (Rejected("0x0B"), True, Proof.REJECTED, 1),
            (Retry(1.0, "busy"), False, Proof.PLANNED, 1),
            (Throttled(1.0, "0x58"), False, Proof.PLANNED, 1),
            (Unknown("timeout"), True, Proof.PLANNED, 0),
            (Unknown("timeout"), False, Proof.UNKNOWN, 0),
        ],
    )
    def test_reads_each_outcome(self, outcome, again, state, refund):
        facts = Facts()
        rows = facts.attempt(made(5, outcome)._replace(again=again))
        assert facts.merged[5][:3] == (5, state, refund)
        assert len(rows) == 1

    def test_writes_a_row_for_each_part(self):
        rows = Facts().attempt(made(5, Accepted(("a", "b", "c"))))
        assert [(row[3], row[7]) for row in rows] == [(1, "a"), (2, "b"), (3, "c")]


def made(delivery: int, outcome: Outcome, try_: int = 1) -> Attempt:
    return Attempt(delivery, "sms", try_, 1, 1, NOW, NOW, outcome, again=False)


class Book:
    """A ledger, and how often it said that something is durable."""

    def __init__(self, ledger: Ledger, database: Database) -> None:
        self.ledger, self.database = ledger, database
        self.durable = 0
        self._sink = ledger.sink("sms")

    async def attempts(self, *attempts: Attempt) -> None:
        await self._wait(lambda done: self.ledger.record(attempts, done))

    async def reports(self, *reports: Report) -> None:
        await self._wait(lambda done: self._sink(reports, done))

    async def _wait(self, hand_over: Callable[[Callable[[], None]], None]) -> None:
        durable = asyncio.Event()
        hand_over(durable.set)
        await asyncio.wait_for(durable.wait(), 60)
        self.durable += 1


@pytest.fixture
async def book(database: Database) -> AsyncIterator[Book]:
    async with Ledger(database, interval=0.01) as ledger:
        yield Book(ledger, database)


class TestTheLedger:
    async def test_acknowledges_a_report_only_when_another_connection_can_read_it(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("r",))))
        await book.reports(Receipt(Proof.DELIVERED, "r"))
        kept = await fetch(database, "SELECT delivery_id, ref, state, source FROM receipts")
        assert kept == [(delivery, "r", Proof.DELIVERED, "provider")]
        assert await states(database) == [Proof.DELIVERED]

    async def test_acknowledges_nothing_while_the_database_refuses_and_all_of_it_afterwards(
        self, database, book, monkeypatch
    ):
        ids = await people(database, *[Proof.SUBMITTING] * 3, copies=1)
        failures = iter(
            [ConnectionResetError(), asyncpg.InternalClientError("cut"), RuntimeError("odd"), None]
        )
        real = store.append

        async def fail_at_first(*arguments: Any) -> None:
            if error := next(failures, None):
                assert book.durable == 0
                raise error
            await real(*arguments)

        monkeypatch.setattr(store, "append", fail_at_first)
        await book.attempts(*(made(delivery, Accepted((f"r{delivery}",))) for delivery in ids))
        assert await states(database) == [Proof.ACCEPTED] * 3
        assert await fetch(database, "SELECT count(*) FROM attempts") == [(3,)]

    async def test_drops_only_the_fact_that_cannot_be_stored_and_alarms(self, database, book):
        ids = await people(database, *[Proof.SUBMITTING] * 5, copies=1)
        with capture_logs() as logs:
            bad = made(ids[2], Rejected("a try that no column holds"))._replace(try_=70_000)
            good = [made(delivery, Accepted((f"r{delivery}",))) for delivery in ids if delivery != ids[2]]
            await asyncio.gather(book.attempts(bad), *(book.attempts(one) for one in good))
        assert book.durable == 5
        assert await states(database) == [5, 5, Proof.SUBMITTING, 5, 5]
        assert [row["alarm"] for row in logs if row["log_level"] == "error"] == [True]

    async def test_drops_only_the_bad_fact_of_one_answer(self, database, book):
        ids = await people(database, *[Proof.SUBMITTING] * 5, copies=1)
        facts = [made(delivery, Accepted((f"r{delivery}",))) for delivery in ids]
        await book.attempts(facts[0], facts[1], facts[2]._replace(try_=70_000), facts[3], facts[4])
        assert book.durable == 1
        assert await states(database) == [5, 5, Proof.SUBMITTING, 5, 5]

    async def test_a_stranger_s_odd_words_cost_no_receipt(self, database, book):
        ids = await people(database, *[Proof.SUBMITTING] * 3, copies=1)
        await book.attempts(*(made(delivery, Accepted((f"r\x00{delivery}",))) for delivery in ids))
        odd = ("a\x00b", "\ud800", "\u3010\x001")
        await book.reports(
            *(
                Receipt(Proof.DELIVERED, f"r\x00{delivery}", code=words, raw=words)
                for delivery, words in zip(ids, odd, strict=True)
            )
        )
        assert await states(database) == [Proof.DELIVERED] * 3
        assert await fetch(database, "SELECT count(*) FROM receipts") == [(3,)]

    async def test_a_reference_too_long_for_an_index_holds_nobody_up(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("r",))))
        long = "".join(random.Random(7).choices("0123456789abcdef", k=60_000))
        await book.reports(Receipt(Proof.DELIVERED, long), Receipt(Proof.DELIVERED, "r"))
        assert await states(database) == [Proof.DELIVERED]

    async def test_takes_no_more_reports_than_it_can_keep(self, database, monkeypatch):
        monkeypatch.setattr("gateway.receipts.ledger.MOST_WAITING", 2)
        told: list[str] = []
        ledger = Ledger(database, interval=60)
        sink = ledger.sink("sms")
        for name in ("first", "second", "third"):
            sink([Receipt(Proof.DELIVERED, name)] * 2, lambda name=name: told.append(name))
        async with ledger:
            pass
        assert told == ["first", "second"]
        async with Ledger(database) as again:
            again.sink("sms")([Receipt(Proof.DELIVERED, "third")], lambda: told.append("third"))
        assert told == ["first", "second", "third"]

    async def test_writes_what_is_left_when_it_closes(self, database):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        async with Ledger(database, interval=60) as ledger:
            ledger.record([made(delivery, Accepted(("r",)))], lambda: None)
        assert await states(database) == [Proof.ACCEPTED]

    async def test_hurries_for_whoever_waits(self, database):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        durable = asyncio.Event()
        async with Ledger(database, interval=60) as ledger:
            ledger.record([made(delivery, Accepted(("r",)))], durable.set)
            ledger.hurry()
            await asyncio.wait_for(durable.wait(), 30)


class TestReceipts:
    """Early, late, doubled, foreign, in parts."""

    @pytest.fixture
    async def sweep(self, database: Database, redis_url: str) -> AsyncIterator[Reconciler]:
        reconciler = Reconciler(database, redis_url)
        yield reconciler
        reconciler._bells.close()

    async def test_one_that_comes_with_the_answer_counts(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await asyncio.gather(
            book.reports(Receipt(Proof.DELIVERED, "r")), book.attempts(made(delivery, Accepted(("r",))))
        )
        assert await states(database) == [Proof.DELIVERED]

    async def test_one_that_came_before_the_answer_is_parked_and_matched_by_the_next_sweep(
        self, database, book, sweep
    ):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.reports(Receipt(Proof.DELIVERED, "r", at=NOW))
        assert await fetch(database, "SELECT ref FROM parked_receipts") == [("r",)]
        assert await sweep.match_early_receipts() == 0
        await book.attempts(made(delivery, Accepted(("r",))))
        assert await sweep.match_early_receipts() == 1
        assert await states(database) == [Proof.DELIVERED]
        assert await fetch(database, "SELECT count(*) FROM parked_receipts") == [(0,)]
        assert await fetch(database, "SELECT delivery_id, reported_at FROM receipts") == [(delivery, NOW)]

    async def test_one_behind_thousands_of_foreign_ones_is_matched_all_the_same(self, database, book, sweep):
        await run(
            database,
            "INSERT INTO parked_receipts (channel, ref, state, source, code, received_at, raw) "
            "SELECT 'sms', 'foreign-' || n, 8, 'provider', '', now(), '' FROM generate_series(1, 6000) AS n",
        )
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.reports(Receipt(Proof.DELIVERED, "r"))
        await book.attempts(made(delivery, Accepted(("r",))))
        assert await sweep.match_early_receipts() == 1
        assert await states(database) == [Proof.DELIVERED]
        assert await fetch(database, "SELECT count(*) FROM parked_receipts") == [(6_000,)]

    async def test_a_foreign_one_moves_nothing(self, database, book, sweep):
        await people(database, Proof.ACCEPTED)
        await book.reports(Receipt(Proof.DELIVERED, "foreign"))
        assert await sweep.match_early_receipts() == 0
        assert await states(database) == [Proof.ACCEPTED]

    async def test_one_that_comes_twice_is_kept_twice_and_counts_once(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("r",))))
        for _ in range(3):
            await book.reports(*[Receipt(Proof.DELIVERED, "r")] * 2)
        assert await fetch(database, "SELECT count(*) FROM receipts") == [(6,)]
        await agree(database)

    @pytest.mark.parametrize("state", ["stopped", "closed"])
    async def test_one_that_comes_after_the_end_of_its_release_counts(self, database, book, state):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("r",))))
        await run(database, "UPDATE releases SET state = $1", state)
        await book.reports(Receipt(Proof.DELIVERED, "r"))
        assert await states(database) == [Proof.DELIVERED]
        await agree(database)

    async def test_proof_beats_a_failure_that_came_first_and_one_that_comes_later(self, database, book):
        ids = await people(database, *[Proof.SUBMITTING] * 2, copies=1)
        await book.attempts(*(made(delivery, Accepted((f"r{delivery}",))) for delivery in ids))
        for states_told in ((Proof.REJECTED, Proof.DELIVERED), (Proof.DELIVERED, Proof.EXPIRED)):
            for delivery, state in zip(ids, states_told, strict=True):
                await book.reports(Receipt(state, f"r{delivery}"))
        assert await states(database) == [Proof.DELIVERED] * 2

    async def test_a_message_of_three_parts_is_delivered_when_the_last_part_is(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("a", "b", "c"))))
        for ref in ("c", "a", "a"):
            await book.reports(Receipt(Proof.DELIVERED, ref))
            assert await states(database) == [Proof.ACCEPTED]
        await book.reports(Receipt(Proof.DELIVERED, "b"))
        assert await states(database) == [Proof.DELIVERED]

    async def test_parts_that_are_reported_in_one_flush_add_up(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("a", "b"))))
        await book.reports(Receipt(Proof.DELIVERED, "b"), Receipt(Proof.DELIVERED, "a"))
        assert await states(database) == [Proof.DELIVERED]

    async def test_parts_that_are_reported_while_their_attempt_waits_to_be_written_add_up(
        self, database, book, sweep
    ):
        """The receipts are on their way into the ledger when the answer to the submission is recorded."""
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        told, made_durable = asyncio.Event(), asyncio.Event()
        async with AsyncExitStack() as stack:
            for _ in range(database.size):
                await stack.enter_async_context(database.raw())
            book.ledger.sink("sms")([Receipt(Proof.DELIVERED, "a"), Receipt(Proof.DELIVERED, "b")], told.set)
            while book.ledger._reports:  # noqa: ASYNC110 - the ledger tells nobody that it took them
                await asyncio.sleep(0)
            book.ledger.record([made(delivery, Accepted(("a", "b")))], made_durable.set)
        await asyncio.wait_for(asyncio.gather(told.wait(), made_durable.wait()), 60)
        await sweep.match_early_receipts()
        assert await states(database) == [Proof.DELIVERED]

    async def test_a_part_that_failed_makes_the_message_fail(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("a", "b"))))
        await book.reports(Receipt(Proof.DELIVERED, "a"), Receipt(Proof.REJECTED, "b"))
        assert await states(database) == [Proof.REJECTED]

    async def test_parts_of_two_copies_do_not_add_up(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=2)
        await book.attempts(
            made(delivery, Accepted(("a1", "b1"))), made(delivery, Accepted(("a2", "b2")), try_=2)
        )
        await book.reports(Receipt(Proof.DELIVERED, "a1"), Receipt(Proof.DELIVERED, "b2"))
        assert await states(database) == [Proof.ACCEPTED]
        await book.reports(Receipt(Proof.DELIVERED, "b1"))
        assert await states(database) == [Proof.DELIVERED]

    async def test_a_person_s_word_needs_no_receipt_of_every_part(self, database, book):
        (delivery,) = await people(database, Proof.SUBMITTING, copies=1)
        await book.attempts(made(delivery, Accepted(("a", "b"))))
        person = book.ledger.sink("sms", "person")
        done = asyncio.Event()
        person([Receipt(Proof.CONFIRMED, delivery=delivery)], done.set)
        await asyncio.wait_for(done.wait(), 30)
        assert await states(database) == [Proof.CONFIRMED]

    async def test_a_reply_from_nobody_is_kept_and_moves_nothing(self, database, book):
        await people(database, Proof.ACCEPTED)
        await book.reports(Reply("8619900000099", "1"))
        assert await states(database) == [Proof.ACCEPTED]
        assert await fetch(database, "SELECT delivery_id, source, raw FROM receipts") == [
            (None, "person", "86199****0099: 1")
        ]


@pytest.mark.parametrize("table", ["attempts", "receipts", "audit"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
async def test_what_was_written_can_be_neither_changed_nor_removed(database, table, statement):
    column = "actor" if table == "audit" else "channel"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await run(database, statement.format(table, column, column))


def names(values: Sequence[Proof]) -> list[str]:
    return [value.name for value in values]


def test_proof_is_ordered_as_the_design_says():
    assert names(sorted(STATES)) == [
        "PLANNED", "LEASED", "SUBMITTING", "UNKNOWN", "SUPPRESSED", "ACCEPTED", "EXPIRED", "REJECTED",
        "DELIVERED", "READ", "CONFIRMED",
    ]  # fmt: skip
