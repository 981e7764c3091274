"""The national message of China's early-warning release platform (12379; GB/T 35965.1-2018 family).

Read and written without loss against CAP 1.2, see docs/national.md: the message's own words are kept in
parameters whose names begin with ``12379:``, and what neither side can say is told as a finding.
The colour of the warning is the message's severity; CAP's severity goes with it by the hazard table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.alerts import national_terms as terms
from gateway.alerts.findings import Finding, Findings, Refused
from gateway.alerts.foreign import split_name
from gateway.alerts.national_read import Element, Reader
from gateway.alerts.national_write import Writer, file_stem
from gateway.alerts.node import Budget
from gateway.alerts.xml import Limits, read_tree

if TYPE_CHECKING:
    from lxml import etree

    from gateway.alerts.hazards import Hazards
    from gateway.alerts.model import Alert

NAMESPACE = terms.NAMESPACE


@dataclass(frozen=True, slots=True)
class ParsedNational:
    """A national message that was read.

    Attributes:
        alert: The message, in terms of CAP 1.2.
        findings: What was unusual, in the order of the document.
        raw: Path -> text as it stood, for each value that was normalised.
    """

    alert: Alert
    findings: list[Finding]
    raw: dict[str, str]


def parse_national(
    data: bytes, hazards: Hazards, *, lat_first: bool = True, limits: Limits | None = None
) -> ParsedNational:
    """Read one national message.

    Args:
        data: The file as received, in any encoding that CAP files are read in.
        hazards: Names the events and the severities that go with the colours.
        lat_first: Whether latitude comes first in polygons and circles. A shape that lies in China only in
            the other order is read so, with a finding.
        limits: How much is read before the message is refused.

    Raises:
        Refused: It is no national message, or one that nobody may act on; the code says why.
    """
    limits = limits or Limits()
    found = Findings()
    root = read_tree(data, limits, found)
    _check_root(root)
    raw: dict[str, str] = {}
    budget = Budget(limits.points, limits.foreign, limits.items)
    alert = Reader(hazards, budget, lat_first=lat_first).alert(Element(root, "alert", found, raw))
    return ParsedNational(alert, found.all(), raw)


def _check_root(root: etree._Element) -> None:
    namespace, name = split_name(root.tag)
    if name != "alert":
        raise Refused("wrong_root", "the root element is not alert", name[:40])
    if namespace not in ("", NAMESPACE):
        raise Refused(
            "wrong_namespace", f"alert has a namespace; the national message has none or {NAMESPACE}", "alert"
        )


def write_national(
    alert: Alert,
    hazards: Hazards,
    *,
    first_issue: str | None = None,
    lat_first: bool = True,
    namespace: str = "",
) -> bytes:
    """Return a CAP message as a national one, in UTF-8. :func:`lost` tells what it no longer says.

    Args:
        alert: The message; it needs a national identifier, one block in Chinese, an event type and a colour.
        hazards: The table that its event type and colour are named by.
        first_issue: For an Update or Cancel, the identifier of the first message of the warning, which is
            what the national message refers to. Absent: the parameter ``12379:firstIssue``, else the oldest
            message referenced.
        lat_first: Whether latitude comes first in polygons and circles.
        namespace: Empty, as in messages seen, or :data:`NAMESPACE`.

    Raises:
        Refused: It says what the national message cannot; the text is one sentence.
    """
    writer = Writer(alert, hazards, first_issue=first_issue, lat_first=lat_first, namespace=namespace)
    return writer.written().text.encode()


def lost(alert: Alert, hazards: Hazards, *, first_issue: str | None = None) -> list[Finding]:
    """Return what of a message :func:`write_national` leaves out.

    Raises:
        Refused: as write_national.
    """
    return Writer(alert, hazards, first_issue=first_issue, lat_first=True, namespace="").written().lost


def file_name(alert: Alert, hazards: Hazards) -> str:
    """Return the name of the message's file: 46 characters for a blue Alert, and ``.XML``.

    ``senderCode_time_eventType_severity_msgType.XML``; the time is when it was signed (``effective``, else
    ``sent``), in Beijing.

    Raises:
        Refused: as write_national.
    """
    written = Writer(alert, hazards, first_issue=None, lat_first=True, namespace="").written()
    return f"{file_stem(written, alert)}.XML"
