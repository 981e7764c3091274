from __future__ import annotations

from tests.channels.contract import ChannelContract


class TestSmppKeepsTheContract(ChannelContract):
    kind = "smpp"
    silent = {"drop": 1.0}  # noqa: RUF012
    slow = {"latency": 0.05}  # noqa: RUF012
    cut = {"disconnect_after": 6}  # noqa: RUF012
    rejecting = {"reject": 0x0B}  # noqa: RUF012
    throttling = {"throttle_above": 0.0}  # noqa: RUF012
    bad_addresses = ("0559 2512345", "+86 123", "nobody", "1" * 40, "+86 12345678901")

    def address(self, number):
        return f"199000000{number:02d}"
