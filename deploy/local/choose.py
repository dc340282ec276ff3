"""Which Kafka and which MongoDB to take: one that is named, a container, a process; in the order asked for."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local import containers, jars
from deploy.local import kafka as kafka_process
from deploy.local import mongo as mongo_process
from deploy.local.children import Children
from deploy.local.errors import LocalStackError, UnavailableError
from deploy.local.parts import ExternalPart, Part, ProcessPart

OwnPart = ProcessPart | containers.ContainerPart

ORDERS = {"auto": ("container", "process"), "process": ("process", "container"), "container": ("container", "process")}

_HOSTS = re.compile(r"(mongodb(?:\+srv)?://)(?:[^@/?]*@)?([\w.,:\[\]-]+)(?:[/?][^@]*)?")


def named() -> dict[str, str]:
    """Return the servers that the environment names, by variable."""
    return {name: value for name in ("FENGQIAO_KAFKA", "FENGQIAO_MONGO") if (value := os.environ.get(name))}


def without_password(address: str) -> str:
    """Return an address as it may be shown: where it may hold a secret, its hosts only."""
    if "@" not in address and "password" not in address.lower():
        return address
    found = _HOSTS.fullmatch(address)
    return "".join(found.groups()) if found else "(an address with a password)"


@dataclass(frozen=True)
class Request:
    """What the parts need to start."""

    state: Path
    ports: dict[str, int]
    children: Children
    order: tuple[str, ...]
    progress: jars.Progress
    test_commands: bool = False
    keep: bool = True


def order(prefer: str) -> tuple[str, ...]:
    """Return the ways in the order to try them; FENGQIAO_LOCAL_PREFER stands in for `auto`."""
    wish = prefer if prefer != "auto" else os.environ.get("FENGQIAO_LOCAL_PREFER") or "auto"
    try:
        return ORDERS[wish]
    except KeyError:
        raise LocalStackError(f"FENGQIAO_LOCAL_PREFER is {wish!r}; it must be one of {', '.join(ORDERS)}") from None


def kafka(request: Request) -> tuple[Part, bool]:
    """Start or find a broker; return it and whether it takes idempotent producers.

    Raises LocalStackError with every way that was tried and why it was not possible.
    """
    if address := named().get("FENGQIAO_KAFKA"):
        kafka_process.reach(address)
        return ExternalPart("kafka", address, "the broker that FENGQIAO_KAFKA names"), _named_idempotent(address)
    ways: dict[str, Callable[[], OwnPart]] = {
        "container": lambda: containers.kafka(request.state, request.ports, request.children, keep=request.keep),
        "process": lambda: _start(
            kafka_process.prepare(request.state, request.ports, request.children, progress=request.progress)
        ),
    }
    return _first("Kafka", ways, request), True


def mongo(request: Request) -> Part:
    """Start or find a MongoDB replica set.

    Raises LocalStackError with every way that was tried and why it was not possible.
    """
    if address := named().get("FENGQIAO_MONGO"):
        mongo_process.reach(address)
        return ExternalPart("mongod", address, "the replica set that FENGQIAO_MONGO names")
    ways: dict[str, Callable[[], OwnPart]] = {
        "container": lambda: containers.mongo(request.state, request.ports, request.children, keep=request.keep),
        "process": lambda: _start(
            mongo_process.prepare(request.state, request.ports, request.children, test_commands=request.test_commands)
        ),
    }
    return _first("MongoDB", ways, request)


def _start(part: ProcessPart) -> ProcessPart:
    part.start()
    return part


def _first(what: str, ways: dict[str, Callable[[], OwnPart]], request: Request) -> OwnPart:
    refused: list[str] = []
    for way in request.order:
        try:
            part = ways[way]()
        except UnavailableError as error:
            refused.append(str(error))
            continue
        part.how = "; ".join([part.how, *refused])
        return part
    tried = "\n".join(f"  - {reason}" for reason in refused)
    raise LocalStackError(f"{what} cannot be had on this machine:\n{tried}")


def _named_idempotent(bootstrap: str) -> bool:
    if said := os.environ.get("FENGQIAO_IDEMPOTENT"):
        return said.lower() not in {"0", "false", "no"}
    return kafka_process.takes_idempotent(bootstrap)
