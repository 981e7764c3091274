"""Words: what must not stand in texts that are shown to people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.alerts.language import is_tag, usual
from gateway.alerts.model import Certainty, Severity, Urgency
from gateway.alerts.rules.resources import judge_link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Info
    from gateway.alerts.rules.context import Context

_HEADLINE_CHARACTERS = 160
_LONG_TEXT = 8_000
_ONE_LINE = frozenset({"event", "headline", "senderName", "contact", "areaDesc", "source", "valueName"})

_LINE_BREAK = re.compile(r"[\r\n\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_BIDI_MARK = re.compile(r"[\u200e\u200f\u061c]")
_ZERO_WIDTH = re.compile(r"[\u2060-\u2065\u206a-\u206f\ufeff\u00ad\ufff9-\ufffc\U000e0000-\U000e007f]")
_JOINER = re.compile(r"[\u200b-\u200d\u180e]")
# Scripts that are written right to left, or need joiners and break opportunities to be set rightly.
_COMPLEX = re.compile(r"[\u0590-\u180d\u180f-\u1cff\ua800-\uabff\U0001f000-\U0001faff\u2600-\u27bf]")
_PILE = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4}")
"""More marks on one letter than any way of writing needs."""
_AFTER_LINK = (
    r"\s<>\"'\u2018-\u201d\u2026\u3000-\u3006\u3008-\u303f"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
"""Blanks, quotes and the punctuation of Chinese, which stands close to the word before it."""
_LINK = re.compile(f"https?://[^{_AFTER_LINK}]{{1,2048}}", re.IGNORECASE)
_HTML = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|&(?:[a-zA-Z]{2,8}|#[0-9]{1,6}|#x[0-9a-fA-F]{1,6});")


def words_of(info: Info) -> Iterator[tuple[str, str]]:
    """The texts of a block that are shown to people, by the names of their elements."""
    pairs = (
        ("event", info.event),
        ("headline", info.headline),
        ("description", info.description),
        ("instruction", info.instruction),
        ("senderName", info.sender_name),
        ("contact", info.contact),
        ("audience", info.audience),
    )
    yield from ((name, text) for name, text in pairs if text)


def _all_words(context: Context) -> Iterator[tuple[str, str]]:
    alert = context.alert
    for name, text in (("source", alert.source), ("note", alert.note), ("restriction", alert.restriction)):
        if text:
            yield f"alert/{name}", text
    for path, info in context.infos():
        yield from ((f"{path}/{name}", text) for name, text in words_of(info))
        for number, pair in enumerate(info.parameters, 1):
            yield f"{path}/parameter[{number}]/valueName", pair.value_name
            yield f"{path}/parameter[{number}]/value", pair.value
    for path, area in context.areas():
        yield f"{path}/areaDesc", area.area_desc


def about_texts(context: Context) -> None:
    """Characters, markup and lengths."""
    for path, text in _all_words(context):
        name = path.rpartition("/")[2]
        for code in _strange_characters(text, name in _ONE_LINE):
            context.found.add(code, path)
        if len(text) > _LONG_TEXT:
            context.found.add("text_very_long", path, f"the text has {len(text)} characters")
    for path, info in context.infos():
        _about_block(context, path, info)


def _strange_characters(text: str, one_line: bool) -> Iterator[str]:
    plain = _COMPLEX.search(text) is None
    if one_line and _LINE_BREAK.search(text):
        yield "line_break_in_line"
    if _CONTROL.search(text):
        yield "control_character"
    if _BIDI.search(text) or (plain and _BIDI_MARK.search(text)):
        yield "bidi_control"
    if _ZERO_WIDTH.search(text) or (plain and _JOINER.search(text)):
        yield "zero_width"
    if _PILE.search(text):
        yield "marks_piled"
    if _HTML.search(text):
        yield "html_in_text"
    if any("uri_lookalike" in judge_link(one) for one in _LINK.findall(text)):
        yield "uri_lookalike"


def _about_block(context: Context, path: str, info: Info) -> None:
    found = context.found
    if info.headline and len(info.headline) > _HEADLINE_CHARACTERS:
        found.add(
            "headline_long",
            f"{path}/headline",
            f"headline has {len(info.headline)} characters; 160 is the aim",
        )
    if info.headline and info.headline == info.description:
        found.add("description_repeats_headline", f"{path}/description")
    if info.description and info.description == info.instruction:
        found.add("instruction_repeats_description", f"{path}/instruction")
    if not info.contact:
        found.add("contact_missing", f"{path}/contact")
    unknown = (Urgency.UNKNOWN, Severity.UNKNOWN, Certainty.UNKNOWN)
    values = (info.urgency, info.severity, info.certainty)
    for name, value, none in zip(("urgency", "severity", "certainty"), values, unknown, strict=True):
        if value == none:
            found.add("unknown_value", f"{path}/{name}", f"{name} is Unknown, which CAP discourages")
    for name, pairs in (("eventCode", info.event_codes), ("parameter", info.parameters)):
        if any(not pair.value_name for pair in pairs):
            found.add("value_name_empty", f"{path}/{name}")


def about_languages(context: Context) -> None:
    """The tags of the languages."""
    for path, info in context.infos():
        tag = info.language
        if tag is None:
            context.found.add("language_default", f"{path}/language")
        elif is_tag(tag) and usual(tag) != tag:
            same = usual(tag).lower() == tag.lower()
            code = "language_case" if same else "language_odd"
            context.found.add(code, f"{path}/language", f"language is {tag}; the usual tag is {usual(tag)}")
