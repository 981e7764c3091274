"""The console of the desk, below ``/desk``: pages over the rooms, in Chinese first and in English.

A page module has one :class:`routing.Routes`; each route names the right that it takes, and a route
without one does not start (:mod:`routing`). Each request is a :class:`visit.Visit`: who asks, in which
language, at what time, and how a template is rendered. State changes are POSTs: their origin is checked
(:mod:`origin`), and a form's own number leads a second click where the first one led (:mod:`once`).

Templates lie in ``templates/web/console``, their words in ``templates/web/locale``: ids are English, and
every id has its Chinese. All text on a page comes escaped; there is no inline script and no inline style.
"""

from gateway.web.console.app import make_console
from gateway.web.console.parts import Console

__all__ = ["Console", "make_console"]
