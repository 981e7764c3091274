"""Who may bring alerts, under which rule, and whether a signature of theirs is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.signature import load_certificates, verify
from gateway.feeds.settings import RuleSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from cryptography.x509 import Certificate

    from gateway.feeds.contract import Item
    from gateway.settings import Settings
    from gateway.store.incoming import IncomingRow

SEISMIC = "seismic"
"""The source of warnings that are made of seismic events here."""
PARTNER = "partner."
"""What the names of partners begin with, among those of sources."""


class Origins:
    """Sources, partners and our own seismic warnings, by name."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; certificates are read when the first signed message comes."""
        self._settings = settings
        self._certificates: dict[str, Sequence[Certificate]] = {}

    def rule(self, source: str) -> RuleSettings:
        """Return the rule of a source; one that is not set any more only fills the inbox."""
        if source == SEISMIC:
            return self._settings.feeds.seismic_rule
        if source.startswith(PARTNER):
            partner = self._settings.partners.get(source.removeprefix(PARTNER))
            return partner.rule if partner else RuleSettings()
        known = self._settings.sources.get(source)
        return known.rule if known else RuleSettings()

    def official(self, source: str) -> bool:
        """Return whether what a source sends may be sent on by a rule."""
        known = self._settings.sources.get(source)
        return known.adapter.official if known else True

    def signature_policy(self, source: str) -> str:
        """Return what a bad or missing signature means: ``ignore``, ``flag`` or ``require``."""
        known = self._settings.sources.get(source)
        return known.signature if known else "flag"

    def verify(self, source: str, item: Item, now: datetime) -> str:
        """Return the state of a message's signature, over the bytes as they came."""
        if not (item.is_cap and item.alert.signatures):
            return "absent"
        known = self._settings.sources.get(source)
        if source not in self._certificates:
            self._certificates[source] = load_certificates(known.signers if known else [])
        return str(verify(item.original, self._certificates[source], now).state)

    def login(self, source: str) -> str:
        """Return the login that stands for a source at the desk."""
        return source if source.startswith(PARTNER) else f"source.{source}"

    def waiting_for(self, source: str) -> list[str]:
        """Return the sources whose alerts a second word from this one releases."""
        names = [
            *self._settings.sources,
            *(PARTNER + name for name in self._settings.partners),
            SEISMIC,
        ]
        rules = {name: self.rule(name) for name in names}
        return [n for n, rule in rules.items() if rule.action == "release" and source in rule.agrees_with]

    def speaks_for(self, source: str) -> frozenset[str]:
        """Return the senders whose messages a source's messages may change."""
        rule = self.rule(source)
        return frozenset((*rule.senders, *rule.delegates))

    def delegates(self, rows: Sequence[IncomingRow]) -> Mapping[str, Collection[str]]:
        """Return sender -> senders that may change its messages, by the rules of who brought them."""
        return {row.sender: self.rule(row.source).delegates for row in rows}
