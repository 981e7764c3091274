"""What an alert must fulfil before anybody is asked to approve it."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gateway.alerts.hazards import AWARENESS, is_green
from gateway.alerts.model import Alert, Info, Scope, Status
from gateway.desk.refused import DeskRefused
from gateway.desk.render import clean, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUS = {"live": Status.ACTUAL, "drill": Status.EXERCISE}
"""The one CAP status that each mode may send; System, Test and Draft are never sent."""

LONGEST = timedelta(days=30)
"""No warning stands longer; a slip in the year would keep it for ever."""

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters that show nothing."""

# Simplified and Traditional characters; letters may be set apart. People in English exercise care.
_DRILL_WORDS = re.compile(
    r"演[练練习習]|[测測][试試]|(?<![尝嘗考])[试試][发發播]|\bd ?r ?i ?l ?l ?s?\b|\bt ?e ?s ?t(?:s|ing)?\b"
    r"|\bexercises?\b(?! (?:\w+ ){0,2}(?:caution|care|restraint|vigilance|patience|judge?ment))"
)
_SHOWS_NOTHING = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\ufe00-\ufe0f\U000e0100-\U000e01ef]"
    r"|(?<=[\u3400-\u9fffa-z])[\u0300-\u036f\u20d0-\u20ff]+"
)
"""Variation selectors, fillers, blanks, and marks that only decorate the letter before them."""
_GAP = re.compile(r"(?<=[\u3400-\u9fff])[ ·•‧・*_~^]+(?=[\u3400-\u9fff])")
# 非 stands in words of its own (非常, 除非, 非参演), so little may come between it and the drill. A drill
# may speak of people and places outside it, and may say that nothing of it is real.
_LIVE_WORDS = re.compile(
    r"(?:(?:不是|并非|並非|[绝絕决決]非|不[属屬][于於])(?:[为為]了)?"
    r"[^，。；：！？、,.;:!?真实實际際仅僅只是为為系参參所每全]{0,6}?"
    r"|(?<!除)非(?:一?次|一?[场場]|普通)?)"
    r"(?:演[练練习習]|[测測][试試])(?!人|[区區]|[范範][围圍]|[单單]位|[对對]象|期[间間]|[时時]段|科目|[车車])"
    r"|(?:[这這]是|此[为為]|本次[为為是]|[确確][为為系])(?:一?次|一?[个個]|一?[条條])?真[实實的正]"
    r"(?!的?(?:演|模[拟擬]))"
    r"|\b(?:not|isn['’]?t|ain['’]?t|no)\b"
    r"(?:,? (?:an?|any|just|merely|only|simply|longer|another|simple|mere|repeat|not|training|routine))*"
    r",? (?:d ?r ?i ?l ?l|exercise|t ?e ?s ?t)\b(?! (?:areas?|zones?|participants?|staff|period|vehicles?)\b)"
    r"|\bthis is (?:an? |the )?(?:real|genuine|actual)\b(?![ -](?:time|drill|exercise))"
)


def check_ready(alert: Alert, mode: str, now: datetime) -> None:
    """Raise :class:`DeskRefused` unless the alert may be submitted in this mode at this time."""
    check_status(alert, mode)
    check_in_force(alert)
    check_fields(alert)
    check_validity(alert, now)
    check_words(alert, mode)


def check_status(alert: Alert, mode: str) -> None:
    """Refuse a status that the mode must not send, and a scope that is not for the public."""
    if alert.status != STATUS[mode]:
        hint = {
            Status.EXERCISE: "draft it as a drill",
            Status.ACTUAL: "a drill takes a message whose status is Exercise",
        }.get(alert.status, "only Actual, and Exercise in a drill, ever leave the desk")
        raise DeskRefused(
            "status",
            f"status is {alert.status}, which a {mode} warning may not have: {hint}",
            why=mode,
            status=alert.status,
        )
    if alert.scope != Scope.PUBLIC:
        raise DeskRefused("scope", f"scope is {alert.scope}: only Public messages go to public channels")


def check_in_force(alert: Alert) -> None:
    """Refuse a message whose awareness levels, where it has any, all say that nothing is the matter."""
    levels = [p.value for info in alert.infos for p in info.parameters if p.value_name == AWARENESS]
    if levels and all(map(is_green, levels)):
        raise DeskRefused("green", "its awareness level is green: no warning is in force, so none is sent")


