"""SMS over SMPP 3.4: our own session on asyncio. Facts and limits: README.md beside this file."""

from channels.smpp.adapter import SmppChannel
from channels.smpp.settings import SmppSettings

ADAPTER = SmppChannel

__all__ = ["ADAPTER", "SmppChannel", "SmppSettings"]
