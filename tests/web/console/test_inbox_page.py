"""The pages of the inbox: what is shown of messages, and what people decide about them."""

from __future__ import annotations

import asyncio
import html
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from gateway.feeds.by_hand import ByHand
from gateway.feeds.contract import Item
from gateway.feeds.intake import Intake
from gateway.settings import load_settings
from gateway.web.console.came_words import SENTENCES, say_sentence
from gateway.web.console.words import templates
from tests.desk.conftest import NORTH, fields, sent
from tests.feeds.conftest import item, message

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{7*7}}",
    "</textarea><svg/onload=alert(1)>",
    "' onmouseover='alert(1)",
    "\u202egnp.exe",
)
"""Texts that a hostile source would send (ASVS V1, S4 of the plan)."""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    feed = {"kind": "cap", "url": "https://feed.example.org/cap?token=invented"}
    return load_settings(
        state_dir=tmp_path / "state",
        secrets={"confirm_key": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"},  # invented
        sources={
            "weather": feed,
            "careful": feed | {"rule": {"action": "draft", "highest_level": "blue"}},
            "republished": feed | {"kind": "nmc", "accept_unofficial": True},
        },
    )


@pytest.fixture
def intake(settings, database, desk, clock) -> Intake:
    return Intake(database, clock, desk, settings)


@pytest.fixture
async def take(intake):
    async def taken(alert, source: str = "weather", **more):
        return (await intake.take(source, "cap", item(alert, **more))).incoming_id

    return taken


async def state(database, number: int) -> tuple[str, str, int | None]:
    async with database.begin() as connection:
        query = text("SELECT state, reason, alert_id FROM incoming WHERE id = :id")
        return tuple((await connection.execute(query, {"id": number})).one())


async def audited(database, action: str) -> list[str]:
    async with database.begin() as connection:
        query = text("SELECT actor || ' ' || detail FROM audit WHERE action = :action ORDER BY seq")
        return list((await connection.execute(query, {"action": action})).scalars())


class TestTheList:
    async def test_shows_what_is_to_decide_with_why_and_who_sent_it(self, visitor, take):
        await take(message())
        await take(message("held"), "careful")
        page = (await (await visitor("author")).get("/inbox")).text
        assert "its source&#39;s rule leaves it to the desk" in page
        assert "it is Orange, graver than this source may warn (Blue)" in page
        assert page.count("Not signed") == 2
        assert page.count(">Official<") == 2

    async def test_speaks_chinese_of_what_was_kept_in_english(self, visitor, take):
        await take(message("held"), "careful")
        page = (await (await visitor("author", "zh-CN")).get("/inbox")).text
        assert "级别为 橙色，高于该来源的最高权限（蓝色）" in page

    async def test_is_filtered_by_state_and_source(self, visitor, take):
        await take(message(headline="一号"))
        await take(message("held", headline="二号"), "careful")
        browser = await visitor("author")
        for query, there, away in (
            ("view=held", "二号", "一号"),
            ("source=weather", "一号", "二号"),
            ("view=stored", "No message here", "一号"),
        ):
            page = (await browser.get(f"/inbox?{query}")).text
            assert there in page
            assert away not in page

    async def test_goes_on_with_older_messages(self, visitor, take, monkeypatch):
        monkeypatch.setattr("gateway.web.console.inbox.PAGE", 2)
        numbers = [await take(message(str(n), headline=f"第{n}条", minutes=-n)) for n in range(3)]
        browser = await visitor("author")
        assert f"before={numbers[1]}" in (await browser.get("/inbox")).text
        page = (await browser.get(f"/inbox?before={numbers[1]}")).text
        assert "第0条" in page
        assert "第1条" not in page

    async def test_gives_its_rows_alone_to_a_page_that_renews_itself(self, visitor, take):
        await take(message())
        part = (await (await visitor("author")).get("/inbox", **{"HX-Request": "true"})).text
        assert "<html" not in part
        assert "北山镇暴雨橙色预警" in part

    @pytest.mark.parametrize("query", ["before=x", "before=" + "9" * 30, "view=invented", "source=%00%27"])
    async def test_takes_no_harm_from_a_strange_address(self, visitor, query):
        assert (await (await visitor("author")).get(f"/inbox?{query}")).status in {200, 400}


class TestAMessage:
    @pytest.mark.parametrize("payload", PAYLOADS)
    async def test_of_a_hostile_source_is_shown_as_text(self, visitor, take, payload):
        number = await take(
            message(
                "evil",
                headline=payload,
                description=payload,
                instruction=payload,
                sender_name=payload,
                event=payload,
                note=payload,
                areas=({"area_desc": payload},),
            )
        )
        browser = await visitor("author")
        shown = html.escape(payload, quote=False)[:12]
        for path in ("/inbox?view=all", f"/inbox/{number}"):
            answer = await browser.get(path)
            assert answer.status == 200
            assert shown in html.unescape(answer.text).replace("<", "&lt;").replace(">", "&gt;")
            for dangerous in (
                "<script>alert",
                "<img src=x",
                "<svg",
                ">49<",
                "' onmouseover='",
                'href="javascript',
            ):
                assert dangerous not in answer.text

    async def test_is_given_as_it_came_and_never_opened_by_the_browser(self, visitor, take):
        number = await take(message("evil", headline=PAYLOADS[0]))
        browser = await visitor("author")
        answer = await browser.get(f"/inbox/{number}/original")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert PAYLOADS[0] in answer.text

    async def test_tells_what_a_draft_of_it_would_be_and_makes_none(self, visitor, take, database):
        number = await take(message())
        page = (await (await visitor("author")).get(f"/inbox/{number}")).text
        assert "Drafting makes a warning of its own" in page
        async with database.begin() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM alerts"))).scalar_one() == 0
        assert await audited(database, "draft") == []

    async def test_tells_why_it_cannot_be_drafted_as_it_stands(self, visitor, take):
        number = await take(message(severity="Unknown"))
        page = (await (await visitor("author")).get(f"/inbox/{number}")).text
        assert "The message has no clear warning colour: choose the level" in page

    async def test_is_tied_to_what_it_updates(self, visitor, take):
        first = message(headline="首发")
        one = await take(first)
        two = await take(message("two", msg_type="Update", about=(first,), minutes=1), "weather")
        page = (await (await visitor("author")).get(f"/inbox/{two}")).text
        assert f'href="/desk/inbox/{one}"' in page
        assert "takes the place of" in page

    async def test_that_there_is_not_is_no_page(self, visitor):
        assert (await (await visitor("author")).get("/inbox/999")).status == 404

    async def test_of_an_unofficial_source_says_so(self, visitor, take):
        number = await take(message(), "republished")
        assert "Not official" in (await (await visitor("author")).get(f"/inbox/{number}")).text

    async def test_whose_bytes_are_cap_is_shown_with_its_structure(self, visitor, intake):
        bytes_ = (
            b'<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><note>a</note></alert>'
        )
        taken = await intake.take("weather", "cap", Item(alert=message(), original=bytes_, is_cap=True))
        page = (await (await visitor("author")).get(f"/inbox/{taken.incoming_id}")).text
        assert "  &lt;note&gt;a&lt;/note&gt;" in page

    async def test_leaves_who_only_sees_no_button(self, visitor, take):
        number = await take(message())
        page = (await (await visitor("auditor")).get(f"/inbox/{number}")).text
        assert "Make a draft of it" not in page
        assert (
            await (await visitor("auditor")).post(f"/inbox/{number}/dismiss", {"reason": "x"})
        ).status == 403


class TestDeciding:
    async def test_a_draft_is_made_with_what_the_person_decides_otherwise(self, visitor, take, database):
        number = await take(message(areas=(), severity="Unknown"))
        browser = await visitor("author")
        form = {
            "region": NORTH,
            "level": "red",
            "hazard": "",
            "once": (await browser.get(f"/inbox/{number}")).once(),
        }
        answer = await browser.post(f"/inbox/{number}/draft", form)
        now, reason, alert = await state(database, number)
        assert (now, reason) == ("drafted", "drafted by author")
        assert answer.location == f"/desk/alerts/{alert}/edit"
        async with database.begin() as connection:
            row = (await connection.execute(text("SELECT level, content FROM alerts"))).one()
        assert (row.level, row.content["infos"][0]["areas"][0]["area_desc"]) == ("red", "北山镇")
        assert len(await audited(database, "incoming_drafted")) == 1

    async def test_a_second_click_leads_to_the_same_draft(self, visitor, take, database):
        number = await take(message())
        browser = await visitor("author")
        form = {"once": (await browser.get(f"/inbox/{number}")).once()}
        first, second = await asyncio.gather(
            *(browser.post(f"/inbox/{number}/draft", form) for _ in range(2))
        )
        assert first.location == second.location
        assert len(await audited(database, "draft")) == 1

    async def test_of_two_people_one_wins_and_the_other_is_told_who(self, visitor, take, database):
        number = await take(message())
        one, other = await visitor("author"), await visitor("writer")
        answers = await asyncio.gather(
            one.post(f"/inbox/{number}/draft"), other.post(f"/inbox/{number}/dismiss", {"reason": "重复"})
        )
        assert sorted(one.status for one in answers) == [303, 422]
        refused = next(one.text for one in answers if one.status == 422)
        winner = "author" if answers[0].status == 303 else "writer"
        assert "was dealt with already" in refused
        assert winner in refused
        done = await audited(database, "incoming_drafted") + await audited(database, "incoming_dismissed")
        assert len(done) == 1

    async def test_laying_aside_takes_a_reason(self, visitor, take, database):
        number = await take(message())
        browser = await visitor("author")
        assert (await browser.post(f"/inbox/{number}/dismiss", {"reason": " "})).status == 422
        assert (await browser.post(f"/inbox/{number}/dismiss", {"reason": "重复"})).location == "/desk/inbox"
        assert (await state(database, number))[0] == "dismissed"
        assert await audited(database, "incoming_dismissed") == [
            'author {"reason":"author: 重复","source":"weather"}'
        ]

    async def test_an_alarm_is_seen_once(self, visitor, take, database):
        await take(message())
        await take(message(headline="另一个标题"))
        browser = await visitor("author")
        page = (await browser.get("/inbox")).text
        number = page.split("/desk/inbox/alarms/")[1].split("/")[0]
        assert (await browser.post(f"/inbox/alarms/{number}/seen")).status == 303
        assert "Open alarms" not in (await browser.get("/inbox")).text
        assert (await browser.post(f"/inbox/alarms/{number}/seen")).status == 422
        assert len(await audited(database, "see_alarm")) == 1


class TestMerging:
    async def test_makes_an_update_of_a_warning_that_the_message_does_not_name(
        self, visitor, take, desk, database
    ):
        ours = await sent(desk)
        number = await take(message(description="雨势加大"))
        answer = await (await visitor("author")).post(f"/inbox/{number}/merge", {"alert": str(ours.id)})
        now, reason, alert = await state(database, number)
        assert answer.location == f"/desk/alerts/{alert}/edit"
        assert (now, reason) == ("drafted", f"merged into alert {ours.id} by author")
        row = (await desk.show(alert)).alert
        assert (row.msg_type, row.supersedes, row.warning_id) == ("Update", ours.id, ours.warning_id)
        assert (row.level, row.content["infos"][0]["description"]) == ("orange", "雨势加大")
        assert row.original_key.split(",")[1] == "one"

    async def test_keeps_hazard_and_level_where_the_message_names_none(self, take, desk, console):
        ours = await sent(desk)
        number = await take(message(event="未知天气", severity="Unknown"))
        row = await console.inbox.merge(number, ours.id, "author")
        assert (row.hazard, row.level) == ("rainstorm", "yellow")

    @pytest.mark.parametrize("given", ["", "x", "999", "9" * 40])
    async def test_takes_a_warning_that_there_is(self, visitor, take, database, given):
        number = await take(message())
        answer = await (await visitor("author")).post(f"/inbox/{number}/merge", {"alert": given})
        assert answer.status in {404, 422}
        assert (await state(database, number))[0] == "inbox"

    async def test_is_refused_for_what_is_not_in_force_or_a_drill(self, visitor, take, desk):
        number = await take(message())
        draft = await desk.draft(fields(), "author")
        answer = await (await visitor("author")).post(f"/inbox/{number}/merge", {"alert": str(draft.id)})
        assert answer.status == 422

    async def test_is_not_begun_twice(self, visitor, take, desk):
        ours = await sent(desk)
        one, two = await take(message()), await take(message("two", minutes=1))
        browser = await visitor("author")
        assert (await browser.post(f"/inbox/{one}/merge", {"alert": str(ours.id)})).status == 303
        assert (await browser.post(f"/inbox/{two}/merge", {"alert": str(ours.id)})).status == 422


class TestEarthquakes:
    async def test_are_listed_with_their_solutions_in_all_versions(self, visitor, database):
        async with database.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO seismic_events (status, created_at, changed_at) VALUES ('Actual', :at, :at)"
                ),
                {"at": datetime(2026, 7, 1, 2, tzinfo=UTC)},
            )
            for version, current in (("1", False), ("2", True)):
                await connection.execute(
                    text(
                        "INSERT INTO solutions (source, name, status, agency, ids, named, time, lat, lon,"
                        " depth_km, magnitude, magnitude_type, place, review, event_type, withdrawn, version,"
                        " original, digest, received_at, current) VALUES ('quakes', 'x1', 'Actual', 'emsc',"
                        " '{x1}', '{x1}', :at, 30, 103, 12, 5.4, 'mw', :place, 'automatic', 'earthquake',"
                        " false, :version, 'x', :version, :at, :current)"
                    ),
                    {
                        "at": datetime(2026, 7, 1, 2, tzinfo=UTC),
                        "place": PAYLOADS[0],
                        "version": version,
                        "current": current,
                    },
                )
            await connection.execute(
                text(
                    "INSERT INTO solution_links (source, name, status, event_id, since, why)"
                    " VALUES ('quakes', 'x1', 'Actual', 1, :at, 'came')"
                ),
                {"at": datetime(2026, 7, 1, 2, tzinfo=UTC)},
            )
            await connection.execute(text("UPDATE seismic_events SET preferred = 2"))
        browser = await visitor("auditor")
        page = (await browser.get("/inbox/seismic")).text
        assert "5.4" in page
        assert "&lt;script&gt;" in page
        one = (await browser.get("/inbox/seismic/1")).text
        assert one.count("emsc") == 2
        assert "older version" in one
        assert (await browser.get("/inbox/seismic/7")).status == 404


class TestSentences:
    def test_are_recognised_with_their_values(self):
        say = templates("zh-CN").say
        said = say_sentence(
            "message 12 of weather (a@b,c): it is older than its source's rule takes", say, UTC
        )
        assert said == "weather 的消息 12（a@b,c）：超过来源规则允许的时效"

    @pytest.mark.parametrize(
        "strange", ["", "a: ", "nothing that is known", "% (x)s %s", "drafted by " + "x" * 5000]
    )
    def test_that_nobody_knows_are_left_as_they_are(self, strange):
        assert say_sentence(strange, templates("zh-CN").say, UTC) == strange

    @pytest.mark.parametrize("sentence", SENTENCES)
    def test_have_their_words_in_chinese(self, sentence):
        assert templates("zh-CN").say(sentence) != sentence


def test_the_inbox_of_the_console_is_the_one_of_the_rooms(console):
    assert isinstance(console.inbox, ByHand)
