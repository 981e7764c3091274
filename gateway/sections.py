"""What every group of settings is made of: the base class and the types of values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from gateway.ops.sources import refuse_unknown

_KEY_LENGTH = 32
_WELL_KNOWN = re.compile(
    r"(?<![a-z])(?:change.?me|default|example|insecure|password|secret|tongda|test)(?![a-z])", re.IGNORECASE
)
"""As words of their own: chance puts such letters into a long key as well."""


def _good_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) < _KEY_LENGTH:
        raise ValueError(f"a key has at least {_KEY_LENGTH} characters; try: openssl rand -hex 32")
    refuse_guessable(text)
    return value


def refuse_guessable(text: str) -> None:
    """Raise ValueError for a key that has a well-known word in it, or a few characters over and over."""
    if _WELL_KNOWN.search(text) or len(set(text)) < _KEY_LENGTH // 4:
        raise ValueError("this key can be guessed; try: openssl rand -hex 32")


def _existing(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"there is no file {value}")
    return value


def begins(*schemes: str) -> AfterValidator:
    """Return the check that a text begins with one of the schemes."""

    def check(value: str) -> str:
        if not value.startswith(schemes):
            raise ValueError(f"must begin with {' or '.join(schemes)}")
        return value

    return AfterValidator(check)


def _listed(value: Any) -> Any:  # noqa: ANN401 - whatever a file may hold
    return value if isinstance(value, list) else [value]


Key = Annotated[SecretStr, AfterValidator(_good_key)]
Keys = Annotated[list[Key], BeforeValidator(_listed), Field(min_length=1)]
ExistingFile = Annotated[Path, AfterValidator(_existing)]
Count = Annotated[int, Field(ge=0, le=64)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Section(BaseModel):
    """A group of settings, ``[name]`` in TOML."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _names_known(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a file may hold
        if isinstance(value, dict):
            refuse_unknown(cls, value)
        return value
