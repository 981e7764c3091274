"""Adapters that hand a warning to the outside world, one folder each.

A folder knows its provider's wire format and nothing of ``gateway``.
What every adapter keeps to is written in :mod:`channels.base`.
"""
