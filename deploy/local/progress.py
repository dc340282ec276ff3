"""What is shown while the stack is being started: a spinner, and a bar while Kafka's jars are being fetched."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_FETCHING = "fetching Kafka's jars ({}), kept for later runs"


class View:
    """A display that is gone after `close`; every method may be called from any thread.

    Where the output is no terminal, one line says that something is being fetched.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._fetch: TaskID | None = None
        if not quiet and self._console.is_terminal:
            self._bars.add_task("starting Kafka and MongoDB", total=None)
            self._bars.start()

    def fetching(self, done: int, total: int, by: str) -> None:
        """Show that `done` of `total` jars are there."""
        if self._fetch is None:
            self._fetch = self._bars.add_task(_FETCHING.format(by), total=total)
            if not self._quiet and not self._console.is_terminal:
                self._console.print(_FETCHING.format(by))
        self._bars.update(self._fetch, completed=done)

    def close(self) -> None:
        """Take the display away."""
        if self._bars.live.is_started:
            self._bars.stop()


@contextmanager
def view(*, quiet: bool) -> Iterator[View]:
    """Show progress for the length of a `with` block, or until `close`."""
    shown = View(quiet=quiet)
    try:
        yield shown
    finally:
        shown.close()
