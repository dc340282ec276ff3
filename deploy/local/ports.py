"""Free TCP ports for the parts of the stack, remembered so that the next start finds the same data behind them."""

import json
import os
import random
import socket
import time
from collections.abc import Sequence
from pathlib import Path

HOST = "127.0.0.1"
# Below the range that Linux, macOS and Windows hand out to outgoing connections: nobody takes one by chance
# between the moment it is chosen and the moment the child binds it.
_RANGE = range(20_000, 32_000)
_TRIES = 2_000


def is_free(port: int) -> bool:
    """Tell whether a server could bind `port` on the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int, timeout: float = 0.2) -> bool:
    """Tell whether something accepts connections on `port`."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout):
            return True
    except OSError:
        return False


def choose(names: Sequence[str], state: Path, *, patience: float = 5.0) -> dict[str, int]:
    """Give each name a free port: the one of the last run if it gets free within `patience` seconds, else a new one.

    The choice is kept in `state/ports.json`.
    """
    file = state / "ports.json"
    remembered = _read(file)
    ports: dict[str, int] = {}
    until = time.monotonic() + patience
    for name in names:
        port = remembered.get(name)
        if port is None or port in ports.values() or not _free_by(port, until):
            port = _new(set(ports.values()) | set(remembered.values()))
        ports[name] = port
    state.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(remembered | ports, indent=1) + "\n", encoding="utf-8")
    draft.replace(file)
    return ports


def _read(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, int) and 0 < v < 65536} if isinstance(found, dict) else {}


def _free_by(port: int, until: float) -> bool:
    while not is_free(port):
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def _new(taken: set[int]) -> int:
    for _ in range(_TRIES):
        port = random.choice(_RANGE)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port on {HOST} between {_RANGE.start} and {_RANGE.stop}")
