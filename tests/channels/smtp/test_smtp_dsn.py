"""Reports in the shape of the common mail systems; every person, host and number is invented."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Proof, Receipt
from channels.smtp import dsn
from channels.smtp.dsn import read_report
from channels.smtp.verp import ReturnPath

PATHS = ReturnPath("invented-key-of-a-test", "gateway.example.org")

POSTFIX = """\
Return-Path: <>
Received: by mx.example.org (Postfix)
\tid 4Xinvented; Wed, 22 Jul 2026 10:00:05 +0800 (CST)
Date: Wed, 22 Jul 2026 10:00:05 +0800 (CST)
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4Xinv.1784685605/mx.example.org"
Content-Transfer-Encoding: 8bit

This is a MIME-encapsulated message.

--4Xinv.1784685605/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

<li.wei@example.org>: {diagnostic}

--4Xinv.1784685605/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 4Xinvented
X-Postfix-Sender: rfc822; {to}
Original-Envelope-Id: {envid}
Arrival-Date: Wed, 22 Jul 2026 10:00:04 +0800 (CST)

Final-Recipient: rfc822; li.wei@example.org
Original-Recipient: rfc822;li.wei@example.org
Action: {action}
Status: {status}
Remote-MTA: dns; mailbox.example.org
Diagnostic-Code: smtp; {diagnostic}

--4Xinv.1784685605/mx.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <{to}>
Subject: =?utf-8?b?5pq06Zuo?=

--4Xinv.1784685605/mx.example.org--
"""

EXCHANGE = """\
From: <postmaster@corp.example.com>
To: <{to}>
Date: Wed, 22 Jul 2026 02:00:09 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="7f1a-invented"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: zh-CN
Message-ID: <invented@corp.example.com>
Subject: =?utf-8?B?5peg5rOV5Lyg6YCS?=

--7f1a-invented
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="7f1b-invented"

--7f1b-invented
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

5peg5rOV5Lyg6YCS

--7f1b-invented--

--7f1a-invented
Content-Type: message/delivery-status

Reporting-MTA: dns;ex01.corp.example.com
Received-From-MTA: dns;relay.example.org
Arrival-Date: Wed, 22 Jul 2026 02:00:08 +0000

Original-Recipient: rfc822;wu.fang@corp.example.com
Final-Recipient: rfc822;wu.fang@corp.example.com
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not
 found by SMTP address lookup
X-Display-Name: Wu Fang

--7f1a-invented
Content-Type: message/rfc822

Subject: a warning
To: wu.fang@corp.example.com

text
--7f1a-invented--
"""

QMAIL = """\
Return-Path: <>
From: MAILER-DAEMON@qmail.example.org
To: {to}
Subject: failure notice
Date: 22 Jul 2026 02:00:10 -0000

Hi. This is the qmail-send program at qmail.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<zhao@example.org>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{to}>
"""

VACATION = """\
From: Li Wei <li.wei@example.org>
To: {to}
Subject: =?utf-8?b?6Ieq5Yqo5Zue5aSN?=: a warning
Auto-Submitted: auto-replied (vacation)
Date: Wed, 22 Jul 2026 10:01:00 +0800

I am away until Monday. Delivery of my answer failed permanently in 550 ways. Confirmed.
"""

EXCHANGE_ABSENCE = """\
From: Wu Fang <wu.fang@corp.example.com>
To: {to}
Subject: Automatic reply: a warning
X-Auto-Response-Suppress: All
auto-submitted: auto-generated
Date: Wed, 22 Jul 2026 10:01:00 +0800

Undeliverable thoughts: I am on leave.
"""

READ_NOTICE = """\
From: Li Wei <li.wei@example.org>
To: {to}
Subject: Read: a warning
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="b"

--b
Content-Type: text/plain

Read.
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822;li.wei@example.org
Disposition: manual-action/MDN-sent-manually; displayed
--b--
"""

PERSON = """\
From: Li Wei <li.wei@example.org>
To: {to}
Subject: Re: a warning

Received, failed to see the danger. 550 people told.
"""

EXIM_DELAY = """\
From: Mail Delivery System <Mailer-Daemon@exim.example.org>
To: {to}
Subject: Warning: message 1invented-000-0 delayed 24 hours
Date: Wed, 22 Jul 2026 10:00:00 +0800
Auto-Submitted: auto-replied

