"""The preview: what will be frozen and sent, to the byte, and everything that stands in the way."""

from __future__ import annotations

from datetime import timedelta

import pytest
import shapely

from channels.base import HOLE
from gateway.audience.area import AreaSpec, of_region
from gateway.audience.locate import Region
from gateway.desk import drafting, kinds
from gateway.desk.compose import Words
from gateway.desk.freeze import Draft
from gateway.desk.preview import SAMPLE_LINK, overlap, preview, reached
from gateway.desk.steps import alert_of
from gateway.dispatch.contents import CONFIRM, thaw
from tests.desk.conftest import NORTH, SOUTH, START, fields

EN = Words(
    language="en", event="rainstorm", headline="H", description="D", instruction="Do it", sender_name="S"
)


def draft_of(office, row, **changes: object) -> Draft:
    base = Draft(alert_of(row), row.level, row.mode, list(row.plan["channels"]), "preview", "")
    return base._replace(**changes)


def written(office, **changes: object) -> Draft:
    given = fields(**changes)
    alert = drafting.written(office, given, kinds.known(office, given.hazard, given.level), START)
    return Draft(alert, given.level, given.mode, office.channels(given.mode), "preview", "")


class TestTheTexts:
    @pytest.mark.parametrize("mode", ["live", "drill"])
    @pytest.mark.parametrize("also", [(), (EN,)])
    async def test_equal_what_submission_freezes(self, desk, office, mode, also):
        row = await desk.draft(fields(mode=mode, also=also), "author")
        seen = preview(office, draft_of(office, row), desk.clock.now())
        frozen = (await desk.submit(row.id, "author")).texts
        assert [one.channel for one in seen.channels] == sorted(frozen)
        for one in seen.channels:
            adapter = office.routes[one.channel].adapter(mode)
            texts = {text.language + CONFIRM * text.personal: text for text in one.texts}
            assert set(texts) == set(frozen[one.channel])
            for key, text in texts.items():
                content = thaw(frozen[one.channel][key])
                link = SAMPLE_LINK if HOLE in content.text else ""
                assert text.text == adapter.prepare(content).preview(link)
                assert text.subject in ("", content.subject)

    def test_of_sms_are_measured_in_the_alphabet_that_is_sent(self, office):
        english = written(office, language="en", event="rainstorm", areas=fields().areas, sender_name="S")
        for draft in (written(office), english):
            sms = next(one for one in preview(office, draft, START).channels if one.channel == "sms")
            for text in sms.texts:
                prepared = office.routes["sms"].adapter("live").prepare(_content(draft, text))
                assert text.parts == len(prepared.frames(START))
                assert text.unit in {"gsm", "ucs2"}

    def test_of_sms_tell_their_price_where_the_route_has_one(self, office):
        route = office.routes["sms"]
        priced = route._replace(live=route.live.model_copy(update={"price": 0.05}))
        dear = office._replace(routes=dict(office.routes) | {"sms": priced})
        seen = {one.channel: one for one in preview(dear, written(dear), START).channels}
        text = seen["sms"].texts[0]
        assert text.price == pytest.approx(0.05 * text.parts)
        assert seen["email"].texts[0].price is None

    def test_say_where_the_headline_stands_for_the_description(self, office):
        long = written(office, headline="短标题", description="很长" * 400)
        seen = {one.channel: one for one in preview(office, long, START).channels}
        assert seen["sms"].brief
        assert not seen["email"].brief
        assert "短标题" in seen["sms"].texts[0].text

    def test_one_channel_that_cannot_carry_it_leaves_the_others(self, office):
        long = written(office, headline="长" * 700, description="很长" * 400)
        seen = {one.channel: one for one in preview(office, long, START).channels}
        assert seen["sms"].refusal.code == "content"
        assert seen["email"].texts


class TestTheChecks:
    def test_the_eight_fields_are_told_for_each_language(self, office):
        seen = preview(office, written(office, also=(EN.model_copy(update={"instruction": None}),)), START)
        assert list(seen.fields) == ["zh-CN", "en"]
        assert all(one.there for one in seen.fields["zh-CN"])
        assert [one.name for one in seen.fields["en"] if not one.there] == ["instruction"]

    def test_everything_in_the_way_is_told_at_once(self, office):
        bad = written(office, expires=START + timedelta(days=60), description="这是一次演练")
        codes = {one.code for one in preview(office, bad, START).refusals}
        assert {"expires", "drill_words"} <= codes
        assert not preview(office, bad, START).ready

    def test_words_of_a_drill_are_told_once_for_each_place(self, office):
        seen = preview(office, written(office, headline="演练", description="这是一次演练"), START)
        told = [one.values["path"] for one in seen.refusals if one.code == "drill_words"]
        told += [
            one.path.removeprefix("alert/") for one in seen.findings if one.code == "test_words_in_actual"
        ]
        assert sorted(told) == ["info[1]/description", "info[1]/headline"]

    @pytest.mark.parametrize("word", ["这不是演习", "this is not a drill"])
    def test_nor_are_words_that_deny_a_drill(self, office, word):
        draft = written(office, description=word, mode="drill")
        seen = preview(office, draft, START)
        assert [one.code for one in seen.refusals] == ["live_words"]
        assert not any(one.code == "actual_words_in_test" for one in seen.findings)

    def test_nothing_in_the_way_is_ready(self, office):
        assert preview(office, written(office, contact="虚构"), START).ready


class TestOverlap:
    REGIONS = (
        Region(NORTH, "北山镇", "township", geometry=shapely.box(110, 30, 111, 31)),
        Region(SOUTH, "南湖镇", "township", geometry=shapely.box(111, 30, 112, 31)),
    )

    def test_is_a_region_in_common_or_shapes_that_meet(self):
        north, south = (reached(of_region(code), self.REGIONS) for code in (NORTH, SOUTH))
        ring = ((30.1, 110.1), (30.1, 110.2), (30.2, 110.2), (30.1, 110.1))
        drawn = reached(AreaSpec(polygons=(ring,)), self.REGIONS)
        assert overlap(north, north)
        assert not overlap(north, south)
        assert overlap(drawn, north)
        assert not overlap(drawn, south)

    def test_of_what_lies_nowhere_is_not_told(self):
        assert reached(of_region("110101001000"), self.REGIONS) is None


def _content(draft: Draft, text):
    from channels.base import Content

    return Content(
        "r", text.language, "", text.text, draft.level, "e", "s", START, START + timedelta(hours=6)
    )


class TestAHeadlineOfAnotherColour:
    @pytest.mark.parametrize(
        ("headline", "told"),
        [
            ("虚构县气象台发布暴雨黄色预警", True),
            ("Yellow rainstorm warning", True),
            ("虚构县气象台将暴雨黄色预警升级为橙色预警", False),
            ("虚构县气象台发布暴雨橙色[II级/严重]预警", False),
            ("虚构县红色文化园暴雨预警", False),
        ],
    )
    async def test_is_told_to_author_and_approver(self, desk, office, headline, told):
        row = await desk.draft(fields(level="orange", headline=headline), "author")
        seen = preview(office, draft_of(office, row), desk.clock.now())
        assert ("title_disagrees" in [one.code for one in seen.findings]) is told
        frozen = await desk.submit(row.id, "author")
        assert ("lint_title_disagrees" in [one["code"] for one in frozen.plan["findings"]]) is told
