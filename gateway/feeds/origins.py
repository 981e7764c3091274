"""Who may bring alerts, under which rule, and whether a signature of theirs is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.signature import load_certificates, verify
from gateway.desk.staff import MACHINES
from gateway.feeds.rules import speaks_for
from gateway.feeds.settings import RuleSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate

    from gateway.alerts.model import Alert
    from gateway.feeds.contract import Item
    from gateway.feeds.settings import SourceSettings
    from gateway.partners.settings import PartnerSettings
    from gateway.settings import Settings
    from gateway.store.incoming import IncomingRow

SEISMIC = "seismic"
"""The source of warnings that are made of seismic events here."""
_SOURCE, PARTNER = MACHINES
"""What the names of partners begin with, among those of sources."""


class Origins:
    """Sources, partners and our own seismic warnings, by name."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; certificates are read when the first signed message comes."""
        self._settings = settings
        self._certificates: dict[str, Sequence[Certificate]] = {}
        self._delegates = {one for name in self._names() for one in self.rule(name).delegates}

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
        if source.startswith(PARTNER):
            partner = self._settings.partners.get(source.removeprefix(PARTNER))
            return partner.cap_signature if partner else "flag"
        known = self._settings.sources.get(source)
        return known.signature if known else "flag"

    def verify(self, source: str, item: Item, now: datetime) -> str:
        """Return the state of a message's signature, over the bytes as they came."""
        if not (item.is_cap and item.alert.signatures):
            return "absent"
        if source not in self._certificates:
            self._certificates[source] = load_certificates(self._signers(source))
        return str(verify(item.original, self._certificates[source], now).state)

    def _signers(self, source: str) -> Sequence[Path]:
        known: SourceSettings | PartnerSettings | None = self._settings.sources.get(source)
        if source.startswith(PARTNER):
            known = self._settings.partners.get(source.removeprefix(PARTNER))
        return known.signers if known else []

    def login(self, source: str) -> str:
        """Return the login that stands for a source at the desk."""
        return source if source.startswith(PARTNER) else _SOURCE + source

    def waiting_for(self, source: str) -> list[str]:
        """Return the sources whose alerts a second word from this one releases; an unofficial one: none."""
        if not self.official(source):
            return []
        rules = {name: self.rule(name) for name in self._names()}
        return [n for n, rule in rules.items() if rule.action == "release" and source in rule.agrees_with]

    def _names(self) -> list[str]:
        return [*self._settings.sources, *(PARTNER + name for name in self._settings.partners), SEISMIC]

    def speaks_for(self, source: str) -> frozenset[str]:
        """Return the senders whose messages a source's messages may change."""
        rule = self.rule(source)
        return frozenset((*rule.senders, *rule.delegates))

    def names(self, source: str, sender: str) -> bool:
        """Return whether the rule of a source names a sender; our own warnings of quakes need no rule."""
        return source == SEISMIC or sender in self.speaks_for(source)

    def delegates(self, rows: Sequence[IncomingRow]) -> Mapping[str, Collection[str]]:
        """Return sender -> senders that may change its messages, by the rules of who brought them."""
        return {row.sender: self.rule(row.source).delegates for row in rows}

    def around(self, alert: Alert) -> list[str]:
        """Return the senders whose messages may bear upon an alert, in the order in which they are held."""
        return sorted({alert.sender, *(one.sender for one in alert.references), *self._delegates})

    def held(self, alert: Alert) -> list[str]:
        """Return the senders to hold while an alert is stored: its own, and those that it may speak for."""
        named = {one.sender for one in alert.references} if alert.sender in self._delegates else set()
        return sorted({alert.sender, *named})

    def counting(self, rows: Sequence[IncomingRow]) -> list[IncomingRow]:
        """Return the messages whose word counts against others of the same sender.

        What is forged, or says to be of a sender that its source does not speak for, changes nothing. Where a
        sender is named by the rule of who brought its messages, only such sources speak for it.
        """
        sound = [row for row in rows if self._is_sound(row)]
        named = {row.sender for row in sound if self.names(row.source, row.sender)}
        return [row for row in sound if row.sender not in named or self.names(row.source, row.sender)]

    def _is_sound(self, row: IncomingRow) -> bool:
        policy = self.signature_policy(row.source)
        refused = row.signature == "invalid" or (policy == "require" and row.signature != "valid-trusted")
        return speaks_for(self.rule(row.source), row.sender) and (policy == "ignore" or not refused)
