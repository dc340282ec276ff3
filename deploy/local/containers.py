"""Kafka and MongoDB as containers, where a Docker daemon runs and has the images already; nothing is ever pulled."""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import kafka as kafka_process
from deploy.local import mongo as mongo_process
from deploy.local.children import Children
from deploy.local.errors import LocalStackError, UnavailableError
from deploy.local.jars import KAFKA
from deploy.local.ports import HOST

KAFKA_IMAGE = f"apache/kafka:{KAFKA}"
MONGO_IMAGE = "mongo:8.0"
# What the guardian runs when this process is gone: CONTAINER [VOLUME].
_REMOVE = """\
import docker, sys
client = docker.from_env()
client.containers.get(sys.argv[1]).remove(force=True, v=True)
for volume in sys.argv[2:]:
    client.volumes.get(volume).remove(force=True)
"""


@dataclass
class ContainerPart:
    """A part that is a container of ours."""

    name: str
    address: str
    how: str
    container: Any  # testcontainers' DockerContainer, started
    wait: Callable[[Callable[[], None]], None]
    volume: str | None  # removed at the end where the data are not to be kept
    timeout: float = 90.0
    owned: bool = True

    def _docker(self) -> Any:
        found = self.container.get_wrapped_container()
        found.reload()
        return found

    @property
    def pid(self) -> int | None:
        """The id of the container's first process, as the daemon's machine counts."""
        return int(self._docker().attrs["State"]["Pid"]) or None

    def alive(self) -> bool:
        """Whether the container runs."""
        from docker.errors import NotFound

        try:
            return bool(self._docker().attrs["State"]["Running"])
        except NotFound:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        found = self._docker()
        if found.attrs["State"]["Running"]:
            found.kill()
            found.wait(timeout=30)

    def restart(self) -> None:
        """Kill what is left and start again on the same port and data."""
        self.kill()
        self._docker().start()
        self.until_up()

    def revive(self) -> None:
        """Start again if it does not run."""
        if not self.alive():
            self.restart()

    def until_up(self) -> None:
        """Wait until the part answers."""
        until = time.monotonic() + self.timeout

        def check() -> None:
            if time.monotonic() > until or not self.alive():
                said = self._docker().logs(tail=15).decode(errors="replace")
                raise LocalStackError(f"{self.name} did not start in its container. The end of its log:\n{said}")

        self.wait(check)

    def pause(self) -> None:
        """Freeze it."""
        self._docker().pause()

    def resume(self) -> None:
        """Let it go on."""
        self._docker().unpause()

    def stop(self, grace: float) -> None:
        """End it in order, then by force, and remove it; its data stay unless they were to go."""
        found = self._docker()
        if found.attrs["State"]["Paused"]:
            found.unpause()
        found.stop(timeout=int(grace))
        found.remove(force=True, v=True)
        if self.volume is not None:
            found.client.volumes.get(self.volume).remove(force=True)


def kafka(state: Path, ports: dict[str, int], children: Children, *, keep: bool) -> ContainerPart:
    """Start the broker's container. Raises UnavailableError where there is no daemon or no image."""
    port = ports["kafka"]
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
        "KAFKA_HEAP_OPTS": "-Xmx512m",
        **{f"KAFKA_{key.upper().replace('.', '_')}": value for key, value in kafka_process.ONE_NODE.items()},
        "CLUSTER_ID": _cluster_id(state),
    }
    image = os.environ.get("FENGQIAO_KAFKA_IMAGE") or KAFKA_IMAGE
    bootstrap = f"{HOST}:{port}"
    container = with_image(image)
    # The image writes its settings at every start; a directory of its own lets a killed container start again.
    container.with_envs(**settings).with_tmpfs_mount("/opt/kafka/config", "uid=1000,gid=1000")
    container.ports["9092/tcp"] = (HOST, port)  # with_bind_ports would open it to the network
    return _run(
        container,
        ContainerPart(
            "kafka",
            bootstrap,
            f"Apache Kafka in a container ({image})",
            container,
            lambda check: kafka_process.wait_for(bootstrap, check),
            None if keep else _volume(state, "kafka"),
        ),
        _volume(state, "kafka"),
        "/var/lib/kafka/data",
        children,
    )


def mongo(state: Path, ports: dict[str, int], children: Children, *, keep: bool) -> ContainerPart:
    """Start the database's container. Raises UnavailableError where there is no daemon or no image."""
    port = ports["mongo"]
    image = os.environ.get("FENGQIAO_MONGO_IMAGE") or MONGO_IMAGE
    container = with_image(image)
    container.ports["27017/tcp"] = (HOST, port)
    container.with_command(
        f"--replSet {mongo_process.REPLICA_SET} --bind_ip_all --wiredTigerCacheSizeGB {mongo_process.CACHE_GB} "
        f"--setParameter transactionLifetimeLimitSeconds={mongo_process.TRANSACTION_LIFETIME}"
    )
    return _run(
        container,
        ContainerPart(
            "mongod",
            mongo_process.uri(port),
            f"MongoDB in a container ({image}), as replica set {mongo_process.REPLICA_SET}",
            container,
            lambda check: mongo_process.wait_for(port, check, member="127.0.0.1:27017"),
            None if keep else _volume(state, "mongo"),
        ),
        _volume(state, "mongo"),
        "/data/db",
        children,
    )


def _run(container: Any, part: ContainerPart, volume: str, mounted: str, children: Children) -> ContainerPart:
    from docker.errors import NotFound

    if part.volume is not None:
        with contextlib.suppress(NotFound):  # of a run that was killed
            container.get_docker_client().client.volumes.get(volume).remove(force=True)
    container.with_volume_mapping(volume, mounted, "rw")
    container.start()
    identity = container.get_wrapped_container().id
    children.at_death([sys.executable, "-c", _REMOVE, identity, *([part.volume] if part.volume else [])])
    try:
        part.until_up()
    except BaseException:
        part.stop(0)
        raise
    return part


def with_image(image: str) -> Any:
    """Return a container of `image` to be started. Raises UnavailableError where there is no daemon or no image."""
    client = _daemon()
    from docker.errors import ImageNotFound

    try:
        client.images.get(image)
    except ImageNotFound:
        raise UnavailableError(f"the Docker daemon has no image {image}, and none is pulled unasked") from None
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    try:
        client.images.get(testcontainers_config.ryuk_image)
    except ImageNotFound:
        testcontainers_config.ryuk_disabled = True  # the guardian removes the containers instead
    return DockerContainer(image)


def _daemon() -> Any:
    try:
        import docker
    except ImportError:
        raise UnavailableError("no container, because the package testcontainers is not installed") from None
    try:
        client = docker.from_env(timeout=5)
        client.ping()
    except docker.errors.DockerException:
        raise UnavailableError("no container, because no Docker daemon answers") from None
    client.api.timeout = 60
    return client


def _volume(state: Path, name: str) -> str:
    return f"fengqiao-{hashlib.sha256(str(state).encode()).hexdigest()[:12]}-{name}"


def _cluster_id(state: Path) -> str:
    # 22 characters of base64 for 16 bytes; the same for the same directory, as the volume keeps it.
    return hashlib.sha256(str(state).encode()).hexdigest()[:21] + "A"
