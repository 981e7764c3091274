"""Words that tell a drill from the real thing, and the fields that the law asks for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.alerts.model import (
    Alert,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from gateway.desk.checks import check_ready, check_words, missing_fields
from gateway.desk.refused import DeskRefused

from .conftest import START


def alert(mode: str = "live", **changes: object) -> Alert:
    status = changes.pop("status", Status.ACTUAL if mode == "live" else Status.EXERCISE)
    scope = changes.pop("scope", Scope.PUBLIC)
    note = changes.pop("note", None)
    info = {
        "language": "zh-CN",
        "categories": (Category.MET,),
        "event": "暴雨",
        "urgency": Urgency.EXPECTED,
        "severity": Severity.EXTREME,
        "certainty": Certainty.LIKELY,
        "expires": START + timedelta(hours=6),
        "sender_name": "示范县气象台",
        "headline": "暴雨红色预警",
        "description": "大雨将至",
        "instruction": "请转移",
        "areas": (Area(area_desc="北山镇"),),
    }
    return Alert(
        identifier="a",
        sender="b",
        sent=START,
        status=status,
        msg_type=MsgType.ALERT,
        scope=scope,
        note=note,
        infos=(Info.model_validate(info | changes),),
    )


DRILL_WORDS = [
    "这是一次演练", "防汛演习", "测试信息", "This is a TEST", "drill", "Exercise only", "an exercise.",
    "演\u200b练", "演 练", "测\n试", "ｔｅｓｔ message", "testing",
]  # fmt: skip
INNOCENT = [
    "Exercise caution when driving", "exercise extreme caution", "exercise great care", "latest forecast",
    "contest", "the protest march", "attestation", "试图穿越", "考试照常",
]  # fmt: skip
LIVE_WORDS = [
    "这不是演习", "这不是演练", "此次并非演练", "非演习", "不是一次演练", "This is not a drill",
    "THIS IS NOT A  DRILL", "not an exercise", "this isn't a test", "no drill",
]  # fmt: skip
PLACES = ("headline", "description", "instruction", "event", "sender_name")


class TestWords:
    @pytest.mark.parametrize("words", DRILL_WORDS)
    def test_a_live_warning_may_not_speak_of_a_drill(self, words):
        with pytest.raises(DeskRefused) as refused:
            check_words(alert(description=words), "live")
        assert refused.value.code == "drill_words"

    @pytest.mark.parametrize("words", INNOCENT)
    def test_innocent_words_pass(self, words):
        check_words(alert(description=words), "live")

    @pytest.mark.parametrize("words", LIVE_WORDS)
    def test_a_drill_may_not_deny_that_it_is_one(self, words):
        with pytest.raises(DeskRefused) as refused:
            check_words(alert("drill", description=words), "drill")
        assert refused.value.code == "live_words"

    @pytest.mark.parametrize("words", ["这是一次演练", "This is a drill", "exercise message"])
    def test_a_drill_may_say_that_it_is_one(self, words):
        check_words(alert("drill", description=words), "drill")

    @pytest.mark.parametrize("place", PLACES)
    def test_every_text_is_looked_at(self, place):
        with pytest.raises(DeskRefused, match=place):
            check_words(alert(**{place: "演练"}), "live")

    def test_so_are_the_area_and_the_note(self):
        with pytest.raises(DeskRefused, match="area"):
            check_words(alert(areas=(Area(area_desc="演练区"),)), "live")
        with pytest.raises(DeskRefused, match="note"):
            check_words(alert(note="TEST"), "live")


class TestStatus:
    @pytest.mark.parametrize("mode", ["live", "drill"])
    @pytest.mark.parametrize("status", [Status.SYSTEM, Status.TEST, Status.DRAFT])
    def test_system_test_and_draft_never_leave(self, mode, status):
        with pytest.raises(DeskRefused) as refused:
            check_ready(alert(mode, status=status), mode, START)
        assert refused.value.code == "status"

    @pytest.mark.parametrize(("mode", "status"), [("live", Status.EXERCISE), ("drill", Status.ACTUAL)])
    def test_a_drill_and_a_warning_do_not_mix(self, mode, status):
        with pytest.raises(DeskRefused):
            check_ready(alert(status=status), mode, START)

    @pytest.mark.parametrize("scope", [Scope.RESTRICTED, Scope.PRIVATE])
    def test_what_is_not_public_stays(self, scope):
        with pytest.raises(DeskRefused) as refused:
            check_ready(alert(scope=scope), "live", START)
        assert refused.value.code == "scope"


class TestFields:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("event", "预警类别"),
            ("description", "警示事项"),
            ("instruction", "应当采取的措施"),
            ("sender_name", "发布单位"),
        ],
    )
    def test_a_missing_one_is_named_in_the_words_of_the_law(self, name, said):
        empty = "" if name == "event" else None
        assert any(said in one for one in missing_fields(alert(**{name: empty}).infos[0]))

    @pytest.mark.parametrize(
        "unseen", ["\u200b", "\u200b\u200d ", "\ufffc", "\u3164", "\u2800", "\u00ad", "…", " - "]
    )
    @pytest.mark.parametrize("name", ["event", "description", "instruction", "sender_name"])
    def test_a_text_of_which_nothing_can_be_read_is_missing(self, name, unseen):
        assert missing_fields(alert(**{name: unseen}).infos[0])
        assert missing_fields(alert(areas=(Area(area_desc="北山镇"), Area(area_desc=unseen))).infos[0])

    @pytest.mark.parametrize("name", ["onset", "effective"])
    def test_it_begins_before_it_ends(self, name):
        check_ready(alert(**{name: START + timedelta(hours=5)}), "live", START)
        with pytest.raises(DeskRefused) as refused:
            check_ready(alert(**{name: START + timedelta(hours=6)}), "live", START)
        assert refused.value.code == "onset"

    def test_an_area_needs_a_name(self):
        assert missing_fields(alert(areas=()).infos[0])
        assert missing_fields(alert(areas=(Area(area_desc=""),)).infos[0])

    def test_a_complete_one_passes(self):
        check_ready(alert(), "live", START)
