"""Every word of the console is there in Chinese, and no page speaks one language only."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2.ext import babel_extract

from channels import base
from gateway.alerts.findings import CODES as CAP_CODES
from gateway.audience.area import REFUSALS as AREA_REFUSALS
from gateway.desk.findings import SENTENCES
from gateway.feeds.fetch.refused import FIXES
from gateway.feeds.findings import CODES as FEED_CODES
from gateway.ops.settings_page import description
from gateway.settings import Settings, route_settings
from gateway.web.console.admin.settings import about, meanings
from gateway.web.console.filters import span
from gateway.web.console.words import catalogue, translations

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates/web/console").rglob("*.html"))
LOCALE = ROOT / "templates/web/locale/zh_CN"
SPOKEN = [*sorted((ROOT / "gateway").rglob("*.py"))]
SAME = {"E-mail", "CAP", "T90", "P50", "P90", "中文", "English"}
"""Words that may stand alike in both languages, and on a page by themselves."""
BARE = re.compile(r"[A-Za-z\u3400-\u9fff]{2,}")


def of_templates() -> dict[str, str]:
    found = {}
    for path in TEMPLATES:
        with path.open("rb") as file:
            options = {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}
            options["extensions"] = "jinja2.ext.do"
            for _, _, words, _ in babel_extract(
                file, {"gettext": None, "_": None, "ngettext": (1, 2)}, (), options
            ):
                found |= {
                    one: path.name for one in ([words] if isinstance(words, str) else words or ()) if one
                }
    return found


def of_python() -> dict[str, str]:
    found = {}
    for path in SPOKEN:
        text = path.read_text(encoding="utf-8")
        if "N_(" not in text and ".say(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name == "N_" or (name == "say" and "web/console" in path.as_posix()):
                    found[node.args[0].value] = path.name
    return found


def of_tables() -> dict[str, str]:
    """What the console says of the tables of other rooms, which know nothing of languages."""
    known = [one.meaning for table in (CAP_CODES, FEED_CODES) for one in table.values()]
    return dict.fromkeys([*known, *AREA_REFUSALS.values(), *SENTENCES.values(), *FIXES.values()], "tables")


def of_settings() -> dict[str, str]:
    """What the page of settings says of each of them; each kind of route has its own."""
    routes = [route_settings(kind) for kind in base.KINDS]
    found = {*meanings(Settings), *map(about, routes), *(one for route in routes for one in meanings(route))}
    return dict.fromkeys(found - {""}, "settings")


ALL = {
    one: where
    for said in (of_settings(), of_tables(), of_templates(), of_python())
    for one, where in said.items()
    if isinstance(one, str)
}


class TestTheChinese:
    def test_is_there_for_every_word(self):
        chinese = translations("zh-CN")
        missing = {
            one: where for one, where in ALL.items() if one not in SAME and chinese.gettext(one) == one
        }
        assert missing == {}

    def test_is_there_for_every_setting(self):
        models = [Settings, *map(route_settings, base.KINDS)]
        assert [
            (model.__name__, name)
            for model in models
            for name in model.model_fields
            if not description(model, name)
        ] == []

    def test_has_nothing_that_nobody_says(self):
        assert sorted(str(one.id) for one in catalogue(LOCALE) if one.id and one.id not in ALL) == []

    def test_fills_in_what_the_english_fills_in(self):
        holes = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")
        differing = [
            one.id
            for one in catalogue(LOCALE)
            if isinstance(one.id, str) and set(holes.findall(one.id)) != set(holes.findall(str(one.string)))
        ]
        assert differing == []

    def test_is_chinese(self):
        plain = [
            one.id
            for one in catalogue(LOCALE)
            if one.id
            and re.search(r"[A-Za-z]", re.sub(r"%\(\w+\)s", "", str(one.id)))
            and not re.search(r"[\u3400-\u9fff]", str(one.string))
            and one.id not in SAME
        ]
        assert plain == []


class _Bare(HTMLParser):
    """Collects text between tags, and attributes that people read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in ("script", "style", "code")
        self.found += [
            value
            for name, value in attrs
            if name in ("title", "placeholder", "aria-label", "alt", "data-ask") and value
        ]

    def handle_endtag(self, tag):
        self.silent -= tag in ("script", "style", "code")

    def handle_data(self, data):
        if not self.silent:
            self.found.append(data)


