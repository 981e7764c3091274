"""The checker is worth what it finds: each kind of wrong is done by hand, and must be named."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from gateway.coverage import coverage
from gateway.desk.compose import Changes
from gateway.receipts.confirm import make_token
from gateway.store.database import Database
from tests.faults.checker import check
from tests.faults.evidence import Acknowledged, Entry, Evidence, Head, read_tables
from tests.faults.village import PEOPLE, address, fields, open_desk, release, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.evidence import Row

    Tables = dict[str, list[Row]]

PERSONAL, FIRST, SECOND = 0, 1, 2
LINK = "http://127.0.0.1:8080/c/"
GIVEN = {
    "channels": {"sms": {"kind": "smpp", "live": {"host": "127.0.0.1", "system_id": "invented"}}},
    "desk": {"signature": "示范"},
}


async def finish(url: str) -> None:
    """Write by hand what the engine would have written: three messages accepted and delivered."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE batches SET state = 'done'")
        await connection.execute(
            "INSERT INTO attempts SELECT id, 'sms', 1, 1, batch_id, 1, 'accepted', 'ref' || id, '', "
            "now(), now() FROM deliveries"
        )
        await connection.execute(
            "INSERT INTO receipts SELECT id, 'sms', 'ref' || id, 8, 'provider', '', now(), now(), '' "
            "FROM deliveries"
        )
        await connection.execute(
            "UPDATE deliveries SET state = 8, copies = 1, tries = 1, delivered_at = now()"
        )
        await connection.execute("UPDATE counters SET state = 8")
        await connection.execute("UPDATE releases SET state = 'closed', closed_at = now()")
    finally:
        await connection.close()


async def ledger_of(url: str) -> list[Entry]:
    """What the provider would have received."""
    tables = await read_tables(url)
    texts = tables["releases"][0]["texts"]["sms"]
    entries = []
    for row in sorted(tables["deliveries"], key=lambda row: row["id"]):
        text = texts[row["text_key"]]["text"].replace("\ufffc", LINK + make_token(row["id"], b"invented"))
        entries.append(Entry("sms", row["address"], text, f"ref{row['id']}", datetime.now(UTC)))
    return entries


@pytest.fixture
async def good(database_url: str) -> tuple[str, list[Entry]]:
    """A release of three messages at which there is nothing to find."""
    async with Database(database_url, size=2) as database:
        await settle(database, 3, responsible=1)
        await release(await open_desk(database, GIVEN), "orange")
    await finish(database_url)
    return database_url, await ledger_of(database_url)


