"""BACK: reports of providers, devices and persons, normalised and durable in the ledger."""
