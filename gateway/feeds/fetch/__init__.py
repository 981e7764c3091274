"""Fetching from strangers: one hardened client for polls, links, streams and outgoing webhooks."""

from gateway.feeds.fetch.address import Guard, check_url, forbidden
from gateway.feeds.fetch.client import Client, Fetched, open_session
from gateway.feeds.fetch.refused import FetchRefused

__all__ = ["Client", "FetchRefused", "Fetched", "Guard", "check_url", "forbidden", "open_session"]
