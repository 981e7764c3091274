"""What adapters have to say about feeds, beside the codes of :mod:`gateway.alerts.findings`."""

from __future__ import annotations

from gateway.alerts.findings import Code, Finding

CODES: dict[str, Code] = {
    # Documents
    "unknown_format": Code("error", "The format is none that is read here; name it with --kind."),
    "error_page": Code("error", "The source answered with an error page instead of its feed."),
    "feed_truncated": Code("error", "The document ends in the middle; it is fetched again."),
    "feed_malformed": Code("error", "The document is not what this kind of source sends."),
    "feed_too_large": Code("error", "The document is larger than the limit."),
    "json_malformed": Code("error", "The JSON is broken."),
    "json_duplicate_key": Code("error", "An object of the JSON names a key twice; which one counts?"),
    "json_not_finite": Code("error", "The JSON has NaN or Infinity, which are no JSON."),
    "json_surrogate": Code("error", "The JSON has half a character."),
    "json_too_deep": Code("error", "The JSON is nested deeper than the limit."),
    "zip_refused": Code("error", "The zip file is broken, too large once unpacked, or has too many files."),
    # Entries
    "item_malformed": Code("error", "An entry cannot be read; the others are taken."),
    "item_refused": Code("error", "The CAP document of an entry is refused; the others are taken."),
    "link_refused": Code("error", "A link of the index leads where nothing is fetched from."),
    "link_missing": Code("warning", "An entry of the index has no link to a CAP document."),
    "value_dropped": Code("warning", "A value cannot be read and was left out."),
    "value_assumed": Code("info", "A value that CAP needs is missing; the usual one was set."),
    "time_zone_assumed": Code("info", "A time has no offset; the source's own zone was taken."),
    "not_in_force": Code("info", "The entry says that no warning is in force."),
    "message_type_overruled": Code("info", "The event's own action code overrules the message type."),
    "ends_after_expires": Code("info", "The event ends after the message; the warning holds until its end."),
    "area_codes_only": Code("info", "The area has codes and no shape."),
    "exclude_polygon": Code("warning", "The area has a hole, which CAP cannot say; it was not cut out."),
    "unofficial": Code("info", "The source is no official one: for information only."),
    # China
    "title_disagrees": Code("error", "The headline and the codes of an entry say different things."),
    "title_unreadable": Code("warning", "The headline does not follow the usual grammar."),
    "platform_accepted": Code("info", "The platform has accepted a message; this is no alert."),
    "platform_refused": Code("error", "The platform has refused a message; this is no alert."),
    # Seismic
    "depth_unit_assumed": Code(
        "warning", "The depth looks like kilometres where metres are due; read as km."
    ),
    "depth_impossible": Code("warning", "The depth cannot be; it was left out."),
    "magnitude_missing": Code("info", "The event has no magnitude."),
    "preferred_dangling": Code(
        "warning", "The preferred solution is not in the document; another was taken."
    ),
    "preferred_missing": Code("info", "No solution is named as the preferred one; the newest was taken."),
    "no_origin": Code("error", "The event has no place or time."),
    "not_an_earthquake": Code("info", "The event is no earthquake."),
    "datum_not_wgs84": Code("warning", "The coordinates are in an older datum; up to 500 m off."),
}
"""Code -> how heavy it is and what it means."""


def finding(code: str, path: str, message: str = "") -> Finding:
    """Return a finding of a known code; its weight, and without ``message`` its words, come from CODES."""
    known = CODES[code]
    return Finding(code, known.severity, path, message or known.meaning)
