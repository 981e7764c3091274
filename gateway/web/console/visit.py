"""One request to the console: who asks, in which language, at what time, and how it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.web.console import once, origin
from gateway.web.console.running import RUNNING
from gateway.web.console.words import LANGUAGES, templates

if TYPE_CHECKING:
    from datetime import datetime

    from multidict import MultiDictProxy

    from gateway.accounts.proving import Spent
    from gateway.desk.policy import Step
    from gateway.store.accounts import SessionRow
    from gateway.store.desk import Person
    from gateway.store.drills import Drill
    from gateway.web.console.parts import Console

BASE = "/desk"
"""Where the console lies."""
LANGUAGE_COOKIE = "tongda_language"
_HIGHEST = 2**63 - 1
_NO_VERSION = -1
_DIGITS = 18
"""Whatever has no more of them is a number that the database can hold."""
_NO_FORM = (ValueError, LookupError, AssertionError, HttpProcessingError, web.RequestPayloadError)
"""What reading a body raises that is no form, or in letters that there are not."""


@dataclass
class Visit:
    """What a page needs to answer."""

    console: Console
    request: web.Request
    now: datetime
    session: SessionRow | None
    language: str
    """``zh-CN`` or ``en``."""
    spent: Spent | None = None
    """The code of the second factor that this request has used up."""
    _form: MultiDictProxy[Any] | None = field(default=None, repr=False)

    @property
    def person(self) -> Person:
        """Who asks; only where the route takes somebody who is signed in."""
        assert self.session is not None
        return self.session.person

    @property
    def login(self) -> str:
        """The login of who asks, empty for a stranger."""
        return self.session.person.login if self.session else ""

    @property
    def drill(self) -> Drill | None:
        """The drill that runs, for whoever is signed in."""
        return self.request.config_dict[RUNNING].drill if self.session else None

    def may(self, *rights: Step) -> bool:
        """Return whether the person has any of these rights."""
        if self.session is None:
            return False
        return any(self.console.office.policy.allows(one, self.person.roles) for one in rights)

    def say(self, words: str, **values: object) -> str:
        """Return English words in the language of the visit, with ``%(name)s`` filled in."""
        spoken = templates(self.language).say(words)
        return spoken % values if values else spoken

    def number(self, name: str = "id") -> int:
        """Return a number in the address; none that the database could not hold."""
        found = int(self.request.match_info[name])
        if found > _HIGHEST:
            raise web.HTTPNotFound
        return found

    async def form(self) -> MultiDictProxy[Any]:
        """Return the form that was sent, read once."""
        if self._form is None:
            self._form = await _read(self.request)
        return self._form

    async def whole(self, name: str) -> int | None:
        """Return one field of the form that holds a whole number, None where it holds none."""
        value = await self.text(name)
        return int(value) if value.isascii() and value.isdigit() and len(value) <= _DIGITS else None

    async def version(self) -> int:
        """Return the version of an alert that the page showed; one that no alert has where it showed none."""
        shown = await self.whole("version")
        return _NO_VERSION if shown is None else shown

    def close(self) -> None:
        """Let go of the files that came with the form."""
        for value in self._form.values() if self._form is not None else ():
            if isinstance(value, web.FileField):
                value.file.close()

    async def text(self, name: str) -> str:
        """Return one field of the form without the blanks around it, empty where it was not sent."""
        value = (await self.form()).get(name, "")
        return value.strip() if isinstance(value, str) else ""

    @property
    def exposed(self) -> bool:
        """Whether the request came over the network without TLS."""
        return origin.is_exposed(self.request, self.console.settings.web.base_url)

    @property
    def partial(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return "HX-Request" in self.request.headers

    def render(self, template: str, status: int = 200, /, **context: Any) -> web.Response:  # noqa: ANN401 - any
        """Return a page of ``templates/web/console``."""
        text = self.html(template, **context)
        return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")

    def html(self, template: str, **context: Any) -> str:  # noqa: ANN401 - any
        """Return a page or a part of one as text."""
        return templates(self.language).render(f"console/{template}", visit=self, once=once.number, **context)

    def go(self, path: str) -> web.Response:
        """Lead to another page of the console after a step."""
        location = path if path.startswith(BASE) else f"{BASE}{path}"
        return web.Response(status=303, headers={"Location": location})

    def refused(self, sentence: str, status: int = 422) -> web.Response:
        """Return a page that says why something was not done."""
        asked = self.request.method != "POST"
        title = self.say("Cannot be shown") if asked else self.say("Not done")
        return self.render("refused.html", status, sentence=sentence, title=title)


async def _read(request: web.Request) -> MultiDictProxy[Any]:
    if (request.content_length or 0) > request.client_max_size:  # before any of it is read
        raise web.HTTPRequestEntityTooLarge(max_size=request.client_max_size)
    try:
        form = await request.post()
    except _NO_FORM:
        raise web.HTTPBadRequest from None
    if any("\0" in value for value in form.values() if isinstance(value, str)):
        raise web.HTTPBadRequest
    return form


def language_of(request: web.Request) -> str:
    """Return the language that was chosen here; Chinese unless English was."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else LANGUAGES[0]
