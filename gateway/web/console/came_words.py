"""What the rooms of feeds wrote down in English sentences, in the language of whoever reads it.

A sentence of :data:`SENTENCES` is recognised by its fixed words, and its values are put into the translation.
What is not among them (the words of another office, of a person) is shown as it was written.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.findings import CODES as CAP_CODES
from gateway.audience.area import REFUSALS
from gateway.feeds.fetch.refused import FIXES
from gateway.feeds.findings import CODES as FEED_CODES
from gateway.web.console.feed_words import SENTENCES as OF_FEEDS
from gateway.web.console.filters import CHANNELS, LEVELS, MODES, N_, ROLES, STATES
from gateway.web.console.refused_words import WRITTEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from gateway.store.alarms import Alarm

ACTIONS = {
    "inbox": N_("keep it for the desk"),
    "draft": N_("draft it"),
    "submit": N_("draft it and submit it for approval"),
    "release": N_("send it without approval, within the bounds of the rule"),
}
"""What the rule of a source makes of a message."""
CAP = {
    "Extreme": N_("Extreme"),
    "Severe": N_("Severe"),
    "Moderate": N_("Moderate"),
    "Minor": N_("Minor"),
    "Unknown": N_("Unknown"),
    "Immediate": N_("Immediate"),
    "Expected": N_("Expected"),
    "Future": N_("Future"),
    "Past": N_("Past"),
    "Observed": N_("Observed"),
    "Likely": N_("Likely"),
    "Possible": N_("Possible"),
    "Unlikely": N_("Unlikely"),
}
"""CAP's severity, urgency and certainty."""
SENTENCES = (
    # Why a message is in its state (gateway.feeds.rules, acting, standing, taking_back, by_hand)
    N_("status is %(status)s: it is for nobody outside"),
    N_("msgType is %(type)s: an answer between machines"),
    N_("scope is %(scope)s: it never goes to public channels"),
    N_(
        "another message of the same sender, identifier and time says something else: ask the sender which "
        "one counts"
    ),
    N_("another message of the same sender, identifier and time says something else"),
    N_("its signature is wrong: it was changed on its way"),
    N_("its signature is %(signature)s, and this source must sign"),
    N_(
        "this %(type)s is about a message that its sender may not change: name a sender or delegate in the "
        "rule of the source, or do it at the desk"
    ),
    N_("its sender %(sender)s is none that this source speaks for"),
    N_("an Update or Cancel of it was here before it"),
    N_("it was sent in the future: one of the two clocks is wrong"),
    N_("it has expired"),
    N_("it is older than its source's rule takes"),
    N_("it claims to be real and speaks of a test or drill (%(field)s)"),
    N_("it updates a message that claims to be real and speaks of a test or drill"),
    N_("it takes back what its source said"),
    N_("it says that no warning is in force"),
    N_("it does not touch the regions of this gateway: %(told)s"),
    N_("it cannot be located: %(told)s"),
    N_("the warning has no polygon, circle or geocode; choose a region by its code for it"),
    N_("it is less severe than %(severity)s"),
    N_("it reaches region %(region)s, which this source may not warn"),
    N_("its area %(area)s is wider than the regions that this source may warn"),
    N_("it warns of %(hazard)s, which this source may not"),
    N_("it is %(level)s, graver than this source may warn (%(highest)s)"),
    N_("its source's rule leaves it to the desk"),
    N_("its source's rule says %(action)s"),
    N_("it updates alert %(alert)s, which people have changed here: do it at the desk"),
    N_("alert %(alert)s was drafted from it and changed by people: they decide"),
    N_("message %(message)s of its source took its place, and is replaced itself"),
    N_("message %(message)s of its source took its place before it was sent"),
    N_("message %(message)s of its source took its place"),
    N_("nothing of what it takes back was in work or sent here"),
    N_("alert %(alert)s is withdrawn"),
    N_("alert %(alert)s is cancelled by rule"),
    N_("drafted by %(person)s"),
    N_("merged into alert %(alert)s by %(person)s"),
    # Alarms of messages; what follows a colon is a sentence of its own
    N_("message %(message)s of %(source)s (%(name)s): %(told)s"),
    N_("%(source)s sent %(name)s: %(told)s"),
    N_("%(source)s no longer lists it (%(name)s): is it over? Cancel it at the desk if so"),
    N_("%(source)s used the identifier %(name)s twice, against CAP 1.2: ask the sender"),
    N_("alert %(alert)s was sent, and %(told)s"),
    N_("alert %(alert)s is %(state)s, and %(told)s"),
    N_("%(source)s takes it back: %(told)s"),
    N_("%(source)s takes it back"),
    # Health of sources
    N_("no good answer ever; it is waited for since %(since)s: %(error)s; %(fix)s"),
    N_("no good answer ever; it is waited for since %(since)s; check that 'tongda feeds' runs"),
    N_("no good answer since %(since)s: %(error)s; %(fix)s"),
    N_("no good answer since %(since)s; check that 'tongda feeds' runs"),
    N_("no sign of life ever; it is waited for since %(since)s: %(error)s; %(fix)s"),
    N_("no sign of life ever; it is waited for since %(since)s; check that 'tongda feeds' runs"),
    N_("no sign of life since %(since)s: %(error)s; %(fix)s"),
    N_("no sign of life since %(since)s; check that 'tongda feeds' runs"),
    N_("silent: %(hosts)s; the stream hangs on its other host"),
    N_("answers, but its stamp stands at %(stamp)s since %(since)s; ask the source, or set frozen_minutes"),
    N_("answers, but it is the same since %(since)s; ask the source, or set frozen_minutes"),
    N_("the certificate of its host expires at %(until)s; tell the source"),
    N_("there is nothing at the address (HTTP %(status)s)"),
    N_("a link leads to nothing (HTTP %(status)s)"),
    N_("the stream gave no sign of life for %(seconds)s"),
    N_("the index has more than %(count)s links; the rest is left out"),
    N_("entries of %(source)s cannot be read: %(told)s; %(fix)s"),
    N_("links of %(source)s cannot be fetched or read: %(told)s; %(fix)s"),
    N_("links and entries of %(source)s cannot be fetched or read: %(told)s; %(fix)s"),
    N_("messages of %(source)s are missing or cannot be read: %(told)s; %(fix)s"),
    N_("the link is too long, or has spaces or control characters"),
    N_("the link is no address"),
    N_("the link leads to the index itself"),
    N_("the link is relative and the address of the index is not known"),
    N_("the link is not an http or https address"),
    N_("the link has a user name"),
    N_("the link leads to a private or local address"),
    # Alarms of publishing and of earthquakes
    N_("alert %(alert)s was released but cannot be published (%(error)s): see the log of tongda publish"),
    N_(
        "the signing certificate %(name)s ends on %(until)s: get a new one, give it to your partners, "
        "and set publish.key_file and publish.certificate_file"
    ),
    N_(
        "webhook %(name)s says that it is gone for good and is told nothing more: ask the partner, then: "
        "tongda publish --resume %(again)s"
    ),
    N_("webhook %(name)s was not told of %(identifier)s: %(error)s; tell it by phone"),
    N_("webhook %(name)s has not taken %(identifier)s in %(tries)s tries: %(error)s"),
    N_(
        "an earthquake of M %(magnitude)s at %(depth)s km depth, %(far)s km from %(place)s, is deeper "
        "than the intensity model holds (%(deepest)s km): no warning was made; decide at the desk"
    ),
    N_(
        "an earthquake of M %(magnitude)s at %(depth)s km depth, %(far)s km from %(place)s, is deeper "
        "than the intensity model holds (%(deepest)s km): the warning that stands was left as it is; "
        "decide at the desk"
    ),
    # The ways out of troubles
    N_("correct the address in the settings"),
    N_("use an address with TLS, or set allow_http where the source has none"),
    N_("correct the headers of the source, or user_agent in [feeds]"),
    N_("add the host to allow_hosts of the source if it may be fetched from"),
    N_("put the token into the headers of the source"),
    N_("check the name server; set allow_private only for a source in your own network"),
    N_("check the spelling of the host and the name server"),
    N_("check the network and whether the source has announced works"),
    N_("ask the source for a valid certificate, or name its CA in ca_file"),
    N_("nothing to do here if it passes; otherwise ask the source"),
    N_("choose a smaller feed of the source"),
    N_("ask the source to send gzip or no compression"),
    N_("nothing to do here: it is fetched again"),
    N_("put the final address into the settings"),
    N_("check the token in headers and the user agent in [feeds]"),
    N_("check the address in the settings"),
    N_("ask less often: raise interval_seconds"),
    N_("check the kind and the address of the source; if they are right, ask the source"),
    N_("save the document and look at it with 'tongda feed check'"),
    N_("check the address; if it is right, ask the source"),
    N_("check the kind and the address of the source"),
    N_("ask the source: the address stands in its index"),
    N_("if it goes on, ask the source: a stream sends nothing twice"),
    N_("ask the source for shorter messages"),
)
"""What is recognised, the narrower before the wider; ``told``, ``error`` and ``fix`` are sentences again."""
_VALUES = {
    "alert": r"\d+",
    "message": r"\d+",
    "source": r"[a-z0-9_.]{1,64}",
    "person": r"[A-Za-z0-9_.@+-]{1,64}",
    "field": r"[\w.:/\[\]-]{1,200}",
}
"""What values look like, where that is known."""
_TABLES: dict[str, dict[str, str]] = {
    "level": LEVELS,
    "highest": LEVELS,
    "severity": CAP,
    "state": STATES,
    "action": ACTIONS,
    "channel": CHANNELS,
    "mode": MODES,
    "role": ROLES,
}
"""Words that values have of their own."""
_LONGEST = 1000
"""A longer sentence holds a stranger's text and is not looked through."""
_DEEPEST = 12
"""Sentences within sentences."""
_CHINESE_MARKS = {"; ": "；", ": ": "：", " (": "（", ")": "）"}
_SENTENCES_AGAIN = frozenset({"told", "error", "fix"})
_TIMES = frozenset({"since", "stamp", "until", "ended", "onset"})
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
"""A time as the rooms write it: in any zone, with its offset."""

