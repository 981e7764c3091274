"""Hostile text on the draft page: it is shown as it is and does nothing, or it is refused."""

from __future__ import annotations

import re

import pytest
from markupsafe import escape

from gateway.desk.steps import alert_of
from gateway.store.tables import alerts
from tests.web.console.test_draft import ZH, count, drafted, form, latest, pairs

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "</title><iframe src=javascript:alert(1)>",
    "javascript:alert(1)",
    '<a href="javascript:alert(1)">x</a>',
    "<style>*{display:none}</style>",
    "<body onload=alert(1)>",
    '<math><mi xlink:href="data:x,<script>alert(1)</script>">',
    "`${alert(1)}`",
    '<!--<img src="--><img src=x onerror=alert(1)//">',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '" hx-get="/desk/sign-out" hx-trigger="load" x="',
    "<div data-ask='x' hx-post='/desk/drafts/discard'>",
    "]]><x/>",
]
TEMPLATES = [
    "{0.__class__}",
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "{%raw%}",
    "%(name)s",
    "{area}",
    "%s%n",
    "{{config}}",
]
HIDDEN = {
    "\u202eabc": "U+202E",
    "a\u2066b\u2069": "U+2066",
    "zero\u200bwidth": "U+200B",
    "bom\ufeff": "U+FEFF",
    "tag\U000e0041": "U+E0041",
    "soft\u00adhyphen": "U+00AD",
    "bell\x07": "U+0007",
    "esc\x1b[31m": "U+001B",
    "line\u2028sep": "U+2028",
    "object\ufffc": "U+FFFC",
    "c1\x85": "U+0085",
    "vt\x0b": "U+000B",
}


def raw_in(page: str, text: str) -> bool:
    """Whether the page has the text as markup: outside of what escaping makes of it."""
    return text in page and text != str(escape(text))


class TestMarkup:
    """S4: markup in every field of the form."""

    @pytest.mark.parametrize("payload", PAYLOADS)
    async def test_is_text_on_the_page_and_in_each_part(self, visitor, console, payload):
        browser = await visitor("author")
        texts = {name: f"{payload} 虚构" for name in ZH if ":" in name}
        row = await drafted(browser, console, **texts)
        typed = form(version=1, alert=row.id, **texts)
        parts = [f"/drafts/{part}" for part in ("preview", "audience", "fill")]
        pages = [await browser.get(f"/alerts/{row.id}/edit")]
        pages += [await browser.post(part, pairs(typed)) for part in parts]
        for page in pages:
            assert page.status == 200
            assert not raw_in(page.text, payload)
        assert str(escape(payload)) in pages[0].text
        assert "unsafe" not in pages[0].headers["Content-Security-Policy"]

    async def test_is_text_where_a_form_is_refused_or_restored(self, visitor, console):
        browser = await visitor("author")
        typed = form(area="", area_name=PAYLOADS[1], web=PAYLOADS[5], **{"headline:zh-CN": PAYLOADS[3]})
        refused = await browser.post("/alerts/new", pairs(typed))
        await browser.post("/drafts/keep", pairs(typed))
        for page in (refused, await browser.get("/alerts/new")):
            assert not any(raw_in(page.text, one) for one in (PAYLOADS[1], PAYLOADS[3]))
            assert str(escape(PAYLOADS[1])) in page.text

    @pytest.mark.parametrize(
        "field",
        ["hazard", "level", "area", "onset", "expires", "certainty", "urgency", "response", "key", "mode"],
    )
    async def test_in_a_field_of_fixed_words_goes_nowhere(self, visitor, console, field):
        browser = await visitor("author")
        for part in ("/alerts/new", "/drafts/preview", "/drafts/audience", "/drafts/fill", "/drafts/kind"):
            answer = await browser.post(part, pairs(form(**{field: PAYLOADS[1]})))
            assert answer.status in (200, 303, 422)
            assert not raw_in(answer.text, PAYLOADS[1])

    async def test_of_a_language_tag_is_left_out(self, visitor, console):
        browser = await visitor("author")
        answer = await browser.post("/alerts/new", pairs(form(language=["zh-CN", PAYLOADS[1]])))
        assert answer.status == 303
        assert [one.language for one in alert_of(await latest(console)).infos] == ["zh-CN"]


class TestTemplates:
    """S6: expressions stay what was typed."""

    @pytest.mark.parametrize("payload", TEMPLATES)
    async def test_braces_come_out_as_they_were_typed(self, visitor, console, payload):
        browser = await visitor("author")
        texts = {f"{name}:zh-CN": f"甲{payload}乙" for name in ("headline", "description", "instruction")}
        row = await drafted(browser, console, **texts)
        part = await browser.post("/drafts/preview", pairs(form(version=1, alert=row.id, **texts)))
        assert str(escape(f"甲{payload}乙")) in part.text
        submitted = await console.desk.submit(row.id, "author")
        assert f"甲{payload}乙" in submitted.texts["sms"]["zh-CN"]["text"]

    async def test_braces_in_an_area_fill_no_second_time(self, visitor, console):
        browser = await visitor("author")
        shape = '{"circles": [[30.0, 110.0, 2.0]]}'
        part = await browser.post("/drafts/fill", pairs(form(area=shape, area_name="{issuer}{{7*7}}")))
        assert "{issuer}{{7*7}}" in part.text


class TestHiddenCharacters:
    """S10: hidden characters are refused by name."""

    @pytest.mark.parametrize(("text", "told"), HIDDEN.items())
    async def test_are_refused_by_name_and_taken_out_on_demand(self, visitor, console, text, told):
        browser = await visitor("author")
        typed = form(**{"description:zh-CN": f"{text}正文"})
        answer = await browser.post("/alerts/new", pairs(typed))
        assert answer.status == 422
        assert told in answer.text
        assert await count(console, alerts) == 0
        cleaned = await browser.post("/alerts/new", pairs(typed | {"do": "clean"}))
        found = re.search(r'name="description:zh-CN"[^>]*>\n([^<]*)</textarea>', cleaned.text)[1]
        assert found.isprintable()
        assert "正文" in found

    async def test_joiners_that_a_script_needs_stay(self, visitor, console):
        row = await drafted(await visitor("author"), console, **{"description:zh-CN": "نمی\u200cخواهم 虚构"})
        assert "\u200c" in alert_of(row).infos[0].description

    async def test_a_thousand_combining_marks_do_no_harm(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console, **{"headline:zh-CN": "a" + "\u0301" * 1000})
        assert (await browser.get(f"/alerts/{row.id}/edit")).status == 200

    async def test_a_line_break_in_a_heading_rewrites_no_mail_header(self, visitor, console):
        browser = await visitor("author")
        row = await drafted(browser, console, **{"headline:zh-CN": "标题\r\nBcc: x@example.org"})
        submitted = await console.desk.submit(row.id, "author")
        for content in submitted.texts["email"].values():
            assert "\n" not in content["subject"]
