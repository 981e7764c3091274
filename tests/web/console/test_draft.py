"""The draft page: from the form to the alert, autosave, two people on one draft, and hostile text."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.desk import drills
from gateway.desk.preview import SAMPLE_LINK
from gateway.desk.steps import alert_of
from gateway.dispatch.contents import CONFIRM, thaw
from gateway.store import audit
from gateway.store.console_tables import unsaved_drafts
from gateway.store.tables import alerts
from tests.desk.conftest import COUNTY, NORTH, SOUTH, START, sent

ZH = {
    "language": "zh-CN",
    "headline:zh-CN": "北山镇暴雨橙色预警",
    "description:zh-CN": "预计未来3小时降雨量将达50毫米以上",
    "instruction:zh-CN": "请立即远离山沟和低洼地带",
    "sender_name:zh-CN": "示范县气象台",
    "contact:zh-CN": "值班室",
}
EN = {
    "headline:en": "Rainstorm orange warning",
    "description:en": "Rainfall of 50 mm is expected within 3 hours",
    "instruction:en": "Keep away from gullies and low ground",
    "sender_name:en": "County weather office",
}
KEY = "an-invented-number-of-a-form"


def place(*regions: str, **shapes: object) -> str:
    return json.dumps({"regions": regions, "polygons": [], "circles": []} | shapes)


def form(**changes: object) -> dict:
    base = {
        "key": KEY,
        "mode": "live",
        "hazard": "rainstorm",
        "level": "orange",
        "area": place(NORTH),
        "expires": "2026-07-01T16:00",
        "certainty": "Likely",
        "urgency": "Expected",
        "response": "Evacuate",
        "channel": ["sms", "email"],
        "do": "save",
    }
    return base | ZH | changes


def pairs(given: dict) -> list[tuple[str, str]]:
    return [
        (name, one)
        for name, value in given.items()
        for one in (value if isinstance(value, list) else [value])
    ]


async def count(console, table) -> int:
    async with console.database.begin() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def latest(console):
    return (await console.desk.alerts())[0]


async def drafted(browser, console, **changes):
    answer = await browser.post("/alerts/new", pairs(form(**changes)))
    assert answer.status == 303, answer.text
    return await latest(console)


class TestWriting:
    async def test_the_form_becomes_the_alert_in_the_terms_of_cap(self, visitor, console):
        both = form(language=["zh-CN", "en"], onset="2026-07-01T11:00", web="https://example.org/a", **EN)
        answer = await (await visitor("author")).post("/alerts/new", pairs(both))
        row = await latest(console)
        assert answer.location == f"/desk/alerts/{row.id}/edit"
        alert = alert_of(row)
        chinese, english = alert.infos
        assert (row.hazard, row.level, row.mode, row.state, row.author) == (
            "rainstorm", "orange", "live", "draft", "author",
        )  # fmt: skip
        assert (chinese.event, english.event) == ("暴雨", "rainstorm")
        assert (chinese.language, english.language) == ("zh-CN", "en")
        assert chinese.severity == english.severity == "Severe"
        assert chinese.response_types == ("Evacuate",)
        assert chinese.headline == ZH["headline:zh-CN"]
        assert english.instruction == EN["instruction:en"]
        assert (chinese.sender_name, english.sender_name) == ("示范县气象台", "County weather office")
        assert chinese.web == english.web == "https://example.org/a"
        assert chinese.onset == START + timedelta(hours=1)
        assert chinese.expires == START + timedelta(hours=6)
        assert [(one.area_desc, one.geocodes[0].value) for one in chinese.areas] == [("北山镇", NORTH)]
        assert (row.plan or {})["channels"] == ["email", "sms"]

    async def test_places_and_shapes_become_areas(self, visitor, console):
        drawn = place(
            NORTH,
            SOUTH,
            polygons=[[[30.0, 110.0], [30.0, 110.1], [30.1, 110.1]]],
            circles=[[30.2, 110.2, 3.5]],
        )
        row = await drafted(await visitor("author"), console, area=drawn, area_name="河谷沿线")
        areas = alert_of(row).infos[0].areas
        assert [one.area_desc for one in areas] == ["北山镇", "南湖镇", "河谷沿线"]
        assert areas[2].polygons[0][0] == areas[2].polygons[0][-1] == (30.0, 110.0)
        assert areas[2].circles[0].radius_km == 3.5

    async def test_a_place_within_another_one_is_not_said_twice(self, visitor, console):
        row = await drafted(await visitor("author"), console, area=place(NORTH, COUNTY))
        assert [one.area_desc for one in alert_of(row).infos[0].areas] == ["示范县"]

    async def test_it_is_submitted_in_one_go(self, visitor, console):
        answer = await (await visitor("author")).post("/alerts/new", pairs(form(do="submit")))
        row = await latest(console)
        assert (row.state, answer.location) == ("submitted", f"/desk/alerts/{row.id}")

    async def test_what_cannot_be_submitted_is_saved_and_says_why(self, visitor, console):
        browser = await visitor("author")
        spoken = form(do="submit", **{"description:zh-CN": "这是一次演练"})
        answer = await browser.post("/alerts/new", pairs(spoken))
        row = await latest(console)
        assert (row.state, answer.location) == ("draft", f"/desk/alerts/{row.id}/edit?refused=1")
        page = await browser.get(answer.location)
        assert "Saved, but not submitted" in page.text
        assert "演练" in page.text

    async def test_a_double_click_makes_one_draft(self, visitor, console):
        browser = await visitor("author")
        given = form(once=(await browser.get("/alerts/new")).once())
        answers = await asyncio.gather(*(browser.post("/alerts/new", pairs(given)) for _ in range(4)))
        assert {one.location for one in answers} == {f"/desk/alerts/{(await latest(console)).id}/edit"}
        assert await count(console, alerts) == 1

    async def test_another_role_may_not_write(self, visitor):
        assert (await (await visitor("first")).post("/alerts/new", pairs(form()))).status == 403


class TestRefusing:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"hazard": "unheard_of"}, "fault-hazard"),
            ({"hazard": "hail", "level": "blue"}, "Choose a level that this hazard has"),
            ({"area": ""}, "fault-area"),
            ({"area": place("110101001000")}, "fault-area"),
            ({"area": '{"polygons": [[[1, 2]]]}'}, "fault-area"),
            ({"area": '{"circles": [[30, 110, 1e999]]}'}, "fault-area"),
            ({"area": "[" * 5000}, "fault-area"),
            ({"area": place(circles=[[30, 110, 2]])}, "fault-area_name"),
            ({"expires": "tomorrow"}, "fault-expires"),
            ({"channel": []}, "fault-channels"),
            ({"channel": ["carrier_pigeon"]}, "fault-channels"),
            ({"instruction:zh-CN": ""}, "fault-instruction:zh-CN"),
            ({"certainty": "Sure"}, "fault-certainty"),
        ],
    )
    async def test_a_rejected_field_keeps_what_the_person_typed(self, visitor, console, changes, field):
        typed = form(**{"headline:zh-CN": "typed with care 二时四十分"} | changes)
        answer = await (await visitor("author")).post("/alerts/new", pairs(typed))
        assert answer.status == 422
        assert field in answer.text or "Choose a level" in field
        assert "typed with care 二时四十分" in answer.text
        assert await count(console, alerts) == 0

    async def test_an_end_that_is_over_is_refused_by_the_desk_and_nothing_is_lost(self, visitor, console):
        answer = await (await visitor("author")).post("/alerts/new", pairs(form(expires="2026-07-01T09:00")))
        assert answer.status == 422
        assert ZH["description:zh-CN"] in answer.text
        assert await count(console, alerts) == 0

    async def test_nothing_is_for_everyone_by_default(self, visitor, console):
        page = await (await visitor("author")).get("/alerts/new")
        assert 'id="area" name="area" value=""' in page.text

    async def test_a_released_alert_is_not_edited(self, visitor, console):
        row = await sent(console.desk)
        browser = await visitor("author")
        assert (await browser.get(f"/alerts/{row.id}/edit")).status == 422
        assert (await browser.post(f"/alerts/{row.id}/edit", pairs(form()))).status == 422

    async def test_a_drill_is_drafted_while_one_runs_only(self, visitor, console):
        browser = await visitor("author")
        assert (await browser.get("/alerts/new?mode=drill")).status == 422
        assert (await browser.post("/alerts/new", pairs(form(mode="drill")))).status == 422
        assert await count(console, alerts) == 0
        await drills.start(console.desk, "虚构的汛期推演", "sender")
        page = await browser.get("/alerts/new?mode=drill")
        assert 'class="drill"' in page.text
        row = await drafted(browser, console, mode="drill")
        assert (row.mode, alert_of(row).status) == ("drill", "Exercise")
        part = await browser.post("/drafts/preview", pairs(form(mode="drill", version=1, alert=row.id)))
        assert "【演练】" in part.text


class TestEditing:
    async def test_only_what_was_changed_changes(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        before = alert_of(row)
        new = form(version=row.version, level="red", **{"instruction:zh-CN": "请立即转移"})
        answer = await browser.post(f"/alerts/{row.id}/edit", pairs(new))
        assert answer.status == 303
        row = await latest(console)
        info = alert_of(row).infos[0]
        assert (row.level, row.version, info.severity, info.instruction) == (
            "red",
            2,
            "Extreme",
            "请立即转移",
        )
        assert info.areas == before.infos[0].areas
        assert info.expires == before.infos[0].expires

    async def test_another_hazard_changes_name_category_and_code(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        await browser.post(f"/alerts/{row.id}/edit", pairs(form(version=1, hazard="flash_flood")))
        info = alert_of(await latest(console)).infos[0]
        assert info.event == "山洪"
        assert [one.value for one in info.event_codes] == ["11A51"]

    async def test_saving_nothing_new_voids_no_approval(self, visitor, console):
        browser = await visitor("author")
        await browser.post("/alerts/new", pairs(form(do="submit")))
        row = await latest(console)
        await browser.post(f"/alerts/{row.id}/edit", pairs(form(version=1)))
        assert (await latest(console)).digest == row.digest
        await browser.post(f"/alerts/{row.id}/edit", pairs(form(version=1, **{"contact:zh-CN": "x"})))
        assert ((await latest(console)).state, (await latest(console)).digest) == ("draft", None)

    async def test_a_language_is_added_and_taken_out(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console)
        both = {"language": ["zh-CN", "en"]} | EN
        await browser.post(f"/alerts/{row.id}/edit", pairs(form(version=1, **both)))
        alert = alert_of(await latest(console))
        assert [one.language for one in alert.infos] == ["zh-CN", "en"]
        assert alert.infos[1].areas == alert.infos[0].areas
        await browser.post(f"/alerts/{row.id}/edit", pairs(form(version=2, without="en", **both)))
        assert [one.language for one in alert_of(await latest(console)).infos] == ["zh-CN"]

    async def test_parts_that_the_page_does_not_show_stay(self, visitor, console):
        row = await console.desk.draft_from_cap(_foreign(), "author")
        before = alert_of(row)
        browser = await visitor("author")
        page = await browser.get(f"/alerts/{row.id}/edit")
        assert "has parts that cannot be shown here" in page.text
        shown = form(
            version=row.version, hazard=row.hazard, level=row.level, area="", area_name="", response="",
            expires="2026-07-01T16:00", urgency="Immediate", certainty="Observed",
            channel=list(row.plan["channels"]), **{"language": "en", "description:en": "Mended words"},
            **{"headline:en": "H", "instruction:en": "Do", "sender_name:en": "Elsewhere"},
            **{"event:en": "Odd event"},
        )  # fmt: skip
        answer = await browser.post(f"/alerts/{row.id}/edit", pairs(shown))
        assert answer.status == 303, answer.text
        after = alert_of(await latest(console))
        assert after.infos[0].description == "Mended words"
        assert after.infos[0].areas == before.infos[0].areas
        assert after.infos[0].parameters[:1] == before.infos[0].parameters[:1]
        assert after.source == before.source

    async def test_a_copy_says_the_same_and_is_a_new_warning(self, visitor, console):
        row = await sent(console.desk)
        page = await (await visitor("author")).get(f"/alerts/new?from={row.id}")
        assert "预计未来6小时降雨量将达50毫米以上" in page.text
        assert 'action="/desk/alerts/new"' in page.text


class TestTwoPeople:
    async def test_the_later_save_is_refused_with_what_changed_and_loses_nothing(self, visitor, console):
        one, other = await visitor("author"), await visitor("writer")
        row = await drafted(one, console)
        path = f"/alerts/{row.id}/edit"
        await one.post(path, pairs(form(version=1, **{"headline:zh-CN": "甲改的标题"})))
        answer = await other.post(path, pairs(form(version=1, **{"description:zh-CN": "乙写的正文"})))
        assert answer.status == 409
        assert "Somebody else saved this alert" in answer.text
        assert "甲改的标题" in answer.text
        assert "乙写的正文" in answer.text
        assert alert_of(await latest(console)).infos[0].headline == "甲改的标题"
        again = form(version=2, **{"headline:zh-CN": "甲改的标题", "description:zh-CN": "乙写的正文"})
        assert (await other.post(path, pairs(again))).status == 303
        info = alert_of(await latest(console)).infos[0]
        assert (info.headline, info.description) == ("甲改的标题", "乙写的正文")

    async def test_both_at_once_and_one_wins(self, visitor, console):
        one, other = await visitor("author"), await visitor("writer")
        row = await drafted(one, console)
        answers = await asyncio.gather(
            *(
                browser.post(f"/alerts/{row.id}/edit", pairs(form(version=1, **{"headline:zh-CN": text})))
                for browser, text in ((one, "甲"), (other, "乙"))
            )
        )
        assert sorted(answer.status for answer in answers) == [303, 409]


class TestKeeping:
    async def test_what_was_typed_comes_back_and_can_be_thrown_away(self, visitor, console):
        browser = await visitor("author")
        await browser.post("/drafts/keep", pairs(form(**{"headline:zh-CN": "写到一半"})))
        page = await browser.get("/alerts/new")
        assert "写到一半" in page.text
        assert f'name="key" value="{KEY}"' in page.text
        assert "写到一半" not in (await (await visitor("writer")).get("/alerts/new")).text
        await browser.post("/drafts/discard", {"key": KEY, "mode": "live", "alert": "0"})
        assert "写到一半" not in (await browser.get("/alerts/new")).text

    async def test_saving_forgets_it_and_a_late_keep_does_not_bring_it_back(self, visitor, console):
        browser = await visitor("author")
        await browser.post("/drafts/keep", pairs(form()))
        await browser.post("/alerts/new", pairs(form()))
        await browser.post("/drafts/keep", pairs(form()))
        assert ZH["description:zh-CN"] not in (await browser.get("/alerts/new")).text

    async def test_an_edit_is_kept_for_its_own_person(self, visitor, console):
        browser, other = await visitor("author"), await visitor("writer")
        row = await drafted(browser, console)
        typed = form(version=1, alert=row.id, **{"headline:zh-CN": "还没有保存"})
        await browser.post("/drafts/keep", pairs(typed))
        path = f"/alerts/{row.id}/edit"
        assert "还没有保存" in (await browser.get(path)).text
        assert "还没有保存" not in (await other.get(path)).text
        await browser.post(path, pairs(typed))
        assert await count(console, unsaved_drafts) == 1  # that the new form became an alert

    async def test_a_foreign_key_is_not_overwritten(self, visitor, console):
        browser, other = await visitor("author"), await visitor("writer")
        await browser.post("/drafts/keep", pairs(form(**{"headline:zh-CN": "甲"})))
        await other.post("/drafts/keep", pairs(form(**{"headline:zh-CN": "乙"})))
        assert "甲" in (await browser.get("/alerts/new")).text

    async def test_nothing_is_kept_of_an_empty_or_a_giant_form(self, visitor, console):
        browser = await visitor("author")
        await browser.post("/drafts/keep", {"key": KEY, "language": "zh-CN"})
        await browser.post("/drafts/keep", pairs(form(**{"description:zh-CN": "x" * 400_000})))
        assert await count(console, unsaved_drafts) == 0

    async def test_a_null_character_is_refused(self, visitor, console):
        browser = await visitor("author")
        answer = await browser.post("/drafts/keep", pairs(form(**{"headline:zh-CN": "a\0b"})))
        assert answer.status == 400
        assert await count(console, unsaved_drafts) == 0


class TestLooking:
    async def test_the_levels_are_those_that_the_hazard_has(self, visitor):
        browser = await visitor("author")
        part = (await browser.post("/drafts/kind", {"hazard": "hail"})).text
        assert 'value="red"' in part
        assert 'value="blue"' not in part

    async def test_a_template_fills_the_texts_of_each_language(self, visitor):
        browser = await visitor("author")
        given = form(language=["zh-CN", "en"])
        part = (await browser.post("/drafts/fill", pairs(given))).text
        assert "预计未来3小时北山镇降雨量将达50毫米以上" in part
        assert "Rainfall of 50 mm or more is expected in 北山镇 within 3 hours" in part

    async def test_the_audience_is_counted_by_township_role_and_channel(self, visitor):
        browser = await visitor("author")
        part = (await browser.post("/drafts/audience", pairs(form(area=place(COUNTY))))).text
        assert '<span class="figure">4</span>' in part
        for word in ("北山镇", "南湖镇", "Residents", "Responsible persons", "SMS", "E-mail"):
            assert word in part

    async def test_the_preview_is_what_submission_freezes_and_the_channel_prepares(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console, channel=["sms", "email", "radio", "wecom"])
        given = form(version=1, alert=row.id, channel=["sms", "email", "radio", "wecom"])
        part = (await browser.post("/drafts/preview", pairs(given))).text
        submitted = await console.desk.submit(row.id, "author")
        seen = 0
        for channel, texts in submitted.texts.items():
            adapter = console.office.routes[channel].adapter("live")
            for key, frozen in texts.items():
                content = thaw(frozen)
                shown = adapter.prepare(content).preview(SAMPLE_LINK if key.endswith(CONFIRM) else "")
                assert escaped(shown) in part
                assert channel != "email" or escaped(content.subject) in part
                seen += 1
        assert seen >= 5

    async def test_a_similar_warning_is_pointed_out(self, visitor, console):
        row = await sent(console.desk)
        browser = await visitor("author")
        part = (await browser.post("/drafts/audience", pairs(form()))).text
        assert f'href="/desk/alerts/{row.id}"' in part
        assert "Update that one instead" in part
        elsewhere = (await browser.post("/drafts/audience", pairs(form(area=place(SOUTH))))).text
        assert "Update that one instead" not in elsewhere

    async def test_looking_changes_nothing(self, visitor, console):
        browser = await visitor("author")
        for path in ("audience", "preview", "fill", "kind"):
            assert (await browser.post(f"/drafts/{path}", pairs(form()))).status == 200
        assert await count(console, alerts) == 0
        async with console.database.begin() as connection:
            assert (await audit.verify(connection)).broken_at is None

    async def test_a_cancel_shows_its_words_only(self, visitor, console):
        row = await sent(console.desk)
        cancel = (await console.desk.show(row.id)).cancel
        page = await (await visitor("author")).get(f"/alerts/{cancel.id}/edit")
        assert page.status == 200
        assert 'id="tree"' not in page.text


def escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))


def _foreign() -> bytes:
    return b"""<?xml version="1.0" encoding="UTF-8"?>
    <alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>elsewhere.1</identifier>
    <sender>office@elsewhere.example.org</sender><sent>2026-07-01T09:50:00+08:00</sent><status>Actual</status>
    <msgType>Alert</msgType><scope>Public</scope><info><language>en</language><category>Met</category>
    <event>Odd event</event><urgency>Immediate</urgency><severity>Severe</severity>
    <certainty>Observed</certainty><expires>2026-07-01T16:00:00+08:00</expires>
    <senderName>Elsewhere</senderName><headline>H</headline><description>D</description>
    <instruction>Do</instruction>
    <parameter><valueName>tongda:colour</valueName><value>orange</value></parameter>
    <area><areaDesc>Some zone</areaDesc>
    <geocode><valueName>UGC</valueName><value>XXZ001</value></geocode></area>
    </info></alert>"""
