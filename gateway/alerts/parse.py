"""Bytes in, one :class:`~gateway.alerts.model.Alert` out, or a refusal.

CAP 1.2 is read as it stands in OASIS CAP-v1.2; 1.1 and 1.0 are mapped up.
The rule throughout: what cannot be understood with certainty in what decides *who is told what*
(identity, status, type, scope, times) refuses the message; a shape that cannot be used is set aside and
never widened; everything else is kept, with a finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.alerts.findings import Finding, Findings, Refused
from gateway.alerts.foreign import foreign_xml, split_name
from gateway.alerts.model import Alert, MsgType, Reference, Scope, Status, is_word
from gateway.alerts.node import NAMESPACES, Budget, Node, Version
from gateway.alerts.parse_info import read_info
from gateway.alerts.times import TimeRefused, read_time
from gateway.alerts.xml import Limits, read_tree

if TYPE_CHECKING:
    from lxml import etree

__all__ = ["Limits", "Parsed", "Refused", "parse"]

_LIST_ITEM = re.compile(r'"([^"]*)"|(\S+)')
_TOKEN = re.compile(r"\S+")
_REFERENCE_PARTS = 3


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message that was read.

    Attributes:
        alert: The message, in terms of CAP 1.2.
        version: The version that it was written in.
        findings: What was unusual, in the order of the document.
        raw: Path -> text as it stood, for each value that was normalised (times, padding, languages, rings).
    """

    alert: Alert
    version: Version
    findings: list[Finding]
    raw: dict[str, str]


def parse(data: bytes, *, limits: Limits | None = None) -> Parsed:
    """Read one CAP message.

    Args:
        data: The file as received; UTF-8, UTF-16, GB18030 and other declared encodings.
        limits: How much is read before the message is refused.

    Raises:
        Refused: It is no CAP message, or one that nobody may act on; the code says why.
    """
    limits = limits or Limits()
    found = Findings()
    root = read_tree(data, limits, found)
    version = _version(root)
    if version != "1.2":
        found.add(f"cap_{version.replace('.', '_')}", "alert")
    raw: dict[str, str] = {}
    node = Node(root, "alert", found, raw)
    alert = _read_alert(node, version, Budget(limits.points, limits.foreign, limits.items))
    return Parsed(alert, version, found.all(), raw)


def _version(root: etree._Element) -> Version:
    namespace, name = split_name(root.tag)
    if name != "alert":
        raise Refused("wrong_root", "the root element is not alert", name[:40])
    version = NAMESPACES.get(namespace)
    if version is None:
        what = "has no namespace" if not namespace else "has a namespace that is not CAP's"
        raise Refused(
            "wrong_namespace", f"alert {what}; CAP 1.2 is urn:oasis:names:tc:emergency:cap:1.2", "alert"
        )
    return version


def _read_alert(node: Node, version: Version, budget: Budget) -> Alert:
    node.sort("alert", budget)
    references, malformed = _references(node, budget)
    if node.first("password") is not None:
        node.found.add("password_dropped", node.at("password"))
    return Alert(
        identifier=_word(node, "identifier"),
        sender=_word(node, "sender"),
        sent=node.need_time("sent"),
        status=node.need_choice("status", Status),
        msg_type=node.need_choice("msgType", MsgType),
        source=node.text("source"),
        scope=node.need_choice("scope", Scope),
        restriction=node.text("restriction"),
        addresses=_items(node, "addresses", budget),
        codes=tuple(node.texts("code")),
        note=node.text("note"),
        references=references,
        malformed_references=malformed,
        incidents=_items(node, "incidents", budget),
        infos=tuple(read_info(info, version, budget) for info in node.nodes("info")),
        signatures=tuple(map(foreign_xml, node.signatures)),
        extensions=node.extensions(),
    )


def _word(node: Node, name: str) -> str:
    value = node.need(name)
    if not is_word(value):
        message = f"{name} must not be empty or have white space, comma, < or &"
        raise Refused("word_malformed", message, node.at(name))
    return value


def _items(node: Node, name: str, budget: Budget) -> tuple[str, ...]:
    text = node.text(name) or ""
    pieces = [
        match[1] if match[2] is None else match[2] for match in budget.split(text, _LIST_ITEM, node.at(name))
    ]
    clean = [piece.replace('"', "").strip() for piece in pieces]
    if any('"' in piece for piece in pieces):
        node.found.add("value_list_item_odd", node.at(name))
    return tuple(clean)


def _references(node: Node, budget: Budget) -> tuple[tuple[Reference, ...], tuple[str, ...]]:
    good: list[Reference] = []
    malformed: list[str] = []
    path = node.at("references")
    for token in (match[0] for match in budget.split(node.text("references") or "", _TOKEN, path)):
        reference = _reference(token)
        if reference is None:
            malformed.append(token)
            node.found.add("references_malformed", path)
        else:
            good.append(reference)
    return tuple(good), tuple(malformed)


def _reference(token: str) -> Reference | None:
    parts = token.split(",")
    if len(parts) != _REFERENCE_PARTS or not all(map(is_word, parts)):
        return None
    try:
        return Reference(sender=parts[0], identifier=parts[1], sent=read_time(parts[2]).value)
    except TimeRefused:
        return None
