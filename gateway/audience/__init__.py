"""WHO: regions, contacts and groups; from an area to a frozen target list.

:func:`resolve` turns an :class:`AreaSpec` into an :class:`Audience`, the preview that the desk
looks at; :func:`freeze` writes it down as a target list with a digest, and
:func:`verify_digest` proves at release that the list is still the one that was approved.
An area that is empty, lost or wider than its text is refused (:class:`AreaRefused`): nothing
here ever turns into "everyone".
"""

from __future__ import annotations

from gateway.audience.area import AreaRefused, AreaSpec, from_alert, of_region, text_of
from gateway.audience.freeze import FrozenTargets, doubled, freeze, verify_digest
from gateway.audience.locate import SHARES, RegionHit
from gateway.audience.resolve import Audience, resolve

__all__ = [
    "SHARES",
    "AreaRefused",
    "AreaSpec",
    "Audience",
    "FrozenTargets",
    "RegionHit",
    "doubled",
    "freeze",
    "from_alert",
    "of_region",
    "resolve",
    "text_of",
    "verify_digest",
]
