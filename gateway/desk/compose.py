"""Make the desk's own CAP messages: from fields, from a message that came in, and their followers."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.alerts.model import (
    Alert,
    Area,
    Certainty,
    Info,
    MsgType,
    Reference,
    ResponseType,
    Scope,
    Urgency,
)
from gateway.alerts.national_terms import PREFIX
from gateway.desk.checks import STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SERIALS = 10
"""Serial numbers within one second: the national identifier has one digit for them."""


class Words(BaseModel):
    """What a message says in one language; ``None`` leaves a text as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str
    event: str | None = None
    headline: str | None = None
    description: str | None = None
    instruction: str | None = None
    sender_name: str | None = None
    contact: str | None = None


class Changes(BaseModel):
    """What an author decides about an alert; ``None`` leaves it as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    headline: str | None = None
    description: str | None = None
    instruction: str | None = None
    sender_name: str | None = None
    event: str | None = None
    contact: str | None = None
    note: str | None = None
    language: str | None = None
    """The language whose words change; the first one, where not given."""
    onset: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    areas: tuple[Area, ...] | None = None
    region: str | None = None
    """Code of a region that the desk chooses as the area."""
    hazard: str | None = None
    level: str | None = None
    channels: tuple[str, ...] | None = None
    web: str | None = None
    certainty: Certainty | None = None
    urgency: Urgency | None = None
    response: ResponseType | None = None
    at_once: bool = False
    """The warning begins when it is sent: its onset is taken away."""
    words: tuple[Words, ...] = ()
    """Texts language by language; a language that the alert does not speak yet gets blocks of its own."""
    without: tuple[str, ...] = ()
    """Languages that are taken out."""

    def of_info(self) -> dict[str, Any]:
        """Return what changes in an info block."""
        new = {name: value for name in (*_WORDS, *_FACTS) if (value := getattr(self, name)) is not None}
        if self.response is not None:
            new["response_types"] = (self.response,)
        return new | ({"onset": None, "effective": None} if self.at_once else {})

    def beyond_words(self) -> bool:
        """Return whether more than words changes."""
        return any(
            getattr(self, name) is not None
            for name in (*_FACTS, "response", "region", "hazard", "level", "channels")
        ) or bool(self.at_once or self.without)


_WORDS = ("headline", "description", "instruction", "sender_name", "event", "contact")
_FACTS = ("onset", "expires", "areas", "web", "certainty", "urgency")
"""What holds for every language."""

NOTHING = Changes()


class Fields(BaseModel):
    """A warning written at the desk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hazard: str
    """Key in hazards.toml, e.g. ``11B03``."""
    level: str = Field(pattern="^(red|orange|yellow|blue)$")
    mode: str = Field(default="live", pattern="^(live|drill)$")
    areas: tuple[Area, ...] = ()
    description: str = Field(min_length=1)
    instruction: str = Field(min_length=1)
    expires: AwareDatetime
    onset: AwareDatetime | None = None
    event: str | None = None
    """The hazard in words; by default its name in the table."""
    headline: str | None = None
    language: str = "zh-CN"
    sender_name: str | None = None
    certainty: Certainty = Certainty.LIKELY
    urgency: Urgency = Urgency.EXPECTED
    response: ResponseType = ResponseType.PREPARE
    note: str | None = None
    contact: str | None = None
    web: str | None = None
    also: tuple[Words, ...] = ()
    """The texts in further languages."""


def identifiers(code: str, now: datetime, zone: tzinfo) -> Iterator[str]:
    """Yield identifiers to try, best first: ``ZZZZZZDDDUUUXX_YYYYMMDDhhmmss_N`` (GB/T 35965.1 usage).

    The database decides which is free, so two desks or a clock set back cannot make two alike.
    """
    for second in range(60):
        stamp = (now + timedelta(seconds=second)).astimezone(zone)
        for serial in range(SERIALS):
            yield f"{code}_{stamp:%Y%m%d%H%M%S}_{serial}"


