"""Sources: warnings come in, safely, once; see :mod:`gateway.feeds.contract` and docs/feeds.md."""
