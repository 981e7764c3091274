"""What a release writes: deliveries, batches, counters, doorbells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from gateway.dispatch.plan import (
    LARGEST_BATCH,
    NothingToSendError,
    Opening,
    batch_size,
    open_release,
    text_keys,
)

if TYPE_CHECKING:
    from tests.dispatch.table import Table


@pytest.mark.parametrize(
    ("rate", "parts", "size"),
    [(1, 1, 20), (99, 1, 198), (500, 1, 1_000), (500, 2, 500), (4_000, 1, 8_000), (1e6, 1, LARGEST_BATCH)],
)
def test_a_batch_takes_about_two_seconds_within_its_bounds(rate, parts, size):
    assert batch_size(rate, parts) == size


@pytest.mark.parametrize(
    ("offered", "languages", "expected"),
    [
        (["zh-CN"], ["zh-CN"], {("zh-CN", False): "zh-CN", ("zh-CN", True): "zh-CN"}),
        (
            ["zh-CN", "zh-CN+confirm"],
            ["zh-CN"],
            {("zh-CN", False): "zh-CN", ("zh-CN", True): "zh-CN+confirm"},
        ),
        (
            ["zh-CN", "en", "zh-CN+confirm", "en+confirm"],
            ["en-GB", "ug"],
            {
                ("en-GB", False): "en",
                ("en-GB", True): "en+confirm",
                ("ug", False): "zh-CN",
                ("ug", True): "zh-CN+confirm",
            },
        ),
    ],
)
def test_everybody_gets_the_best_language_and_responsible_persons_the_link(offered, languages, expected):
    keys = {(language, personal): key for language, personal, key in text_keys(offered, languages)}
    assert keys == expected


async def test_a_release_is_cut_into_batches_with_responsible_persons_first(table: Table):
    await table.release(450, responsible=7)
    sizes = await table.fetch(
        "SELECT ordinal, count(*) FROM deliveries JOIN batches AS b ON b.id = batch_id GROUP BY 1 ORDER BY 1"
    )
    assert sizes == [(0, 200), (1, 200), (2, 50)]
    first = await table.fetch("SELECT text_key FROM deliveries ORDER BY id LIMIT 8")
    assert [key for (key,) in first] == ["zh-CN+confirm"] * 7 + ["zh-CN"]
    assert await table.one("SELECT count(*) FROM deliveries WHERE text_key LIKE '%confirm'") == 7
    in_first = "SELECT count(*) FROM deliveries JOIN batches AS b ON b.id = batch_id WHERE ordinal = 0"
    assert await table.one(f"{in_first} AND text_key LIKE '%confirm'") == 7


async def test_each_batch_has_one_doorbell_and_all_deliveries_are_counted_as_planned(table: Table):
    await table.release(450)
    batches = await table.batches()
    assert await table.fetch("SELECT batch_id, queue FROM outbox ORDER BY id") == [
        (batch, "sms.urgent") for batch in batches
    ]
    assert await table.counted() == {0: 450}


@pytest.mark.parametrize(
    ("level", "lane", "resend"),
    [
        ("red", "urgent", True),
        ("orange", "urgent", True),
        ("yellow", "normal", False),
        ("blue", "normal", False),
    ],
)
async def test_the_colour_decides_the_lane_and_whether_a_lost_answer_is_sent_again(
    table, level, lane, resend
):
    await table.release(1, level)
    assert await table.fetch("SELECT lane, resend_unknown FROM releases") == [(lane, resend)]


async def test_a_cancel_rings_at_the_front_for_the_same_people_and_stops_what_it_takes_back(table: Table):
    await table.release(3, "yellow")
    alert = await table.one("SELECT alert_id FROM releases")
    prepared = await table.desk.cancel(alert, "invented-second")
    await table.desk.approve(prepared.id, str(prepared.digest), "invented-first")
    assert await table.fetch("SELECT state FROM releases ORDER BY id") == [("stopped",), ("open",)]
    assert await table.fetch("SELECT first, lane FROM releases ORDER BY id") == [
        (False, "normal"),
        (True, "urgent"),
    ]
    assert await table.one("SELECT count(DISTINCT target_id) FROM deliveries") == 3


async def test_a_release_that_reaches_nobody_is_refused_and_leaves_nothing(table: Table):
    await table.release(2)
    async with table.database.raw() as connection:
        row = dict(await connection.fetchrow("SELECT * FROM releases"))
    opening = Opening(
        **{name: row[name] for name in Opening._fields if name in row and name != "reference"}
        | {"texts": {}, "channels": ["radio"], "rates": {}}
    )
    await table.one("UPDATE releases SET alert_id = (SELECT max(id) FROM alerts)")
    with pytest.raises(NothingToSendError, match="no recipient"):
        await opened(table, opening)
    assert await table.one("SELECT count(*) FROM releases") == 1


async def opened(table: Table, opening: Opening) -> None:
    async with table.database.begin() as connection:
        await open_release(connection, opening)


COLUMNS = "release_id, target_id, batch_id, channel, region, text_key"
REFUSED = {
    "a second delivery": (
        f"INSERT INTO deliveries ({COLUMNS}, address) SELECT {COLUMNS}, 'another' FROM deliveries",
        asyncpg.UniqueViolationError,
    ),
    "a third copy": ("UPDATE deliveries SET copies = 3", asyncpg.CheckViolationError),
    "a live release in a drill's lane": ("UPDATE releases SET lane = 'drill'", asyncpg.CheckViolationError),
    "a word that is not in the list": ("UPDATE batches SET state = 'lost'", asyncpg.CheckViolationError),
    "a slice twice": ("UPDATE batches SET ordinal = 0", asyncpg.UniqueViolationError),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_the_database_itself_refuses(table: Table, what):
    await table.release(201)
    statement, error = REFUSED[what]
    with pytest.raises(error):
        await table.one(statement)
