"""The page of a release: its figures, those not reached, its switch, its Cancel, and its evidence."""

from __future__ import annotations

import asyncio
import csv
import html
import re
from datetime import timedelta
from io import StringIO

import pytest

from channels.base import Proof
from gateway.coverage import coverage
from gateway.desk.compose import Fields
from gateway.store import audit, switches
from gateway.store.desk import Person
from gateway.web.console import filters
from tests.desk.conftest import NORTH, SOUTH, START, fields
from tests.web.console.conftest import form_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
)


@pytest.fixture
async def released(desk):
    return await release(desk)


async def release(desk, **more):
    """Send a warning to the north; return its alert and its release."""
    row = await desk.draft(Fields.model_validate(fields().model_dump() | more), "author")
    row = await desk.submit(row.id, "author")
    for person in ("first", "second", "third"):
        if (await desk.approve(row.id, row.digest, person)).alert.state == "approved":
            break
    sent = await desk.release(row.id, "sender")
    return (await desk.show(row.id)).alert, sent


async def settle(console, states: dict[str, Proof], at: timedelta = timedelta(seconds=90)) -> None:
    """Bring the deliveries of these people's names to a state, with the counters that fit."""
    async with console.database.raw() as connection:
        for name, state in states.items():
            reached = START + at if state >= Proof.DELIVERED else None
            await connection.execute(
                "UPDATE deliveries AS d SET state = $2, delivered_at = $3,"
                " confirmed_at = CASE WHEN $4 THEN $3::timestamptz END"
                " FROM targets AS t JOIN contacts AS c ON c.id = t.contact_id"
                " WHERE t.id = d.target_id AND c.name = $1",
                name, int(state), reached, state == Proof.CONFIRMED,
            )  # fmt: skip
        await connection.execute("DELETE FROM counters")
        await connection.execute(
            "INSERT INTO counters SELECT release_id, channel, region,"
            " CASE WHEN state < 3 THEN 0 ELSE state END, count(*) FROM deliveries GROUP BY 1, 2, 3, 4"
        )


async def take(console, channel: str) -> None:
    """Let the provider take what is to be sent on a channel."""
    async with console.database.raw() as connection:
        await connection.execute("UPDATE deliveries SET state = 5 WHERE channel = $1", channel)
        await connection.execute("UPDATE counters SET state = 5 WHERE channel = $1", channel)


async def value(console, query: str, *values):
    async with console.database.raw() as connection:
        return await connection.fetchval(query, *values)


