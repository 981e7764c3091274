"""The one way in which the desk says no."""

from __future__ import annotations


class DeskRefused(Exception):
    """The step was not taken and nothing was changed.

    Attributes:
        code: Stable word for programs, e.g. ``author_approves``.
        sentence: What is wrong and the way out, for the person at the desk.
    """

    def __init__(self, code: str, sentence: str) -> None:
        """Keep the code and the sentence, on one line whatever was quoted in it."""
        self.code = code
        self.sentence = "".join(c if c.isprintable() else " " for c in sentence)
        super().__init__(self.sentence)