def adopt(alert: Alert, sender: str, now: datetime, zone: tzinfo) -> Alert:
    """Return our message that says what a message which came in says.

    What the desk sends is the desk's own: its sender and number, with the origin in ``source``.
    Signatures and references belong to the original and stay with it, and so does what the national
    message says beside CAP: names and phone numbers of officers, texts for single channels.
    """
    infos = (
        info.model_copy(
            update={"parameters": tuple(p for p in info.parameters if not p.value_name.startswith(PREFIX))}
        )
        for info in alert.infos
    )
    return alert.model_copy(
        update={
            "infos": tuple(infos),
            "sender": sender,
            "sent": now.astimezone(zone).replace(microsecond=0),
            "source": key_text(alert),
            "references": (),
            "malformed_references": (),
            "signatures": (),
        }
    )


def key_text(alert: Alert | Reference) -> str:
    """Return ``sender,identifier,sent`` of a message, as CAP writes references."""
    return f"{alert.sender},{alert.identifier},{alert.sent.isoformat()}"


def write(fields: Fields, info: Info, *, sender: str, identifier: str, now: datetime, zone: tzinfo) -> Alert:
    """Return the message of a warning written at the desk."""
    return Alert(
        identifier=identifier,
        sender=sender,
        sent=now.astimezone(zone),
        status=STATUS[fields.mode],
        msg_type=MsgType.ALERT,
        scope=Scope.PUBLIC,
        note=fields.note,
        infos=(info,),
    )


def changed(alert: Alert, changes: Changes) -> Alert:
    """Return the alert with the changes made; words change in one language, facts in all.

    Raises:
        LookupError: the alert has no block in that language.
        ValidationError: a text holds what CAP cannot carry.
    """
    spoken = [info.language for info in alert.infos]
    if changes.language is not None and changes.language not in spoken:
        raise LookupError(changes.language)
    chosen = changes.language if changes.language is not None else next(iter(spoken), None)
    infos = tuple(
        _changed_info(info, changes.of_info(), words=info.language == chosen) for info in alert.infos
    )
    note = alert.note if changes.note is None else changes.note or None
    made = Alert.model_validate(alert.model_dump() | {"infos": infos, "note": note})
    return translated(made, changes.words, changes.without)


def _changed_info(info: Info, new: dict[str, Any], *, words: bool) -> dict[str, Any]:
    used = {name: value or None for name, value in new.items() if words or name not in _WORDS}
    return info.model_dump() | used


def translated(alert: Alert, words: Sequence[Words], without: Sequence[str] = ()) -> Alert:
    """Return the alert with these texts in their languages, and without some languages.

    Raises:
        ValidationError: a text holds what CAP cannot carry.
    """
    first = alert.infos[0].language if alert.infos else None
    blocks = [info.model_dump() for info in alert.infos]
    for one in words:
        if one.language not in {block["language"] for block in blocks}:
            copies = [block for block in blocks if block["language"] == first]
            blocks += [block | dict.fromkeys(_WORDS) | {"language": one.language} for block in copies]
        new = {name: value or None for name in _WORDS if (value := getattr(one, name)) is not None}
        blocks = [block | new if block["language"] == one.language else block for block in blocks]
    kept = tuple(block for block in blocks if block["language"] not in without)
    return Alert.model_validate(alert.model_dump() | {"infos": kept})


def follow(
    alert: Alert,
    msg_type: MsgType,
    references: Sequence[Reference],
    *,
    identifier: str,
    now: datetime,
    zone: tzinfo,
) -> Alert:
    """Return an Update or Cancel of the alert that says the same until it is edited."""
    return alert.model_copy(
        update={
            "identifier": identifier,
            "sent": now.astimezone(zone).replace(microsecond=0),
            "msg_type": msg_type,
            "references": tuple(references),
        }
    )


def stamped(alert: Alert, references: Sequence[Reference], now: datetime, zone: tzinfo) -> Alert:
    """Return the alert as it is frozen for approval: sent at this moment, about these messages."""
    return alert.model_copy(
        update={"sent": now.astimezone(zone).replace(microsecond=0), "references": tuple(references)}
    )
