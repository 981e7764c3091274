from __future__ import annotations

from typing import ClassVar

from tests.channels.contract import ChannelContract


class TestWecom(ChannelContract):
    kind = "wecom"
    silent: ClassVar = {"hang": True}
    slow: ClassVar = {"latency": 0.05}
    cut: ClassVar = {"drop_share": 0.5}
    rejecting: ClassVar = {"errcode": 93000}
    throttling: ClassVar = {"errcode": 45009}
    bad_addresses = (
        "short",
        "x" * 65,
        "693a91f6-7xxx-4bc4 97a0-0ec2sifa5aaa",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=no key",
        "https://example.org/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa",
    )

    def address(self, number):
        return f"00000000-invented-robot-{number:08d}"
