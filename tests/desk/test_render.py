"""How a warning is put into words for each channel and language."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta, timezone

import pytest

from channels.base import HOLE
from gateway.desk import render
from gateway.desk.render import Facts, NoTemplateError, TemplateError, Templates, clean, one_line
from gateway.share import share

CHINA = timezone(timedelta(hours=8))
SENT = datetime(2026, 7, 1, 2, 5, tzinfo=UTC)
CHANNELS = ("sms", "email", "wecom", "radio")
WORDS = {
    "zh-CN": {
        "colour": "红色",
        "sent": "2026年7月1日10时05分",
        "mark": "【演练】",
        "event": "暴雨",
        "area": "北山镇、南湖镇",
    },
    "en": {
        "colour": "Red",
        "sent": "1 Jul 2026 10:05",
        "mark": "[DRILL] ",
        "event": "rainstorm",
        "area": "Beishan; Nanhu",
    },
}


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates(share("templates/messages"))


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(share("templates/messages"), tmp_path / "messages")


def facts(language: str = "zh-CN", **changes: object) -> Facts:
    chinese = language.startswith("zh")
    base = Facts(
        msg_type="Alert",
        language=language,
        level="red",
        sender="示范县气象台" if chinese else "Demo County Observatory",
        event="暴雨" if chinese else "rainstorm",
        area=("北山镇", "南湖镇") if chinese else ("Beishan", "Nanhu"),
        sent=SENT,
        onset=SENT + timedelta(hours=1),
        expires=SENT + timedelta(hours=6),
        headline="暴雨红色预警" if chinese else "Red rainstorm warning",
        description="降雨将达100毫米以上" if chinese else "More than 100 mm of rain",
        instruction="请立即转移到高处" if chinese else "Go to high ground",
        reference="99990041600000_20260701100500_0",
    )
    return base._replace(**changes)


def say(templates, channel, said, *, drill=False, personal=False):
    return templates.say(channel, said, signature="示范县预警", zone=CHINA, drill=drill, personal=personal)


class TestEveryChannelAndLanguage:
    @pytest.mark.parametrize("language", WORDS)
    @pytest.mark.parametrize("channel", CHANNELS)
    @pytest.mark.parametrize("msg_type", ["Alert", "Update", "Cancel"])
    def test_it_says_who_what_how_bad_where_when_and_what_to_do(self, templates, channel, language, msg_type):
        said = facts(language, msg_type=msg_type)
        text = say(templates, channel, said).text
        words = WORDS[language]
        for piece in (
            said.sender,
            words["event"],
            words["colour"],
            words["area"],
            words["sent"],
            said.instruction,
        ):
            assert piece in text
        assert "{" not in text

    @pytest.mark.parametrize("language", WORDS)
    @pytest.mark.parametrize("channel", CHANNELS)
    @pytest.mark.parametrize("msg_type", ["Alert", "Cancel"])
    def test_the_mark_of_a_drill_comes_first(self, templates, channel, language, msg_type):
        wording = say(templates, channel, facts(language, msg_type=msg_type), drill=True)
        assert wording.text.startswith(WORDS[language]["mark"])
        assert wording.subject.startswith(WORDS[language]["mark"])

    @pytest.mark.parametrize("language", WORDS)
    @pytest.mark.parametrize("channel", CHANNELS)
    def test_no_live_text_bears_the_mark(self, templates, channel, language):
        assert WORDS[language]["mark"].strip() not in say(templates, channel, facts(language)).text

    @pytest.mark.parametrize("language", WORDS)
    def test_a_cancel_says_so_at_once(self, templates, language):
        for channel in CHANNELS:
            text = say(templates, channel, facts(language, msg_type="Cancel")).text.lower()
            assert "解除" in text or "cancelled" in text

    @pytest.mark.parametrize("language", WORDS)
    @pytest.mark.parametrize(
        ("channel", "asks"), [("sms", True), ("email", True), ("wecom", False), ("radio", False)]
    )
    def test_a_person_is_asked_to_confirm_where_that_is_possible(self, templates, channel, language, asks):
        text = say(templates, channel, facts(language), personal=True).text
        assert text.count(HOLE) == int(asks)

    def test_an_sms_is_one_line_and_begins_with_its_signature(self, templates):
        text = say(templates, "sms", facts(description="一\n二", instruction="三\r\n四")).text
        assert text.startswith("【示范县预警】")
        assert "\n" not in text
        assert "一二" in text

    def test_an_email_keeps_the_lines_of_the_description(self, templates):
        wording = say(templates, "email", facts(description="一。\n二。"))
        assert "一。\n二。" in wording.text
        assert "\n" not in wording.subject
        assert "\n\n\n" not in wording.text


TIMES = {
    "the same day": (timedelta(hours=1), "11时05分", "11:05"),
    "another day": (timedelta(days=1), "7月2日10时05分", "2 Jul 10:05"),
    "past midnight there": (timedelta(hours=14), "7月2日0时05分", "2 Jul 00:05"),
    "another year": (timedelta(days=184), "2027年1月1日10时05分", "1 Jan 2027 10:05"),
}


class TestTimes:
    @pytest.mark.parametrize(("later", "chinese", "english"), TIMES.values(), ids=TIMES)
    def test_what_was_told_before_is_not_told_again(self, later, chinese, english):
        assert render.say_time(SENT + later, "zh-CN", CHINA, SENT) == chinese
        assert render.say_time(SENT + later, "en", CHINA, SENT) == english

    def test_a_time_by_itself_is_told_in_full(self):
        assert render.say_time(SENT, "zh-CN", CHINA) == "2026年7月1日10时05分"
        assert render.say_time(SENT, "en", CHINA) == "1 Jul 2026 10:05 (UTC+08:00)"


class TestLanguages:
    @pytest.mark.parametrize("tag", ["zh-CN", "zh", "zh-Hans", "zh-TW", "en", "en-US", "en-CA"])
    def test_a_tag_finds_its_language(self, templates, tag):
        assert templates.speaks("sms", tag)

    def test_a_language_without_a_template_is_named(self, templates):
        assert not templates.speaks("sms", "fr-CA")
        with pytest.raises(NoTemplateError, match=r"sms\.fr-CA\.txt"):
            say(templates, "sms", facts(language="fr-CA"))


class TestTextFromOutside:
    """S6 and S10: braces stay braces; what hides, turns or breaks lines is dropped."""

    @pytest.mark.parametrize(
        "hostile", ["{{7*7}}", "{0.__class__}", "{sender}", "{", "}", "%s%n", "${x}", "{confirm}"]
    )
    def test_braces_and_expressions_stay_what_they_are(self, templates, hostile):
        for channel in CHANNELS:
            assert (
                hostile in say(templates, channel, facts(description=f"雨 {hostile} 雨"), personal=True).text
            )

    @pytest.mark.parametrize(
        "hidden",
        [*"\x00\x07\x1b\x7f\x85\u200b\u200d\u200f\u202e\u2066\u2069\ufeff\u00ad\U000e0041\ud800", HOLE],
    )
    def test_what_hides_or_turns_text_is_dropped(self, hidden):
        cleaned = clean(f"雨{hidden}量")
        assert hidden not in cleaned
        assert cleaned.replace("\n", "") == "雨量"

    def test_a_forged_confirm_link_does_not_survive(self, templates):
        text = say(templates, "sms", facts(description=f"点这里 {HOLE}"), personal=True).text
        assert text.count(HOLE) == 1

    def test_text_is_composed(self):
        assert clean("e\u0301") == "é"

    def test_line_breaks_become_one_kind(self):
        assert clean("a\r\nb\rc\u2028d") == "a\nb\nc\nd"
        assert one_line("Subject\r\nBcc: x") == "Subject Bcc: x"

    def test_a_line_break_in_a_headline_never_reaches_a_subject(self, templates):
        wording = say(templates, "sms", facts(headline="暴雨\r\nBcc: a@example.org"))
        assert "\n" not in wording.subject
        assert "\r" not in wording.subject


BROKEN = {
    "an unknown placeholder": (
        "sms.en.txt",
        "{sender} {password}",
        r"sms\.en\.txt: unknown placeholder \{password\}",
    ),
    "an expression": ("sms.en.txt", "{sender.__class__}", r"unknown placeholder \{sender.__class__\}"),
    "an index": ("sms.en.txt", "{0}", r"unknown placeholder \{0\}"),
    "nothing in braces": ("sms.en.txt", "{}", r"unknown placeholder \{\}"),
    "a lone brace": ("sms.en.txt", "{sender} }", "a brace stands alone"),
    "no area": ("sms.en.txt", "{sender} {event} {colour} {sent} {instruction}", r"\{area\} must stand"),
    "no time of issue": (
        "sms.en.txt",
        "{sender} {event} {colour} {onset} {area} {instruction}",
        r"\{sent\} must stand",
    ),
    "no action": ("radio.zh-CN.txt", "{sender}{event}{colour}{sent}{area}", r"\{instruction\} must stand"),
    "a width of 500 MB": ("sms.en.txt", "{sender:>500000000}", r"unknown placeholder \{sender:>500000000\}"),
    "a loop": ("sms.en.txt", "{% for i in x %}{sender}{% endfor %}", r"sms\.en\.txt"),
    "its own hole": ("sms.en.txt", f"{{sender}} {HOLE}", r"U\+FFFC"),
    "an unknown name in the Cancel": (
        "cancel.toml",
        '["zh-CN"]\nheadline = "{x}"',
        r"cancel\.toml: \[zh-CN\] headline",
    ),
    "a Cancel without words": ("cancel.toml", "", r"\[zh-CN\] headline is missing"),
    "a Cancel that is no TOML": ("cancel.toml", "= 1", r"cancel\.toml"),
}


class TestBrokenTemplates:
    """S6: a template holds names and no expressions."""

    @pytest.mark.parametrize(("name", "body", "message"), BROKEN.values(), ids=BROKEN)
    def test_it_names_the_file_and_what_is_wrong(self, folder, name, body, message):
        (folder / name).write_text(body, encoding="utf-8")
        with pytest.raises(TemplateError, match=message) as refused:
            Templates(folder)
        assert "\n" not in str(refused.value).rstrip()

    def test_a_file_that_is_no_utf_8_is_named(self, folder):
        (folder / "sms.en.txt").write_bytes(b"\xff\xfe{sender}")
        with pytest.raises(TemplateError, match=r"sms\.en\.txt"):
            Templates(folder)


class TestTheCancel:
    @pytest.mark.parametrize("language", WORDS)
    def test_its_words_name_the_warning_that_it_takes_back(self, templates, language):
        words = templates.cancel_text(facts(language), CHINA)
        assert set(words) == {"headline", "description", "instruction"}
        assert WORDS[language]["sent"] in words["description"]
        assert WORDS[language]["event"] in words["description"]

    def test_every_placeholder_is_served(self):
        assert set(render.values(facts(), signature="", zone=CHINA)) == render.PLACEHOLDERS
