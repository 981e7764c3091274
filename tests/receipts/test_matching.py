"""Which delivery a report is about, and what a person's words mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from channels.base import Accepted, DeviceState, Proof, Receipt, Rejected, Reply
from gateway.receipts.ledger import Attempt
from gateway.receipts.matching import CONFIRMING, REMEMBERED, Known, Told, match
from gateway.store.database import Database
from tests.coverage.build import NORTH_1, Built, Person, Sent, build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from channels.base import Report

NOW = datetime(2026, 7, 1, 2, 5, tzinfo=UTC)
SENT = Sent(Proof.ACCEPTED)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=2) as opened:
        yield opened


@pytest.fixture
async def built(database: Database) -> Built:
    """Two people; what they were sent bears the references sms-1, sms-2 and radio-1."""
    made = await build(
        database, [Person(NORTH_1, sent={"sms": SENT, "radio": SENT}), Person(NORTH_1, sent={"sms": SENT})]
    )
    for place, person in enumerate(made.deliveries, 1):
        for channel, delivery in person.items():
            await run(
                database,
                "INSERT INTO attempts VALUES ($1, $2, 1, 1, 1, 1, 'accepted', $3, '', now(), now())",
                delivery,
                channel,
                f"{channel}-{place}",
            )
    return made


async def run(database: Database, statement: str, *values: object) -> None:
    async with database.raw() as connection:
        await connection.execute(statement, *values)


async def matched(
    database: Database,
    *reports: Report,
    channel: str = "sms",
    known: Known | None = None,
    source: str = "provider",
    mode: str = "live",
):
    told = [Told(channel, source, NOW, report, mode) for report in reports]
    async with database.raw() as connection:
        found = await match(connection, told, known or Known())
    said = [report for report in reports if not isinstance(report, DeviceState)]
    assert len(found.rows()) + len(found.parked) >= len(said), "whatever is told is kept"
    return [(one.delivery, one.state) for one in found.matched], [row[1] for row in found.parked]


def accepted(delivery: int, *refs: str, channel: str = "sms") -> Attempt:
    return Attempt(delivery, channel, 1, 1, 1, NOW, NOW, Accepted(refs), again=False)


class TestAReceipt:
    async def test_belongs_to_the_attempt_that_bears_its_reference(self, database, built):
        found = await matched(database, Receipt(Proof.DELIVERED, "sms-2"))
        assert found == ([(built.deliveries[1]["sms"], Proof.DELIVERED)], [])

    async def test_of_the_drill_provider_proves_nothing_of_a_live_release(self, database, built):
        delivery = built.deliveries[1]["sms"]
        by_ref = Receipt(Proof.DELIVERED, "sms-2")
        assert await matched(database, by_ref, mode="drill") == ([], ["sms-2"])
        by_number = Receipt(Proof.DELIVERED, delivery=delivery)
        assert await matched(database, by_number, mode="drill") == ([], [])
        assert (await matched(database, by_number))[0] == [(delivery, Proof.DELIVERED)]

    @pytest.mark.parametrize("ref", ["radio-1", "sms-3", "sms-1 "])
    async def test_of_another_channel_or_of_nobody_is_parked(self, database, built, ref):
        assert await matched(database, Receipt(Proof.DELIVERED, ref)) == ([], [ref])

    async def test_is_found_in_memory_before_the_attempt_is_written(self, database, built):
        known = Known()
        known.remember([accepted(77, "new")])
        assert await matched(database, Receipt(Proof.DELIVERED, "new"), known=known) == (
            [(77, Proof.DELIVERED)],
            [],
        )
        assert await matched(database, Receipt(Proof.DELIVERED, "new"), channel="radio", known=known) == (
            [],
            ["new"],
        )

    async def test_with_a_reference_that_was_used_again_belongs_to_the_younger_attempt(self, database, built):
        first, second = built.deliveries[0]["sms"], built.deliveries[1]["sms"]
        for delivery, ago in ((first, 60), (second, 5)):
            await run(
                database,
                "INSERT INTO attempts VALUES ($1, 'sms', 2, 1, 1, 1, 'accepted', 'again', '', "
                "now() - make_interval(mins => $2), now())",
                delivery,
                ago,
            )
        assert (await matched(database, Receipt(Proof.DELIVERED, "again")))[0] == [(second, Proof.DELIVERED)]

    async def test_that_names_our_own_number_counts_only_on_the_channel_it_went_over(self, database, built):
        delivery = built.deliveries[0]["radio"]
        report = Receipt(Proof.DELIVERED, delivery=delivery)
        assert await matched(database, report, channel="radio") == ([(delivery, Proof.DELIVERED)], [])
        assert await matched(database, report, channel="sms") == ([], [])

    async def test_that_names_a_number_that_never_left_or_never_was_counts_for_nothing(self, database, built):
        delivery = built.deliveries[0]["sms"]
        await run(database, "UPDATE deliveries SET copies = 0 WHERE id = $1", delivery)
        reports = [Receipt(Proof.DELIVERED, delivery=number) for number in (delivery, 10**12, -1)]
        assert await matched(database, *reports) == ([], [])

    async def test_of_a_person_who_has_the_link_counts_whatever_the_provider_said(self, database, built):
        delivery = built.deliveries[0]["sms"]
        await run(database, "UPDATE deliveries SET copies = 0, state = 7 WHERE id = $1", delivery)
        tapped = Receipt(Proof.CONFIRMED, delivery=delivery)
        assert await matched(database, tapped, source="person") == ([(delivery, Proof.CONFIRMED)], [])

    async def test_without_a_reference_belongs_to_nothing(self, database, built):
        known = Known()
        known.remember([accepted(built.deliveries[0]["sms"], "")])
        assert await matched(database, Receipt(Proof.DELIVERED, ""), known=known) == ([], [])

    async def test_comes_back_in_any_number_and_order(self, database, built):
        reports = [Receipt(Proof.DELIVERED, ref) for ref in ("sms-2", "x", "sms-1", "sms-2", "y")]
        found, parked = await matched(database, *reports)
        one, two = built.deliveries[0]["sms"], built.deliveries[1]["sms"]
        assert [delivery for delivery, _ in found] == [two, one, two]
        assert parked == ["x", "y"]


class TestAReply:
    """The invented person answers from the number that the register holds."""

    @pytest.fixture
    async def person(self, database: Database, built: Built) -> int:
        await run(
            database,
            "INSERT INTO contacts (id, name, region, role) OVERRIDING SYSTEM VALUE "
            "VALUES (1, '虚构', $1, 'resident')",
            NORTH_1,
        )
        await run(
            database,
            "INSERT INTO addresses (contact_id, channel, address) VALUES (1, 'sms', '8619900000001')",
        )
        await run(database, "UPDATE releases SET released_at = now() - interval '1 hour'")
        return built.deliveries[0]["sms"]

    @pytest.mark.parametrize(
        ("words", "state"),
        [
            ("1", Proof.CONFIRMED),
            ("收到", Proof.CONFIRMED),
            ("你是谁", Proof.READ),
            ("11", Proof.READ),
            ("", Proof.READ),
        ],
    )
    async def test_confirms_or_shows_that_somebody_has_read(self, database, person, words, state):
        assert await matched(database, Reply("8619900000001", words)) == ([(person, state)], [])

    async def test_is_kept_without_the_number_and_with_what_was_said(self, database, person):
        told = [Told("sms", "provider", NOW, Reply("8619900000001", "1" * 500))]
        async with database.raw() as connection:
            found = (await match(connection, told, Known())).matched[0]
        row = found.row()
        assert found.told.source == "person"
        assert "8619900000001" not in str(row)
        assert len(row[-1]) < 200

    async def test_answers_the_warning_that_has_arrived_and_not_the_one_on_its_way(self, database, person):
        later = await build(database, [Person(NORTH_1, sent={"sms": Sent(Proof.SUBMITTING)})])
        await run(
            database,
            "UPDATE targets SET contact_id = 1 WHERE list_id = (SELECT max(id) FROM target_lists)",
        )
        await run(database, "UPDATE releases SET released_at = now() WHERE id = $1", later.release)
        on_its_way = later.deliveries[0]["sms"]
        assert await matched(database, Reply("8619900000001", "1")) == ([(person, Proof.CONFIRMED)], [])
        await run(database, "UPDATE deliveries SET state = 5 WHERE id = $1", on_its_way)
        assert await matched(database, Reply("8619900000001", "1")) == ([(on_its_way, Proof.CONFIRMED)], [])

    async def test_from_a_phone_that_two_persons_share_counts_for_both(self, database, person, built):
        await run(
            database,
            "INSERT INTO contacts (id, name, region, role) OVERRIDING SYSTEM VALUE "
            "VALUES (2, '虚构二', $1, 'resident')",
            NORTH_1,
        )
        await run(
            database,
            "INSERT INTO addresses (contact_id, channel, address) VALUES (2, 'sms', '8619900000001')",
        )
        both = [(one["sms"], Proof.CONFIRMED) for one in built.deliveries]
        assert await matched(database, Reply("8619900000001", "1")) == (both, [])

    @pytest.mark.parametrize("address", ["8619900000002", "19900000001", ""])
    async def test_from_a_stranger_counts_for_nothing(self, database, person, address):
        assert await matched(database, Reply(address, "1")) == ([], [])

    async def test_over_another_channel_counts_for_nothing(self, database, person):
        assert await matched(database, Reply("8619900000001", "1"), channel="radio") == ([], [])

    @pytest.mark.parametrize(
        "change",
        ["UPDATE releases SET released_at = now() - interval '25 hours'", "UPDATE deliveries SET copies = 0"],
        ids=["a day later", "to what never left"],
    )
    async def test_too_late_or_to_nothing_counts_for_nothing(self, database, person, change):
        await run(database, change)
        assert await matched(database, Reply("8619900000001", "1")) == ([], [])


@pytest.mark.parametrize(
    "words", ["1", " 1 ", "1。", "１", "Y", "yes", "OK", "收到", "已收到！", "确认", "确认.\n"]
)
def test_these_words_confirm(words):
    assert CONFIRMING.fullmatch(words)


@pytest.mark.parametrize(
    "words", ["", "0", "10", "1 2", "no", "收到了吗", "没收到", "未确认", "yesterday", "1\x00"]
)
def test_these_words_do_not(words):
    assert not CONFIRMING.fullmatch(words)


async def test_a_terminal_s_state_is_kept_unless_it_is_older_than_what_is_known(database: Database):
    late, early = NOW, NOW.replace(minute=1)
    for online, at in ((True, late), (False, early)):
        assert await matched(database, DeviceState("terminal-1", online, at), channel="radio") == ([], [])
    async with database.raw() as connection:
        assert await connection.fetchval("SELECT online FROM device_states WHERE device = 'terminal-1'")


class TestMemory:
    def test_keeps_the_youngest_references_of_each_channel(self):
        known = Known()
        known.remember([accepted(number, str(number)) for number in range(REMEMBERED + 10)])
        known.remember([accepted(1, "0", channel="radio")])
        assert known.get("sms", "9") is None
        assert known.get("sms", "10") == (10, 1)
        assert known.get("radio", "0") == (1, 1)

    def test_knows_every_part_of_a_message(self):
        known = Known()
        known.remember([accepted(5, "a", "b", "c")])
        assert {known.get("sms", ref) for ref in "abc"} == {(5, 3)}

    def test_keeps_nothing_of_what_was_refused(self):
        known = Known()
        known.remember([accepted(5)._replace(outcome=Rejected("0x0B"))])
        assert known.get("sms", "") is None
