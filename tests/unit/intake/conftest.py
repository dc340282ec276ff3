"""Fixtures of the intake's unit tests."""

from tests.support.intake_http import client, intake

__all__ = ["client", "intake"]