async def tamper(url: str, statement: str) -> None:
    """Do what no program of ours may: the guards of the database are out of the way."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("ALTER TABLE deliveries DROP CONSTRAINT ck_deliveries_two_copies")
        await connection.execute(
            "ALTER TABLE deliveries DROP CONSTRAINT uq_deliveries_release_id_target_id_channel"
        )
        await connection.execute(statement)
    finally:
        await connection.close()


def linked_anew(records: list[Row]) -> list[Row]:
    """Number and chain audit records again, as a skilled forger would."""
    linked, previous = [], "0" * 64
    for seq, row in enumerate(records, 1):
        told = [row[name] for name in ("actor", "action", "subject", "detail")]
        record = [seq, row["at"].astimezone(UTC).isoformat(), *told, previous]
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        own = hashlib.sha256(text.encode()).hexdigest()
        linked.append(row | {"seq": seq, "previous": previous, "hash": own})
        previous = own
    return linked


def head_of(tables: Tables) -> Head:
    last = tables["audit"][-1]
    return Head(last["seq"], last["hash"])


async def report_of(url: str) -> Row:
    """What the gateway says of its only release."""
    async with Database(url, size=1) as database:
        return json.loads((await coverage(database, 1)).model_dump_json())


async def found(url: str, ledger: list[Entry], **more) -> set[str]:
    return judged(await read_tables(url), ledger, **more)


def judged(tables: Tables, ledger: list[Entry], **more) -> set[str]:
    evidence = Evidence(tables, ledger, read_at=datetime.now(UTC), **more)
    return {violation.invariant for violation in check(evidence)}


COLUMNS = "release_id, target_id, batch_id, channel, region, address, text_key, state, copies, delivered_at"
ONE = "id = (SELECT max(id) FROM deliveries)"
BAD_ROWS = {
    "a delivery is missing": ("I1", f"DELETE FROM deliveries WHERE {ONE}"),
    "a target has two deliveries": (
        "I1",
        (f"INSERT INTO deliveries ({COLUMNS}) SELECT {COLUMNS} FROM deliveries WHERE {ONE}"),
    ),
    "a delivery goes to an address that was not frozen": (
        "I1",
        f"UPDATE deliveries SET address = '8619900000009' WHERE {ONE}",
    ),
    "a closed release has an open delivery": (
        "I1",
        f"UPDATE deliveries SET state = 2, delivered_at = NULL WHERE {ONE}",
    ),
    "a delivery lies in a foreign batch": ("I1", f"UPDATE deliveries SET batch_id = 0 WHERE {ONE}"),
    "a delivery counts three copies": ("I3", f"UPDATE deliveries SET copies = 3 WHERE {ONE}"),
    "an approval is missing": ("I4", "DELETE FROM approvals WHERE person = 'invented-first'"),
    "the author signed": (
        "I4",
        "UPDATE approvals SET person = 'invented-author' WHERE person = 'invented-first'",
    ),
    "an approval is for another digest": ("I4", "UPDATE approvals SET digest = 'other'"),
    "an approval came after the release": ("I4", "UPDATE approvals SET at = at + interval '1 hour'"),
    "the signer was no approver": ("I4", "UPDATE people SET roles = '{author}'"),
    "the approved words were changed": (
        "I4",
        "UPDATE alerts SET content = jsonb_set(content, '{note}', '\"x\"') WHERE msg_type = 'Alert'",
    ),
    "a target was added after the seal": (
        "I4",
        (
            "INSERT INTO targets (list_id, contact_id, region, role, language, addresses) "
            "SELECT list_id, 999, region, role, language, '{}' FROM targets LIMIT 1"
        ),
    ),
    "a target's role was changed": ("I4", "UPDATE targets SET role = 'informant'"),
    "the release holds longer than the alert": (
        "I4",
        "UPDATE releases SET expires = expires + interval '1 hour'",
    ),
    "an audit record was edited": ("I6", "UPDATE audit SET actor = 'other' WHERE seq = 2"),
    "an audit record was removed": ("I6", "DELETE FROM audit WHERE seq = 2"),
    "the end of the audit log was cut": (
        "I6",
        "DELETE FROM audit WHERE seq >= (SELECT max(seq) - 1 FROM audit)",
    ),
    "a state is higher than its facts": (
        "I7",
        f"UPDATE deliveries SET state = 10, confirmed_at = now() WHERE {ONE}",
    ),
    "a state is lower than its facts": (
        "I7",
        f"UPDATE deliveries SET state = 5, delivered_at = NULL WHERE {ONE}",
    ),
    "proof without a time": ("I7", f"UPDATE deliveries SET delivered_at = NULL WHERE {ONE}"),
    "a receipt of another delivery counts": (
        "I7",
        "UPDATE receipts SET delivery_id = (SELECT max(id) FROM deliveries)",
    ),
    "a message that was accepted is tried again": (
        "I7",
        (
            "INSERT INTO attempts SELECT delivery_id, channel, 2, 1, batch_id, 2, 'rejected', '', '8', "
            f"now(), now() FROM attempts WHERE delivery_{ONE}"
        ),
    ),
    "a lost answer of a blue alert is tried again": (
        "I7",
        (
            "UPDATE releases SET resend_unknown = false; UPDATE attempts SET try = 2; "
            "INSERT INTO attempts SELECT delivery_id, channel, 1, 1, batch_id, 1, 'unknown', '', 'timeout', "
            f"submitted_at, answered_at FROM attempts WHERE delivery_{ONE}"
        ),
    ),
    "a message that a provider has was never tried": (
        "I3",
        (
            f"DELETE FROM attempts WHERE delivery_{ONE}; DELETE FROM receipts WHERE delivery_{ONE}; "
            "INSERT INTO receipts SELECT max(id), 'sms', '', 9, 'person', 'reply', now(), now(), '' "
            f"FROM deliveries; UPDATE deliveries SET state = 9 WHERE {ONE}; "
            "UPDATE counters SET count = count - 1; "
            "INSERT INTO counters SELECT release_id, channel, region, 9, 1 FROM counters"
        ),
    ),
    "receipts whose attempts are known stay parked": (
        "I7",
        (
            "INSERT INTO parked_receipts (channel, ref, state, source, code, received_at, raw) "
            "SELECT channel, ref, state, source, code, received_at, raw FROM receipts; "
            "DELETE FROM receipts; UPDATE deliveries SET state = 5, delivered_at = NULL; "
            "UPDATE counters SET state = 5"
        ),
    ),
    "a first try after the expiry": (
        "I8",
        "UPDATE attempts SET submitted_at = (SELECT expires + interval '1 ms' FROM releases)",
    ),
    "a counter is one too many": ("I9", "UPDATE counters SET count = count + 1"),
    "a counter is missing": ("I9", "DELETE FROM counters"),
    "a batch crashes again and again in silence": ("I11", "UPDATE batches SET crashes = 3"),
    "a lease was lost in silence": ("I11", "UPDATE attempts SET outcome = 'unknown', code = 'lease lost'"),
}


def lose(ledger: list[Entry]) -> list[Entry]:
    return ledger[:-1]


def double(ledger: list[Entry]) -> list[Entry]:
    return [*ledger, ledger[-1]._replace(ref="again")]


def swap(ledger: list[Entry]) -> list[Entry]:
    first, second = ledger[FIRST], ledger[SECOND]
    return [ledger[PERSONAL], first._replace(ref=second.ref), second._replace(ref=first.ref)]


BAD_LEDGERS: dict[str, tuple[set[str], Callable[[list[Entry]], list[Entry]]]] = {
    "a message never arrived": ({"I2"}, lose),
    "a message arrived twice": ({"I3"}, double),
    "a stranger got a message": (
        {"I4"},
        lambda ledger: [*ledger, ledger[0]._replace(address=address(99), ref="other")],
    ),
    "a word is missing": (
        {"I2", "I5"},
        lambda ledger: [*ledger[:-1], ledger[-1]._replace(text=ledger[-1].text[:-1])],
    ),
    "a link is another person's": (
        {"I2", "I5"},
        lambda ledger: [
            ledger[0]._replace(text=ledger[0].text.partition(LINK)[0] + LINK + make_token(77, b"invented")),
            *ledger[1:],
        ],
    ),
    "a receipt belongs to somebody else's message": ({"I7"}, swap),
    "a message arrived long after the expiry": (
        {"I8"},
        lambda ledger: [one._replace(at=one.at + timedelta(hours=2)) for one in ledger],
    ),
}


async def test_it_finds_nothing_where_all_is_well(good):
    url, ledger = good
    assert await found(url, ledger) == set()


@pytest.mark.parametrize("wrong", BAD_ROWS)
async def test_it_finds_what_is_wrong_in_the_database(good, wrong):
    url, ledger = good
    invariant, statement = BAD_ROWS[wrong]
    await tamper(url, statement)
    assert invariant in await found(url, ledger)


@pytest.mark.parametrize("wrong", BAD_LEDGERS)
async def test_it_finds_what_is_wrong_at_the_provider(good, wrong):
    url, ledger = good
    invariants, change = BAD_LEDGERS[wrong]
    assert await found(url, change(ledger)) == invariants


async def test_it_finds_a_message_that_left_after_the_release_was_stopped(good):
    url, ledger = good
    await tamper(
        url,
        "INSERT INTO audit SELECT max(seq) + 1, now() - interval '1 minute', 'x', 'cancel', "
        "'alert ' || (SELECT alert_id FROM releases), '{}', '', '' FROM audit",
    )
    assert await found(url, ledger) == {"I6", "I8"}


async def test_a_second_copy_is_explained_by_a_lost_answer_and_a_third_by_nothing(good):
    url, ledger = good
    await tamper(
        url,
        "UPDATE attempts SET try = 2; "
        "INSERT INTO attempts SELECT delivery_id, channel, 1, 1, batch_id, token, 'unknown', '', "
        "'timeout', submitted_at, answered_at FROM attempts",
    )
    assert await found(url, double(ledger)) == set()
    assert await found(url, double(double(ledger))) == {"I3"}


@pytest.mark.parametrize(("late", "expected"), [(0.1, set()), (0.5, {"I8"})])
async def test_only_the_reading_of_two_clocks_is_allowed_for_after_the_expiry(good, late, expected):
    url, ledger = good
    (expires,) = (row["expires"] for row in (await read_tables(url))["releases"])
    came = [one._replace(at=expires + timedelta(seconds=late)) for one in ledger]
    assert await found(url, came) == expected


async def test_a_first_try_that_was_judged_lost_after_the_expiry_was_not_made_then(good):
    url, ledger = good
    await tamper(
        url,
        "UPDATE attempts SET try = 2, submitted_at = (SELECT expires - interval '1 s' FROM releases); "
        "INSERT INTO attempts SELECT delivery_id, channel, 1, 1, batch_id, token, 'unknown', '', "
        "'lease lost', expires + interval '1 s', expires + interval '1 s' FROM attempts, releases",
    )
    assert "I8" not in await found(url, ledger)


async def test_an_unknown_of_a_red_alert_that_was_not_sent_again_is_a_loss(good):
    url, ledger = good
    await tamper(
        url,
        f"DELETE FROM receipts WHERE delivery_id = (SELECT max(id) FROM deliveries); "
        f"UPDATE attempts SET outcome = 'unknown', ref = '' WHERE delivery_{ONE}; "
        f"UPDATE deliveries SET state = 3, delivered_at = NULL WHERE {ONE}; "
        "UPDATE counters SET count = count - 1; "
        "INSERT INTO counters SELECT release_id, channel, region, 3, 1 FROM counters",
    )
    assert await found(url, lose(ledger)) == {"I2"}


async def test_it_misses_a_row_that_was_acknowledged_and_is_gone(good):
    url, ledger = good
    claimed = Acknowledged(rows=frozenset({("alerts", "id", 999)}))
    assert await found(url, ledger, acknowledged=claimed) == {"I13"}


async def test_it_misses_an_acknowledged_receipt_though_another_is_there_twice(good):
    url, ledger = good
    claimed = Acknowledged(receipts={"sms": [entry.ref for entry in ledger]})
    assert await found(url, ledger, acknowledged=claimed) == set()
    await tamper(
        url,
        "UPDATE receipts SET (delivery_id, ref) = (SELECT min(id), 'ref' || min(id) FROM deliveries) "
        f"WHERE delivery_{ONE}; UPDATE deliveries SET state = 5, delivered_at = NULL WHERE {ONE}; "
        "UPDATE counters SET count = count - 1; "
        "INSERT INTO counters SELECT release_id, channel, region, 5, 1 FROM counters",
    )
    assert await found(url, ledger, acknowledged=claimed) == {"I13"}


async def test_a_receipt_that_was_acknowledged_twice_is_there_twice(good):
    url, ledger = good
    twice = Acknowledged(receipts={"sms": [entry.ref for entry in ledger] * 2})
    assert await found(url, ledger, acknowledged=twice) == {"I13"}


async def test_a_lost_lease_that_the_log_tells_of_is_no_violation(good):
    url, ledger = good
    await tamper(url, "UPDATE attempts SET outcome = 'unknown', code = 'lease lost', try = 2")
    batch = (await read_tables(url))["batches"][0]["id"]
    said = [{"event": "lease expired", "batch": batch}]
    assert "I11" in await found(url, ledger)
    assert "I11" not in await found(url, ledger, logs=said)


async def add_people(url: str) -> None:
    """Let the audit chain grow by records of which no row tells."""
    async with Database(url, size=2) as database:
        await open_desk(database, GIVEN)


async def test_it_finds_a_chain_that_is_shorter_than_a_head_that_was_noted(good):
    url, ledger = good
    await add_people(url)
    tables = await read_tables(url)
    noted = frozenset({head_of(tables)})
    assert judged(tables, ledger, heads=noted) == set()
    tables["audit"].pop()
    assert judged(tables, ledger) == set()
    assert judged(tables, ledger, heads=noted) == {"I6"}


async def test_it_finds_a_chain_that_was_rewritten_as_a_whole(good):
    url, ledger = good
    tables = await read_tables(url)
    noted = frozenset({head_of(tables)})
    tables["audit"][0]["actor"] = "other"
    tables["audit"] = linked_anew(tables["audit"])
    assert judged(tables, ledger) == set()
    assert judged(tables, ledger, heads=noted) == {"I6"}


class Tomorrow:
    """A clock that is a day ahead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