ALARMS = {
    "silent": N_("A source is silent"),
    "connection": N_("One host of a stream is silent"),
    "frozen": N_("A source stands still"),
    "certificate": N_("A certificate is about to expire"),
    "troubles": N_("Messages of a source may be missing"),
    "same_key_other_content": N_("Two messages of one number say different things"),
    "signature_invalid": N_("Wrong signature"),
    "signature_missing": N_("Signature is missing"),
    "foreign_sender": N_("Sender without authority"),
    "sent_in_future": N_("Sent in the future"),
    "update_of_edited": N_("Update of what was edited here"),
    "update_of_work": N_("Update of what is in work here"),
    "update_refused": N_("Update was refused"),
    "vanished": N_("Gone from its source's list"),
    "identifier_reused": N_("Number used twice"),
    "source_took_back": N_("Taken back by its source"),
    "alert_in_question": N_("One of our alerts is in question"),
    "not_published": N_("Not published"),
    "approver_silent": N_("Not signed in time"),
    "nobody_signs": N_("Nobody left to ask"),
    "nobody_sends": N_("Approved and not sent"),
    "stopped_only": N_("Stopped and not cancelled"),
    "cosignature_due": N_("Signature owed afterwards"),
    "cosignature_overdue": N_("Signature overdue"),
    "certificate_ends": N_("Signing certificate ends"),
    "failing": N_("A partner cannot be told"),
    "given_up": N_("A partner was not told"),
    "stopped": N_("A partner takes nothing more"),
    "quake_deep": N_("Earthquake too deep for the model"),
}
"""Code of an alarm -> what it is in short."""


