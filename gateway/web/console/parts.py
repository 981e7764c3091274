"""What the pages of the console share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

if TYPE_CHECKING:
    from datetime import tzinfo

    from gateway.accounts.sealing import Sealing
    from gateway.clock import Clock
    from gateway.desk.office import Office
    from gateway.desk.service import Desk
    from gateway.feeds.by_hand import ByHand
    from gateway.settings import Settings
    from gateway.store.database import Database


class Console(NamedTuple):
    """What the console is made with."""

    settings: Settings
    database: Database
    desk: Desk
    inbox: ByHand
    clock: Clock
    sealing: Sealing
    """Opens the keys of second factors."""

    @property
    def office(self) -> Office:
        """What the desk is set up with."""
        return self.desk.office

    @property
    def zone(self) -> tzinfo:
        """The zone in which times are shown."""
        return self.settings.desk.zone

    @property
    def secure(self) -> bool:
        """Whether browsers reach this server by TLS."""
        return self.settings.web.base_url.startswith("https://")


CONSOLE = web.AppKey("console", Console)
