"""S10: text that shows other than it says is refused, or flagged to the approver and sent without its tricks.

Each text goes the two ways that there are: typed into the form, and from a message that a machine brought.
"""

from __future__ import annotations

import re

import pytest
from markupsafe import escape

from channels.base import HOLE
from gateway.alerts.findings import CODES
from gateway.desk.refused import DeskRefused
from gateway.store.tables import alerts
from tests.desk.conftest import fields
from tests.web.console.test_draft import KEY, count, form, latest, pairs

BIDI = {f"bidi {ord(one):04X}": f"大雨{one}abc" for one in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200f"}
WIDTHLESS = {
    f"widthless {ord(one):04X}": f"暴{one}雨"
    for one in "\u200b\u200c\u200d\u200e\u2060\u2061\u2064\ufeff\u00ad\u180e"
}
CONTROLS = {f"control {ord(one):04X}": f"大雨{one}[31m" for one in "\x07\x08\x1b\x7f\x80\x9b\x9f"}
TAGS = {f"tag {ord(one):X}": f"大雨{one}将至" for one in "\U000e0001\U000e0041\U000e007f"}
OTHERS = {f"other {ord(one):04X}": f"大雨{one}将至" for one in "\ufff9\ufffb\ufffc"}
PILES = {
    "a thousand accents": "a" + "\u0301" * 1000,
    "enclosing marks": "雨" + "\u20dd" * 50,
    "Cyrillic millions": "x" + "\u0489" * 20,
    "marks across lines": "e" + "\u0316\u0317\u0318\u0319" * 30,
}
LINKS = {
    "a Cyrillic letter": "见 https://wаrn.example.org/1",
    "a Greek letter": "见 https://wαrn.example.org/1",
    "a Cyrillic host": "见 https://аррӏе.com/",
    "its ASCII form": "见 https://xn--80ak6aa92e.com/",
    "a user name like a host": "见 https://warn.example.org@elsewhere.example.net/",
    "a full-width host": "见 https://ｗarn.example.org/1",
}
GROUPS = {
    "bidi": BIDI,
    "of no width": WIDTHLESS,
    "controls": CONTROLS,
    "tags and others": TAGS | OTHERS,
    "piles of marks": PILES,
    "links": LINKS,
}
_TRICKS = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc"
    r"\U000e0000-\U000e007f]"
)


def flagged(page: str) -> bool:
    """Whether the page tells of one of the findings that these texts have."""
    told = ("bidi_control", "zero_width", "control_character", "marks_piled", "uri_lookalike")
    return any(str(escape(CODES[code].meaning)) in page for code in told)


def test_there_are_forty():
    assert sum(len(texts) for texts in GROUPS.values()) >= 40


@pytest.mark.parametrize("texts", GROUPS.values(), ids=GROUPS)
class TestEachText:
    async def test_that_is_typed_is_refused_or_shown_to_the_approver(self, visitor, console, texts):
        author, approver, unseen = await visitor("author"), await visitor("first"), []
        for number, (name, text) in enumerate(texts.items()):
            words = {"description:zh-CN": text, "instruction:zh-CN": "请立即远离山沟"}
            before = await count(console, alerts)
            answer = await author.post("/alerts/new", pairs(form(**words, key=f"{KEY}-{number}")))
            if answer.status == 422:
                assert await count(console, alerts) == before
                continue
            row = await console.desk.submit((await latest(console)).id, "author")
            if not flagged((await approver.get(f"/alerts/{row.id}")).text):
                unseen.append(name)
        assert unseen == []

    async def test_that_a_machine_brought_is_flagged_and_sent_without_its_tricks(
        self, visitor, console, texts
    ):
        approver, unseen = await visitor("first"), []
        for name, text in texts.items():
            try:
                drafted = await console.desk.draft(fields(description=f"预计有雨。{text}"), "author")
                row = await console.desk.submit(drafted.id, "author")
            except DeskRefused:
                continue
            said = [content["text"] for one in row.texts.values() for content in one.values()]
            left = [_TRICKS.findall(one.replace(HOLE, "")) for one in said]
            if any(left) or not flagged((await approver.get(f"/alerts/{row.id}")).text):
                unseen.append((name, left))
        assert unseen == []
