from __future__ import annotations

import pytest

from channels.base import Accepted, Rejected, Retry, Throttled
from channels.smtp.replies import Stage, outcome, short_code

MAIL, RCPT, DATA, BODY = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY


@pytest.mark.parametrize(
    ("stage", "code", "text", "expected"),
    [
        (BODY, 250, "2.0.0 Ok: queued as 4Xinvented", Accepted(("id@x",))),
        (BODY, 251, "will forward", Accepted(("id@x",))),
        # 4yz: not taken, may be offered again
        (MAIL, 421, "4.3.2 service shutting down", Retry(30.0, "421 4.3.2")),
        (RCPT, 421, "closing", Retry(30.0, "421")),
        (BODY, 421, "4.4.2 timeout", Retry(30.0, "421 4.4.2")),
        (RCPT, 450, "4.2.0 mailbox busy", Retry(60.0, "450 4.2.0")),
        (
            RCPT,
            450,
            "4.2.0 <li@example.org>: Recipient address rejected: Greylisted",
            Retry(60.0, "450 4.2.0"),
        ),
        (RCPT, 450, "4.7.1 Greylisting in effect, please come back in 00:04:30", Retry(270.0, "450 4.7.1")),
        (RCPT, 451, "4.7.1 Greylisted, please try again in 300 seconds", Retry(300.0, "451 4.7.1")),
        (RCPT, 451, "4.7.1 try again after 5 minutes", Retry(300.0, "451 4.7.1")),
        (RCPT, 451, "4.7.1 come back in 23:59:59", Retry(900.0, "451 4.7.1")),
        (RCPT, 451, "4.7.1 come back in 00:00:00", Retry(1.0, "451 4.7.1")),
        (DATA, 451, "4.3.0 local error", Retry(60.0, "451 4.3.0")),
        (BODY, 452, "4.3.1 insufficient system storage", Retry(120.0, "452 4.3.1")),
        (MAIL, 454, "4.7.0 temporary authentication failure", Retry(60.0, "454 4.7.0")),
        (MAIL, 455, "parameters not for the moment", Retry(60.0, "455")),
        (RCPT, 499, "a code nobody knows", Retry(60.0, "499")),
        # too fast
        (RCPT, 421, "4.7.28 unusual rate of mail", Throttled(5.0, "421 4.7.28")),
        (RCPT, 450, "4.7.1 Error: too much mail from 192.0.2.1", Throttled(5.0, "450 4.7.1")),
        (MAIL, 421, "4.7.0 Too many connections", Throttled(5.0, "421 4.7.0")),
        (RCPT, 452, "4.5.3 Too many recipients", Throttled(5.0, "452 4.5.3")),
        (RCPT, 451, "4.7.500 Server busy", Throttled(5.0, "451 4.7.500")),
        (RCPT, 432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Throttled(5.0, "432 4.3.2")),
        (RCPT, 451, "4.7.1 rate limit, retry in 20 seconds", Throttled(20.0, "451 4.7.1")),
        (RCPT, 550, "Mailbox frequency limited", Throttled(5.0, "550")),
        # 5yz: for good
        (RCPT, 550, "5.1.1 <li@example.org>: no such user", Rejected("550 5.1.1")),
        (RCPT, 550, "no such user", Rejected("550")),
        (RCPT, 551, "user not local", Rejected("551")),
        (RCPT, 552, "5.2.2 mailbox full", Rejected("552 5.2.2")),
        (RCPT, 553, "5.1.3 bad address", Rejected("553 5.1.3")),
        (RCPT, 556, "5.1.10 domain takes no mail", Rejected("556 5.1.10")),
        (DATA, 554, "no valid recipients", Rejected("554")),
        (BODY, 552, "5.3.4 message too big", Rejected("552 5.3.4")),
        (BODY, 554, "5.7.1 refused as unwanted", Rejected("554 5.7.1")),
        (MAIL, 552, "5.3.4 message size exceeds limit", Rejected("552 5.3.4")),
        # a wrong setting of ours, which a person can mend while the warning lives
        (MAIL, 550, "5.7.1 sender not allowed", Retry(60.0, "550 5.7.1")),
        (MAIL, 530, "5.7.0 authentication required", Retry(60.0, "530 5.7.0")),
        (RCPT, 530, "5.7.0 authentication required", Retry(60.0, "530 5.7.0")),
        (MAIL, 535, "5.7.8 bad credentials", Retry(60.0, "535 5.7.8")),
        (MAIL, 553, "5.7.1 sender address not owned by user", Retry(60.0, "553 5.7.1")),
        (MAIL, 555, "parameters not recognised", Retry(60.0, "555")),
        (RCPT, 503, "5.5.1 need MAIL first", Retry(60.0, "503 5.5.1")),
    ],
)
def test_every_answer_has_one_meaning(stage, code, text, expected):
    assert outcome(stage, code, text, "id@x") == expected


def test_no_code_of_class_four_or_five_counts_as_taken():
    meant = {outcome(stage, code, "words", "id@x") for stage in Stage for code in range(400, 600)}
    assert {type(one) for one in meant} == {Retry, Rejected, Throttled}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.1.1 <li@example.org> unknown", "550 5.1.1"),
        ("li@example.org unknown", "550"),
        ("5.1.1111 x", "550"),
    ],
)
def test_a_code_never_repeats_the_words_of_the_server(text, expected):
    assert short_code(550, text) == expected