async def told(database_url: str) -> Tables:
    """Alerts that came to every end an alert can come to."""
    author, first, second = (person.login for person in PEOPLE)
    async with Database(database_url, size=2) as database:
        await settle(database, 3)
        desk = await open_desk(database, GIVEN)
        await release(desk, "blue")
        updating = await desk.submit((await desk.update(1, author)).id, author)
        await desk.approve(updating.id, str(updating.digest), first)
        await desk.release(updating.id, second)
        cancelling = await desk.cancel(updating.id, second)
        await desk.approve(cancelling.id, str(cancelling.digest), first)
        drafted = await desk.draft(fields("blue"), author)
        await desk.edit(drafted.id, author, Changes(note="x"))
        submitted = await desk.submit(drafted.id, author)
        await desk.reject(submitted.id, str(submitted.digest), first, "unclear")
        await desk.withdraw(drafted.id, author)
        await release(desk, "blue")
        desk.clock = Tomorrow()
        assert await desk.expire_due()
    return await read_tables(database_url)


STEPS = (
    "person", "draft", "edit", "submit", "approve", "reject", "release", "prepare_cancel", "update",
    "cancel", "expire", "withdraw",
)  # fmt: skip


async def test_each_step_that_the_rows_tell_of_is_told(told):
    assert {row["action"] for row in told["audit"]} == {*STEPS, "stop"}
    assert "I6" not in judged(told, [])


