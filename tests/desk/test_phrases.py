"""Texts to begin with: for every usual hazard and level, in both languages, and no expressions."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from gateway.desk.office import load_hazards
from gateway.desk.phrases import LANGUAGES, Case, Phrases
from gateway.desk.render import TemplateError
from gateway.settings import DeskSettings
from gateway.share import share
from tests.desk.conftest import START

SHIPPED = share("templates/messages/phrases.toml")
HAZARDS = load_hazards(share("config/hazards.toml"))
USUAL = HAZARDS.all()[:14]
GOOD = SHIPPED.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return Phrases(SHIPPED)


def case(hazard, level: str, **changes: object) -> Case:
    base = Case(
        hazard, "", level, ("北山镇",), "示范县气象台", START, START + timedelta(hours=6), DeskSettings().zone
    )
    return base._replace(**changes)


class TestTheShippedTexts:
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("hazard", USUAL, ids=lambda one: one.key)
    def test_are_there_for_each_level_of_the_meteorological_kinds(self, phrases, hazard, language):
        for level in hazard.colours:
            assert phrases.has(hazard.key, level)
            said = phrases.say(hazard.key, language, case(hazard, level))
            assert all(said)
            assert not re.search(r"[{}]", "".join(said))
            assert "北山镇" in said.description

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_fall_back_to_the_general_ones(self, phrases, language):
        for hazard in HAZARDS.all()[14:]:
            for level in hazard.colours:
                assert all(phrases.say(hazard.key, language, case(hazard, level)))

    def test_speak_of_a_hazard_that_the_table_does_not_know(self, phrases):
        said = phrases.say("other", "zh-CN", case(None, "blue", event="虚构灾害"))
        assert said.headline == "北山镇虚构灾害蓝色预警"
        assert "未来6小时" in said.description

    def test_differ_by_level(self, phrases):
        for hazard in USUAL:
            texts = {
                phrases.say(hazard.key, "zh-CN", case(hazard, one)).description for one in hazard.colours
            }
            assert len(texts) == len(hazard.colours)

    @pytest.mark.parametrize(
        ("hazard", "level", "numbers"),
        [
            ("rainstorm", "blue", ["12", "50", "50"]),
            ("rainstorm", "yellow", ["6", "50", "50"]),
            ("rainstorm", "orange", ["3", "50", "50"]),
            ("rainstorm", "red", ["3", "100", "100"]),
            ("heat", "yellow", ["35"]),
            ("heat", "orange", ["24", "37"]),
            ("heat", "red", ["24", "40"]),
        ],
    )
    def test_have_the_numbers_of_order_16_where_these_are_known(self, phrases, hazard, level, numbers):
        """The file says of which numbers that is so."""
        assert re.findall(r"\d+", phrases.offer(hazard, level, "zh-CN").description) == numbers

    def test_say_of_yellow_road_icing_what_was_said_when_it_was_issued(self, phrases):
        """天津市气象台, 2018-01-21."""
        words = phrases.offer("road_icing", "yellow", "zh-CN").description
        for said in ("路表温度低于0℃", "出现降水", "12小时内可能出现对交通有影响的道路结冰"):
            assert said in words

    @pytest.mark.parametrize("hazard", USUAL, ids=lambda one: one.key)
    def test_name_no_number_in_english_that_the_chinese_does_not(self, phrases, hazard):
        for level in hazard.colours:
            chinese, english = (
                set(re.findall(r"\d+", phrases.offer(hazard.key, level, language).description))
                for language in LANGUAGES
            )
            assert english <= chinese

    def test_any_chinese_and_any_other_language_find_one(self, phrases):
        rain = HAZARDS.by_key("rainstorm")
        assert "降雨量" in phrases.say("rainstorm", "zh-TW", case(rain, "red")).description
        assert "Rainfall" in phrases.say("rainstorm", "fr", case(rain, "red")).description

    def test_a_brace_in_a_value_stays_as_it_is(self, phrases):
        rain = HAZARDS.by_key("rainstorm")
        said = phrases.say("rainstorm", "zh-CN", case(rain, "red", area=("{issuer}{0.__class__}{{7*7}}",)))
        assert said.headline == "{issuer}{0.__class__}{{7*7}}暴雨红色预警"


class TestReading:
    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("{area}{hazard}", "{area}{place}", "unknown placeholder {place}"),
            ("{area}{hazard}", "{area.__class__}{hazard}", "unknown placeholder {area.__class__}"),
            ("{area}{hazard}", "{area}{hazard", "brace stands alone"),
            ("{area}{hazard}", "{{7*7}}", "placeholder"),
            ("grave = ", "gravest = ", "gravest"),
            ("[general.en]", "[general.fr]", "general.en"),
            ("[general.en]", "[general.en", "phrases.toml"),
        ],
    )
    def test_a_wrong_file_is_refused_by_name(self, tmp_path, old, new, told):
        path = tmp_path / "phrases.toml"
        path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(TemplateError, match=re.escape(told)):
            Phrases(path)

    def test_a_missing_file_is_refused_by_name(self, tmp_path):
        with pytest.raises(TemplateError, match=r"phrases\.toml"):
            Phrases(tmp_path / "phrases.toml")
