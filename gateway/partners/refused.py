"""How a partner's request is refused: a status of HTTP, a stable code, one sentence with the way out."""

from __future__ import annotations


class PartnerRefused(Exception):
    """The request is not taken, and nothing has changed."""

    def __init__(self, status: int, code: str, sentence: str, **headers: str) -> None:
        """Keep all of it.

        Args:
            status: of HTTP.
            code: short and stable, for programs.
            sentence: for people.
            headers: of the answer; ``_`` stands for a hyphen.
        """
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
