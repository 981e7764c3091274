from __future__ import annotations

from typing import ClassVar

from tests.channels.contract import ChannelContract


class TestSmtpChannel(ChannelContract):
    """Every address is invented."""

    kind = "smtp"
    silent: ClassVar = {"silent": 1.0}
    slow: ClassVar = {"latency": 0.05}
    cut: ClassVar = {"drop_answer": 0.3, "disconnect": 0.3}
    rejecting: ClassVar = {"reject": 1.0}
    throttling: ClassVar = {"throttle": 1.0}
    bad_addresses = (
        "li",
        "@example.org",
        "li@",
        "li@localhost",
        "li@@example.org",
        "li@example..org",
        "Li <li@example.org>",
        "<li@example.org>",
        "li@example.org> NOTIFY=NEVER",
        '"li wei"@example.org',
        "li@[192.0.2.1]",
        "李伟@example.org",
        "a@example.org,b@example.org",
        "li\u200b@example.org",
        f"{'l' * 65}@example.org",
        "+8619900000001",
    )

    def address(self, number):
        return f"Contact.{number:02}@Example.ORG"
