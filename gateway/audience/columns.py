"""What the columns of a list may be called, and what may stand in their cells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from channels.base import mask

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

FIELDS = {
    "external_id": ("external_id", "id", "number", "编号", "序号编码", "人员编号", "工号", "唯一编号"),
    "name": ("name", "full name", "姓名", "名称", "联系人"),
    "region": (
        *("region", "region code", "area", "area code", "division", "adcode"),
        *("行政区划代码", "行政区划", "区划代码", "区划", "地区", "所在村", "村", "所属区域", "区域"),
    ),
    "role": ("role", "角色", "人员类别", "类别", "身份", "职责"),
    "language": ("language", "lang", "语言"),
    "lon": ("lon", "lng", "longitude", "经度"),
    "lat": ("lat", "latitude", "纬度"),
    "groups": ("groups", "group", "分组", "组", "群组"),
}
"""Field -> names of its column; case, spaces, punctuation and remarks in brackets do not matter."""

CHANNELS = {
    "sms": (
        "sms",
        "phone",
        "mobile",
        "cell",
        "tel",
        "手机",
        "手机号",
        "手机号码",
        "电话",
        "联系电话",
        "短信",
    ),
    "email": ("email", "mail", "e-mail", "邮箱", "电子邮箱", "电子邮件", "邮件"),
    "wecom": ("wecom", "企业微信", "企业微信群", "微信群", "群机器人"),
    "radio": (
        "radio",
        "loudspeaker",
        "speaker",
        "terminal",
        "终端",
        "大喇叭",
        "广播",
        "应急广播",
        "终端地址",
    ),
}
"""Channel -> names of its columns, beside the channel's own name; 手机2 and the like are further ones."""

REQUIRED = ("name", "region")

ROLES = {
    "responsible": ("responsible", "责任人", "防汛责任人", "吹哨人"),
    "informant": ("informant", "信息员", "预警信息员", "网格员"),
    "liaison": ("liaison", "联络员", "联系人"),
    "resident": ("resident", "居民", "村民", "公众", "群众", ""),
    "group": ("group", "群", "微信群"),
    "device": ("device", "终端", "设备", "大喇叭"),
}
"""Role -> words for it; an empty cell is a resident."""

LANGUAGES = {
    "zh-CN": ("zh", "zh-cn", "zh-hans", "中文", "汉语", "普通话", ""),
    "en": ("en", "english", "英语", "英文"),
}
"""Language tag -> words for it; other tags of BCP 47 are taken as they are."""

MOST_NAME = 100

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Spaces of all kinds, and the invisible marks that phone books and web pages put around numbers.
_PADDING = " \t\u00a0\u3000\ufeff\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"
_FORMULA_ERROR = re.compile(r"#(N/A|REF!|DIV/0!|NAME\?|NULL!|NUM!|VALUE!|SPILL!|CALC!)")
_NOISE = re.compile(r"[\s_\-:：*]+|[（(【\[].*?[)）】\]]")
_NUMBER = re.compile(r"\d+$")
_PRIVATE = re.compile(r"\d{5}|@")


class Layout(NamedTuple):
    """Which column holds what."""

    fields: dict[str, int]
    channels: list[tuple[int, str]]
    """(column, channel), the address to use first at the front."""
    titles: list[str]
    unknown: list[str]


class Fault(ValueError):
    """A cell that spoils its row: reason and way out, and the field where the reader does not know it."""

    def __init__(self, reason: str, way_out: str, field: str = "") -> None:
        """Keep all."""
        super().__init__(reason)
        self.reason = reason
        self.way_out = way_out
        self.field = field


def strip(text: str) -> str:
    """Return a text without the spaces and invisible marks around it."""
    return text.strip(_PADDING)


def clean(text: str) -> str:
    """Return what a cell says; raises :class:`Fault` where no database or message could hold it."""
    text = strip(text)
    if _UNSAFE.search(text):
        raise Fault("a line break or control character in the cell", "delete it")
    if text.startswith("#") and _FORMULA_ERROR.fullmatch(text):
        raise Fault(f"the cell holds the spreadsheet's error {text}", "correct its formula or empty it")
    return text


def needed(text: str) -> str:
    """Return a text that is not empty; raises :class:`Fault`."""
    if not text:
        raise Fault("the cell is empty", "fill it")
    return text


def short(text: str, most: int = MOST_NAME) -> str:
    """Return a text of a name's length; raises :class:`Fault`."""
    if len(text) > most:
        raise Fault(f"longer than {most} characters", "shorten it")
    return text


def title_key(title: str) -> str:
    """Return a header without what people add to it."""
    return _NOISE.sub("", title.strip().strip("\ufeff")).casefold()


def _keys(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {title_key(title): name for name, titles in table.items() for title in titles}


_FIELD_KEYS = _keys(FIELDS)
ROLE_WORDS = {word.casefold(): role for role, words in ROLES.items() for word in words}
LANGUAGE_WORDS = {word: tag for tag, words in LANGUAGES.items() for word in words}


def meaning(title: str, channels: Collection[str]) -> str | None:
    """Return the field, or ``@`` and the channel, that a header stands for; None where it is unknown."""
    key = title_key(title)
    known = _keys({name: (name, *CHANNELS.get(name, ())) for name in channels})
    if key in known:
        return "@" + known[key]
    if key in _FIELD_KEYS:
        return _FIELD_KEYS[key]
    channel = known.get(_NUMBER.sub("", key))
    return "@" + channel if channel else None


def lay_out(header: Sequence[str], channels: Collection[str]) -> Layout:
    """Return which column holds what; of two columns for one field the first counts."""
    layout = Layout({}, [], [safe_title(title, place) for place, title in enumerate(header, 1)], [])
    for place, title in enumerate(header):
        name = meaning(title, channels)
        if name is None or name in layout.fields:
            if title.strip():
                layout.unknown.append(layout.titles[place])
        elif name.startswith("@"):
            layout.channels.append((place, name[1:]))
        else:
            layout.fields[name] = place
    return layout


def safe_title(title: str, place: int) -> str:
    """Return a header for a report; one that looks like somebody's address is masked."""
    title = title.strip().strip("\ufeff")
    return (mask(title) if _PRIVATE.search(title) else title) or f"column {place}"
