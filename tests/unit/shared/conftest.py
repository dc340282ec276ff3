"""Fixtures of the tests of what is shared."""

import pytest
import structlog

from shared import deactivated, edge


@pytest.fixture
def unbound_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loggers that no test before has bound to another configuration: `capture_logs` hears these."""
    for module in (deactivated, edge):
        monkeypatch.setattr(module, "log", structlog.get_logger())
