"""One warning, all the way through a county that does not exist.

Everything that a real release meets is real here as well, only the providers are played: an
SMSC, a mail server, a chat vendor and a broker with its terminals, each a server on a socket
(:mod:`gateway.demo.providers`), and the persons who tap their confirm link
(:mod:`gateway.demo.townsfolk`). The steps are told in :mod:`gateway.demo.story`.
"""
