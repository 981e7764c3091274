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
    "這是一次演習", "防汛演練", "測試訊息", "试发", "試發", "试播一分钟", "演·练", "演*练", "演\ufe0f练",
    "演\u0332练", "演\u3164练", "⼆级演习", "D R I L L", "d\u0332r\u0332ill", "two drills",
    "t e s t", "Ｄｒｉｌｌ",
    "演\u202e练", "演\u2060练", "演\u00ad练", "演\U000e0100练",
]  # fmt: skip
INNOCENT = [
    "Exercise caution when driving", "exercise extreme caution", "exercise great care", "latest forecast",
    "contest", "the protest march", "attestation", "试图穿越", "考试照常", "文艺表演，练习暂停", "表演、练兵",
    "drilling rig", "quadrille", "the latest", "尝试发现", "考试发放准考证", "at estuaries",
]  # fmt: skip
LIVE_WORDS = [
    "这不是演习", "这不是演练", "此次并非演练", "非演习", "不是一次演练", "This is not a drill",
    "THIS IS NOT A  DRILL", "not an exercise", "this isn't a test", "no drill",
    "這不是演習", "此次並非演練", "絕非演習", "這不是測試", "不属于演练", "不是一次普通的演练",
    "并非例行演习",
    "不是为了演习", "非普通演练", "这 不 是 演 习", "这不\u200b是演练", "這是真實的災情", "这是真的",
    "本次是真实灾情",
    "this is not, repeat not, a drill", "this is no longer a drill", "this ain't a drill",
    "this isn’t just a drill",
    "THIS IS NOT A D R I L L", "not a training exercise", "This is real", "this is a real emergency",
    "this is not a test", "ｎｏｔ ａ ｄｒｉｌｌ",
]  # fmt: skip
SAID_IN_DRILLS = [
    "这是一次演练", "This is a drill", "exercise message", "本次为演练，并非真实预警", "并非真实预警仅为演练",
    "非演练人员请勿惊慌", "不是演练区域的居民照常生活", "如遇真实灾害请按预案转移", "非常规演练",
    "除非演练结束",
    "并非所有人参加演练", "非参加演练的车辆绕行", "这是一次真的演练", "do not panic during this drill",
    "this is not a real warning", "no drill participants", "in a real emergency call 110", "not a drill area",
]  # fmt: skip
PLACES = ("headline", "description", "instruction", "event", "sender_name")


class TestWords:
    """W5: live words in no drill, words of a drill in no live warning."""

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

    @pytest.mark.parametrize("words", SAID_IN_DRILLS)
    def test_a_drill_may_say_that_it_is_one(self, words):
        check_words(alert("drill", description=words), "drill")

    @pytest.mark.parametrize("place", PLACES)
    def test_every_text_is_looked_at(self, place):
        with pytest.raises(DeskRefused, match=place):
            check_words(alert(**{place: "演练"}), "live")

    @pytest.mark.parametrize("place", PLACES)
    def test_every_text_of_a_drill_is_looked_at_as_well(self, place):
        with pytest.raises(DeskRefused, match=place):
            check_words(alert("drill", **{place: "这不是演习"}), "drill")

    @pytest.mark.parametrize(
        ("mode", "words"), [("live", "This is a drill"), ("drill", "This is not a drill"), ("live", "演練")]
    )
    def test_so_is_every_language(self, mode, words):
        spoken = alert(mode)
        other = spoken.infos[0].model_copy(update={"language": "en", "headline": words})
        with pytest.raises(DeskRefused, match=r"info\[2\]/headline"):
            check_words(spoken.model_copy(update={"infos": (*spoken.infos, other)}), mode)

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
