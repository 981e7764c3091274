"""Out to partners: signed CAP of public releases, its index, and outgoing webhooks.

:mod:`gateway.publish.publication` makes a message of each public release, signs it and keeps its bytes;
:mod:`gateway.publish.webhooks` tells the targets that :mod:`gateway.publish.area` found to be touched;
:mod:`gateway.publish.index` writes the index that :mod:`gateway.web.published` serves.
"""