This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its recipients.
"""


def mail(text, delivery=17, **values):
    to = PATHS.address(delivery)
    return text.format(to=to, envid=PATHS.token(delivery), **values).replace("\n", "\r\n").encode()


def postfix(action="failed", status="5.1.1", diagnostic="550 5.1.1 <li.wei@example.org>: unknown user"):
    return mail(POSTFIX, action=action, status=status, diagnostic=diagnostic)


def read(octets, delivery=17):
    return read_report(octets, delivery, PATHS.read_token)


@pytest.mark.parametrize(
    ("action", "status", "state", "code"),
    [
        ("delivered", "2.0.0", Proof.DELIVERED, "2.0.0"),
        ("Delivered", "2.1.5", Proof.DELIVERED, "2.1.5"),
        ("delivered (to mailbox)", "2.0.0", Proof.DELIVERED, "2.0.0"),
        ("relayed", "2.0.0", Proof.ACCEPTED, "2.0.0"),
        ("expanded", "2.0.0", Proof.ACCEPTED, "2.0.0"),
        ("delayed", "4.4.1", Proof.ACCEPTED, "4.4.1"),
        ("failed", "5.1.1", Proof.REJECTED, "5.1.1"),
        ("failed", "5.2.2", Proof.REJECTED, "5.2.2"),
        ("failed", "5.0.0", Proof.REJECTED, "5.0.0"),
        ("failed", "4.4.7", Proof.EXPIRED, "4.4.7"),
        ("failed", "5.4.7", Proof.EXPIRED, "5.4.7"),
        ("failed", "4.4.1", Proof.EXPIRED, "4.4.1"),  # Postfix when its queue lifetime is over
        ("failed", "nonsense", Proof.REJECTED, "5.1.1"),  # the diagnostic text has it
    ],
)
def test_every_action_has_one_meaning(action, status, state, code):
    (receipt,) = read(postfix(action, status))
    assert (receipt.state, receipt.code, receipt.delivery) == (state, code, 17)
    assert receipt.at == datetime(2026, 7, 22, 2, 0, 5, tzinfo=UTC)


def test_an_unknown_action_tells_nothing():
    assert read(postfix("pondered", "2.0.0")) == []


def test_exchange_tells_an_unknown_mailbox():
    (receipt,) = read(mail(EXCHANGE))
    assert (receipt.state, receipt.code) == (Proof.REJECTED, "5.1.10")
    assert receipt.at == datetime(2026, 7, 22, 2, 0, 9, tzinfo=UTC)


def test_qmail_without_a_part_for_machines_is_a_bounce():
    (receipt,) = read(mail(QMAIL))
    assert (receipt.state, receipt.code, receipt.delivery) == (Proof.REJECTED, "bounce", 17)
    assert receipt.at == datetime(2026, 7, 22, 2, 0, 10, tzinfo=UTC)


def test_a_delay_in_words_is_no_failure():
    (receipt,) = read(mail(EXIM_DELAY))
    assert (receipt.state, receipt.code) == (Proof.ACCEPTED, "delayed")


@pytest.mark.parametrize("text", [VACATION, EXCHANGE_ABSENCE, READ_NOTICE, PERSON])
def test_what_a_person_or_an_absence_assistant_writes_is_no_proof(text):
    assert read(mail(text)) == []


def test_the_last_attempt_is_the_time_where_it_is_told():
    octets = postfix("delayed", "4.4.1").replace(
        b"Action:", b"Last-Attempt-Date: Wed, 22 Jul 2026 09:59:59 +0800\r\nAction:"
    )
    assert read(octets)[0].at == datetime(2026, 7, 22, 1, 59, 59, tzinfo=UTC)


def test_every_recipient_of_a_list_is_told_apart():
    second = b"\r\n\r\nFinal-Recipient: rfc822; other@example.org\r\nAction: delivered\r\nStatus: 2.0.0\r\n"
    octets = postfix().replace(
        b"\r\n\r\n--4Xinv.1784685605/mx.example.org\r\nContent-Description: Und",
        second + b"\r\n--4Xinv.1784685605/mx.example.org\r\nContent-Description: Und",
    )
    assert [receipt.state for receipt in read(octets)] == [Proof.REJECTED, Proof.DELIVERED]


def test_an_international_report_is_read():
    octets = postfix().replace(b"message/delivery-status", b"message/global-delivery-status")
    (receipt,) = read(octets)
    assert (receipt.state, receipt.code) == (Proof.REJECTED, "5.1.1")


def test_a_status_part_in_base64_is_read():
    octets = postfix()
    head, _, rest = octets.partition(b"Content-Type: message/delivery-status\r\n\r\n")
    fields, _, tail = rest.partition(b"\r\n--4Xinv")
    coded = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(fields).replace(b"\n", b"\r\n")
    (receipt,) = read(head + b"Content-Type: message/delivery-status\r\n" + coded + b"\r\n--4Xinv" + tail)
    assert (receipt.state, receipt.code) == (Proof.REJECTED, "5.1.1")


def test_without_a_return_path_the_signed_envelope_id_names_the_delivery():
    assert [receipt.delivery for receipt in read(postfix(), delivery=None)] == [17]


def test_an_envelope_id_that_we_did_not_sign_names_nothing():
    octets = postfix().replace(PATHS.token(17).encode(), b"17." + b"0" * 20)
    assert read(octets, delivery=None) == []


def test_the_evidence_masks_every_address():
    for octets in (postfix(), mail(EXCHANGE), mail(QMAIL)):
        (receipt,) = read(octets)
        assert receipt.raw
        assert not [name for name in ("li.wei", "wu.fang", "zhao@") if name in receipt.raw]


def groups(fields, count=1):
    """Return a report of so many recipient groups."""
    head = mail(POSTFIX, action="failed", status="5.1.1", diagnostic="").partition(b"Reporting-MTA")[0]
    return head + b"Reporting-MTA: dns; x\r\n\r\n" + count * (fields + b"\r\n\r\n")


def test_one_mail_gives_no_more_receipts_than_it_can_have_recipients():
    receipts = read(groups(b"Action: delivered", 45_000))
    assert len(receipts) == dsn.MOST_RECIPIENTS


LONG = b"a" * 40_000
CRAFTED = {
    "one field of letters": groups(b"Action: failed\r\nDiagnostic-Code: " + LONG),
    "one field in base64": groups(b"Action: failed").replace(
        b"delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed",
        b"delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(b"Reporting-MTA: dns; x\n\nAction: failed\nDiagnostic-Code: " + LONG),
    ),
    "folded": groups(b"Action: failed\r\nDiagnostic-Code: x" + b"\r\n a" * 10_000),
    "many fields": groups(b"Action: failed" + b"\r\nX-Note: a@example.org" * 10_000),
    "many encoded words": mail(QMAIL).replace(b"failure notice", b"=?utf-8?q?=61?= \r\n " * 5000),
    "a long body": mail(QMAIL) + LONG,
}


@pytest.mark.parametrize("octets", CRAFTED.values(), ids=CRAFTED)
def test_no_search_ever_sees_more_than_a_fixed_length(octets, monkeypatch):
    seen = []

    class Watched:
        def __init__(self, pattern):
            self.pattern = pattern

        def __getattr__(self, name):
            def call(*arguments):
                seen.append(len(arguments[-1]))
                return getattr(self.pattern, name)(*arguments)

            return call

    for name in ("_WORD", "_STATUS", "_FAILURE_CODE", "_BOUNCE", "_DAEMON", "_DELAY", "_ABSENT"):
        monkeypatch.setattr(dsn, name, Watched(getattr(dsn, name)))
    assert len(read(octets)) == 1
    assert seen
    assert max(seen) <= dsn._TEXT_LIMIT + 2 * dsn._FIELD_LIMIT


@pytest.mark.parametrize("short_by", range(30))
def test_an_address_that_the_limit_cuts_is_not_shown(short_by):
    text = "x " * ((dsn._RAW_LIMIT - short_by) // 2) + "x" * (short_by % 2) + " li.wei.invented@example.org"
    assert not {part for part in ("li.wei", "wei.inv") if part in dsn._masked(text)}


def assert_sane(receipts):
    assert all(isinstance(receipt, Receipt) and receipt.delivery is not None for receipt in receipts)
    assert all(receipt.at is None or receipt.at.tzinfo for receipt in receipts)
    assert all(receipt.state <= Proof.DELIVERED and len(receipt.raw) <= 4000 for receipt in receipts)
    repr(receipts).encode()


@given(st.binary(max_size=2000))
def test_any_octets_are_read_without_an_error(octets):
    assert_sane(read(octets))
    assert_sane(read(octets, delivery=None))


@given(st.data())
def test_a_damaged_report_is_read_without_an_error(data):
    octets = bytearray(data.draw(st.sampled_from([postfix(), mail(EXCHANGE), mail(QMAIL), mail(VACATION)])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(octets)))
        junk = data.draw(
            st.sampled_from(
                [
                    b"\r\n\r\n",
                    b"=?utf-8?q?",
                    b"\x00",
                    b"\xff\xfe",
                    b";",
                    b'"',
                    b"(",
                    b": ",
                    b"<>@",
                    b"=?x?b?!?=",
                ]
            )
        )
        octets[at : at + data.draw(st.integers(0, 30))] = junk
    assert_sane(read(bytes(octets)))
