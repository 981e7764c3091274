"""The aiohttp application: providers' callbacks, confirm links, the partner API and health.

Thin: it checks who speaks, calls the rooms below and renders. Nothing here can create a
delivery, and nothing is acknowledged before it is durable. Behind the public network it wants
a proxy for TLS and for limiting connections; it bounds sizes and
the times of headers, bodies and unread answers by itself.
"""

from gateway.web.app import Site, keys_of, make_app, make_runner
from gateway.web.state import Keys

__all__ = ["Keys", "Site", "keys_of", "make_app", "make_runner"]
