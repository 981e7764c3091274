"""The aiohttp application: providers' callbacks, confirm links, the partner API and health.

Thin: it checks who speaks, calls the rooms below and renders. Nothing here can create a
delivery, and nothing is acknowledged before it is durable. Behind the public network it wants
a proxy for TLS and for limiting connections; it bounds sizes, header and body times by itself.
"""

from gateway.web.app import keys_of, make_app, make_runner
from gateway.web.state import Keys

__all__ = ["Keys", "keys_of", "make_app", "make_runner"]
