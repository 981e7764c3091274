"""What a partner may do to the alerts of others, and what it is told of them."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from gateway.alerts.model import Alert
from gateway.alerts.write import write
from gateway.feeds.settings import RuleSettings
from gateway.partners import keys
from gateway.store import alarms
from tests.desk.conftest import NORTH, SOUTH

from .conftest import ALERTS, CAP, Partner, form, problem
from .test_partner_scope import code

DRY_RUN = f"{ALERTS}?dry_run=true"


@pytest.fixture
def sql(database):
    async def run(statement: str, **values):
        async with database.begin() as connection:
            result = await connection.execute(text(statement), values)
            return result.all() if result.returns_rows else []

    return run


@pytest.fixture
def ours(sql):
    """The states of the desk's own alerts."""

    async def states() -> list[str]:
        return [state for (state,) in await sql("SELECT state FROM alerts ORDER BY id")]

    return states


def about(value: dict, msg_type: str = "Cancel", **changes) -> dict:
    reference = {name: value[name] for name in ("sender", "identifier", "sent")}
    return form(msg_type=msg_type, references=[reference], **changes)


def bare(value: dict) -> bytes:
    """A Cancel that names only the identifier, as some senders do."""
    return write(
        Alert.model_validate(form(msg_type="Cancel") | {"malformed_references": [value["identifier"]]})
    )


class TestChanging:
    @pytest.mark.parametrize("msg_type", ["Cancel", "Update"])
    async def test_the_name_of_a_sender_is_not_enough_to_change_what_another_pushed(
        self, water, partner, database, ours, sql, msg_type
    ):
        value = form()
        assert (await water.push(value)).status == 202
        other = await partner("quake")
        for target, alarm in ((DRY_RUN, []), (ALERTS, ["foreign_sender"])):
            response = await other.push(about(value, msg_type), target=target)
            assert (response.status, await problem(response)) == (403, "foreign_sender")
            async with database.begin() as connection:
                assert [one.code for one in await alarms.standing(connection, "partner quake")] == alarm
        assert await ours() == ["draft"]
        assert await sql("SELECT state FROM incoming") == [("drafted",)]

    async def test_nor_are_a_bare_identifier_and_a_copy_pushed_before(self, water, partner, ours):
        value = form()
        await water.push(value)
        other = await partner("quake")
        assert (await other.push(value)).status == 202
        response = await other.push(bare(value), kind=CAP)
        assert (response.status, await problem(response)) == (403, "foreign_sender")
        assert await ours() == ["draft"]

    async def test_who_is_named_for_the_sender_may(self, water, serve, settings, make_key, clock, sql):
        value = form()
        await water.push(value)
        quake = settings.partners["quake"]
        named = quake.model_copy(update={"rule": RuleSettings(senders=[value["sender"]])})
        changed = settings.model_copy(update={"partners": settings.partners | {"quake": named}})
        other = Partner(await serve(settings=changed), await make_key("quake"), clock)
        assert (await other.push(about(value))).status == 202

    async def test_a_partner_changes_its_own(self, water, ours):
        value = form()
        await water.push(value)
        assert (await water.push(about(value))).status == 202
        assert await ours() == ["withdrawn"]


class TestNarrowKeys:
    @pytest.mark.parametrize("msg_type", ["Cancel", "Update"])
    async def test_what_another_key_pushed_outside_cannot_be_changed_from_inside(
        self, water, partner, ours, msg_type
    ):
        value = form(info={"areas": [code(SOUTH)]})
        await water.push(value)
        narrow = await partner(regions=(NORTH[:9],))
        response = await narrow.push(about(value, msg_type))
        assert (response.status, await problem(response)) == (403, "outside_scope")
        assert "orange" not in await response.text()
        assert await ours() == ["draft"]

    async def test_a_bare_identifier_is_no_way_around(self, water, partner, ours):
        value = form(info={"areas": [code(SOUTH)]})
        await water.push(value)
        response = await (await partner(regions=(NORTH[:9],))).push(bare(value), kind=CAP)
        assert (response.status, await problem(response)) == (403, "outside_scope")
        assert await ours() == ["draft"]

    async def test_it_is_not_told_what_is_outside_of_anothers_alert(self, water, partner):
        value = form(sender="other@example.org", info={"areas": [code(SOUTH)]})
        await water.push(value)
        response = await (await partner("quake", regions=(NORTH[:9],))).push(about(value))
        assert response.status == 403
        assert SOUTH not in await response.text()


class TestTold:
    async def test_what_the_desk_wrote_about_an_alert_stays_at_the_desk(self, water, sql):
        value = form()
        told = await (await water.push(value)).json()
        await sql("UPDATE incoming SET state = 'dismissed', reason = 'zhangsan (invented): nonsense'")
        answers = [
            await water.get(f"/{told['id']}"),
            await water.get(),
            await water.push(value),
            await water.push(value, target=DRY_RUN),
        ]
        for answer in answers:
            said = await answer.text()
            assert "dismissed" in said
            assert "zhangsan" not in said

    @pytest.mark.parametrize(
        ("state", "reason"),
        [
            ("released", "sent by rule: source.secret says the same (message 12)"),
            ("drafted", "drafted by zhangsan"),
            ("submitted", "source.secret says the same"),
        ],
    )
    async def test_other_sources_and_persons_are_not_named(self, water, sql, state, reason):
        told = await water.pushed()
        await sql("UPDATE incoming SET state = :state, reason = :reason", state=state, reason=reason)
        said = await (await water.get(f"/{told['id']}")).json()
        assert said["state"] == state
        assert said["reason"] not in {"", reason}

    async def test_why_it_is_held_is_told(self, water):
        told = await water.pushed(info={"headline": "演练"})
        assert told["state"] == "held"
        assert "drill" in told["reason"]

    async def test_of_what_another_brought_a_copy_learns_nothing(self, water, partner, sql):
        value = form()
        await water.push(value)
        await sql("UPDATE incoming SET state = 'dismissed', reason = 'secret', findings = '{secret}'")
        other = await partner("quake")
        pushed = await (await other.push(value)).json()
        asked = await (await other.push(value, target=DRY_RUN)).json()
        assert (pushed["state"], pushed["first"], pushed["findings"]) == ("repeated", False, [])
        assert asked["state"] == "repeated"
        for said in (pushed, asked):
            assert "secret" not in str(said)


class TestRevokedMeanwhile:
    async def test_a_key_that_ends_while_the_body_arrives_pushes_nothing(self, water, database, clock, sql):
        body = write(Alert.model_validate(form()))
        halfway = asyncio.Event()

        async def slow():
            yield body[:10]
            await halfway.wait()
            yield body[10:]

        headers = water.headers("POST", ALERTS, body) | {"Content-Type": CAP, "Idempotency-Key": "one"}
        under_way = asyncio.create_task(water.client.post(ALERTS, data=slow(), headers=headers))
        while not await sql("SELECT 1 FROM partner_keys WHERE last_used_at IS NOT NULL"):  # noqa: ASYNC110 - the server sets no event
            await asyncio.sleep(0.01)
        await keys.revoke(database, water.key.prefix, clock)
        halfway.set()
        response = await under_way
        assert (response.status, await problem(response)) == (401, "not_admitted")
        assert await sql("SELECT 1 FROM incoming") == []