def text_of(page: str) -> str:
    """What a person reads, on one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


def rows_of(answer) -> list[list[str]]:
    return list(csv.reader(StringIO(answer.text.removeprefix("\ufeff"))))[1:]


class TestThePage:
    async def test_shows_how_far_each_channel_is(self, visitor, released, console):
        await settle(console, {"虚构1": Proof.CONFIRMED, "虚构2": Proof.UNKNOWN})
        _, sent = released
        answer = await (await visitor("author")).get(f"/releases/{sent.id}")
        assert answer.status == 200
        (row,) = re.findall(r"<tr>\s*<th scope=\"row\">SMS.*?</tr>", answer.text, re.DOTALL)
        assert re.findall(r"\d[\d,]*", text_of(row))[:2] == ["3", "1"]
        assert "SMS 3 1 1 33.3% 1 1 1 0" in text_of(row)

    async def test_speaks_chinese(self, visitor, released):
        text = (await (await visitor("author", "zh-CN")).get(f"/releases/{released[1].id}")).text
        assert "各渠道发送情况" in text
        assert "解除" in text

    async def test_tells_in_one_word_how_far_the_sending_is(self, visitor, released, console):
        _, sent = released
        leader, officer = await visitor("leader"), await visitor("author", "zh-CN")

        async def told(word: str, words: str) -> None:
            assert words in text_of((await officer.get(f"/releases/{sent.id}/live")).text)
            for page in ("/", "/lead"):
                here = text_of((await officer.get(page)).text)
                assert (words in here) == (word != "ended" or page == "/lead")
            assert filters.PROGRESS[word] in text_of((await leader.get("/lead")).text)

        await told("sending", "发送中")
        for channel in ("sms", "email", "radio"):
            await take(console, channel)
        await told("awaiting", "已全部提交，等待回执")
        await value(console, "UPDATE releases SET state = 'closed'")
        await told("ended", "发送已结束")

    async def test_is_found_from_its_alert(self, visitor, released):
        alert, sent = released
        answer = await (await visitor("author")).get(f"/alerts/{alert.id}/release")
        assert (answer.status, answer.location) == (303, f"/desk/releases/{sent.id}")

    async def test_of_nothing_is_not_there(self, visitor):
        browser = await visitor("author")
        for part in ("", "/live", "/coverage", "/unreached", "/timeline", "/cap", "/receipts", "/report.csv"):
            assert (await browser.get(f"/releases/999{part}")).status == 404
        assert (await browser.get("/deliveries/999")).status == 404

    async def test_of_a_drill_is_marked_in_each_part(self, visitor, desk):
        _, sent = await release(desk, mode="drill")
        browser = await visitor("author")
        for part in ("", "/live", "/coverage", "/unreached", "/timeline", "/cap", "/receipts"):
            assert "drill-mark" in (await browser.get(f"/releases/{sent.id}{part}")).text

    @pytest.mark.parametrize("part", ["live", "coverage", "unreached", "timeline"])
    async def test_gives_its_parts_alone_to_htmx(self, visitor, released, part):
        path = f"/releases/{released[1].id}/{part}"
        browser = await visitor("author")
        part_only = await browser.get(path, **{"HX-Request": "true"})
        assert "<html" not in part_only.text
        assert part_only.text.strip() in (await browser.get(path)).text or part in {"live", "unreached"}

    async def test_tells_the_rate_and_the_time_left(self, visitor, released, console, clock):
        path = f"/releases/{released[1].id}/live"
        browser = await visitor("author")
        assert "measuring" in (await browser.get(path)).text
        clock.advance(2)
        await settle(console, {"虚构1": Proof.ACCEPTED, "虚构2": Proof.ACCEPTED})
        assert "1.0 1 s" in text_of((await browser.get(path)).text)

    async def test_tells_when_nobody_takes_the_work(self, visitor, released, console):
        path = f"/releases/{released[1].id}/live"
        browser = await visitor("author")
        await value(console, "UPDATE batches SET due_at = now() - interval '1 minute'")
        assert "nobody takes it" in (await browser.get(path)).text
        await value(console, "UPDATE batches SET state = 'done'")
        assert "nobody takes it" not in (await browser.get(path)).text

    @pytest.mark.parametrize("hostile", HOSTILE)
    async def test_shows_hostile_texts_as_text(self, visitor, desk, console, hostile):
        _, sent = await release(
            desk, headline=hostile, description=f"{hostile} 大雨", instruction=f"{hostile} 避险"
        )
        await value(console, "UPDATE contacts SET name = $1", hostile)
        delivery = await value(console, "SELECT min(id) FROM deliveries WHERE channel = 'sms'")
        await value(
            console,
            "INSERT INTO receipts VALUES ($1, 'sms', 'r', 7, 'provider', $2, now(), now(), $2)",
            delivery, hostile,
        )  # fmt: skip
        browser = await visitor("registrar")
        parts = ("", "/live", "/coverage", "/unreached?who=all", "/timeline", "/cap", "/receipts?q=%3Cscript")
        pages = [f"/releases/{sent.id}{part}" for part in parts]
        for path in [*pages, f"/deliveries/{delivery}"]:
            answer = await browser.get(path)
            assert answer.status == 200, path
            assert "<script>alert" not in answer.text
            assert "<img" not in answer.text
            assert "' onmouseover='" not in answer.text
            assert " 49" not in text_of(answer.text) or hostile != "{{7*7}}"


class TestThoseNotReached:
    """S5: cells of the export are inert; S2: those of another region are not shown."""

    @pytest.fixture
    async def mixed(self, released, console):
        await settle(console, {"虚构1": Proof.DELIVERED, "虚构2": Proof.REJECTED, "虚构3": Proof.CONFIRMED})
        return released[1]

    async def test_are_those_that_the_coverage_counts(self, visitor, mixed, console, clock):
        measured = await coverage(console.database, mixed.id, clock)
        browser = await visitor("registrar")
        everybody = rows_of(await browser.get(f"/releases/{mixed.id}/unreached.csv?who=all"))
        assert len(everybody) == measured.people.intended - measured.people.delivered == 1
        first = rows_of(await browser.get(f"/releases/{mixed.id}/unreached.csv?who=responsible"))
        assert len(first) == measured.responsible.of - measured.responsible.part == 1
        assert first[0][3] == "虚构1"

    async def test_are_counted_alike_however_far_everybody_got(self, visitor, released, console, clock):
        browser = await visitor("registrar")
        for state in Proof:
            await settle(console, {"虚构1": state, "虚构2": state, "虚构3": Proof((state + 4) % 11)})
            measured = await coverage(console.database, released[1].id, clock)
            rows = rows_of(await browser.get(f"/releases/{released[1].id}/unreached.csv?who=all"))
            assert len(rows) == measured.people.intended - measured.people.delivered
            rows = rows_of(await browser.get(f"/releases/{released[1].id}/unreached.csv"))
            assert len(rows) == measured.responsible.of - measured.responsible.part

    async def test_come_with_a_masked_number_why_and_the_next_step(self, visitor, mixed):
        text = (await (await visitor("author")).get(f"/releases/{mixed.id}/unreached?who=all")).text
        assert "8619900000002" not in text
        assert "invented2@example.org" not in text
        assert "****" in text
        assert "Failed on every channel" in text
        assert "go there" in text

    async def test_are_paged_and_filtered(self, visitor, released):
        browser = await visitor("author")
        path = f"/releases/{released[1].id}/unreached?who=all"
        first = (await browser.get(f"{path}&size=2")).text
        assert ("虚构1" in first, "虚构2" in first, "虚构3" in first) == (True, True, False)
        (after,) = set(re.findall(r"after=(\d+)", first))
        second = (await browser.get(f"{path}&size=2&after={after}")).text
        assert ("虚构2" in second, "虚构3" in second) == (False, True)
        assert "Nobody is on this list" in (await browser.get(f"{path}&township={SOUTH}")).text
        assert "虚构1" in (await browser.get(f"{path}&township={NORTH}")).text
        assert "Nobody is on this list" in (await browser.get(f"{path}&why=0")).text

    async def test_are_exported_by_those_who_keep_the_register_only(self, visitor, released):
        path = f"/releases/{released[1].id}/unreached.csv"
        assert (await (await visitor("author")).get(path)).status == 403
        assert (await (await visitor("registrar")).get(path)).status == 200

    async def test_are_exported_in_cells_that_no_spreadsheet_computes(self, visitor, released, console):
        await value(console, "UPDATE contacts SET name = '=HYPERLINK(\"http://example.org\")'")
        answer = await (await visitor("registrar")).get(f"/releases/{released[1].id}/unreached.csv?who=all")
        assert all(row[3].startswith("'=") for row in rows_of(answer))
        assert "86199" not in re.sub(r"86199\*+", "", answer.text)

    async def test_of_another_region_are_not_shown(self, visitor, released, desk):
        for login, region in (("north", NORTH), ("south", SOUTH)):
            await desk.set_person(Person(login, f"虚构 {login}", ("registrar",), active=True, region=region))
        path = f"/releases/{released[1].id}/unreached"
        assert "虚构1" in (await (await visitor("north")).get(path)).text
        browser = await visitor("south")
        for query in ("", f"?township={NORTH}", "?township=99"):
            assert "虚构1" not in (await browser.get(path + query)).text


class TestTheRoute:
    async def turn(self, browser, sent, **form):
        page = await browser.get(f"/releases/{sent.id}")
        form = {"once": page.once(), "channel": "sms", "turn": "off", "reason": "虚构：错发"} | form
        return await browser.post(f"/releases/{sent.id}/route", form)

    async def test_is_turned_off_and_on_with_a_reason(self, visitor, released, console):
        browser = await visitor("sender")
        answer = await self.turn(browser, released[1])
        assert (answer.status, answer.location) == (303, f"/desk/releases/{released[1].id}")
        async with console.database.begin() as connection:
            (off,) = (await switches.off_routes(connection)).values()
            assert (off.name, off.by, off.reason) == ("sms.live", "sender", "虚构：错发")
            (record,) = await audit.show(connection, "route sms.live")
            assert (record.actor, record.action) == ("sender", "turn_off")
        assert "虚构：错发" in (await browser.get(f"/releases/{released[1].id}/live")).text
        assert (await self.turn(browser, released[1], turn="on", reason="虚构：恢复")).status == 422
        page = (await browser.get(f"/releases/{released[1].id}")).text
        seen = html.unescape(re.search(r'name="seen" value="([^"]+)"', page)[1])
        await self.turn(browser, released[1], turn="on", reason="虚构：恢复", seen=seen)
        async with console.database.begin() as connection:
            assert await switches.off_routes(connection) == {}

    @pytest.mark.parametrize("form", [{"reason": " "}, {"channel": "telex"}])
    async def test_is_not_turned_without_a_reason_or_where_there_is_none(
        self, visitor, released, console, form
    ):
        assert (await self.turn(await visitor("sender"), released[1], **form)).status == 422
        async with console.database.begin() as connection:
            assert await switches.switches(connection, "route") == {}

    async def test_is_not_turned_by_those_who_may_not(self, visitor, released, console):
        assert (await self.turn(await visitor("author"), released[1])).status == 403
        async with console.database.begin() as connection:
            assert await switches.switches(connection, "route") == {}


class TestTheCancel:
    async def test_shows_what_it_says_and_who_has_to_approve_it(self, visitor, released):
        text = (await (await visitor("author")).get(f"/releases/{released[1].id}?ask=cancel")).text
        dialog = text_of(re.search(r'<dialog id="ask-cancel".*?</dialog>', text, re.DOTALL)[0])
        assert "解除" in dialog
        assert "虚构 first" in dialog
        assert "虚构 author" not in dialog

    async def test_is_submitted_by_two_clicks_and_waits(self, visitor, released, desk):
        alert, sent = released
        browser = await visitor("author")
        answer = await browser.press(f"/releases/{sent.id}", f"/releases/{sent.id}/cancel")
        cancel = (await desk.show(alert.id)).cancel
        assert cancel.state == "submitted"
        assert (answer.status, answer.location) == (303, f"/desk/alerts/{cancel.id}")
        assert "The Cancel waits for approval" in (await browser.get(f"/releases/{sent.id}")).text

    async def test_of_a_double_click_is_one(self, visitor, released, console):
        _, sent = released
        browser = await visitor("author")
        path = f"/releases/{sent.id}/cancel"
        form = form_of(await browser.get(f"/releases/{sent.id}"), path)
        answers = await asyncio.gather(
            *(browser.post(path, form) for _ in range(2)),
            *(browser.post(path, {"version": form["version"]}) for _ in range(2)),
        )
        assert len({answer.location for answer in answers}) == 1
        assert {answer.status for answer in answers} == {303}
        assert await value(console, "SELECT count(*) FROM alerts WHERE msg_type = 'Cancel'") == 1
        assert await value(console, "SELECT count(*) FROM audit WHERE action = 'submit'") == 2

    async def test_stops_the_release_once_it_is_approved(self, visitor, released, desk):
        alert, sent = released
        browser = await visitor("author")
        await browser.press(f"/releases/{sent.id}", f"/releases/{sent.id}/cancel")
        cancel = (await desk.show(alert.id)).cancel
        await desk.approve(cancel.id, cancel.digest, "first")
        page = text_of((await browser.get(f"/releases/{sent.id}")).text)
        assert "Sending stopped" in page
        assert "Release of the Cancel" in page

    async def test_is_refused_to_those_who_may_not(self, visitor, released, desk):
        answer = await (await visitor("auditor")).post(f"/releases/{released[1].id}/cancel")
        assert answer.status == 403
        assert (await desk.show(released[0].id)).cancel.state == "draft"

    async def test_and_the_update_lead_to_a_draft_that_says_the_same(self, visitor, released, desk):
        alert, sent = released
        browser = await visitor("author")
        once = (await browser.get(f"/releases/{sent.id}")).once()
        first, second = [await browser.post(f"/releases/{sent.id}/update", {"once": once}) for _ in range(2)]
        assert first.location == second.location
        draft = (await desk.show(int(re.search(r"/alerts/(\d+)/edit", first.location)[1]))).alert
        assert (draft.msg_type, draft.supersedes, draft.state) == ("Update", alert.id, "draft")
        assert "Go on with the Update in work" in (await browser.get(f"/releases/{sent.id}")).text


class TestTheEvidence:
    async def test_has_the_very_bytes_of_the_cap_message(self, visitor, released):
        alert, sent = released
        browser = await visitor("auditor")
        async with browser.session.get(f"{browser.origin}/desk/releases/{sent.id}/cap.xml") as response:
            assert await response.read() == alert.xml
            assert response.headers["Content-Disposition"].startswith("attachment")
        shown = re.search(
            r"<pre[^>]*>(.*)</pre>", (await browser.get(f"/releases/{sent.id}/cap")).text, re.DOTALL
        )
        assert html.unescape(shown[1]) == alert.xml.decode()

    async def test_shows_tries_and_receipts_with_masked_addresses(self, visitor, released, console):
        delivery = await value(console, "SELECT min(id) FROM deliveries WHERE channel = 'sms'")
        await value(
            console,
            "INSERT INTO attempts VALUES ($1, 'sms', 1, 1, 1, 1, 'accepted', 'ref-7', '', now(), now())",
            delivery,
        )
        await value(
            console,
            "INSERT INTO receipts VALUES ($1, 'sms', 'ref-7', 8, 'provider', 'DELIVRD', now(), now(),"
            " 'id:ref-7 to:+8619900000001 stat:DELIVRD')",
            delivery,
        )
        browser = await visitor("auditor")
        found = await browser.get(f"/releases/{released[1].id}/receipts?q=虚构1")
        assert f"/desk/deliveries/{delivery}" in found.text
        page = (await browser.get(f"/deliveries/{delivery}")).text
        assert "ref-7" in page
        assert "DELIVRD" in page
        assert "19900000001" not in page + found.text

    async def test_finds_a_delivery_by_its_number_and_nobody_by_a_wild_card(self, visitor, released, console):
        delivery = await value(console, "SELECT min(id) FROM deliveries")
        browser = await visitor("auditor")
        path = f"/releases/{released[1].id}/receipts?q="
        assert f"/desk/deliveries/{delivery}" in (await browser.get(f"{path}{delivery}")).text
        for words in ("%25", "_", "'", "9" * 60, "%00"):
            assert "/desk/deliveries/" not in (await browser.get(path + words)).text

    async def test_of_another_region_is_not_there(self, visitor, released, desk, console):
        await desk.set_person(Person("south", "虚构 south", ("registrar",), active=True, region=SOUTH))
        delivery = await value(console, "SELECT min(id) FROM deliveries")
        assert (await (await visitor("south")).get(f"/deliveries/{delivery}")).status == 404

    async def test_tells_the_steps_from_the_audit_log(self, visitor, released, console):
        alert, sent = released
        browser = await visitor("auditor")
        page = text_of((await browser.get(f"/releases/{sent.id}/timeline")).text)
        assert page.index("Drafted the alert") < page.index("Approved it") < page.index("Released it")
        assert "虚构 first" in page
        exported = rows_of(await browser.get(f"/releases/{sent.id}/timeline.csv"))
        async with console.database.begin() as connection:
            records = await audit.show(connection, f"alert {alert.id}")
        assert {row.hash for row in records} <= {row[6] for row in exported}

    @pytest.mark.parametrize(("kind", "sign"), [("html", "<!doctype html"), ("csv", "\ufeff")])
    async def test_has_the_coverage_report_as_a_file(self, visitor, released, kind, sign):
        answer = await (await visitor("author")).get(f"/releases/{released[1].id}/report.{kind}")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.text.lower().startswith(sign)
