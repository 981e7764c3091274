from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest

from gateway.alerts.hazards import Hazards, HazardsRefused, Level, level_of
from gateway.alerts.model import Severity, ValuePair

TOML = Path(__file__).resolve().parents[2] / "config" / "hazards.toml"
SIGNALS = [
    "台风",
    "暴雨",
    "暴雪",
    "寒潮",
    "大风",
    "沙尘暴",
    "高温",
    "干旱",
    "雷电",
    "冰雹",
    "霜冻",
    "大雾",
    "霾",
    "道路结冰",
]
CODES = [
    *("11A01", "11A02", "11A51", "11B01", "11B03", "11B04", "11B05", "11B06", "11B07", "11B09", "11B14"),
    *("11B15", "11B16", "11B17", "11B19", "11B20", "11B21", "11B22", "11B25", "11B29", "11B37", "11C02"),
    *("11D01", "11D02", "11E02", "11E06", "11G01", "11G05"),
]


@pytest.fixture
def data():
    return tomllib.loads(TOML.read_text("utf-8"))


@pytest.fixture
def with_values(info):
    def change(*pairs, **values):
        parameters = tuple(ValuePair(value_name=name, value=value) for name, value in pairs)
        return type(info).model_validate({**info.model_dump(), "parameters": parameters, **values})

    return change


class TestTable:
    def test_it_has_the_fourteen_signals_first(self, hazards):
        assert [hazard.zh for hazard in hazards.all()[:14]] == SIGNALS

    def test_it_has_every_code_of_the_national_list_in_use(self, hazards):
        assert sorted(hazard.code for hazard in hazards.all()) == sorted(CODES)

    @pytest.mark.parametrize(
        ("zh", "colours"),
        [
            ("高温", "red orange yellow"),
            ("暴雨", "red orange yellow blue"),
            ("干旱", "red orange"),
            ("冰雹", "red orange"),
            ("霜冻", "orange yellow blue"),
            ("道路结冰", "red orange yellow"),
        ],
    )
    def test_not_every_kind_has_four_colours(self, hazards, zh, colours):
        assert " ".join(hazards.by_name(zh).colours) == colours

    @pytest.mark.parametrize(
        ("level", "severity"), list(zip(Level, ("Extreme", "Severe", "Moderate", "Minor"), strict=True))
    )
    def test_colours_and_severities_go_both_ways(self, hazards, level, severity):
        assert hazards.severity_of(level) == severity
        assert hazards.level_for(Severity(severity)) is level

    def test_severity_unknown_has_no_colour(self, hazards):
        assert hazards.level_for(Severity.UNKNOWN) is None

    @pytest.mark.parametrize("word", ["red", "Red", "红", "红色", " RED "])
    def test_a_colour_has_several_names(self, hazards, word):
        assert hazards.level_named(word) is Level.RED

    def test_a_hazard_is_found_by_any_of_its_names_and_codes(self, hazards):
        rain = hazards.by_key("rainstorm")
        assert rain is hazards.by_code("11B03") is hazards.by_code("1003") is hazards.by_name("Rainstorm")
        assert hazards.by_name("flash flood events") is hazards.by_code("11A51")
        assert hazards.by_code("1") is hazards.by_key("x") is hazards.by_name("雨") is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda d: d["levels"].pop("blue"), "levels.blue is missing"),
            (lambda d: d["hazard"][1].update(key="typhoon"), "key typhoon stands twice"),
            (lambda d: d["hazard"][1].update(code="11B01"), "code 11B01 stands twice"),
            (lambda d: d["hazard"][1].update(colours=["green"]), "hazard rainstorm: colours"),
            (lambda d: d["hazard"][1].update(color="red"), "hazard rainstorm: color"),
            (lambda d: d["hazard"][1].pop("category"), "hazard rainstorm: category"),
            (lambda d: d["levels"]["red"].update(severity="Severe"), "severity Severe stands twice"),
            (lambda d: d.pop("cap"), "cap: "),
        ],
    )
    def test_the_sentence_names_the_entry(self, data, change, words):
        broken = copy.deepcopy(data)
        change(broken)
        with pytest.raises(HazardsRefused, match=words):
            Hazards.from_toml(broken)


class TestLevelOfAMessage:
    def test_the_parameter_comes_first(self, hazards, with_values):
        pairs = (("awareness_level", "2; yellow; Moderate"), (hazards.colour_parameter, "orange"))
        assert level_of(with_values(*pairs, severity="Minor"), hazards)[:2] == (Level.ORANGE, "parameter")

    def test_then_the_awareness_level(self, hazards, with_values):
        found = level_of(with_values(("awareness_level", "4; red; Extreme"), severity="Minor"), hazards)
        assert found == (Level.RED, "awareness_level", "4; red; Extreme")

    def test_and_severity_last_and_marked_as_such(self, hazards, with_values):
        assert level_of(with_values(severity="Moderate"), hazards) == (Level.YELLOW, "severity", "Moderate")

    def test_green_is_not_turned_into_blue_by_severity(self, hazards, with_values):
        found = level_of(with_values(("awareness_level", "1; green; Minor"), severity="Minor"), hazards)
        assert found.level is None
        assert found.origin == "awareness_level"

    def test_nothing_known_is_nothing_found(self, hazards, with_values):
        assert level_of(with_values(severity="Unknown"), hazards) is None

    def test_a_message_has_the_gravest_of_its_blocks(self, hazards, with_values, alert):
        infos = (
            with_values(severity="Minor"),
            with_values(severity="Extreme"),
            with_values(severity="Unknown"),
        )
        assert level_of(alert.model_copy(update={"infos": infos}), hazards).level is Level.RED

    def test_words_of_the_headline_are_not_looked_at(self, hazards, with_values):
        assert level_of(with_values(headline="暴雨红色预警", severity="Minor"), hazards).level is Level.BLUE


class TestHazardOfABlock:
    def test_the_code_comes_before_the_name(self, hazards, with_values):
        coded = with_values(event="暴雨", event_codes=(ValuePair(value_name="x", value="11B09"),))
        assert hazards.hazard_of(coded).hazard.key == "heat"
        assert hazards.hazard_of(with_values(event="暴雨")).origin == "event"
        assert hazards.hazard_of(with_values(event="虚构事件")) is None

    def test_what_we_write_is_what_we_read(self, hazards, with_values):
        heat = hazards.by_key("heat")
        ours = with_values(event="x", event_codes=(hazards.code_pair(heat),))
        ours = ours.model_copy(update={"parameters": (hazards.colour_pair(Level.RED),)})
        assert hazards.hazard_of(ours).hazard is heat
        assert level_of(ours, hazards)[:2] == (Level.RED, "parameter")
