"""Delivery reports as a mail system writes them (RFC 3464), for the simulator."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NamedTuple

_STATUS = {
    "delivered": ("2.0.0", "smtp; 250 2.0.0 delivered"),
    "delayed": ("4.4.1", "smtp; 451 4.4.1 no answer from host"),
    "failed": ("5.1.1", "smtp; 550 5.1.1 no such user here"),
}
_MAC = re.compile(r"\.[0-9a-f]{20}(?=@|$)")


class Report(NamedTuple):
    """What is to be told about one message."""

    action: str
    return_path: str
    address: str
    envid: str
    content: bytes
    """The message it is about; its headers are given back."""


def forged(report: Report) -> Report:
    """Return the report as a stranger would invent it: delivery numbers known, key not."""
    return report._replace(
        action="delivered",
        return_path=_MAC.sub("." + "0" * 20, report.return_path),
        envid=_MAC.sub("." + "0" * 20, report.envid),
    )


def write_report(report: Report) -> bytes:
    """Return the report as a message: words for people, fields for machines, the headers of the mail."""
    status, diagnostic = _STATUS[report.action]
    date = format_datetime(datetime.now(UTC))
    envid = f"Original-Envelope-Id: {report.envid}\n" if report.envid else ""
    headers = report.content.partition(b"\r\n\r\n")[0].decode("ascii", "replace").replace("\r\n", "\n")
    text = f"""\
From: Mail Delivery System <MAILER-DAEMON@mx.example.org>
To: <{report.return_path}>
Subject: Delivery Status Notification
Date: {date}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_report"

--=_report
Content-Type: text/plain; charset=us-ascii

The mail to {report.address} is {report.action}.

--=_report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
{envid}Arrival-Date: {date}

Final-Recipient: rfc822; {report.address}
Action: {report.action}
Status: {status}
Diagnostic-Code: {diagnostic}
Last-Attempt-Date: {date}

--=_report
Content-Type: text/rfc822-headers

{headers}

--=_report--
"""
    return text.replace("\n", "\r\n").encode("ascii", "replace")
