"""Keys and pushes of partner agencies."""

from __future__ import annotations