class _Pattern(NamedTuple):
    words: str
    form: re.Pattern[str]


@cache
def _patterns() -> tuple[_Pattern, ...]:
    from gateway.web.console.refusals import WORDS  # noqa: PLC0415 - refusals hold sentences as well

    refused = {form: WORDS[key] for form, key in WRITTEN.items()}
    known = {words: words for words in SENTENCES} | refused | {words: words for words in OF_FEEDS}
    return tuple(
        _Pattern(words, re.compile("".join(_form(form)), re.DOTALL)) for form, words in known.items()
    )


def _form(words: str) -> Iterator[str]:
    for number, piece in enumerate(re.split(r"%\((\w+)\)s", words)):
        yield f"(?P<{piece}>{_VALUES.get(piece, '.+?')})" if number % 2 else re.escape(piece)


def say_sentence(sentence: str, say: Callable[[str], str], zone: tzinfo) -> str:
    """Return a sentence that was written down, in the language that ``say`` speaks; its times in a zone."""
    return _Teller(say, zone).tell(sentence)


class _Teller:
    """Tells one sentence and those inside it; each piece is looked at once, whatever stands in it."""

    def __init__(self, say: Callable[[str], str], zone: tzinfo) -> None:
        self._say, self._zone = say, zone
        self._told: dict[str, str | None] = {}

    def tell(self, sentence: str, deep: int = 0) -> str:
        """Return a sentence as it is told; one that nobody knows as it is."""
        told = self._spoken(sentence, deep)
        return sentence if told is None else told

    def _spoken(self, sentence: str, deep: int) -> str | None:
        """Return a sentence as it is told; None for one that nobody knows."""
        if deep > _DEEPEST or len(sentence) > _LONGEST:
            return None
        if sentence not in self._told:
            self._told[sentence] = self._tell(sentence, deep + 1)
        return self._told[sentence]

    def _tell(self, sentence: str, deep: int) -> str | None:
        if sentence in _known():
            return self._say(sentence)
        for words, form in _patterns():
            if (found := form.fullmatch(sentence)) and _names(words) <= found.groupdict().keys():
                values = found.groupdict().items()
                return self._say(words) % {name: self._value(name, told, deep) for name, told in values}
        for between in ("; ", ": "):  # several sentences; a place and what is wrong there
            first, found_between, rest = sentence.partition(between)
            spoken = self._spoken(rest, deep) if found_between else None
            if spoken is not None:
                return f"{self.tell(first, deep)}{_as_in(spoken, between)}{spoken}"
        return self._with_its_cause(sentence, deep)

    def _with_its_cause(self, sentence: str, deep: int) -> str | None:
        """Return a sentence with another one in brackets, where that one is known."""
        found = re.fullmatch(r"(.+?) \((.+)\)", sentence)
        if found is None or (told := self._spoken(found[2], deep)) is None:
            return None
        cause = told.removesuffix("。")
        return f"{self.tell(found[1], deep)}{_as_in(cause, ' (')}{cause}{_as_in(cause, ')')}"

    def _value(self, name: str, told: str, deep: int) -> str:
        if name in _SENTENCES_AGAIN:
            return self.tell(told, deep).removesuffix("。")
        if name in _TIMES:
            return _moment(told, self._zone)
        table = _TABLES.get(name, {})
        return self._say(table[told]) if told in table else told


