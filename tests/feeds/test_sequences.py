"""Documents of one warning after each other, as a source sends them: what the desk sees after each."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.feeds.adapters import adapter
from gateway.feeds.document import Document
from gateway.store.incoming_tables import incoming


@pytest.fixture
def after(corpus, county):
    """Take the alerts of a file at the time they were sent; return (identifier, state) of all so far."""
    intake = county.intake(source={"action": "inbox"})

    async def take(kind, file):
        # The intake takes nothing that is years old.
        data = (corpus / file).read_bytes().replace(b"2022-", b"2027-").replace(b"2023-", b"2027-")
        for item in adapter(kind).read(Document(data)).items:
            county.clock.advance((item.alert.sent - county.clock.now()).total_seconds() + 1)
            await intake.take("source", kind, item)
        async with county.database.begin() as connection:
            rows = await connection.execute(select(incoming).order_by(incoming.c.id))
            return [(row.identifier, row.state) for row in rows]

    return take


class TestJma:
    async def test_each_report_of_a_tsunami_takes_the_place_of_the_one_before(self, after):
        for number, made in enumerate(
            ("064018_06274659", "072652_07314633", "082436_00085500", "120003_08446949"), 1
        ):
            seen = await after("jma", f"jma/20231009{made}_VTSE41.xml")
            assert [state for _, state in seen] == ["superseded"] * (number - 1) + ["inbox"]

    async def test_when_all_is_lifted_nothing_is_left_to_do(self, after):
        assert [state for _, state in await after("jma", "jma/20220918154907_08013775_VTSE41.xml")] == [
            "inbox"
        ]
        seen = await after("jma", "jma/20220918171502_07401528_VTSE41.xml")
        assert [state for _, state in seen] == ["superseded", "stored"]

    async def test_the_report_of_another_event_replaces_nothing(self, after):
        await after("jma", "jma/20220918154907_08013775_VTSE41.xml")
        assert [state for _, state in await after("jma", "jma/20231009064018_06274659_VTSE41.xml")] == [
            "inbox",
            "inbox",
        ]


class TestMeteoAlarm:
    async def test_an_escalation_that_names_no_warning_waits_for_a_person_beside_the_first(self, after):
        assert [state for _, state in await after("cap", "meteoalarm/cap_villach_heat.xml")] == ["inbox"]
        seen = await after("cap", "meteoalarm/cap_villach_heat_orange.xml")
        assert [state for _, state in seen] == ["inbox", "held"]

    async def test_the_same_document_again_is_seen_once(self, after):
        await after("cap", "meteoalarm/cap_villach_heat.xml")
        assert len(await after("cap", "meteoalarm/cap_villach_heat.xml")) == 1

    async def test_green_warns_nobody(self, after):
        assert [state for _, state in await after("cap", "meteoalarm/cap_green_level1.xml")] == ["stored"]
