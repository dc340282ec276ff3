"""Apache Kafka as one child process: KRaft, broker and controller in one node, on loopback only."""

import asyncio
import logging
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from deploy.local import jars, java
from deploy.local.children import Children
from deploy.local.errors import LocalStackError, log_tail
from deploy.local.parts import ProcessPart
from deploy.local.ports import HOST, answers

# The first compiler only: the second costs more than it gives in a broker's first minutes (start 4.0 → 2.4 s of processor
# time; 200,000 records in and out 7.2 → 3.2 s).
_JVM = ["-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
_LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""

# What one node on one small machine needs, as a process and in a container.
ONE_NODE = {
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # One node on one small machine: 50 partitions each would only cost files and start-up time.
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "8",
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the node may register again only when its last session is over (default 9 s).
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    # A consumer killed with kill -9 must not hold its group for long; clients still choose within this.
    "group.min.session.timeout.ms": "1000",
}


def properties(data: Path, port: int, controller_port: int) -> str:
    """Return the text of `server.properties` for one combined node."""
    rows = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller_port}",
        "log.dirs": str(data),
        **ONE_NODE,
    }
    return "".join(f"{key}={value}\n" for key, value in rows.items())


def prepare(state: Path, ports: dict[str, int], children: Children, *, progress: jars.Progress) -> ProcessPart:
    """Find Java, fetch the jars, format the storage if it is new; return the part, not yet started.

    `ports` has `kafka` and `kafka_controller`. Raises LocalStackError with what to do.
    """
    runtime = java.find()
    path = jars.classpath(children, state / "logs" / "fetch.log", progress)
    home = state / "kafka"
    data = home / "data"
    log = state / "logs" / "kafka.log"
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "server.properties"
    settings.write_text(properties(data, ports["kafka"], ports["kafka_controller"]), encoding="utf-8")
    logging_settings = home / "log4j2.properties"
    logging_settings.write_text(_LOGGING, encoding="utf-8")
    base = [runtime.program, *_JVM, f"-Dlog4j2.configurationFile={logging_settings}", "-cp", path]
    if not (data / "meta.properties").exists():
        _format(children, [*base, "kafka.tools.StorageTool"], settings, log)
    bootstrap = f"{HOST}:{ports['kafka']}"
    return ProcessPart(
        name="kafka",
        address=bootstrap,
        how=f"Apache Kafka {jars.KAFKA} as a process on Java {runtime.major} ({runtime.origin})",
        children=children,
        command=[*base, "kafka.Kafka", str(settings)],
        log=log,
        wait=lambda check: wait_for(bootstrap, check),
        timeout=90.0,
    )


def _format(children: Children, tool: list[str], settings: Path, log: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    if cluster.startswith("-"):  # the tool would take it for an option
        cluster = "f" + cluster[1:]
    command = [*tool, "format", "--standalone", "-t", cluster, "-c", str(settings)]
    process = children.spawn(command, log=log)
    try:
        code = process.wait(90)
    except subprocess.TimeoutExpired:
        code = None
    if code != 0:
        raise LocalStackError(f"Kafka's storage could not be formatted. The end of {log}:\n{log_tail(log)}")


def wait_for(bootstrap: str, check: Callable[[], None]) -> None:
    """Return once the broker answers for metadata; `check` raises when it is no use to go on waiting."""
    host, _, port = bootstrap.rpartition(":")
    while host == HOST and not answers(int(port)):  # cheaper than a client that fails
        check()
        time.sleep(0.05)
    while not asyncio.run(_has_broker(bootstrap)):
        check()
        time.sleep(0.05)


def reach(bootstrap: str, *, timeout: float = 10.0) -> None:
    """Check that a broker that somebody else runs answers.

    Raises LocalStackError otherwise.
    """
    until = time.monotonic() + timeout

    def check() -> None:
        if time.monotonic() > until:
            raise LocalStackError(f"FENGQIAO_KAFKA is {bootstrap}, but no broker answers there within {timeout:.0f} s")

    wait_for(bootstrap, check)


def takes_idempotent(bootstrap: str, *, timeout: float = 10.0) -> bool:
    """Whether the broker hands out producer ids; some Kafka-compatible ones do not."""
    return asyncio.run(_gives_producer_id(bootstrap, timeout))


async def _gives_producer_id(bootstrap: str, timeout: float) -> bool:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    try:
        await asyncio.wait_for(producer.start(), timeout)
    except (KafkaError, TimeoutError):
        return False
    finally:
        await producer.stop()
    return True


async def _has_broker(bootstrap: str) -> bool:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is not there yet is no news
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()
