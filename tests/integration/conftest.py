"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.support.spine import Spine


@pytest.fixture
async def spine(stack: Stack, tmp_path: Path) -> AsyncIterator[Spine]:
    """Topics and databases of one test's own; its processes end with it."""
    spine = Spine(stack, tmp_path)
    await spine.topics()
    yield spine
    spine.close()
