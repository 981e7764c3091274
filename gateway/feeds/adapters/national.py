"""One national message of the 12379 platform, or the platform's answer to one.

The message is read by :mod:`gateway.alerts.national`. It refers to the first issue of its warning and not to
the message before it, so the first issue's identifier is the name of the event. The answer
(``/msg/data/rows``, status 0: accepted) is no alert: it comes out as a finding.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.alerts.findings import Refused
from gateway.alerts.foreign import split_name
from gateway.alerts.national import NAMESPACE, parse_national
from gateway.feeds.chinese import packaged_hazards
from gateway.feeds.contract import Adapter, FeedRefused, Item, Reading
from gateway.feeds.noted import Noted
from gateway.feeds.outside import outside, whole_root

if TYPE_CHECKING:
    from lxml import etree

    from gateway.alerts.model import Alert
    from gateway.feeds.document import Document

KIND = "national"
ACCEPTED = "0"
_OWN = re.compile(r"<(?:sendercode|sendtime|methodname)>")
"""What the national message has and CAP, whose root has the same name, has not."""
_ANOTHER = ("wrong_root", "wrong_namespace")
_ERROR_CODE = re.compile(r"[\w.-]{1,40}", re.ASCII)


def _recognises(document: Document) -> bool:
    found = outside(document)
    if found.name == "msg":
        return "<rows" in document.start
    own = found.namespace in ("", NAMESPACE) and _OWN.search(document.start) is not None
    return found.name == "alert" and own


def _read(document: Document) -> Reading:
    root = whole_root(document, "alert", "msg")
    if split_name(root.tag)[1] == "msg":
        return _answer(root)
    try:
        parsed = parse_national(document.data, packaged_hazards())
    except Refused as refused:
        if refused.code in _ANOTHER:
            raise FeedRefused("feed_malformed", refused.message) from None
        return _refused(refused)
    item = Item(
        alert=parsed.alert,
        original=document.data,
        event_key=_event(parsed.alert),
        findings=tuple(parsed.findings),
    )
    return Reading(KIND, items=[item])


def _event(alert: Alert) -> str:
    """Return the first issue; nothing where the message names several, or names none and should."""
    first = alert.malformed_references
    if first or alert.msg_type != "Alert":
        return first[0] if len(first) == 1 else ""
    return alert.identifier


def _refused(refused: Refused) -> Reading:
    noted = Noted()
    where = f" ({refused.path})" if refused.path else ""
    noted.add("item_refused", "alert", f"{refused.code}: {refused.message}{where}")
    return Reading(KIND, findings=noted.all())


def _answer(root: etree._Element) -> Reading:
    noted = Noted()
    rows = [one for one in root.iter() if split_name(one.tag)[1] == "rows"]
    if not rows:
        raise FeedRefused("feed_malformed", "the answer of the platform has no rows")
    for number, row in enumerate(rows, 1):
        said = {split_name(one.tag)[1]: (one.text or "").strip() for one in row}
        path = f"msg/data/rows[{number}]"
        if said.get("status") == ACCEPTED:
            noted.add("platform_accepted", path)
        else:
            noted.add("platform_refused", path, _reason(said.get("error_code", "")))
    return Reading(KIND, findings=noted.all())


def _reason(code: str) -> str:
    told = f" with code {code}" if _ERROR_CODE.fullmatch(code) else ""
    return f"The platform has refused a message{told}; this is no alert."


ADAPTER = Adapter(KIND, _recognises, _read)
