"""Accounts that may no longer sign in: one a line in a file of the operator's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from shared.problem import Problem

_UNSEEN: Final[tuple[int, ...]] = ()
log = structlog.get_logger(__name__)


class DeactivatedFile:
    """The accounts listed in a file, which is read again whenever it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._accounts: frozenset[str] | None = None

    def __call__(self) -> frozenset[str]:
        """Accounts listed now; none where there is no file.

        While the file cannot be read, those it last listed. Where it could never be read nobody can be told from an
        account that has been deactivated: raises `Problem` 503 `deactivated-unreadable`.
        """
        try:
            self._look()
        except FileNotFoundError:
            self._seen, self._accounts = None, frozenset()
        if self._accounts is None:
            raise Problem(
                503,
                "deactivated-unreadable",
                "nobody can sign in until the list of deactivated accounts can be read; the log names the file",
                headers={"Retry-After": "60"},
            )
        return self._accounts

    def _look(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise
        except OSError as error:  # a folder that may not be entered, say; told once, as this is asked all the time
            if self._seen != _UNSEEN:
                self._complain(error.strerror or "cannot be read")
            self._seen = _UNSEEN
            return
        # The time of change, too: permissions that are mended leave the time of writing as it was.
        state = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
        if state != self._seen:
            self._read()
            self._seen = state

    def _read(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise
        except UnicodeDecodeError:  # its message would quote bytes of the file
            self._complain("is not UTF-8 text")
        except OSError as error:
            self._complain(error.strerror or "cannot be read")
        else:
            if "\0" in text:  # UTF-16, of which no line would be an account
                self._complain("is not UTF-8 text")
                return
            lines = (line.strip() for line in text.splitlines())
            self._accounts = frozenset(line for line in lines if line and not line.startswith("#"))

    def _complain(self, reason: str) -> None:
        closed = self._accounts is None
        log.error(
            "deactivated_unreadable",
            file=str(self._path),
            reason=reason,
            until_then="nobody signs in" if closed else "the accounts that it last listed stay out",
            do="save it as UTF-8 text that this service may read",
        )
