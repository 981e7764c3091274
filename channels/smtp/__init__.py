"""E-mail: one message for each recipient through the route's mail server, receipts by DSN."""

from __future__ import annotations

from channels.smtp.adapter import SmtpChannel

ADAPTER = SmtpChannel
