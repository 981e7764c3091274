"""Partner agencies: who may push alerts, and what they may ask.

A request passes, in this order, :mod:`access` (the key, and the client certificate where one is agreed),
:mod:`requests` (the signature over the whole request, and its nonce, once), :mod:`rates`, :mod:`reading`
(one parser for all forms), :mod:`scope` (what the key may push, proved), :mod:`idempotency`, and then the
intake, which applies the partner's rule as it does for any source. :mod:`telling` answers what became of
what a partner pushed. Who cannot prove who it is spends nothing of a partner's limit.
"""
