"""What goes out to partners: publications and webhook deliveries."""

from __future__ import annotations
