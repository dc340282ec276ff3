"""Files that commands write: whole or not at all, and never in place of an input, another output or a device."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final, NoReturn

import typer

_STDOUT: Final = 1


def check_outputs(outputs: Mapping[str, Path | None], *inputs: Path | None) -> None:
    """End with 2, before any work, where an output (by its option) cannot be written or would destroy something.

    Destroyed would be an input of the command, or another output of it. In an input that is a folder only YAML is read.
    """
    read = [file for path in inputs if path is not None for file in _files(path)]
    earlier: dict[str, Path] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        found = _status(option, path)
        streams = found is not None and stat.S_ISCHR(found.st_mode)  # a terminal is not destroyed by being written to
        if not streams and any(_same(path, one) for one in read):
            _refuse(f"{option} {path} is an input of this command and would be lost; name another file")
        for other, taken in earlier.items():
            if _same(path, taken) and not _same(path, Path(os.devnull)):
                _refuse(f"{option} {path} is written by {other} too; name a file for each")
        earlier[option] = path


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open an output: a file takes its name when it is complete; a FIFO or a device is written to as it is.

    A symlink is followed. A file keeps its permissions when it is replaced.
    """
    found = path.stat() if path.exists() else None
    if found is not None and (not stat.S_ISREG(found.st_mode) or _is_stdout(found)):
        with os.fdopen(_opened(path, found), "wb") as straight:
            yield straight
        return
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            if found is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))
            yield file
        partial.replace(target)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError) and error.filename == os.fspath(partial):
            error.filename, error.filename2 = os.fspath(path), None  # nobody has heard of the other one
        raise


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A path to write to by a library that wants a file of its own; what stands there then goes to the output."""
    with TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        yield draft
        fresh = not path.exists()
        with writing(path) as file, draft.open("rb") as made:
            shutil.copyfileobj(made, file)
            if fresh:
                os.fchmod(file.fileno(), stat.S_IMODE(draft.stat().st_mode))


def is_stdout(path: Path) -> bool:
    """Whether the output goes where standard output goes, so that a word to the user belongs elsewhere."""
    return path.exists() and _is_stdout(path.stat())


def _opened(path: Path, found: os.stat_result) -> int:
    if not _is_stdout(found):
        return os.open(path, os.O_WRONLY)
    # Opened anew, a file that the shell writes to would be cut short, and a socket could not be opened at all.
    sys.stdout.flush()
    return os.dup(_STDOUT)


def _is_stdout(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, os.fstat(_STDOUT))
    except OSError:  # closed
        return False


def _status(option: str, path: Path) -> os.stat_result | None:
    """What stands at an output, None where there is nothing yet; refuses what cannot be written to."""
    try:
        above = _above(path)
        found = path.stat() if path.exists() else None
        if above.is_dir() and (found is None or (stat.S_ISREG(found.st_mode) and not _is_stdout(found))):
            _try_out(path)
        elif found is not None and stat.S_ISFIFO(found.st_mode) and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, RuntimeError) as error:  # pathlib calls a link to itself a RuntimeError
        told = error.strerror if isinstance(error, OSError) else os.strerror(errno.ELOOP)
        _refuse(f"{option} {path} cannot be written ({told}); name another file")
    if not above.is_dir():
        _refuse(f"{option} {path}: {above} is a file, not a directory; name a file in a directory")
    if found is None:
        return None
    if stat.S_ISDIR(found.st_mode):
        _refuse(f"{option} {path} is a directory; name a file in it")
    if stat.S_ISBLK(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        _refuse(f"{option} {path} is a disk or a socket; name a file, a pipe or a character device")
    return found


def _above(path: Path) -> Path:
    """The nearest of the folders above that exists."""
    return next(folder for folder in path.absolute().parents if folder.exists())


def _try_out(path: Path) -> None:
    """Make a file where `writing` will, and remove it: permissions alone do not tell of a file system that takes none."""
    target = path.resolve()
    above = _above(target)
    for missing in target.relative_to(above).parts:
        with suppress(FileNotFoundError):
            os.lstat(above / missing)  # a name that is too long there
    trial = above / f".{secrets.token_hex(4)}.partial"
    try:
        with trial.open("xb"):
            pass
    finally:
        with suppress(OSError):
            trial.unlink()


def _files(path: Path) -> list[Path]:
    return [*path.rglob("*.yaml"), *path.rglob("*.yml")] if path.is_dir() else [path]


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _refuse(line: str) -> NoReturn:
    typer.echo(line, err=True)
    raise typer.Exit(2)
