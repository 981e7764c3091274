"""What an approver should look at: a code and its values, kept in the plan and so under the digest.

The words are made where somebody reads them, in that person's language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from gateway.alerts.findings import Finding

LINT = "lint_"
"""Before the code of a remark of :mod:`gateway.alerts.lint`."""
AREA = "area_"
"""Before the code of what :mod:`gateway.audience` says about the area."""

SENTENCES = {
    "told_twice": (
        "%(count)s addresses on %(channel)s belong to more than one recipient and get the text for each"
    ),
    "sent_before": (
        "the message it was drafted from was sent before, as alert %(alert)s, which is %(state)s"
    ),
    "unusual_kind": (
        "%(times)s times as many people as usual: %(count)s, where the median of %(of)s earlier warnings of "
        "this hazard at a similar level is %(median)s"
    ),
    "unusual_all": (
        "%(times)s times as many people as usual: %(count)s, where the median of %(of)s earlier warnings is "
        "%(median)s"
    ),
    "unusual_everybody": "%(count)s people: everybody who can be reached",
    "unusual_asks": "%(further)s more must sign because of so many people, and place and number are typed",
    "missed": "%(count)s recipients of alert %(alert)s are no longer reached",
    "channel_unused": "channel %(channel)s, on which alert %(alert)s went out, is no longer used",
    "channel_lost": "channel %(channel)s has no %(mode)s route any more: nobody hears of the Cancel there",
    "alike": "%(one)s and %(other)s bear the same name: are they two people?",
}
"""Code of the desk's own finding -> what it says."""


class Said(TypedDict):
    """One finding."""

    code: str
    values: dict[str, Any]


def said(code: str, **values: Any) -> Said:  # noqa: ANN401 - any JSON value
    """Return a finding of :data:`SENTENCES`."""
    assert code in SENTENCES, code
    return {"code": code, "values": values}


def quoted(before: str, one: Finding) -> Said:
    """Return a finding of another room, as it was said there."""
    return {"code": f"{before}{one.code}", "values": {"path": one.path, "message": one.message}}


def sentence(one: Said | str) -> str:
    """Return a finding as an English sentence; what an older release kept is one already."""
    if isinstance(one, str):
        return one
    code, values = one["code"], one["values"]
    if code in SENTENCES:
        return SENTENCES[code] % values
    return values["message"] if code.startswith(AREA) else f"{values['path']}: {values['message']}"