def _moment(told: str, zone: tzinfo) -> str:
    """Return a time that was written down, in a zone; what is none is left as it is."""
    try:
        at = datetime.fromisoformat(told) if _TIME.fullmatch(told) else None
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else told
    except (ValueError, OverflowError):  # a day that is in no calendar
        return told


def _as_in(words: str, mark: str) -> str:
    """Return a mark between sentences as it is written in the script of these words."""
    return _CHINESE_MARKS[mark] if re.search("[\u3400-\u9fff]", words) else mark


@cache
def _names(words: str) -> frozenset[str]:
    """Return the names that a sentence fills in."""
    return frozenset(re.findall(r"%\((\w+)\)s", words))


@cache
def _known() -> frozenset[str]:
    """Return sentences without values that other rooms have in tables."""
    tables = (CAP_CODES, FEED_CODES)
    meanings = frozenset(one.meaning for table in tables for one in table.values())
    whole = {words for words in (*SENTENCES, *OF_FEEDS) if "%(" not in words}
    return meanings | whole | {*FIXES.values(), *REFUSALS.values()}


def say_alarm(alarm: Alarm, say: Callable[[str], str]) -> str:
    """Return what an alarm is about, in short; its code where that has no words here."""
    return say(ALARMS[alarm.code]) if alarm.code in ALARMS else alarm.code
