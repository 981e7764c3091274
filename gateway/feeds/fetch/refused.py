"""Why something was not fetched, in words for people."""

from __future__ import annotations

FIXES: dict[str, str] = {
    "url": "correct the address in the settings",
    "scheme": "use an address with TLS, or set allow_http where the source has none",
    "headers": "correct the headers of the source, or user_agent in [feeds]",
    "host": "add the host to allow_hosts of the source if it may be fetched from",
    "userinfo": "put the token into the headers of the source",
    "address": "check the name server; set allow_private only for a source in your own network",
    "dns": "check the spelling of the host and the name server",
    "connection": "check the network and whether the source has announced works",
    "tls": "ask the source for a valid certificate, or name its CA in ca_file",
    "too_slow": "nothing to do here if it passes; otherwise ask the source",
    "too_large": "choose a smaller feed of the source",
    "encoding": "ask the source to send gzip or no compression",
    "truncated": "nothing to do here: it is fetched again",
    "redirects": "put the final address into the settings",
    "access": "check the token in headers and the user agent in [feeds]",
    "missing": "check the address in the settings",
    "throttled": "ask less often: raise interval_seconds",
    "status": "nothing to do here if it passes; otherwise ask the source",
    "not_http": "check the address in the settings",
}
"""Code of a refusal -> the way out."""


class FetchRefused(Exception):
    """Nothing was fetched, or what came was not taken.

    Attributes:
        code: a key of :data:`FIXES`.
        sentence: what happened, for people; holds no token and nothing that the peer wrote.
        status: the HTTP status, where there was an answer.
        retry_after: seconds that the source asks us to wait, where it does.
    """

    def __init__(
        self, code: str, sentence: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        """Take what the attributes say."""
        super().__init__(f"{sentence}; {FIXES[code]}")
        self.code = code
        self.sentence = sentence
        self.status = status
        self.retry_after = retry_after

    @property
    def fix(self) -> str:
        """The way out."""
        return FIXES[self.code]
