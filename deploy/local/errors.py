"""What went wrong with the local stack, in words its user can act on."""

from pathlib import Path


class LocalStackError(RuntimeError):
    """A part of the local stack cannot be had or does not start; the message says what to do."""


class UnavailableError(LocalStackError):
    """This way to get a part is not open on this machine; the next one is tried."""


def log_tail(path: Path, lines: int = 15) -> str:
    """Return the last `lines` lines of a log, indented, or a note that there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (the log is empty)"
