"""Tongda, a multi-channel warning dissemination gateway."""
