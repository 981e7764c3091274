"""Settings of what goes out to partners."""

from __future__ import annotations

from gateway.sections import Section


class PublishSettings(Section):
    """Signed CAP of public releases, and its index."""
