"""Headlines of Chinese warnings: ``河南省气象台发布大风蓝色预警[IV级/一般]``.

The lists that republish warnings give colour and type as codes of different families, some of which count
the colours from the other end. The headline says both in words, so it checks the codes, and stands in for
one that is missing. The grammar is that of 气象灾害预警信号发布与传播办法 as messages follow it:
issuer, what it does, kind of event, colour, ``预警`` or ``预警信号``, and the grade at either place.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.alerts.findings import CODES, Finding
from gateway.alerts.hazards import Level
from gateway.alerts.model import Alert, MsgType

_LONGEST = 200
_TITLE = re.compile(
    # 发布中心 is part of the name of an issuer.
    r"(?P<issuer>.*?)(?P<action>(?:继续|变更|更新|升级|降级|确认|解除|取消|发布)+)(?!中心|系统|平台)"
    r"(?P<event>.{1,20}?)(?P<colour>[红橙黄蓝])色(?:[\[【(（/][^\]】)）]{0,20}[\]】)）])?预警"
)
_COLOURS = {"红": Level.RED, "橙": Level.ORANGE, "黄": Level.YELLOW, "蓝": Level.BLUE}
_COLOUR = re.compile(r"([红橙黄蓝])色")
_NAMED = re.compile(
    r"([红橙黄蓝])色(?:[\[【(（/][^\]】)）]{0,20}[\]】)）])?预警|\b(red|orange|yellow|blue)\b", re.IGNORECASE
)
"""The colour of a warning in a Chinese or English headline."""
_GRADE = re.compile(r"[\[【(（/](IV|III|II|I|Ⅳ|Ⅲ|Ⅱ|Ⅰ)(?:级|[/\]】)）]|$)")
_GRADES = {"I": Level.RED, "II": Level.ORANGE, "III": Level.YELLOW, "IV": Level.BLUE} | {
    "Ⅰ": Level.RED,
    "Ⅱ": Level.ORANGE,
    "Ⅲ": Level.YELLOW,
    "Ⅳ": Level.BLUE,
}
_OFFICE = re.compile(
    r"(?:突发事件)?(?:预警信息发布中心|预警中心|专业气象台|气象台|气象局|应急管理厅|应急管理局|水利厅|水利局|"
    r"水文局|自然资源厅|自然资源局|生态环境厅|生态环境局|林业局|人民政府)$"
)


class Title(NamedTuple):
    """What a headline says."""

    issuer: str
    msg_type: MsgType
    """发布 is an Alert, 解除 and 取消 a Cancel, everything else (更新, 变更, 继续发布 ...) an Update."""
    event: str
    """The kind of event as the headline calls it."""
    level: Level
    grade: Level | None
    """What ``[IV级/一般]`` says; it must be the colour's own grade."""


def read_title(text: str) -> Title | None:
    """Read a headline; ``None`` where it does not follow the grammar or names two colours."""
    text = text.strip()[:_LONGEST]
    match = _TITLE.match(text)
    if match is None or len(set(_COLOUR.findall(text))) > 1:
        return None
    grade = _GRADE.search(text, match.start("colour"))
    return Title(
        issuer=match["issuer"].removesuffix("首次"),
        msg_type=_msg_type(match["action"]),
        event=match["event"],
        level=_COLOURS[match["colour"]],
        grade=_GRADES[grade[1]] if grade else None,
    )


def other_colours(alert: Alert, level: Level | str) -> list[Finding]:
    """Return a remark for each headline that names the colour of a warning, and never that of ``level``."""
    found = []
    for number, info in enumerate(alert.infos, 1):
        named = {_COLOURS.get(zh) or en.lower() for zh, en in _NAMED.findall(info.headline or "")}
        if named and level not in named:
            path = f"alert/info[{number}]/headline"
            found.append(Finding("title_disagrees", "warning", path, CODES["title_disagrees"].meaning))
    return found


def _msg_type(action: str) -> MsgType:
    if "解除" in action or "取消" in action:
        return MsgType.CANCEL
    return MsgType.ALERT if action == "发布" else MsgType.UPDATE


def place_of(issuer: str) -> str:
    """Return the place that an office is named after: ``虚构县`` for ``虚构县气象台``."""
    return _OFFICE.sub("", issuer) or issuer
