"""What is shown while the stack is being started: a spinner, and a bar while Kafka's jars are being fetched."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class View:
    """A display that is shut at `close`; every method may be called from any thread."""

    def __init__(self, *, quiet: bool) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=quiet,
        )
        self._fetch: TaskID | None = None
        self._bars.start()

    def fetching(self, done: int, total: int, by: str) -> None:
        """Show that `done` of `total` jars are there."""
        if self._fetch is None:
            self._fetch = self._bars.add_task(f"fetching Kafka's jars ({by}), kept for later runs", total=total)
        self._bars.update(self._fetch, completed=done)

    def close(self) -> None:
        """Take the display away."""
        self._bars.stop()


@contextmanager
def view(*, quiet: bool) -> Iterator[View]:
    """Show progress for the length of a `with` block, or until `close`."""
    shown = View(quiet=quiet)
    try:
        yield shown
    finally:
        shown.close()
