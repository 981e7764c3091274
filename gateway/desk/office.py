"""What one desk is set up with: its name and number, policy, templates and channels."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import adapter
from gateway.alerts.hazards import Hazards, HazardsRefused
from gateway.desk.policy import load_policy
from gateway.desk.render import Templates
from gateway.share import share

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from channels.base import Channel, RouteSettings
    from gateway.desk.policy import Policy
    from gateway.settings import DeskSettings, Settings


TEMPLATES = {"smpp": "sms", "smtp": "email", "wecom": "wecom", "mqtt": "radio"}
"""Kind of channel -> the templates that serve it, where the channel has none of its own name."""


class Route(NamedTuple):
    """One channel as the desk uses it."""

    kind: str
    live: RouteSettings | None
    drill: RouteSettings | None

    def settings(self, mode: str) -> RouteSettings | None:
        """Return the route for a mode; a drill never falls back to the live one."""
        return self.drill if mode == "drill" else self.live

    def template(self, name: str, templates: Templates, language: str) -> str:
        """Return whose templates serve this channel: its own, else those of its kind."""
        return name if templates.speaks(name, language) else TEMPLATES[self.kind]

    def adapter(self, mode: str) -> Channel:
        """Return an adapter that can encode; it is never opened."""
        return adapter(self.kind)(self.settings(mode), _no_reports)


def _no_reports(*_: Any) -> None:  # noqa: ANN401 - the adapter's own
    raise AssertionError("an adapter that was never opened has nothing to report")


class Office(NamedTuple):
    """Everything that a desk needs besides its database and clock."""

    settings: DeskSettings
    policy: Policy
    hazards: Hazards
    templates: Templates
    routes: Mapping[str, Route]

    def channels(self, mode: str) -> list[str]:
        """Return the channels that have a route for this mode, by name."""
        return sorted(name for name, route in self.routes.items() if route.settings(mode) is not None)

    def group(self, mode: str) -> str | None:
        """Return the group of contacts that alone is meant in this mode; None: everybody in the area."""
        return self.settings.drill_group if mode == "drill" else None

    def rates(self, mode: str) -> dict[str, float]:
        """Return what each channel may send by contract, in parts a second."""
        return {
            name: route.rate for name in self.channels(mode) if (route := self.routes[name].settings(mode))
        }


def load_hazards(path: Path) -> Hazards:
    """Read the hazard table; raises HazardsRefused with the file and the entry to mend."""
    try:
        return Hazards.from_toml(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, HazardsRefused) as error:
        raise HazardsRefused(f"{path}: {error}") from None


def open_office(settings: Settings) -> Office:
    """Read policy, hazards and templates as the settings name them.

    Raises:
        PolicyError, HazardsRefused, TemplateError: the file and the entry to mend.
    """
    routes = {name: Route(one.kind, one.live, one.drill) for name, one in settings.channels.items()}
    return Office(
        settings=settings.desk,
        policy=load_policy(settings.approval),
        hazards=load_hazards(settings.hazards),
        templates=Templates(share("templates/messages")),
        routes=routes,
    )
