"""Fixtures of tests that speak HTTP to an intake in this process; `tests/unit/intake/conftest.py` hands them out."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.intake.handlers import Intake
from tests.support.intake import client_of, make_app, make_intake


@pytest.fixture
def intake() -> Intake:
    """An intake over a store in memory, its clock standing at `NOW`."""
    return make_intake()


@pytest.fixture
async def client(intake: Intake) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its HTTP interface, where every channel is open."""
    async with client_of(make_app(intake)) as one:
        yield one
