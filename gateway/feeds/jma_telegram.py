"""The envelope of JMA's XML telegrams (気象庁防災情報XMLフォーマット): Control, Head, and what kind it is.

Source: https://xml.kishou.go.jp. The type of a telegram (VXSE53 and so on) is not inside of it; the title in
Control goes with it one to one.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from gateway.alerts.model import Status
from gateway.alerts.times import TimeRefused, read_time
from gateway.feeds.contract import FeedRefused
from gateway.feeds.outside import whole_root

if TYPE_CHECKING:
    from datetime import datetime

    from lxml import etree

    from gateway.feeds.document import Document

T = TypeVar("T")
InfoType: TypeAlias = Literal["issued", "corrected", "delayed", "cancelled"]

TITLES = {
    "緊急地震速報(警報)": "VXSE43",
    "緊急地震速報(予報)": "VXSE44",
    "緊急地震速報(地震動予報)": "VXSE45",
    "震度速報": "VXSE51",
    "震源に関する情報": "VXSE52",
    "震源・震度に関する情報": "VXSE53",
    "顕著な地震の震源要素更新のお知らせ": "VXSE61",
    "津波警報・注意報・予報a": "VTSE41",
    "津波情報a": "VTSE51",
    "沖合の津波観測に関する情報": "VTSE52",
    "噴火警報・予報": "VFVO50",
    "気象特別警報・警報・注意報": "VPWW53",
    "気象警報・注意報(H27)": "VPWW54",
    "土砂災害警戒情報": "VXWW50",
    "竜巻注意情報": "VPHW50",
    "竜巻注意情報(目撃情報付き)": "VPHW51",
    "記録的短時間大雨情報": "VPOA50",
}
"""Title of Control, in half-width signs -> type of the telegram."""
_MOST_IDS = 20
"""Names of one telegram's events; two are seen."""
_STATUSES = {"通常": Status.ACTUAL, "訓練": Status.EXERCISE, "試験": Status.TEST}
_INFO_TYPES: dict[str, InfoType] = {
    "発表": "issued",
    "訂正": "corrected",
    "遅延": "delayed",
    "取消": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Telegram:
    """A telegram.

    Attributes:
        root: The element Report.
        data: The document.
        kind: Its type, for example VXSE53; empty where the title is none of :data:`TITLES`.
        status: 通常 Actual, 訓練 Exercise, 試験 Test.
        info_type: 発表, 訂正, 遅延 or 取消.
        event_ids: The names of the event, usually one; none for weather warnings.
        serial: The number of the report as it is written; often empty.
        reported: ReportDateTime.
        made: When the telegram was made, to the second.
    """

    root: etree._Element
    data: bytes
    kind: str
    status: Status
    info_type: InfoType
    event_ids: tuple[str, ...]
    serial: str
    reported: datetime
    made: datetime

    def text(self, path: str) -> str:
        """Return the text at a path from Report."""
        return text_of(self.root, path)

    @property
    def number(self) -> int:
        """The number of the report; 0 where there is none."""
        return int(self.serial) if self.serial.isascii() and self.serial.isdecimal() else 0


def read_telegram(document: Document) -> Telegram:
    """Return the telegram that a document is.

    Raises:
        FeedRefused: It is none, names too many events, or its status, type of information or times cannot
            be read.
    """
    root = whole_root(document, "Report")
    ids = tuple(dict.fromkeys(text_of(root, "Head/EventID").split()))
    if len(ids) > _MOST_IDS:
        raise FeedRefused("feed_malformed", f"the telegram names more than {_MOST_IDS} events")
    return Telegram(
        root=root,
        data=document.data,
        kind=TITLES.get(half_width(text_of(root, "Control/Title")), ""),
        status=_known(root, "Control/Status", _STATUSES),
        info_type=_known(root, "Head/InfoType", _INFO_TYPES),
        event_ids=ids,
        serial=text_of(root, "Head/Serial"),
        reported=_time(root, "Head/ReportDateTime"),
        made=_time(root, "Control/DateTime"),
    )


def _known(root: etree._Element, path: str, table: dict[str, T]) -> T:
    found = table.get(text_of(root, path))
    if found is None:
        raise FeedRefused("feed_malformed", f"{path} is not one of {', '.join(table)}")
    return found


def _time(root: etree._Element, path: str) -> datetime:
    try:
        return read_time(text_of(root, path)).value
    except TimeRefused:
        raise FeedRefused("feed_malformed", f"{path} is no time with an offset") from None


def steps(path: str) -> str:
    """Return a path whose steps are in whatever namespace."""
    return "/".join(f"{{*}}{step}" for step in path.split("/"))


def text_of(element: etree._Element, path: str) -> str:
    """Return the trimmed text at a path; empty where there is none."""
    return str(element.findtext(steps(path)) or "").strip()


def all_of(element: etree._Element, path: str) -> list[etree._Element]:
    """Return the elements at a path, in their order."""
    return list(element.findall(steps(path)))


def half_width(text: str) -> str:
    """Return the text with half-width letters, digits and brackets (NFKC)."""
    return unicodedata.normalize("NFKC", text)