def missing_fields(info: Info) -> list[str]:
    """Return which of the eight statutory fields are missing (突发事件应对法, 2024, art. 64).

    Level and time of issue are columns of their own, and the start is ``sent`` where neither
    ``onset`` nor ``effective`` says otherwise (CAP 1.2, 3.2.2).
    """
    needed: dict[str, list[str | None]] = {
        "预警类别 (event)": [info.event],
        "可能影响的范围 (area)": [area.area_desc for area in info.areas],
        "警示事项 (description)": [info.description],
        "应当采取的措施 (instruction)": [info.instruction],
        "发布单位 (sender name)": [info.sender_name],
    }
    return [name for name, texts in needed.items() if not texts or not all(map(says_something, texts))]


def says_something(text: str | None) -> bool:
    """Return whether people see a letter or a digit of the text, when it is shown as it is sent."""
    return any(unicodedata.category(c)[0] in "LN" and c not in _FILLERS for c in clean(text or ""))


def check_fields(alert: Alert) -> None:
    """Refuse an alert that lacks a field which the law asks for, in any of its languages."""
    if not alert.infos:
        raise DeskRefused(
            "fields", "the message has no info block: there is nothing to tell people", why="empty"
        )
    for number, info in enumerate(alert.infos, 1):
        if missing := missing_fields(info):
            where = (
                f" in language {info.language or 'en-US'} (block {number})" if len(alert.infos) > 1 else ""
            )
            raise DeskRefused(
                "fields",
                f"missing{where}: {', '.join(missing)}; add it with 'tongda desk edit' before submitting",
                why="missing",
                missing=", ".join(missing),
            )


def check_validity(alert: Alert, now: datetime) -> None:
    """Refuse an alert that has no end, has ended, or ends beyond :data:`LONGEST`."""
    expires = alert.expires
    if expires is None:
        raise DeskRefused("expires", "expires is missing: say until when the warning holds", why="missing")
    check_end(alert, now)
    if expires > now + LONGEST:
        raise DeskRefused(
            "expires",
            f"expires lies more than {LONGEST.days} days ahead: check the date",
            why="far",
            days=LONGEST.days,
        )
    for info in alert.infos:
        start = info.onset or info.effective
        if start is not None and info.expires is not None and start >= info.expires:
            raise DeskRefused(
                "onset",
                f"the warning begins at {start.isoformat()}, not before its end at "
                f"{info.expires.isoformat()}: set another begin (--onset) or end (--expires)",
            )


def check_end(alert: Alert, now: datetime) -> None:
    """Refuse an alert that is over in any of its languages."""
    ended = [info.expires for info in alert.infos if info.expires is not None and info.expires <= now]
    if ended:
        raise DeskRefused(
            "expired",
            f"the warning ended at {min(ended).isoformat()}: give a later end (--expires TIME)",
            why="in_draft",
            ended=min(ended),
        )


def check_words(alert: Alert, mode: str) -> None:
    """Refuse a live warning that speaks of a drill, and a drill that says it is none."""
    for path, text in texts_of(alert):
        if mode == "live" and (word := speaks_of_a_drill(text)):
            raise DeskRefused(
                "drill_words",
                f"{path} of a live warning says '{word}': mend the text, or draft a drill",
                path=path,
                word=word,
            )
        if mode == "drill" and (word := speaks_of_the_real(text)):
            raise DeskRefused(
                "live_words",
                f"{path} of a drill says '{word}': mend the text, a drill must not deny it",
                path=path,
                word=word,
            )


def speaks_of_a_drill(text: str) -> str | None:
    """Return the first words that say that this is a drill or a test."""
    found = _DRILL_WORDS.search(fold(text))
    return found[0] if found else None


def speaks_of_the_real(text: str) -> str | None:
    """Return the first words that say that this is no drill."""
    found = _LIVE_WORDS.search(fold(text))
    return found[0] if found else None


def fold(text: str) -> str:
    """Return the text as people read it, in one form: what is hidden or set apart hides no word."""
    seen = _SHOWS_NOTHING.sub("", unicodedata.normalize("NFKC", one_line(text)).lower())
    return _GAP.sub("", re.sub(r"\s+", " ", seen))


def texts_of(alert: Alert) -> Iterator[tuple[str, str]]:
    """Yield (where, text) for every text of the alert that people may read."""
    yield from ((name, text) for name, text in (("note", alert.note), ("source", alert.source)) if text)
    for number, info in enumerate(alert.infos, 1):
        for name in (
            "event",
            "headline",
            "description",
            "instruction",
            "sender_name",
            "audience",
            "contact",
            "web",
        ):
            if text := getattr(info, name):
                yield f"info[{number}]/{name}", text
        for area in info.areas:
            yield f"info[{number}]/area", area.area_desc
