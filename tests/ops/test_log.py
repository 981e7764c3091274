"""Every number, address and key in here is invented; each is a canary that no line may hold."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from channels.base import mask
from gateway.ops import log
from gateway.ops.redaction import HIDDEN, redact, redact_text

PHONES = [
    "+86 199 0000 0001",
    "+8619900000001",
    "19900000001",
    "199-0000-0001",
    "8619900000001",
    "0086 19900000001",
]
MAILS = ["zhang.invented@example.org", "li+tag@mail.example.com"]
KEYS = ["9f8e7d6c5b4a39281706f5e4d3c2b1a0", "hunter2-invented"]


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.setup("info", "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def refuse(text, canary):
    raise ValueError(text if canary else "")


class TestRedaction:
    @pytest.mark.parametrize("phone", PHONES)
    def test_a_phone_number_keeps_its_last_four_digits_only(self, phone):
        out = redact_text(f"to {phone} failed")
        assert phone not in out
        assert "****0001 failed" in out

    @pytest.mark.parametrize("mail", MAILS)
    def test_a_mail_address_keeps_its_host_only(self, mail):
        out = redact_text(f"<{mail}>: refused")
        assert mail.split("@")[0] not in out
        assert mail.split("@")[1] in out

    @pytest.mark.parametrize(
        "text",
        [
            "password=hunter2-invented",
            "password: 'hunter2-invented'",
            '{"api_key": "hunter2-invented"}',
            "Authorization: Bearer hunter2-invented",
            "postgresql://tongda:hunter2-invented@db.example.org/tongda",
            "https://robot.example.org/send?key=hunter2-invented",
            "token=hunter2-invented, rest",
        ],
    )
    def test_a_secret_written_out_is_hidden(self, text):
        assert "hunter2" not in redact_text(text)
        assert HIDDEN in redact_text(text)

    @pytest.mark.parametrize("name", ["password", "confirm_key", "secret", "access_token", "API-Key", "key"])
    def test_a_value_under_a_secret_name_is_hidden_at_any_depth(self, name):
        assert redact({"a": [{name: KEYS[0]}]}) == {"a": [{name: HIDDEN}]}

    @pytest.mark.parametrize(
        "text",
        [
            "batch 1234567 sent 10000 of 20000",
            "2026-11-22T02:49:08.718Z",
            "release 0190f8a2-7c11-7d2e-9a35-2b1c6f0e4d11",
            "2.49.0.1.156.0.2026.11.22.02.49.08",
            "county 330106, township 330106001",
            "127.0.0.1:8080",
            "keyboard: fine",
        ],
    )
    def test_what_is_no_secret_stays(self, text):
        assert redact_text(text) == text

    def test_an_integer_that_is_a_phone_number_is_masked(self):
        assert redact({"to": 19900000001, "count": 20000}) == {"to": mask(PHONES[2]), "count": 20000}

    def test_bytes_and_objects_are_redacted_too(self):
        class Thing:
            def __str__(self):
                return PHONES[0]

        assert PHONES[0] not in str(redact([PHONES[0].encode(), Thing()]))


class TestLog:
    """S6: one event is one line, whatever its values hold."""

    def test_an_event_is_one_json_object_with_its_values(self, lines):
        log.get_logger("gateway.desk").info("release planned", release="r1", deliveries=20000)
        (line,) = lines()
        assert (line["event"], line["release"], line["deliveries"]) == ("release planned", "r1", 20000)
        assert (line["level"], line["logger"]) == ("info", "gateway.desk")

    def test_a_library_s_line_takes_the_same_path(self, lines):
        logging.getLogger("some.library").warning("to %s by %s", PHONES[0], MAILS[0])
        (line,) = lines()
        assert line["event"] == f"to {mask(PHONES[1])} by z***@example.org"

    def test_a_library_s_extra_values_are_redacted(self, lines):
        logging.getLogger("some.library").error("no", extra={"password": KEYS[1], "to": PHONES[1]})
        (line,) = lines()
        assert line["password"] == HIDDEN
        assert line["to"] == mask(PHONES[1])

    def test_an_exception_shows_its_text_redacted_and_no_local_variables(self, lines):
        canary = KEYS[0]
        try:
            refuse(f"550 {MAILS[0]} unknown\r\nsecond line", canary)
        except ValueError:
            log.get_logger("x").exception("mail refused")
            logging.getLogger("y").exception("mail refused too")
        assert len(lines()) == 2
        for line in lines():
            assert line["exception"] == "ValueError: 550 z***@example.org unknown\\r\\nsecond line"
            assert canary not in json.dumps(line)
            assert any(frame.endswith(" refuse") for frame in line["at"])

    @pytest.mark.parametrize("breaker", ["\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x00"])
    @pytest.mark.parametrize("style", ["json", "text"])
    def test_a_line_break_in_a_value_does_not_make_a_line(self, style, breaker):
        stream = io.StringIO()
        root = logging.getLogger()
        before = root.handlers[:], root.level
        try:
            log.setup("info", style, stream)
            logging.getLogger("x").info("reply%sforged", breaker, extra={f"k{breaker}": f"v{breaker}"})
        finally:
            root.handlers[:], level = before
            root.setLevel(level)
            logging.captureWarnings(capture=False)
            structlog.reset_defaults()
        assert len(stream.getvalue().splitlines()) == 1

    def test_a_level_below_the_setting_is_not_written(self, lines):
        log.get_logger("x").debug("quiet")
        logging.getLogger("aiohttp.access").info("GET /")
        assert lines() == []
