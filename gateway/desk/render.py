"""Say a warning on each channel and in each language.

``templates/messages/{channel}.{language}.txt`` holds plain text with ``{placeholders}`` of one
fixed set; there are no expressions, so a template cannot do anything but say. A Cancel uses
``{channel}.cancel.{language}.txt``, and ``{channel}.confirm.{language}.txt`` is the sentence that
stands at ``{confirm}`` for responsible persons. A first line ``Subject: ...`` sets the subject.

The mark of a drill is put first by :func:`mark`, not by a template: nobody can forget it.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from channels.base import HOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, tzinfo
    from pathlib import Path

MARKS = {"zh": "【演练】", "en": "[DRILL]"}
COLOURS = {
    "zh": {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"},
    "en": {"red": "Red", "orange": "Orange", "yellow": "Yellow", "blue": "Blue"},
}
KINDS = {
    "zh": {"Alert": "发布", "Update": "更新发布", "Cancel": "解除"},
    "en": {"Alert": "issued", "Update": "updated", "Cancel": "cancelled"},
}
PLACEHOLDERS = frozenset(
    [
        "signature",
        "sender",
        "event",
        "colour",
        "kind",
        "area",
        "sent",
        "onset",
        "expires",
        "headline",
        "description",
        "instruction",
        "reference",
        "confirm",
    ]
)
MANDATORY = ("sender", "event", "colour", "area", "sent", "instruction")
"""Issuer, hazard, colour, area, time and action stand in every message, on every channel.

``onset`` and ``expires`` leave out the day that ``sent`` has told, so neither can stand for it.
"""

_NAME = re.compile(r"\{([^{}]*)\}")
_SUBJECT = "Subject:"
_ENDS = ("。", "！", "？", "；", ".", "!", "?", ";", "…", "”", "）")


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class TemplateError(ValueError):
    """A template cannot be used; the text names the file and the placeholder."""


class NoTemplateError(ValueError):
    """There is no template for a channel and language; the text names the file to write."""


class Facts(NamedTuple):
    """What a message says, before it is put into words for a channel."""

    msg_type: str
    language: str
    level: str
    sender: str
    event: str
    area: tuple[str, ...]
    sent: datetime
    onset: datetime
    expires: datetime
    headline: str
    description: str
    instruction: str
    reference: str


class Wording(NamedTuple):
    """One message in words."""

    subject: str
    text: str


class Template(NamedTuple):
    """One parsed template file."""

    subject: str
    body: str


def family(language: str) -> str:
    """Return the language whose words are used: ``zh`` for any Chinese tag, else ``en``."""
    return "zh" if language.partition("-")[0].lower() == "zh" else "en"


def clean(text: str) -> str:
    """Return the text in NFC without anything that hides, turns or forges text.

    Dropped are C0 and C1 controls except the line feed, all format characters (zero width,
    bidi overrides, tags, soft hyphen), unpaired surrogates and :data:`channels.base.HOLE`.
    """
    lines = re.sub(r"\r\n?|[\u2028\u2029\x85\v\f]", "\n", text).replace("\t", " ")
    kept = (
        c for c in lines if c == "\n" or (c != HOLE and unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    )
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def one_line(text: str) -> str:
    """Return the cleaned text on one line; no space is put between Chinese lines."""
    joined = re.sub(
        r"(?<=[\u3000-\u9fff\uff00-\uffef])\s*\n\s*(?=[\u3000-\u9fff\uff00-\uffef])", "", clean(text)
    )
    return re.sub(r"\s+", " ", joined)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put the values into the template once; braces inside a value stay as they are."""
    return _NAME.sub(lambda match: values[match[1]], template)


def mark(text: str, language: str, *, drill: bool) -> str:
    """Return the text with the mark of a drill first, where it is one."""
    if not drill:
        return text
    sign = MARKS[family(language)]
    return f"{sign}{text}" if family(language) == "zh" else f"{sign} {text}"


def say_time(moment: datetime, language: str, zone: tzinfo, told: datetime | None = None) -> str:
    """Return the time in words, in the desk's zone; English names the offset.

    ``told`` is a time that the text has told before: its year, its day and its offset are not
    said again, which saves a part in most SMS.
    """
    local = moment.astimezone(zone)
    before = told.astimezone(zone) if told else None
    same_year = before is not None and before.year == local.year
    same_day = before is not None and before.date() == local.date()
    chinese = family(language) == "zh"
    clock = f"{local.hour}时{local.minute:02d}分" if chinese else f"{local:%H:%M}"
    if same_day:
        return clock
    if chinese:
        return f"{'' if same_year else f'{local.year}年'}{local.month}月{local.day}日{clock}"
    day = f"{local.day} {_MONTHS[local.month - 1]}{'' if same_year else f' {local.year}'} {clock}"
    offset = f"{local:%z}"
    return day if before else f"{day} (UTC{offset[:3]}:{offset[3:5]})"


def values(facts: Facts, *, signature: str, zone: tzinfo, confirm: str = "") -> dict[str, str]:
    """Return what each placeholder stands for; everything on one line but description and instruction."""
    words = family(facts.language)
    return {
        "signature": one_line(signature),
        "sender": one_line(facts.sender),
        "event": one_line(facts.event),
        "colour": COLOURS[words][facts.level],
        "kind": KINDS[words][facts.msg_type],
        "area": ("、" if words == "zh" else "; ").join(one_line(name) for name in facts.area),
        "sent": say_time(facts.sent, facts.language, zone),
        "onset": say_time(facts.onset, facts.language, zone, facts.sent),
        "expires": say_time(facts.expires, facts.language, zone, facts.sent),
        "headline": one_line(facts.headline),
        "description": _sentence(facts.description, words),
        "instruction": _sentence(facts.instruction, words),
        "reference": one_line(facts.reference),
        "confirm": confirm,
    }


