"""Earthquakes: solutions of many agencies in, one event each, and a warning where townships shake.

:mod:`~gateway.feeds.seismic.versions` keeps the newest of what each solution says,
:mod:`~gateway.feeds.seismic.association` says which solutions are one event,
:mod:`~gateway.feeds.seismic.preference` which of them counts,
:mod:`~gateway.feeds.seismic.intensity` how strongly each township shakes by the model,
:mod:`~gateway.feeds.seismic.warning` whether there is something to say about an event
(:mod:`~gateway.feeds.seismic.case`), and :mod:`~gateway.feeds.seismic.message` says it in CAP;
these six are pure. :class:`~gateway.feeds.seismic.seismology.Seismology` keeps it all in the database and
hands the warnings to the inbox, where the same rules hold as for any warning that comes in.
"""
