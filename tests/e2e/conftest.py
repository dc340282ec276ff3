"""One running system for all end-to-end tests that only feed and read it."""

from collections.abc import Iterator

import pytest

from tests.support.system import System, running


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system; a test uses names of its own in it and kills nothing."""
    with running(tmp_path_factory.mktemp("system")) as started:
        yield started
