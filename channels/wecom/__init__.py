"""WeCom group robots (企业微信群机器人): one message to a chat group through its webhook."""

from channels.wecom.adapter import WecomChannel

ADAPTER = WecomChannel

__all__ = ["ADAPTER", "WecomChannel"]
