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

_DRILL_WORDS = re.compile(
    r"演练|演习|测试|试发|\bdrill\b|\btest(?:ing)?\b"
    r"|\bexercise\b(?! (?:\w+ ){0,2}(?:caution|care|restraint|vigilance|patience|judge?ment))"
)
_GAP = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")
_LIVE_WORDS = re.compile(
    r"(?:不是|并非|非)(?:一?次|一?场)?(?:演练|演习|测试)"
    r"|\b(?:not|isn['’]t|no) (?:a |an )?(?:drill|exercise|test)\b"
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
        raise DeskRefused("status", f"status is {alert.status}, which a {mode} warning may not have: {hint}")
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
        raise DeskRefused("fields", "the message has no info block: there is nothing to tell people")
    for number, info in enumerate(alert.infos, 1):
        if missing := missing_fields(info):
            where = (
                f" in language {info.language or 'en-US'} (block {number})" if len(alert.infos) > 1 else ""
            )
            raise DeskRefused(
                "fields",
                f"missing{where}: {', '.join(missing)}; add it with 'tongda desk edit' before submitting",
            )


def check_validity(alert: Alert, now: datetime) -> None:
    """Refuse an alert that has no end, has ended, or ends beyond :data:`LONGEST`."""
    expires = alert.expires
    if expires is None:
        raise DeskRefused("expires", "expires is missing: say until when the warning holds")
    check_end(alert, now)
    if expires > now + LONGEST:
        raise DeskRefused("expires", f"expires lies more than {LONGEST.days} days ahead: check the date")
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
            "expired", f"the warning ended at {min(ended).isoformat()}: give a later end (--expires TIME)"
        )


def check_words(alert: Alert, mode: str) -> None:
    """Refuse a live warning that speaks of a drill, and a drill that says it is none."""
    for path, text in texts_of(alert):
        folded = fold(text)
        if mode == "live" and (found := _DRILL_WORDS.search(folded)):
            raise DeskRefused(
                "drill_words", f"{path} of a live warning says '{found[0]}': mend the text, or draft a drill"
            )
        if mode == "drill" and (found := _LIVE_WORDS.search(folded)):
            raise DeskRefused(
                "live_words", f"{path} of a drill says '{found[0]}': mend the text, a drill must not deny it"
            )


def fold(text: str) -> str:
    """Return the text as people read it, in one form: what is hidden or set apart hides no word."""
    seen = unicodedata.normalize("NFKC", one_line(text)).lower()
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
