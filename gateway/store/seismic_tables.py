"""Seismic events and the solutions that agencies have of them."""

from __future__ import annotations
