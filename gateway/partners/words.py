"""What pydantic finds wrong with a request, in words for people who know nothing of pydantic. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such name here",
    "string_type": "it must be text",
    "bool_type": "it must be true or false",
    "int_type": "it must be a whole number",
    "float_type": "it must be a number",
    "finite_number": "it must be a finite number",
    "list_type": "it must be a list",
    "tuple_type": "it must be a list",
    "dict_type": "it must be an object",
    "model_type": "it must be an object",
    "model_attributes_type": "it must be an object",
    "enum": "it must be {expected}",
    "literal_error": "it must be {expected}",
    "greater_than_equal": "it must be at least {ge:g}",
    "less_than_equal": "it must be at most {le:g}",
    "string_too_short": "it must have at least {min_length} characters",
    "string_too_long": "it must have at most {max_length} characters",
    "too_short": "it must have at least {min_length} entries",
    "too_long": "it must have at most {max_length} entries",
    "string_pattern_mismatch": "it does not have the form that /api/v1/docs gives for it",
    "value_error": "{error}",
}
"""Type of a fault -> words, with what its context holds."""

_TIME = "it must be a time that exists, such as 2026-07-01T08:00:00+08:00"


def plain(fault: ErrorDetails) -> str:
    """Return what is wrong, without the place and without what came."""
    if fault["type"].startswith("datetime_"):
        return _TIME
    if words := _WORDS.get(fault["type"]):
        return words.format_map(fault.get("ctx", {}))
    return "it " + fault["msg"].replace("Input should", "must").replace("String should", "must")
