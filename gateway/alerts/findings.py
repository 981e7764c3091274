"""Findings: what parser and lint have to say about a message, and the table of their codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Weight = Literal["error", "warning", "info"]


class Code(NamedTuple):
    """How heavy a finding is, and what it means."""

    severity: Weight
    meaning: str


class Refused(ValueError):
    """The bytes are not a CAP message that anybody may act on.

    Attributes:
        code: A key of :data:`REFUSALS`.
        message: One sentence for people, without the text of the message.
        path: Where in the document, e.g. ``alert/info[2]/urgency``; ``""`` for the file as a whole.
    """

    def __init__(self, code: str, message: str, path: str = "") -> None:
        """Take what the attributes say."""
        super().__init__(f"{path}: {message}" if path else message)
        self.code = code
        self.message = message
        self.path = path


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark. ``error``: a person must look before anything is sent; ``warning``: likely a mistake."""

    code: str
    severity: Weight
    path: str
    message: str


def finding(code: str, path: str, message: str = "") -> Finding:
    """A finding of a known code; its severity, and without ``message`` its words, come from :data:`CODES`."""
    known = CODES[code]
    return Finding(code, known.severity, path, message or known.meaning)


class Findings:
    """Collects findings; of one code it keeps no more than ``most``, and the number of the rest."""

    def __init__(self, most: int = 20) -> None:
        """Start empty."""
        self._most = most
        self._kept: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(self, code: str, path: str, message: str = "") -> None:
        """Remember one finding."""
        self.keep(finding(code, path, message))

    def keep(self, one: Finding) -> None:
        """Remember a finding made elsewhere."""
        count = self._counts[one.code] = self._counts.get(one.code, 0) + 1
        if count <= self._most:
            self._kept.append(one)

    def all(self) -> list[Finding]:
        """The findings in the order they were made, then one line for each code that had too many."""
        surplus = [(code, count - self._most) for code, count in self._counts.items() if count > self._most]
        more = [finding(code, "alert", f"{count} more of this kind") for code, count in surplus]
        return [*self._kept, *more]


REFUSALS: dict[str, str] = {
    "empty": "The file is empty.",
    "too_large": "The file is larger than the limit.",
    "encoding_unknown": "The declared character encoding is not one that is read.",
    "encoding_broken": "The bytes are not valid in the declared character encoding.",
    "doctype": "The file has a DOCTYPE; CAP has none, and it is a known way of attack.",
    "not_xml": "The file is not XML.",
    "not_well_formed": "The XML is broken.",
    "too_deep": "The elements are nested deeper than the limit.",
    "too_many_elements": "The file has more elements than the limit.",
    "too_many_attributes": "An element has more attributes than the limit.",
    "too_many_namespaces": "The file declares more namespaces than the limit.",
    "too_many_points": "The polygons have more points than the limit.",
    "too_many_items": "references, addresses or incidents has more entries than the limit.",
    "too_many_foreign": "The file has more elements foreign to CAP than the limit.",
    "wrong_root": "The root element is not alert.",
    "wrong_namespace": "The namespace is not that of CAP 1.0, 1.1 or 1.2.",
    "versions_mixed": "An element of one version of CAP stands in a message of another; which one counts?",
    "missing_element": "An element that CAP requires is missing.",
    "duplicate_element": "An element that may stand once stands more than once.",
    "markup_in_value": "A value contains elements.",
    "word_malformed": "identifier or sender has a space, comma, < or &, or is empty (CAP 1.2, 3.2.1).",
    "value_unknown": "A value is not in CAP's list; the lists are case-sensitive.",
    "time_malformed": "A time is not of the form YYYY-MM-DDThh:mm:ss+hh:mm or does not exist.",
    "time_without_offset": "A time has no offset from UTC, which is never guessed.",
    "national_cannot_say": "The national message has no place for what the CAP message says.",
}
"""Code of a refusal -> what it means."""


def _table(severity: Weight, rows: dict[str, str]) -> dict[str, Code]:
    return {code: Code(severity, meaning) for code, meaning in rows.items()}


