"""The state directory: one run at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import LocalStackError

DEFAULT = Path(".fengqiao")


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Make `state` if need be and hold it for this process.

    Raises LocalStackError if another run holds it or it cannot be written to.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        file = (state / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise LocalStackError(
            f"{state} cannot be used: {error.strerror}. Give another directory with --state."
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise LocalStackError(
                f"{state} is in use by process {file.read().strip() or '?'}. "
                "End that run, or give another directory with --state."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
