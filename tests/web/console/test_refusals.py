"""Every no of the desk has words in both languages for people at the console."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.alerts.findings import CODES
from gateway.audience.area import REFUSALS
from gateway.desk.findings import SENTENCES, said
from gateway.desk.refused import DeskRefused
from gateway.web.console import account_words, people_words, refusals
from gateway.web.console.words import templates, translations
from tests.desk.conftest import START

ROOT = Path(__file__).resolve().parents[3] / "gateway"
SOURCES = [
    *sorted((ROOT / "desk").glob("*.py")),
    ROOT / "feeds/by_hand.py",
    *sorted((ROOT / "accounts").glob("*.py")),
]
KNOWN = account_words.WORDS | people_words.REFUSED | refusals.WORDS


def literal(node: ast.expr) -> list[str]:
    """Return the texts that an expression may be; none where that is not written there."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return [*literal(node.body), *literal(node.orelse)]
    return []


def raised() -> list[tuple[str, str, str, set[str]]]:
    """Return (where, code, why, names of values) of each refusal that the rooms write down."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeskRefused"):
                continue
            names = {one.arg: one.value for one in node.keywords if one.arg}
            whys = literal(names["why"]) if "why" in names else [""]
            found += [
                (f"{path.name}:{node.lineno}", code, why, set(names))
                for code in literal(node.args[0])
                for why in whys or _written(code)
            ]
    return found


def _written(code: str) -> list[str]:
    """Return every ``why`` that there are words for: which one it is shows only when it is raised."""
    return [key.partition(".")[2] for key in KNOWN if key.partition(".")[0] == code] or [""]


def words_of(code: str, why: str) -> str:
    return KNOWN.get(f"{code}.{why}") or KNOWN.get(code) or ""


class _Visit:
    """Who reads."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.console = SimpleNamespace(zone=None)

    def say(self, words: str, **values: object) -> str:
        spoken = templates(self.language).say(words)
        return spoken % values if values else spoken


class TestEveryRefusal:
    def test_of_the_rooms_has_words(self):
        assert sorted({where for where, code, why, _ in raised() if not words_of(code, why)}) == []

    def test_gives_the_values_that_its_words_name(self):
        lacking = {
            where: sorted(missing)
            for where, code, why, names in raised()
            if (missing := set(re.findall(r"%\((\w+)\)s", words_of(code, why))) - names)
        }
        assert lacking == {}

    def test_has_chinese_words(self):
        chinese = translations("zh-CN")
        assert [one for one in KNOWN.values() if chinese.gettext(one) == one] == []

    def test_names_no_option_of_the_command_line(self):
        chinese = translations("zh-CN")
        said_here = [text for one in KNOWN.values() for text in (one, chinese.gettext(one))]
        assert [one for one in said_here if re.search(r"--\w|tongda \w", one)] == []

    @pytest.mark.parametrize("table", [CODES, REFUSALS, SENTENCES, refusals.ALARMS, refusals.AREA_FINDINGS])
    def test_and_finding_and_alarm_of_the_other_tables_has_chinese_words(self, table):
        chinese = translations("zh-CN")
        spoken = [getattr(one, "meaning", one) for one in table.values()]
        assert [one for one in spoken if chinese.gettext(one) == one] == []


class TestTheWords:
    def test_hold_the_values_in_the_readers_language(self):
        error = DeskRefused("state", "alert 7 is released", why="not_now", alert=7, state="released")
        assert "生效中" in refusals.words(_Visit("zh-CN"), error)
        assert "In force" in refusals.words(_Visit("en"), error)

    def test_tell_times_in_the_desks_zone(self):
        error = DeskRefused("expired", "alert 7 ended", alert=7, ended=START)
        visit = _Visit("zh-CN")
        visit.console.zone = START.tzinfo
        assert "07-01 02:00" in refusals.words(visit, error)

    def test_of_a_code_without_words_are_the_rooms_own(self):
        assert refusals.words(_Visit("zh-CN"), DeskRefused("invented", "as it was said")) == "as it was said"

    def test_are_the_rooms_own_where_a_value_is_missing(self):
        assert refusals.words(_Visit("en"), DeskRefused("stale", "as it was said")) == "as it was said"

    @pytest.mark.parametrize("code", ["area_nobody", "lint_polygon_malformed"])
    def test_of_area_and_lint_come_from_their_tables(self, code):
        spoken = refusals.words(_Visit("zh-CN"), DeskRefused(code, "as it was said", path="x"))
        assert re.search("[\u3400-\u9fff]", spoken)

    def test_of_findings_hold_theirs(self):
        visit = _Visit("zh-CN")
        assert "短信" in refusals.finding(visit, said("told_twice", channel="sms", count=12))
        one = {"code": "lint_html_in_text", "values": {"path": "alert/info[1]/headline", "message": "x"}}
        assert refusals.finding(visit, one).startswith("标题")
        assert refusals.finding(visit, "what an older release kept") == "what an older release kept"
        assert refusals.finding(_Visit("en"), one) == "Headline: x"
