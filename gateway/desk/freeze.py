"""Freeze what a release will say and do, and bind it with one digest.

Texts are rendered once and encoded by each channel's adapter while the author is still there to
mend them; at release nothing is rendered again, so what was approved is what is sent.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import HOLE, Content, ContentRefused
from gateway.alerts.language import blocks_for, tag_of
from gateway.desk.refused import DeskRefused
from gateway.desk.render import Facts, NoTemplateError
from gateway.dispatch.contents import CONFIRM, Texts, freeze
from gateway.store.audit import canonical

if TYPE_CHECKING:
    from channels.base import Channel
    from gateway.alerts.model import Alert, Info
    from gateway.desk.office import Office
    from gateway.store.desk import AlertRow, TargetList

URGENT = frozenset({"red", "orange"})
"""Levels that overtake others, and whose lost answers are sent once more."""

_SAMPLE_LINK = "https://warning.example.org/c/0123456789abcdef0123456789abcdef"
"""As long as a confirm link gets: a text must fit its channel with one."""


class Draft(NamedTuple):
    """What is to be frozen."""

    alert: Alert
    level: str
    mode: str
    channels: list[str]
    reference: str
    reply_to: str


def lane(level: str, msg_type: str, mode: str) -> str:
    """Return the lane: drills have their own, urgent takes red, orange and every Cancel."""
    if mode == "drill":
        return "drill"
    return "urgent" if level in URGENT or msg_type == "Cancel" else "normal"


def plan_of(draft: Draft, approvers: int) -> dict[str, Any]:
    """Return what a release will do, as the approver sees and signs it."""
    return {
        "channels": draft.channels,
        "lane": lane(draft.level, draft.alert.msg_type, draft.mode),
        "resend_unknown": draft.level in URGENT,
        "approvers": approvers,
        "reference": draft.reference,
        "reply_to": draft.reply_to,
    }


def languages_of(alert: Alert) -> list[str]:
    """Return the languages of the alert in the order of its blocks, each once."""
    return list(dict.fromkeys(tag_of(info) for info in alert.infos))


def facts_of(alert: Alert, level: str, language: str) -> Facts:
    """Return what the alert says in one language; areas of all its blocks, words of the first."""
    blocks = [info for info in blocks_for(alert, language) if tag_of(info) == language]
    first = blocks[0]
    return Facts(
        msg_type=alert.msg_type,
        language=language,
        level=level,
        sender=first.sender_name or "",
        event=first.event,
        area=tuple(dict.fromkeys(area.area_desc for info in blocks for area in info.areas)),
        sent=alert.sent,
        onset=_start(first, alert),
        expires=max(info.expires for info in blocks if info.expires is not None),
        headline=first.headline or "",
        description=_joined(blocks, "description"),
        instruction=_joined(blocks, "instruction"),
        reference=alert.identifier,
    )


def _start(info: Info, alert: Alert) -> datetime:
    return info.onset or info.effective or alert.sent


def _joined(blocks: list[Info], name: str) -> str:
    return "\n".join(dict.fromkeys(text for info in blocks if (text := getattr(info, name))))


def render(office: Office, draft: Draft) -> Texts:
    """Return every text of the release, each proved to fit its channel.

    Raises:
        DeskRefused: a channel has no template for any language of the alert, or cannot carry a text.
    """
    return {channel: _channel_texts(office, draft, channel) for channel in draft.channels}


def _channel_texts(office: Office, draft: Draft, channel: str) -> dict[str, dict[str, Any]]:
    route, templates = office.routes[channel], office.templates
    stems = {tag: route.template(channel, templates, tag) for tag in languages_of(draft.alert)}
    spoken = {tag: stem for tag, stem in stems.items() if templates.speaks(stem, tag)}
    if not spoken:
        raise DeskRefused(
            "language",
            f"channel {channel} has no template for {', '.join(stems)}: add one or take the channel out",
            why="no_template",
            channel=channel,
        )
    adapter = route.adapter(draft.mode)
    try:
        contents = _contents(office, draft, spoken, adapter)
        _prove(adapter, contents)
    except ContentRefused:
        contents = _contents(office, draft, spoken, adapter, brief=True)
        try:
            _prove(adapter, contents)
        except ContentRefused as error:
            raise DeskRefused(
                "content", f"channel {channel} cannot carry the text: {error}", channel=channel
            ) from None
    return {key: freeze(content) for key, content in contents.items()}


def _contents(
    office: Office, draft: Draft, spoken: dict[str, str], adapter: Channel, *, brief: bool = False
) -> dict[str, Content]:
    contents = {tag: _content(office, draft, stem, tag, brief=brief) for tag, stem in spoken.items()}
    if not adapter.capabilities.links or draft.alert.msg_type == "Cancel":
        return contents
    return contents | {
        tag + CONFIRM: _content(office, draft, stem, tag, brief=brief, personal=True)
        for tag, stem in spoken.items()
        if office.templates.confirms(stem, tag)
    }


def _prove(adapter: Channel, contents: dict[str, Content]) -> None:
    for content in contents.values():
        adapter.prepare(content).preview(_SAMPLE_LINK if HOLE in content.text else "")


def _content(
    office: Office, draft: Draft, stem: str, language: str, *, brief: bool, personal: bool = False
) -> Content:
    facts = facts_of(draft.alert, draft.level, language)
    if brief:  # issuer, hazard, colour, area, time and action stay; what happened shrinks to the headline
        facts = facts._replace(description=facts.headline)
    try:
        wording = office.templates.say(
            stem,
            facts,
            signature=office.settings.signature,
            zone=office.settings.zone,
            drill=draft.mode == "drill",
            personal=personal,
        )
    except NoTemplateError as error:
        raise DeskRefused("language", str(error)) from None
    return Content(
        release=draft.reference,
        language=language,
        subject=wording.subject,
        text=wording.text,
        level=draft.level,
        event=facts.event,
        sender=facts.sender,
        sent=facts.sent,
        expires=facts.expires,
        drill=draft.mode == "drill",
        reply_to=draft.reply_to,
    )


SIGNED = (
    "content", "texts", "plan", "mode", "level", "hazard", "msg_type", "warning_id", "supersedes",
)  # fmt: skip
"""Columns that an approval signs, besides the recipients and the end."""


def digest_of(row: AlertRow, targets: TargetList) -> str:
    """Return the SHA-256 that an approval signs: over everything that the release will say and do.

    It is taken of what is in the database, at submission and again at the release.
    """
    signed = {name: getattr(row, name) for name in SIGNED} | {
        "targets": targets.digest,
        "count": targets.count,
        "expires": row.expires.astimezone(UTC),
    }
    return hashlib.sha256(canonical(signed)).hexdigest()
