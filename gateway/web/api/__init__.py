"""``/api/v1``: partners push alerts and ask what became of them. Thin: gateway.partners decides."""

from gateway.web.api.app import make_api

__all__ = ["make_api"]
