"""Settings of partner agencies: who they are and what may become of what they push."""

from __future__ import annotations

from pydantic import Field

from gateway.feeds.settings import RuleSettings
from gateway.sections import Section


class PartnerSettings(Section):
    """One partner agency."""

    name: str = Field(min_length=1)
    """The agency in words."""
    rule: RuleSettings = Field(default_factory=RuleSettings)
    """What becomes of the alerts that it pushes."""
