"""From the body of a request to an alert: CAP, CAP inside of JSON, or our JSON form. Pure.

Whichever way an alert comes, it is read by the one parser of CAP: the JSON form is written as CAP
and read back, so that no form can say what the others cannot.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from gateway.alerts.findings import REFUSALS
from gateway.alerts.model import Alert
from gateway.alerts.write import write
from gateway.feeds.cap_item import cap_item
from gateway.feeds.noted import Noted
from gateway.feeds.strict_json import JsonRefused, read_json
from gateway.partners.form import AlertForm, CapForm
from gateway.partners.refused import PartnerRefused
from gateway.partners.words import plain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from gateway.feeds.contract import Item

CAP = "application/cap+xml"
JSON = "application/json"
LARGEST = 1 << 20
"""Bytes of a body."""

_DEEPEST = 16
_ENCODING = re.compile(r"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']*)""")


class Pushed(NamedTuple):
    """An alert that came in a request."""

    kind: str
    """``cap``, or ``api`` for the JSON form."""
    item: Item


def read(content_type: str, body: bytes) -> Pushed:
    """Return the alert of a body.

    Args:
        content_type: :data:`CAP` or :data:`JSON`, without parameters.
        body: as it came.

    Raises:
        PartnerRefused: 415 another content type, 400 no strict JSON, 422 no usable alert.
    """
    if content_type == CAP:
        return _cap(body)
    if content_type != JSON:
        raise PartnerRefused(415, "content_type", f"send {CAP} or {JSON}")
    try:
        value = read_json(body, deepest=_DEEPEST)
    except JsonRefused as refused:
        raise PartnerRefused(400, refused.code, refused.message) from None
    try:
        if isinstance(value, dict) and "cap" in value:
            return _cap(_utf8(CapForm.model_validate(value).cap))
        return Pushed("api", _from_form(AlertForm.model_validate(value), body))
    except ValidationError as error:
        raise _unfit(_place(error.errors(include_url=False, include_input=False)[0])) from None


def _cap(data: bytes) -> Pushed:
    return Pushed("cap", _item(data))


def _item(data: bytes) -> Item:
    noted = Noted()
    item = cap_item(data, "alert", noted)
    if item is None:
        raise _unfit(_words_first(noted.all()[0].message))
    return item


def _words_first(message: str) -> str:
    """Return the message of a refused document with its code, which means little to people, at the end."""
    code, _, words = message.partition(": ")
    return f"{words} ({code})" if code in REFUSALS else message


def _utf8(text: str) -> bytes:
    """Return the document's bytes; a JSON text is UTF-8 whatever the document says of itself."""
    declared = _ENCODING.match(text)
    if declared and declared[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise _unfit(f"cap: the document says that it is {declared[1][:20]}: inside of JSON it is UTF-8")
    return text.encode()


def _from_form(form: AlertForm, body: bytes) -> Item:
    alert = Alert.model_validate(_without_nothing(form.model_dump()))
    return replace(_item(write(alert)), original=body, is_cap=False)


def _without_nothing(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value without the texts that are empty: in CAP an empty element is an absent one."""
    if isinstance(value, dict):
        kept = _MAY_BE_EMPTY
        return {name: _without_nothing(one) for name, one in value.items() if one != "" or name in kept}
    return [_without_nothing(one) for one in value] if isinstance(value, list | tuple) else value


_MAY_BE_EMPTY = frozenset({"area_desc", "event", "value_name", "value", "resource_desc"})


def _unfit(sentence: str) -> PartnerRefused:
    return PartnerRefused(422, "not_an_alert", sentence)


def _place(fault: ErrorDetails) -> str:
    where = ".".join(str(step) for step in fault["loc"])
    return f"{where or 'the body'}: {plain(fault)}"
