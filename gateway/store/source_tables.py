"""The state of the sources: leases, health, troubles."""

from __future__ import annotations
