"""Texts to begin with: headline, description and instruction by hazard and level.

``templates/messages/phrases.toml`` holds them in each language with ``{placeholders}`` of one fixed set.
There are no expressions, and an unknown placeholder is refused when the file is read.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from gateway.desk.render import COLOURS, TemplateError, family, fill, one_line, say_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, tzinfo
    from pathlib import Path

    from gateway.alerts.hazards import Hazard

PLACEHOLDERS = frozenset({"area", "hazard", "level", "issuer", "hours", "begin", "end"})
LANGUAGES = ("zh-CN", "en")
GENERAL = "general"
_GRAVE = frozenset({"red", "orange"})
_NAME = re.compile(r"\{([^{}]*)\}")
_KEYS = frozenset({"headline", "red", "orange", "yellow", "blue", "description", "grave", "light"})
_HOUR = 3600


class Phrase(NamedTuple):
    """Three texts, before their placeholders are filled or after."""

    headline: str
    description: str
    instruction: str


class Case(NamedTuple):
    """What the placeholders stand for."""

    hazard: Hazard | None
    event: str
    """The hazard in words, where the table does not know it."""
    level: str
    area: Sequence[str]
    issuer: str
    begin: datetime
    end: datetime
    zone: tzinfo


class Phrases:
    """Every text of the file, read and checked once."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises :class:`TemplateError` naming the entry and the placeholder."""
        try:
            self._read: dict[str, dict[str, dict[str, str]]] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TemplateError(f"{path}: {error}") from None
        for hazard, languages in self._read.items():
            for language, texts in languages.items():
                _check(f"{path}: [{hazard}.{language}]", texts)
        for language in LANGUAGES:
            if not {"headline", "description", "grave", "light"} <= set(self._of(GENERAL, language)):
                raise TemplateError(
                    f"{path}: [{GENERAL}.{language}] lacks a text that every hazard falls back to"
                )

    def hazards(self) -> frozenset[str]:
        """Return the keys of the hazards that have texts of their own."""
        return frozenset(self._read) - {GENERAL}

    def has(self, hazard: str, level: str) -> bool:
        """Return whether there is a text for a hazard at this level; else the general one is offered."""
        return level in self._of(hazard, LANGUAGES[0])

    def offer(self, hazard: str, level: str, language: str) -> Phrase:
        """Return the texts for a hazard and level, the general ones where it has none of its own."""
        tag = "zh-CN" if family(language) == "zh" else "en"
        own, general = self._of(hazard, tag), self._of(GENERAL, tag)
        do = "grave" if level in _GRAVE else "light"
        return Phrase(
            own.get("headline") or general["headline"],
            own.get(level) or own.get("description") or general["description"],
            own.get(do) or general[do],
        )

    def say(self, hazard: str, language: str, case: Case) -> Phrase:
        """Return the texts with their placeholders filled, once: braces in a value stay as they are."""
        values = _values(case, language)
        return Phrase(*(fill(text, values) for text in self.offer(hazard, case.level, language)))

    def _of(self, hazard: str, language: str) -> Mapping[str, str]:
        return self._read.get(hazard, {}).get(language, {})


def _values(case: Case, language: str) -> dict[str, str]:
    words = family(language)
    name = (case.hazard.zh if words == "zh" else case.hazard.en) if case.hazard else case.event
    hours = max(1, round((case.end - case.begin).total_seconds() / _HOUR))
    return {
        "area": ("、" if words == "zh" else ", ").join(one_line(one) for one in case.area),
        "hazard": one_line(name),
        "level": COLOURS[words][case.level] if words == "zh" else COLOURS[words][case.level].lower(),
        "issuer": one_line(case.issuer),
        "hours": str(hours),
        "begin": say_time(case.begin, language, case.zone),
        "end": say_time(case.end, language, case.zone, case.begin),
    }


def _check(place: str, texts: object) -> None:
    if not isinstance(texts, dict):
        raise TemplateError(f"{place} is no table of texts")
    for key, text in texts.items():
        if key not in _KEYS or not isinstance(text, str) or not text.strip():
            raise TemplateError(f"{place} {key}: is no text of one of {', '.join(sorted(_KEYS))}")
        if unknown := sorted(set(_NAME.findall(text)) - PLACEHOLDERS):
            known = ", ".join(sorted(PLACEHOLDERS))
            raise TemplateError(f"{place} {key}: unknown placeholder {{{unknown[0]}}}: one of {known}")
        if "{" in (rest := _NAME.sub("", text)) or "}" in rest:
            raise TemplateError(f"{place} {key}: a brace stands alone")
