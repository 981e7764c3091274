"""The Valkey of the tests, which serves us under the narrow user that operators are told to make (S1)."""

from __future__ import annotations

from urllib.parse import urlsplit

from redis import Redis

from gateway.ops.valkey import EmbeddedValkey

USER, WORD = "narrow", "invented-for-this-test"
RULES = "~rq:* ~tongda:* &rq:* +@all -@scripting -@dangerous +info +client"
"""As docs/architecture.md gives them."""


class NarrowValkey(EmbeddedValkey):
    """An embedded Valkey that knows the narrow user from its first moment on, after each start again."""

    @property
    def narrow_url(self) -> str:
        """The address for what runs as in production; ``url`` is its owner's, who may do everything."""
        return f"unix://{USER}:{WORD}@{urlsplit(self.url).path}"

    def denied(self) -> list[dict[str, object]]:
        """What was denied since the server started, or its log was last emptied."""
        with Redis.from_url(self.url) as owner:
            return owner.acl_log()

    def _argv(self) -> list[str]:
        return [*super()._argv(), "--user", USER, "on", f">{WORD}", *RULES.split()]
