"""What a secret looks like in a file: private keys, tokens, passwords in addresses and assignments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a password in an address": re.compile(
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>{}]*:[^\s/@\"'<>{}]+@[\w.\[-]", re.IGNORECASE
    ),
    "a token of a known service": re.compile(
        r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
        r"|sk[-_](?:live|test|ant|proj)[-_][\w-]{16,}|AIza[\w-]{35}|npm_\w{36}|pypi-[\w-]{30,}"
        r"|LTAI[0-9A-Za-z]{12,}|AKID[0-9A-Za-z]{13,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})"
    ),
    "a key of a WeCom robot": re.compile(r"qyapi\.weixin\.qq\.com/\S*key=[0-9a-f-]{20,}", re.IGNORECASE),
    "a key in hex": re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-f])"),
    "a secret that is written out": re.compile(
        r"(?i)(?<![a-z])(?:\w*_)?(?:password|passwd|secret|token|(?:api|access|fleet|verp|totp|confirm|partner"
        r"|callback|private|signing)_?key)[\"']?(?:\s*:\s*\w+)?\s*[:=]\s*[\"']([^\"'{}$\s]{6,})[\"']"
    ),
}


def found_in(text: str) -> Iterator[tuple[str, str]]:
    """Give each shape that the text has with what has it."""
    for shape, pattern in SHAPES.items():
        for match in pattern.finditer(text):
            yield shape, match[1] if match.lastindex else match[0]