class TestPages:
    @pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
    def test_have_no_words_of_their_own(self, path):
        text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"\{% block events %\}.*?\{% endblock %\}", "", text)
        text = re.sub(r"\{%-?\s*trans.*?endtrans\s*-?%\}", "", text, flags=re.DOTALL)
        text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.DOTALL)
        # What a macro writes into a tag stands alone in its own file.
        text = re.sub(r"(?m)^((?: ?aria-[a-z]+=\"[a-z-]*\")+)", "", text)
        bare = _Bare()
        bare.feed(text)
        assert [one.strip() for one in bare.found if BARE.search(one) and one.strip() not in SAME] == []

    @pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
    def test_trust_no_text_and_have_no_style_or_script_inside(self, path):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", text)


SCRIPTS = sorted((ROOT / "templates/web/console/assets").glob("*.js"))
LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|(["'`])((?:\\.|(?!\1).)*)\1""", re.DOTALL)
"""A comment, which is passed over, or a text in quotation marks."""
MACHINES = re.compile(
    r"(?:\b(?:querySelector(?:All)?|matches|closest|addEventListener|on|Error)\("
    r"|[=!]==? |className(?: =|:) |headers: \{.*?)$"
)
"""What stands before a text for machines: a selector, names of events or classes, a comparison, a header."""


def spoken_by(script: str) -> list[str]:
    """Return the texts of a script that a person would read.

    These are words of Chinese, a word with a capital, and two words with a space between them; what is put
    into a text (``${...}``) and what a machine reads is left out.
    """
    found = []
    for text in LITERAL.finditer(script):
        said = re.sub(r"\$\{.*?\}", "", text[2] or "")
        line = script[: text.start()].rpartition("\n")[2]
        is_chinese = re.search(r"[\u3001-\u9fff\uff01-\uff65]", said)
        is_said = re.search(r"\b[A-Z][a-z]|[a-z]{2,} [a-z]{2,}", said) and not MACHINES.search(line)
        if is_chinese or is_said:
            found.append(said)
    return [one for one in found if one != "use strict"]


class TestScripts:
    @pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
    def test_take_their_words_from_the_page(self, path):
        assert spoken_by(path.read_text(encoding="utf-8")) == []

    @pytest.mark.parametrize(
        "line",
        [
            'box.textContent = "Chosen";',
            "box.title = 'nothing is chosen';",
            "box.textContent = `Chosen: ${names}`;",
            'names.join("、");',
            'const words = { "zh-CN": "放大" };',
        ],
    )
    def test_that_bring_words_are_found(self, line):
        assert len(spoken_by(line)) == 1

    @pytest.mark.parametrize(
        "line",
        [
            '"use strict"; // A sentence for whoever reads this, "Chosen" as well.',
            'document.querySelector("details summary");',
            'layer.on("pm:edit pm:dragend", read);',
            'if (event.key === "Enter") go();',
            'fetch(address, { headers: { "HX-Request": "true" } });',
        ],
    )
    def test_that_speak_to_machines_are_not(self, line):
        assert spoken_by(line) == []


class TestALengthOfTime:
    @pytest.mark.parametrize(
        ("length", "shown"),
        [(1.74, "1.7秒"), (5.0, "5秒"), (0, "0秒"), (12.9, "12秒"), (61.0, "1分01秒"), (None, "–")],
    )
    def test_keeps_the_tenths_of_what_is_short(self, length, shown):
        assert span(length, "zh-CN") == shown
