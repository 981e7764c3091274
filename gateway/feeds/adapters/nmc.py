"""The list of nmc.cn, ``rest/findAlarm``: JSON, published without documentation.

``data.page.list`` has the warnings of the query and ``data.provinceAlarms`` those of provincial offices:
``alertid``, ``issuetime``, ``title``, ``url`` and ``pic``, an image named ``p00TT00L`` (TT kind of event, L
colour, 1 red to 4 blue; weather.com.cn counts from blue). The CAP sender ``nmc.cn`` is made up here. The
list is complete where it holds as many as ``count`` says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from gateway.feeds.cap_item import listed_keys
from gateway.feeds.chinese import Row, Told, china_time, p_code, row_item
from gateway.feeds.contract import Adapter, FeedRefused, Reading
from gateway.feeds.making import json_object, list_of, peek, read_entries
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from gateway.feeds.contract import Item
    from gateway.feeds.document import Document
    from gateway.feeds.making import Loose

KIND = "nmc"
SENDER = "nmc.cn"
SITE = "http://www.nmc.cn/"
_PICTURE = re.compile(r"(?:^|/)(p[0-9]+)\.[a-z]{3,4}$")


def _recognises(document: Document) -> bool:
    data = peek(document).get("data")
    return isinstance(data, dict) and isinstance(data.get("page"), dict) and "list" in data["page"]


def _read(document: Document) -> Reading:
    value = json_object(document)
    if value.get("code") != 0:
        raise FeedRefused("error_page", "the source answered with an error code instead of its list")
    page = _part(_part(value, "data"), "page")
    provinces = value["data"].get("provinceAlarms")
    noted = Noted()
    items = read_entries(list_of(page, "list"), "data/page/list", noted, _item)
    items += read_entries(
        provinces if isinstance(provinces, list) else [], "data/provinceAlarms", noted, _item
    )
    whole = _is_whole(page) and not noted.count("item_malformed")
    return Reading(
        KIND,
        items=list({item.alert.identifier: item for item in reversed(items)}.values())[::-1],
        findings=noted.all(),
        listed=listed_keys(items) if whole else None,
    )


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    if not isinstance(found, dict):
        raise FeedRefused("feed_malformed", f"the JSON has no object called {name}")
    return found


def _is_whole(page: dict[str, Any]) -> bool:
    """Whether the first page holds all there is."""
    return page.get("pageNo") == 1 and page.get("count") == len(page["list"])


def _item(entry: Loose) -> Item:
    path = entry.text("url")
    return row_item(
        entry,
        Row(
            sender=SENDER,
            identifier=entry.need("alertid"),
            sent=china_time(entry, "issuetime"),
            title=entry.need("title"),
            title_field="title",
            told=_told(entry),
            web=_page(entry, path) if path else None,
        ),
    )


def _told(entry: Loose) -> Told:
    picture = entry.text("pic")
    match = _PICTURE.search(picture) if picture else None
    told = p_code(match[1]) if match else Told()
    if picture and told.level is None:
        entry.drop("pic", "The name of the picture is none that is known; its code was left out.")
    return told


def _page(entry: Loose, path: str) -> str | None:
    try:
        address = urljoin(SITE, path)
    except ValueError:
        address = ""
    if address.startswith(("http://", "https://")):
        return address
    entry.drop("url")
    return None


ADAPTER = Adapter(KIND, _recognises, _read, official=False)
