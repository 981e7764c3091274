"""Routes of the console, each with the right that it takes; what has none is not served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from gateway.desk.policy import Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from gateway.web.console.visit import Visit

Handler: TypeAlias = "Callable[[Visit], Awaitable[web.StreamResponse]]"
Right: TypeAlias = Step | Literal["anyone", "signed_in"]
"""``anyone`` is for whoever reaches the server, ``signed_in`` for every person of the desk."""

RIGHTS: frozenset[str] = frozenset({*get_args(Step), "anyone", "signed_in"})


class Route(NamedTuple):
    """One address of the console."""

    method: Literal["GET", "POST"]
    path: str
    """Below ``/desk``, as aiohttp writes it."""
    rights: frozenset[str]
    """Any of them is enough."""
    handler: Handler
    proved: bool = False
    """Whether the second factor must have been given a moment ago."""


class Routes(list[Route]):
    """The routes of one page module, collected by its decorators."""

    def get(self, path: str, *rights: Right) -> Callable[[Handler], Handler]:
        """Serve a page that changes nothing."""
        return self._add("GET", path, rights, proved=False)

    def post(self, path: str, *rights: Right, proved: bool = False) -> Callable[[Handler], Handler]:
        """Serve a step; on success it leads to another page (303)."""
        return self._add("POST", path, rights, proved=proved)

    def _add(
        self, method: Literal["GET", "POST"], path: str, rights: tuple[str, ...], *, proved: bool
    ) -> Callable[[Handler], Handler]:
        if not rights or (unknown := set(rights) - RIGHTS):
            raise ValueError(f"{method} {path} names no right that there is: {unknown if rights else rights}")

        def add(handler: Handler) -> Handler:
            self.append(Route(method, path, frozenset(rights), handler, proved))
            return handler

        return add