async def test_it_finds_a_release_that_nobody_stopped(told):
    name, releases = "alert 1", [{**row, "state": "stopped"} for row in told["releases"]]
    kept = [row for row in told["audit"] if row["subject"] != name or row["action"] not in {"stop", "update"}]
    stopped = {"releases": releases, "audit": linked_anew(kept)}
    alerts = [{**row, "state": "released"} if row["id"] == 1 else row for row in told["alerts"]]
    faults = check(Evidence(told | stopped | {"alerts": alerts}, [], read_at=datetime.now(UTC)))
    assert ("alert 1", "was stopped, and no record tells by what") in {one[1:] for one in faults}


async def test_it_finds_a_step_whose_record_was_taken_out_of_a_chain_linked_anew(told):
    for action in STEPS:
        first = next(row for row in told["audit"] if row["action"] == action)
        kept = [row for row in told["audit"] if row is not first]
        assert "I6" in judged(told | {"audit": linked_anew(kept)}, []), action


async def test_it_finds_a_step_that_is_told_twice(told):
    for action in [step for step in STEPS if step != "person"]:
        first = next(row for row in told["audit"] if row["action"] == action)
        assert "I6" in judged(told | {"audit": linked_anew([*told["audit"], first])}, []), action


def one_more(report: Row, path: str) -> Row:
    """Return the report with one figure raised."""
    raised = copy.deepcopy(report)
    *way, name = path.split("/")
    place: Any = raised
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[name] = (place[name] or 0) + 1
    return raised


