"""The one way in which the desk says no."""

from __future__ import annotations

from typing import Any


class DeskRefused(Exception):
    """The step was not taken and nothing was changed.

    Attributes:
        code: Stable word for programs, e.g. ``author_approves``.
        sentence: What is wrong and the way out, for the person at a terminal.
        values: What the sentence names (numbers, names, times), for whoever says it in other words.
    """

    def __init__(self, code: str, sentence: str, **values: Any) -> None:  # noqa: ANN401 - any value
        """Keep the code and the sentence, on one line whatever was quoted in it."""
        self.code = code
        self.sentence = "".join(c if c.isprintable() else " " for c in sentence)
        self.values = values
        super().__init__(self.sentence)
