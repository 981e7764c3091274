"""Sentences of the sources, partners and rules as they are written down, for :mod:`came_words`.

The narrower ones stand before the wider ones; ``told``, ``error`` and ``fix`` are sentences again.
"""

from __future__ import annotations

from gateway.web.console.filters import N_

SENTENCES = (
    # What a rule decided (gateway.feeds.agreement, acting, standing, taking_back)
    N_("its source is turned off"),
    N_("%(told)s: a person approves"),
    N_("%(count)s were sent by rule within the hour, which is the limit: a person approves"),
    N_("sent by rule: %(told)s"),
    N_("its source is named to send alone"),
    N_("%(sources)s found the same event"),
    N_("no second source says the same yet: a person approves"),
    N_("%(source)s says the same (message %(message)s)"),
    N_("its source's rule does not send by itself any more"),
    N_("it is older than its source's rule takes by now"),
    N_("%(source)s no longer lists it"),
    N_("%(told)s: withdrawn"),
    N_("%(told)s: cancelled by its rule"),
    N_("%(told)s, which people had changed: %(error)s; draft a new one if there still is danger"),
    N_("%(told)s: look at it again"),
    N_("tongda desk cancel %(alert)s"),
    N_("its Cancel, alert %(alert)s, is %(state)s"),
    N_(
        "message %(message)s of %(source)s, msgType %(type)s, is about what alert %(alert)s was made of, "
        "and is %(what)s: %(told)s; look at it in the inbox"
    ),
    # Partners and webhooks
    N_("%(source)s was refused: %(told)s"),
    N_(
        "this %(type)s (%(name)s) is about an alert of %(sender)s that another source had brought: ask "
        "the gateway's operator to name it in your rule (senders)"
    ),
    N_("not sent: it is older than %(hours)s hours"),
    N_("no answer within %(seconds)s s"),
    N_("no answer (%(kind)s)"),
    N_("it answers %(status)s: redirects are not followed, set the final address"),
    N_("it answers %(status)s"),
    N_("given up after %(tries)s tries"),
    # The desk's own
    N_("%(person)s did not sign alert %(alert)s in time: %(other)s is asked"),
    N_("alert %(alert)s waits for approval and there is nobody else to ask: call somebody who may sign"),
    N_("alert %(alert)s is approved and nobody sends it: send it, or call somebody who may"),
    N_("alert %(alert)s is stopped and not cancelled: send its Cancel, or an Update"),
    N_("nobody has signed alert %(alert)s afterwards, which %(person)s sent on one signature"),
    N_("alert %(alert)s was sent on the signature of %(person)s: another approver signs it afterwards"),
    N_("a person of the desk tests a channel with the own address"),
    # What goes wrong in fetching (gateway.feeds.fetch)
    N_("the address has no host that can be asked for"),
    N_("the host is an IP address written in an odd way"),
    N_("the address is no URL"),
    N_("the address is no whole URL"),
    N_("only %(schemes)s is fetched from here"),
    N_("the address has a user name or password in it"),
    N_("the host %(host)s is none of this source"),
    N_("the host has a loopback, private or link-local address"),
    N_("the host has a reserved address"),
    N_("the host has no address"),
    N_("the name %(host)s has no address"),
    N_("the source answered with a compression that was not asked for"),
    N_("the compression of the answer is broken"),
    N_("the answer is compressed in too many pieces"),
    N_("the answer has more than %(size)s MB"),
    N_("the answer ends in the middle of its compression"),
    N_("the certificates in ca_file cannot be read"),
    N_("the stream has moved to another address"),
    N_("the source redirects more than %(count)s times"),
    N_("a document is not fetched from a stream's address"),
    N_("a header of the settings has characters that no header may have"),
    N_("the source redirects to nowhere"),
    N_("the source asks us to wait (HTTP %(status)s)"),
    N_("the source does not let us in (HTTP %(status)s)"),
    N_("the source answered with HTTP %(status)s"),
    N_("the source took too long"),
    N_("TLS with the source fails"),
    N_("the answer ends in the middle"),
    N_("what answers there does not speak HTTP as it should"),
    N_("the source closed the connection"),
    N_("the connection broke"),
    N_("the source cannot be reached: %(why)s"),
    N_("the certificate of the source has expired"),
    N_("the certificate of the source is not valid"),
    N_("the source closed the stream"),
    N_("a tcp: address needs a port and a kind that reads streams"),
    N_("the stream makes no sense: %(told)s"),
    # What goes wrong in reading
    N_("the document has more than %(size)s bytes"),
    N_("the document is empty"),
    N_("the answer is empty"),
    N_("the document is not JSON: it does not begin with { or ["),
    N_("a tag of the XML is longer than is read"),
    N_("the document ends in the middle"),
    N_("the root element is not %(name)s"),
    N_("the document is a web page"),
    N_("the document is JSON where XML is due"),
    N_("the document is a web page or XML where JSON is due"),
    N_("the document is not XML: it does not begin with <"),
    N_("the document has more than %(count)s entries"),
    N_("the document has more than %(count)s alerts"),
    N_("the document has more alerts, or larger ones, than are kept"),
    N_("the document has more events, or larger ones, than are read"),
    N_("the document is no JSON object"),
    N_("the document has no list of features"),
    N_("the JSON is no object"),
    N_("the JSON is no FeatureCollection"),
    N_("the JSON has no list called %(name)s"),
    N_("the JSON ends in the middle"),
    N_("the JSON has %(what)s, which is no JSON"),
    N_("the JSON has a number that is too large"),
    N_("the JSON is not UTF-8 (at byte %(place)s)"),
    N_("the JSON is broken at line %(line)s, column %(column)s"),
    N_("a text of the JSON has half a character (a lone surrogate)"),
    N_("the JSON is nested more than %(depth)s deep"),
    N_("the JSON has more values than are read"),
    N_("an object of the JSON names a key twice"),
    N_("the source answered with an error message instead of its feed"),
    N_("the program fails over this document; please report it"),
    N_("the program fails over an alert and leaves it out"),
    N_("report it; %(fix)s"),
    N_("an address that is no URL"),
    N_("the address has a document of kind %(kind)s"),
    N_("a link leads to something that is no alert"),
    N_("a link leads to a document of kind %(kind)s"),
    N_("%(told)s; set allow_http where it has none with TLS"),
    N_("check the name server; if it is well, %(fix)s"),
    N_("there is nothing at archive_url (HTTP %(status)s)"),
    N_("a message that the stream lists did not come and is not in the archive either"),
    N_("ask the source for it, and set or check archive_url"),
    N_("the entry describes an alert and has no link to its CAP document"),
    N_("the index has more than %(count)s links"),
    N_("the index has more than %(count)s entries"),
    N_("%(count)s more of this kind"),
    N_("the address has more than %(count)s characters"),
    N_("the source has no answer about %(event)s (HTTP %(status)s)"),
    N_("it is no JSON object"),
    N_("it has more than %(size)s bytes"),
    N_("its shapes have more than %(count)s points"),
    N_("a point is not longitude, latitude"),
    N_("The entry cannot be read: %(told)s."),
    N_("The geometry is no polygon and was left out."),
    N_("The time cannot be read and was left out."),
    N_("The value is not in CAP's list and was left out."),
    N_("A value is not in CAP's list and was left out."),
    N_("The headline speaks of lifting and cannot be read; it may be no warning."),
    N_("Headline, grade and code do not agree on the colour; none was taken."),
    N_("The headline and the code do not agree on the event; the code was not taken."),
    N_("it reaches no township and no village"),
    N_("something unknown"),
    N_("the event has no id"),
    N_("the place or time of the event cannot be read"),
    N_("the event has no place or time"),
    N_("the event has more than %(count)s origins or magnitudes"),
    N_("the agency does not report this event; it was left out"),
    N_("the telegram names more than %(count)s events"),
    N_("the telegram names more than %(count)s areas"),
    N_("the place is in degrees and minutes, which are not read"),
    N_("The hypocentre lies above the ground; left out."),
    N_("The source says: M8 or more, it cannot be told yet."),
    # What makes an earthquake doubtful
    N_("The magnitude is larger than an earthquake here can be: is it a fault?"),
    N_("The magnitude moved by more than it does from report to report."),
    N_("Another agency gives the same earthquake another magnitude."),
    N_("The origin time lies in the future: one of the clocks is wrong."),
    N_("The depth lies above the highest mountains."),
    N_("The earthquake is too long ago for a warning without a person."),
    N_("A source took this event out of another one."),
    N_("The source is no official one: for information only."),
    # Several troubles at once
    N_("links of %(source)s cannot be fetched or read; see 'tongda feed status'"),
    N_("entries of %(source)s cannot be read; see 'tongda feed status'"),
    N_("links and entries of %(source)s cannot be fetched or read; see 'tongda feed status'"),
    N_("messages of %(source)s are missing or cannot be read; see 'tongda feed status'"),
    # Fields of a document
    N_("%(field)s has more than %(count)s entries"),
    N_("%(field)s is missing; Unknown was set."),
    N_("%(field)s is missing"),
    N_("%(field)s cannot be read: %(told)s"),
    N_("%(field)s is not one of %(choices)s"),
    N_("%(field)s is not what CAP can carry and was left out."),
    N_("%(field)s is not what CAP can carry"),
    N_("%(value)s is no date and time"),
    N_("%(value)s does not exist in the calendar"),
    N_("%(value)s is no time with an offset"),
    N_("it is here already: %(told)s"),
    # What the audience says of an area (gateway.audience.locate, shapes)
    N_("no regions are loaded; load them with tongda audience regions FILE"),
    N_(
        "%(where)s (%(parts)s) lies outside of %(county)s or cannot be located; the desk can choose a "
        "region by its code"
    ),
    N_(
        "%(where)s has longitude before latitude: exchanged, it lies inside; correct it, or the desk can "
        "choose a region by its code"
    ),
    N_("%(shape)s could not be read; correct it, or choose a region by its code instead of the shape"),
    N_(
        "%(shape)s has a coordinate that is no number; correct it, or choose a region by its code "
        "instead of the shape"
    ),
    N_(
        "%(shape)s seems to have longitude before latitude; correct it, or choose a region by its code "
        "instead of the shape"
    ),
    N_(
        "%(shape)s has a coordinate that does not exist on Earth; correct it, or choose a region by its "
        "code instead of the shape"
    ),
    N_(
        "%(shape)s has %(count)s points, more than %(most)s; correct it, or choose a region by its code "
        "instead of the shape"
    ),
    N_(
        "%(shape)s has fewer than 3 different points; correct it, or choose a region by its code instead "
        "of the shape"
    ),
    N_("%(shape)s crosses the date line; correct it, or choose a region by its code instead of the shape"),
    N_("%(shape)s encloses no area; correct it, or choose a region by its code instead of the shape"),
    N_(
        "%(shape)s crosses itself and has more than %(most)s points; correct it, or choose a region by "
        "its code instead of the shape"
    ),
    N_(
        "%(shape)s has a radius that is no positive number; correct it, or choose a region by its code "
        "instead of the shape"
    ),
    N_("%(shape)s reaches a pole; correct it, or choose a region by its code instead of the shape"),
)
"""What came_words recognises after its own."""