FIGURES = (
    "people/delivered", "people/pending", "deliveries/accepted", "channels/0/unknown", "townships/0/failed",
    "townships/0/responsible/part", "roles/1/confirmed", "without_address", "responsible/of",
    "responsible_in_time/part", "public_in_time/part", "villages/of", "population/part", "t90_s",
    "attempts_accepted/of", "people/rate",
)  # fmt: skip


async def test_it_finds_a_report_that_differs_from_the_rows_by_one(good):
    url, ledger = good
    tables, report = await read_tables(url), await report_of(url)
    assert judged(tables, ledger, reports=[report]) == set()
    for figure in FIGURES:
        assert judged(tables, ledger, reports=[one_more(report, figure)]) == {"I9"}, figure


async def test_it_finds_a_report_that_leaves_a_township_out(good):
    url, ledger = good
    report = await report_of(url)
    report["townships"].clear()
    assert await found(url, ledger, reports=[report]) == {"I9"}


@pytest.fixture
async def sent_alone(database_url: str) -> tuple[str, list[Entry]]:
    """A red release on one signature, by the emergency path."""
    async with Database(database_url, size=2) as database:
        await settle(database, 3, responsible=1)
        desk = await open_desk(database, GIVEN)
        author, _, sender = (person.login for person in PEOPLE)
        row = await desk.submit((await desk.draft(fields("red"), author)).id, author)
        await desk.release_alone(row.id, str(row.digest), sender, "an invented emergency")
    await finish(database_url)
    return database_url, await ledger_of(database_url)


async def test_an_emergency_release_on_one_signature_is_no_violation(sent_alone):
    url, ledger = sent_alone
    assert await found(url, ledger) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM emergencies",
        "UPDATE emergencies SET digest = repeat('0', 64)",
        "UPDATE emergencies SET person = 'invented-author'",
    ],
)
async def test_it_is_one_where_the_row_is_of_another_digest_or_person(sent_alone, statement):
    url, ledger = sent_alone
    await tamper(url, statement)
    assert await found(url, ledger) == {"I4"}


async def test_whoever_sent_it_is_no_cosigner(sent_alone):
    url, ledger = sent_alone
    await tamper(url, "UPDATE emergencies SET cosigned_by = person, cosigned_at = now()")
    assert await found(url, ledger) == {"I6"}