def _sentence(text: str, words: str) -> str:
    cleaned = clean(text)
    if not cleaned or cleaned.endswith(_ENDS):
        return cleaned
    return cleaned + ("。" if words == "zh" else ".")


class Templates:
    """Every template of a folder, read and checked once."""

    def __init__(self, folder: Path) -> None:
        """Read the folder; raises :class:`TemplateError` naming file and placeholder."""
        self.folder = folder
        self._files = {path.name: _read(path) for path in sorted(folder.glob("*.txt"))}
        self._cancel = _read_cancel(folder / "cancel.toml")

    def find(self, channel: str, language: str, variant: str = "") -> Template | None:
        """Return the template for a language: its own tag, else its primary tag, else None.

        Any Chinese tag finds ``zh-CN``, the one Chinese that ships.
        """
        stem = f"{channel}.{variant}" if variant else channel
        primary = language.partition("-")[0].lower()
        for tag in (language, primary, "zh-CN" if primary == "zh" else primary):
            if f"{stem}.{tag}.txt" in self._files:
                return self._files[f"{stem}.{tag}.txt"]
        return None

    def speaks(self, channel: str, language: str) -> bool:
        """Return whether a message can be said on the channel in the language."""
        return self.find(channel, language) is not None

    def say(
        self, channel: str, facts: Facts, *, signature: str, zone: tzinfo, drill: bool, personal: bool = False
    ) -> Wording:
        """Return the subject and text for one channel; ``personal`` adds the confirm sentence.

        Raises:
            NoTemplateError: the channel has no template in this language.
        """
        template = self._template(channel, facts)
        confirm = self.find(channel, facts.language, "confirm") if personal else None
        asked = fill(confirm.body, {"link": HOLE}) if confirm else ""
        filling = values(facts, signature=signature, zone=zone, confirm=asked)
        if "\n" not in template.body:
            filling |= {name: one_line(filling[name]) for name in ("description", "instruction")}
        text = _tidy(fill(template.body, filling))
        subject = (
            one_line(fill(template.subject, filling | {"confirm": ""}))
            if template.subject
            else filling["headline"]
        )
        return Wording(mark(subject, facts.language, drill=drill), mark(text, facts.language, drill=drill))

    def confirms(self, channel: str, language: str) -> bool:
        """Return whether the channel asks responsible persons to confirm, in this language."""
        return self.find(channel, language, "confirm") is not None

    def cancel_text(self, facts: Facts, zone: tzinfo) -> dict[str, str]:
        """Return headline, description and instruction of the Cancel of a warning with these facts."""
        filling = values(facts, signature="", zone=zone)
        own = "zh-CN" if family(facts.language) == "zh" else "en"
        return {name: fill(text, filling) for name, text in self._cancel[own].items()}

    def _template(self, channel: str, facts: Facts) -> Template:
        variant = "cancel" if facts.msg_type == "Cancel" else ""
        if found := self.find(channel, facts.language, variant):
            return found
        name = ".".join(filter(None, (channel, variant, facts.language, "txt")))
        raise NoTemplateError(f"{self.folder / name}: there is no such template")


def _tidy(text: str) -> str:
    """Return the text without the gaps that empty values left."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" +\n", "\n", re.sub(r" {2,}", " ", text))).strip()


def _read(path: Path) -> Template:
    try:
        text = path.read_text(encoding="utf-8").strip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path}: cannot be read: {error}") from None
    subject, body = "", text
    if text.startswith(_SUBJECT):
        first, _, body = text.partition("\n")
        subject, body = first.removeprefix(_SUBJECT).strip(), body.strip("\n")
    confirm = ".confirm." in path.name
    used = _check_names(path.name, str(path), subject + body, {"link"} if confirm else PLACEHOLDERS)
    if not confirm:
        _check_mandatory(path, used)
    return Template(subject, body)


def _check_names(name: str, place: str, text: str, allowed: Iterable[str]) -> set[str]:
    used = set(_NAME.findall(text))
    if unknown := sorted(used - set(allowed)):
        raise TemplateError(
            f"{place}: unknown placeholder {{{unknown[0]}}}: one of {', '.join(sorted(allowed))}"
        )
    if "{" in (rest := _NAME.sub("", text)) or "}" in rest:
        raise TemplateError(f"{place}: a brace stands alone in {name}")
    if HOLE in text:
        raise TemplateError(f"{place}: holds the character U+FFFC, which marks the confirm link")
    return used


def _check_mandatory(path: Path, used: set[str]) -> None:
    for name in MANDATORY:
        if name not in used:
            raise TemplateError(f"{path}: {{{name}}} must stand in every message")


def _read_cancel(path: Path) -> dict[str, dict[str, str]]:
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TemplateError(f"{path}: {error}") from None
    for language in ("zh-CN", "en"):
        for name in ("headline", "description", "instruction"):
            text = read.get(language, {}).get(name)
            if not isinstance(text, str):
                raise TemplateError(f"{path}: [{language}] {name} is missing")
            _check_names(path.name, f"{path}: [{language}] {name}", text, PLACEHOLDERS - {"confirm"})
    return read
