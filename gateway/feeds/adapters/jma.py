"""Telegrams of the Japan Meteorological Agency (気象庁防災情報XML), each a document of its own.

Source: https://xml.kishou.go.jp; the Atom feeds in https://www.data.jma.go.jp/developer/xml/feed lead to
them.

Tsunami, weather and volcano warnings, the intensity flash (VXSE51, which has no hypocentre) and the
earthquake early warning become alerts; hypocentres become solutions, that of the early warning as well.
Other telegrams are named and not read. A cancellation (取消) holds for the telegrams of its own type.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, Reading
from gateway.feeds.jma_hypocentre import SOLVING, solutions
from gateway.feeds.jma_telegram import read_telegram
from gateway.feeds.jma_warning import WARNING, warning
from gateway.feeds.noted import Noted
from gateway.feeds.outside import outside

if TYPE_CHECKING:
    from gateway.feeds.document import Document

KIND = "jma"
NAMESPACE = "http://xml.kishou.go.jp/jmaxml1/"


def _recognises(document: Document) -> bool:
    root = outside(document)
    return root.name == "report" and root.namespace == NAMESPACE


def _read(document: Document) -> Reading:
    telegram = read_telegram(document)
    noted = Noted()
    reading = Reading(KIND, generated=telegram.made.astimezone(UTC))
    if telegram.kind in WARNING:
        reading.items.append(warning(telegram))
    if telegram.kind in SOLVING:
        reading.solutions.extend(solutions(telegram, noted))
    if telegram.kind not in WARNING | SOLVING:
        noted.add("unknown_format", "Report/Control/Title", "Telegrams of this title are not read.")
    reading.findings = noted.all()
    return reading


ADAPTER = Adapter(KIND, _recognises, _read)
