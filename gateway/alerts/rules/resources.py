"""Attachments and links (CAP 1.2, 3.2.2 web, 3.2.3 resource). Nothing is ever fetched here."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.alerts.parse_info import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Resource
    from gateway.alerts.rules.context import Context

_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")
_MIME_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}(?:\s*;.*)?", re.ASCII | re.DOTALL)
_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
_WEB_SCHEMES = ("http", "https")
_NOT_USUAL = re.compile(r"[^\x00-\x7f\u3007\u3400-\u4dbf\u4e00-\u9fff。．]")


def about_resources(context: Context) -> None:
    """web, and every resource."""
    for path, info in context.infos():
        if info.web:
            for code in judge_link(info.web):
                context.found.add(code, f"{path}/web")
        for number, resource in enumerate(info.resources, 1):
            for code, where in _about(resource):
                context.found.add(code, f"{path}/resource[{number}]/{where}")


def _about(resource: Resource) -> Iterator[tuple[str, str]]:
    yield from _about_form(resource)
    content = None if resource.deref_uri is None else decoded(resource.deref_uri)
    if resource.deref_uri is None and resource.uri is None:
        yield "resource_without_content", "uri"
    if resource.uri and resource.deref_uri is None:
        yield from ((code, "uri") for code in judge_link(resource.uri))
    if resource.deref_uri is not None:
        yield ("resource_bad_base64" if content is None else "deref_uri_heavy"), "derefUri"
    if content is not None:
        yield from _about_content(resource, content)


def _about_form(resource: Resource) -> Iterator[tuple[str, str]]:
    if not _MIME_TYPE.fullmatch(resource.mime_type):
        yield "mime_type_malformed", "mimeType"
    if resource.size is not None and resource.size < 0:
        yield "size_negative", "size"
    if resource.digest and not _SHA1.fullmatch(resource.digest):
        yield "digest_malformed", "digest"


def _about_content(resource: Resource, content: bytes) -> Iterator[tuple[str, str]]:
    if resource.size is not None and 0 <= resource.size != len(content):
        yield "resource_size_differs", "size"
    # CAP's digest is a check against damage, not against an enemy.
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if resource.digest and _SHA1.fullmatch(resource.digest) and resource.digest.lower() != digest:
        yield "resource_digest_mismatch", "digest"


def judge_link(uri: str) -> list[str]:
    """The codes of what is wrong with a link: not absolute http(s), into a private place, a look-alike."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return ["uri_not_absolute"]
    if parts.scheme == "file":
        return ["uri_internal"]
    if parts.scheme not in _WEB_SCHEMES or not host:
        return ["uri_not_absolute"]
    if is_internal(host):
        return ["uri_internal"]
    # A user name stands where people look for the host: https://warn.example.org@elsewhere.example.net
    return ["uri_lookalike"] if "@" in parts.netloc or is_lookalike(host) else []


def is_lookalike(host: str) -> bool:
    """Whether a host, as written or in its ASCII form (``xn--``), has letters of neither ASCII nor Han.

    Cyrillic or Greek letters look like ASCII ones; Chinese hosts are usual here.
    """
    return any(_NOT_USUAL.search(_shown(label)) for label in host.split("."))


def _shown(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return "\ufffd"


def is_internal(host: str) -> bool:
    """Whether a host, by its name or address alone, is not on the public internet."""
    name = host.lower().rstrip(".")
    try:
        return not ipaddress.ip_address(_numeric(name)).is_global
    except ValueError:
        return name == "localhost" or name.endswith(_LOCAL_NAMES) or "." not in name


def _numeric(name: str) -> str | int:
    # Browsers and libraries also take an address as one number: http://2130706433/ is 127.0.0.1.
    try:
        return int(name, 0)
    except ValueError:
        return name
