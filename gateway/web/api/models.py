"""What operations take in the address of a request; bodies and answers are models of gateway.partners."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def _flag(value: Any) -> Any:  # noqa: ANN401 - whatever came
    # A "1" or "yes" that one side takes for true and the other does not would send a dry run for real.
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value, value or None)
    return value


def _whole(value: Any) -> Any:  # noqa: ANN401 - whatever came
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


Flag: TypeAlias = Annotated[bool, Field(strict=True), BeforeValidator(_flag)]


class Query(BaseModel):
    """What may stand behind the question mark; a name that is not known is refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class NoQuery(Query):
    """Nothing."""


class PushQuery(Query):
    """How an alert is pushed."""

    dry_run: Flag = False
    """Only say what would become of it; nothing is written."""


class PageQuery(Query):
    """Which alerts are listed."""

    limit: Annotated[int, Field(ge=1, le=100, strict=True), BeforeValidator(_whole)] = 50
    """Alerts of a page."""
    cursor: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")] | None = None
    """The `next` of the page before."""
