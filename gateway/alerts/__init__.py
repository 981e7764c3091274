"""WHAT: the warning itself. CAP 1.2 in and out, its life, its hazards, and what is wrong with it.

Pure: no input or output, no clock, nothing of the other rooms.

- :mod:`~gateway.alerts.parse`: bytes -> :class:`~gateway.alerts.model.Alert`, or a refusal;
- :mod:`~gateway.alerts.write`: Alert -> bytes; :mod:`~gateway.alerts.foreign`: what is foreign to CAP;
- :mod:`~gateway.alerts.lint`: what people should look at before an alert is used;
- :mod:`~gateway.alerts.check`: parse and lint in one, as the feeds, the desk and the command use it;
- :mod:`~gateway.alerts.chain`: which alerts of a set are live, given Updates and Cancels;
- :mod:`~gateway.alerts.lifecycle`: the states of an alert at the desk;
- :mod:`~gateway.alerts.hazards`: hazards, their codes and colours;
- :mod:`~gateway.alerts.geometry`: polygons and circles; :mod:`~gateway.alerts.language`: blocks by language.
"""
