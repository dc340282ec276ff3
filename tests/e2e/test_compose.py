"""The system from images: up with one command, nothing lost while every container is killed in turn, down without a trace."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.docker import secret_files

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "screening", "alerts", "assessment")
RUNNING = ("kafka", "mongo", *SERVICES)
JOBS = ("secrets", "topics", "mongo-init")
CANARY = "13800138000"
BASES = ("python:3.11-slim-bookworm", "apache/kafka:4.3.1", "mongo:8.0")


def docker(*words: str, timeout: float = 60, env: dict[str, str] | None = None, check: bool = True) -> str:
    """Run the Docker client; what it printed. Its complaint is in the failure."""
    done = subprocess.run(
        ["docker", *words], cwd=ROOT, env=env, timeout=timeout, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        pytest.fail(f"docker {' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def obstacle() -> str | None:
    """Why the test cannot run here, or None."""
    if shutil.which("docker") is None:
        return "there is no Docker client"
    for words, what in (
        (("info",), "no Docker daemon answers"),
        (("compose", "version"), "there is no docker compose"),
    ):
        if subprocess.run(["docker", *words], capture_output=True, timeout=30, check=False).returncode:
            return what
    for image in BASES:
        if subprocess.run(
            ["docker", "image", "inspect", image], capture_output=True, timeout=30, check=False
        ).returncode:
            return f"the image {image} is not here, and a test pulls nothing"
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Compose:
    """One project of the compose file, under a name of its own."""

    project: str
    env: dict[str, str]
    ports: dict[str, int]

    def run(self, *words: str, timeout: float = 60, check: bool = True) -> str:
        return docker("compose", "-p", self.project, *words, timeout=timeout, env=self.env, check=check)

    def inspect(self, name: str) -> dict:
        return json.loads(docker("inspect", f"{self.project}-{name}-1"))[0]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def until_healthy(self, name: str) -> None:
        """Wait for a 200 of the service's own health page, for 60 s at most."""
        until = time.monotonic() + 60
        answer = "nothing"
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(self.url(name) + "/health", timeout=5):
                    return
            except urllib.error.HTTPError as error:
                answer = error.read().decode()
            except OSError as error:
                answer = repr(error)
            time.sleep(0.3)
        pytest.fail(f"{name} did not become healthy; its last answer: {answer}")

    def up(self) -> None:
        words = ["docker", "compose", "-p", self.project, "up", "-d", "--wait", "--wait-timeout", "150"]
        done = subprocess.run(words, cwd=ROOT, env=self.env, timeout=200, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"{done.stderr[-800:]}\n{self.run('logs', '--no-color', '--tail', '20', check=False)}")

    def complaints(self) -> str:
        """What the services logged that is no routine."""
        lines = self.run("logs", "--no-color", *SERVICES).splitlines()
        return "\n".join(line for line in lines if "event_handled" not in line and "request_handled" not in line)[
            -6000:
        ]

    def query(self, script: str, timeout: float = 100) -> str:
        """Run JavaScript in mongosh as root. The password stays inside the container."""
        connect = (
            "const root = require('fs').readFileSync('/run/secrets/root.password', 'utf8').trim();"
            "db = connect(`mongodb://root:${root}@mongo:27017/admin?replicaSet=rs0`);"
        )
        return self.run(
            "exec", "-T", "mongo", "mongosh", "--nodb", "--quiet", "--norc", "--eval", connect + script, timeout=timeout
        )


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Compose]:
    if reason := obstacle():
        pytest.skip(reason)
    project = f"fengqiao-test-{uuid.uuid4().hex[:8]}"
    ports = {name: free_port() for name in SERVICES}
    env = {name: value for name, value in os.environ.items() if not name.startswith("FENGQIAO_")}
    env |= {f"FENGQIAO_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    env |= {"FENGQIAO_IMAGE": "fengqiao:test", "FENGQIAO_SECRETS_DIR": str(tmp_path / "secrets")}
    secret_files.init(tmp_path / "secrets")  # ours, so that we can look for them in the logs afterwards
    (tmp_path / "secrets" / "token.key").unlink()  # and one that the stack has to make
    made = Compose(project, env, ports)
    made.run("build", timeout=600)
    try:
        yield made
    finally:
        made.run("down", "--volumes", "--remove-orphans", "--timeout", "40", timeout=150)
    label = f"label=com.docker.compose.project={project}"
    for kind in (("ps", "-a"), ("volume", "ls"), ("network", "ls")):
        assert docker(*kind, "-q", "--filter", label) == ""


def assert_hardened(compose: Compose) -> None:
    """Read-only, without capabilities, limited; nothing published but HTTP on the loopback address."""
    for name in (*RUNNING, *JOBS):
        found = compose.inspect(name)
        host, user = found["HostConfig"], found["Config"]["User"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert bool(host["CapAdd"]) == (name == "secrets"), name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Memory"] > 0 and host["PidsLimit"] > 0, name
        assert (user.split(":")[0] in {"0", "root", ""}) == (name == "secrets"), name
        assert all("PASSWORD=" not in line for line in found["Config"]["Env"]), name
        published = [b for bindings in (host["PortBindings"] or {}).values() for b in bindings]
        assert {b["HostIp"] for b in published} == ({"127.0.0.1"} if name in SERVICES else set()), name
        assert (host["RestartPolicy"]["Name"] == "unless-stopped") == (name in RUNNING), name
    for name in ("kafka", "mongo"):
        assert list(compose.inspect(name)["NetworkSettings"]["Networks"]) == [f"{compose.project}_backend"]


def feed(compose: Compose, folder: Path, first: int, count: int) -> None:
    """Send made-up messages through the intake as an operator would."""
    file = folder / f"messages-{first}.jsonl"
    rows = (
        {
            "id": str(number),
            "petitioner": f"P{number}",
            "submitted_at": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
            "title": "东湖小区电梯停运无人维修",
            "text": f"东湖小区{number}号楼电梯停运多日,老人上下楼困难,请尽快维修。联系电话{CANARY}。",
        }
        for number in range(first, first + count)
    )
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("fengqiao"), "replay", str(file), "--url", compose.url("intake")],
        cwd=folder,
        env=compose.env,
        timeout=150,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def settled(compose: Compose, stored: int) -> dict[str, int]:
    """Counts of the four databases, once all that is stored has been processed, or after 90 s as they are."""
    script = """
      const of = (service, collection, what = {}) =>
        db.getSiblingDB(`fengqiao_${service}`).getCollection(collection).countDocuments(what);
      const count = () => ({
        stored: of('intake', 'petitions'), waiting: of('intake', 'outbox', {pending: true}),
        screening: of('screening', 'petitions'), assessment: of('assessment', 'petitions'),
        warnings: of('alerts', 'warnings'),
      });
      const until = Date.now() + 90000;
      let now = count();
      while (Date.now() < until && (now.waiting || now.screening < STORED || now.assessment < STORED || !now.warnings)) {
        sleep(300);
        now = count();
      }
      print(JSON.stringify(now));
    """
    return json.loads(compose.query(script.replace("STORED", str(stored))).splitlines()[-1])


def test_every_container_is_killed_in_turn_and_nothing_is_lost(compose: Compose, tmp_path: Path) -> None:
    compose.up()
    assert_hardened(compose)
    feed(compose, tmp_path, 0, 40)
    stored = 40

    for name in ("screening", "alerts", "assessment", "kafka", "mongo", "intake"):
        docker("kill", f"{compose.project}-{name}-1")
        if name not in {"mongo", "intake"}:
            feed(compose, tmp_path, stored, 20)
            stored += 20
        docker("start", f"{compose.project}-{name}-1")
        if name in {"mongo", "intake"}:
            compose.until_healthy("intake")
            feed(compose, tmp_path, stored, 20)
            stored += 20
    compose.run("exec", "-T", "alerts", "python", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")

    counts = settled(compose, stored)
    assert counts.pop("warnings") >= 1
    processed = {"stored": stored, "waiting": 0, "screening": stored, "assessment": stored}
    assert counts == processed, compose.complaints()

    compose.up()  # the jobs run once more over what is there
    assert compose.inspect("alerts")["RestartCount"] == 1
    for name in SERVICES:
        compose.until_healthy(name)

    compose.run("stop", timeout=90)
    ended = {name: compose.inspect(name)["State"]["ExitCode"] for name in RUNNING}
    assert 137 not in ended.values(), f"killed because it did not stop in time: {ended}"
    said = compose.run("logs", "--no-color", timeout=60)
    assert CANARY not in said
    secrets = tmp_path / "secrets"
    assert (secrets / "token.key").exists()
    for secret in secrets.iterdir():
        if secret.name != "token.key":
            assert secret.read_text().strip() not in said, secret.name