CODES: dict[str, Code] = {
    **_table(
        "error",
        {
            **REFUSALS,
            "polygon_malformed": "A polygon has something else than lat,lon pairs; it is not used.",
            "polygon_too_few_points": "A polygon has fewer than 4 points; it is not used.",
            "polygon_no_area": "The points of a polygon lie on one line; it is not used.",
            "coordinates_out_of_range": "A latitude or longitude does not exist; the shape is not used.",
            "coordinates_swapped": "The shape looks like longitude,latitude (latitude is first); not used.",
            "circle_malformed": "A circle is not of the form lat,lon radius; it is not used.",
            "circle_radius_impossible": "A circle's radius is negative or beyond the Earth; it is not used.",
            "event_empty": "event is empty.",
            "markup_in_text": "A text contains elements; only their words are kept.",
            "cancel_without_references": "A Cancel names no alert to cancel.",
            "update_without_references": "An Update names no alert to update.",
            "references_other_sender": "An Update or Cancel names the alert of another sender.",
            "private_without_addresses": "scope is Private but addresses is empty.",
            "restricted_without_restriction": "scope is Restricted but restriction is empty.",
            "test_words_in_actual": "status is Actual but the text speaks of a test or an exercise.",
            "actual_words_in_test": "status is not Actual but the text says that it is no test.",
            "sent_far_in_future": "sent lies so far ahead that a clock must be wrong.",
            "colour_unknown": "The colour parameter names no warning colour.",
            "title_disagrees": "The headline names another colour, event or message type than the codes.",
            "axes_unclear": "A shape lies outside of China whichever coordinate comes first.",
        },
    ),
    **_table(
        "warning",
        {
            "cap_1_0": "The message is CAP 1.0 and was mapped up to 1.2.",
            "cap_1_1": "The message is CAP 1.1 and was mapped up to 1.2.",
            "whitespace_before_declaration": "White space stands before the XML declaration.",
            "encoding_conflict": "Byte order mark and declared encoding disagree; the mark was believed.",
            "padded_value": "A value is padded with white space, which was removed.",
            "order_wrong": "The elements are not in the order of the schema.",
            "foreign_element": "An element is unknown to CAP 1.2; it is kept but not understood.",
            "stray_text": "Text stands between elements; it is not kept.",
            "password_dropped": "CAP 1.0's password is not kept.",
            "category_default": "CAP 1.0 without category; Other was set.",
            "certainty_very_likely": "Very Likely is CAP 1.0's; it is read as Likely.",
            "value_list_item_odd": "A list has stray quotation marks, which were removed.",
            "time_zulu": "A time ends in Z; CAP 1.2 writes UTC as -00:00.",
            "time_fraction": "A time has a fraction of a second, which was cut off.",
            "time_hour_24": "A time has hour 24; it is read as midnight of the next day.",
            "time_out_of_range": "A time is at an end of the calendar; the nearest usable one was set.",
            "language_malformed": "language is no language tag; und (undetermined) was set.",
            "language_odd": "language is not the tag that is usual for this language.",
            "references_malformed": (
                "A reference is a bare number, without sender and time of sending; "
                "it is looked up among the messages of the same sender."
            ),
            "references_self": "The message references itself; that reference has no effect.",
            "references_later": "The message references one that was sent later.",
            "references_missing": "An Ack or Error names no message that it answers.",
            "references_without_supersede": "An Alert has references but replaces nothing; an Update?",
            "error_without_note": "An Error does not explain itself in note.",
            "exercise_without_note": "An Exercise does not name the exercise in note.",
            "drill_unmarked": "status is Test or Exercise but the text does not say so.",
            "restriction_without_restricted": "restriction is given but scope is not Restricted.",
            "no_info": "There is no info block; nothing in it can be sent to people.",
            "sent_in_future": "sent lies ahead of the clock.",
            "sent_implausible": "sent lies before CAP existed.",
            "expired": "The validity of this info block is over.",
            "expires_missing": "expires is missing; the validity is then the recipient's guess.",
            "expires_before_effective": "expires lies before effective (or sent).",
            "expires_far": "expires lies further ahead than the limit.",
            "too_old": "The message has no expires and is older than its source's limit.",
            "headline_long": "headline has more than 160 characters.",
            "text_very_long": "A text is so long that most channels must shorten it.",
            "line_break_in_line": "A value that is one line has a line break, as an injected header would.",
            "control_character": "A text has a control character.",
            "bidi_control": "A text has characters that turn the direction of writing.",
            "zero_width": "A text has invisible characters of no width.",
            "marks_piled": "A text piles up marks on one letter; they may cover other lines.",
            "html_in_text": "A text has HTML tags or entities, which would be shown as they are.",
            "assess_in_public": "responseType Assess is not meant for the public.",
            "event_differs": "event differs between info blocks of one language.",
            "category_differs": "category differs between info blocks.",
            "event_code_differs": "eventCode differs between info blocks.",
            "event_code_named_as_event": "An eventCode is named as event; valueName names the list of codes.",
            "block_overrides": "A later block of a language gives the same areas other levels.",
            "all_clear_odd": "AllClear belongs into an Update with urgency Past, or into a Cancel.",
            "uri_not_absolute": "A link is not an absolute http or https address.",
            "uri_internal": "A link leads to a private, local or file address; it is not fetched.",
            "uri_lookalike": "A link can be taken for one of another host; compare it letter by letter.",
            "area_missing": "An info block has no area.",
            "area_text_only": "An area has words only: no shape and no code.",
            "area_code_only": "An area has codes only; without their register it is not located.",
            "area_desc_empty": "areaDesc is empty.",
            "polygon_empty": "A polygon is empty, which means no polygon.",
            "circle_empty": "A circle is empty, which means no circle.",
            "polygon_unclosed": "The first and the last point of a polygon differ; it was closed.",
            "polygon_self_crossing": "The border of a polygon crosses itself.",
            "polygon_many_points": "A polygon has more than 100 points; phones may refuse it.",
            "polygon_very_wide": "A polygon is more than 90 degrees wide.",
            "longitude_over_180": "A longitude is beyond 180 degrees; read as going on over the date line.",
            "circle_radius_zero": "A circle has radius 0: a point, which warns nobody around it.",
            "circle_very_large": "A circle has a radius of more than 1000 km.",
            "area_outside_source": "An area lies outside of the region that its source serves.",
            "altitude_malformed": "altitude or ceiling is no decimal number; it was left out.",
            "ceiling_without_altitude": "ceiling needs altitude.",
            "ceiling_below_altitude": "ceiling is not above altitude.",
            "geocode_name_empty": "The list that a geocode is from is not named.",
            "geocode_value_empty": "A geocode has no value.",
            "geocode_list_in_value": "A geocode holds several codes in one value.",
            "geocode_exclude_polygon": "A geocode holds a hole of the area (EXCLUDE_POLYGON); not applied.",
            "value_name_empty": "An eventCode or parameter has no valueName.",
            "resource_incomplete": "A resource has no resourceDesc; an empty one was set.",
            "mime_type_missing": "A resource has no mimeType; application/octet-stream was set.",
            "mime_type_malformed": "A resource's mimeType is not of the form type/subtype.",
            "size_negative": "A resource's size is negative.",
            "digest_malformed": "A resource's digest is not the 40 hexadecimal digits of a SHA-1.",
            "size_malformed": "A resource's size is no whole number; it was left out.",
            "resource_bad_base64": "A resource's derefUri is not base64; left out, without a uri all of it.",
            "resource_size_differs": "A resource's size differs from its content.",
            "resource_digest_mismatch": "A resource's digest is not the SHA-1 of its content.",
            "resource_without_content": "A resource has neither uri nor derefUri.",
            "awareness_green": "awareness_level is 1, green: no warning is in force.",
            "colour_not_allowed": "The hazard has no warning of this colour.",
            "colour_severity_differ": "The colour does not match severity.",
            "axes_swapped": "A shape lies in China only with its coordinates swapped; so it was read.",
            "event_type_unknown": "The event type is not in the hazard table.",
            "issuer_assumed": "senderCode is missing; the issuer in the identifier was taken.",
            "national_not_kept": "Something in the national message was left out; CAP has no place for it.",
            "national_lost": "Something in the CAP message was left out; the national message cannot say it.",
        },
    ),
    **_table(
        "info",
        {
            "whitespace_trimmed": "A text is padded with white space, which was removed.",
            "empty_element": "An element is empty and read as absent.",
            "attribute_ignored": "CAP has no attributes; this one is not kept.",
            "time_zone_assumed": "A time has no offset; Beijing time was taken.",
            "time_plus_zero": "UTC is written +00:00; CAP 1.2 writes -00:00.",
            "language_default": "language is absent, which means en-US.",
            "language_underscore": "language has an underscore, which was made a hyphen.",
            "language_case": "language is not in the usual case.",
            "not_actual": "status is not Actual: not for the public.",
            "not_public": "scope is not Public: not for public feeds or channels.",
            "signed": "The message carries a signature, which was not verified.",
            "identifier_authority_arc": "identifier is an OID of the arc of authorities (2.49.0.0).",
            "identifier_not_national": "identifier resembles that of GB/T 35965.1 but has not its form.",
            "sender_not_unique": "sender is not unique in the world by its form, as an address or domain is.",
            "unknown_value": "urgency, severity or certainty is Unknown, which CAP discourages.",
            "description_repeats_headline": "description repeats headline.",
            "instruction_repeats_description": "instruction repeats description.",
            "contact_missing": "contact is missing.",
            "polygon_antimeridian": "A polygon crosses the date line.",
            "deref_uri_heavy": "A resource travels inside the message; take it out before forwarding.",
        },
    ),
}
"""Code of a finding -> severity and meaning. Codes are stable: programs may rely on them."""
