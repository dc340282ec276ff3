"""Kafka's jars: fetched once by Maven or, without it, by jgo; kept in the user's cache; checked by pinned SHA-256.

`kafka-jars.sha256` beside this file lists them as paths of a Maven repository, so that a name is a coordinate.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.local.children import Children, end
from deploy.local.errors import UnavailableError, log_tail

KAFKA = "4.3.1"
_LOG4J = "2.25.4"  # what Kafka brings; without its bridge the broker writes no log
_LIST = Path(__file__).with_name("kafka-jars.sha256")
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>fengqiao</groupId><artifactId>local-kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version>
</dependency><dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
<version>{_LOG4J}</version></dependency></dependencies></project>
"""
_LONGEST = 900.0  # seconds a download may take
_AT_ONCE = 6  # jars that jgo fetches at a time

Progress = Callable[[int, int, str], None]  # done, total, what


def cache_dir() -> Path:
    """Return the directory that keeps downloads over runs: FENGQIAO_CACHE, else the user's cache."""
    if named := os.environ.get("FENGQIAO_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fengqiao"


def pinned() -> dict[str, str]:
    """Return path in the repository → SHA-256 (hex) of every jar."""
    rows = (line.split() for line in _LIST.read_text(encoding="ascii").splitlines() if line.strip())
    return {name: digest for digest, name in rows}


def differing(folder: Path) -> list[str]:
    """Return the pinned jars that are missing from `folder` or have other contents."""

    wanted = pinned()
    with ThreadPoolExecutor(2) as pool:
        right = pool.map(lambda item: is_pinned(folder / item[0], item[1]), wanted.items())
        return [name for name, good in zip(wanted, right, strict=True) if not good]


def is_pinned(file: Path, digest: str) -> bool:
    """Return whether `file` can be read and has this SHA-256 (hex)."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == digest
    except OSError:
        return False


def classpath(children: Children, log: Path, progress: Progress) -> str:
    """Return Kafka's class path, fetching the jars first if they are not in the cache.

    Maven runs as one of `children` and writes to `log`. An exception that `progress` raises ends the fetching.
    Raises UnavailableError when they cannot be had or are not the pinned ones.
    """
    home = cache_dir() / f"kafka-{KAFKA}"
    with _locked(home.parent, home.name + ".lock"):
        if differing(home):
            _fill(home, children, log, progress)
    return os.pathsep.join(str(home / name) for name in pinned())


def _fill(home: Path, children: Children, log: Path, progress: Progress) -> None:
    names = list(pinned())
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetch-") as draft_name:
        draft = Path(draft_name)
        if shutil.which("mvn"):
            _by_maven(draft, names, children, log, progress)
        else:
            _by_jgo(draft, names, progress)
        if wrong := differing(draft):
            listed = "\n".join(f"    {name}" for name in wrong[:8])
            raise UnavailableError(
                f"{len(wrong)} of the {len(names)} jars of Kafka {KAFKA} are missing or are not the pinned ones "
                f"(deploy/local/kafka-jars.sha256):\n{listed}\n"
                "  The repository or a proxy between gives other files. Nothing was kept."
            )
        for name in names:
            target = home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (draft / name).replace(target)


def _by_maven(into: Path, names: list[str], children: Children, log: Path, progress: Progress) -> None:
    pom = into / "pom.xml"
    pom.write_text(_POM, encoding="utf-8")
    command = [
        *("mvn", "--quiet", "--batch-mode", "--file", str(pom), "dependency:copy-dependencies"),
        *(f"-DoutputDirectory={into}", "-Dmdep.useRepositoryLayout=true", "-DincludeScope=runtime"),
    ]
    run = children.spawn(command, log=log)
    try:
        until = time.monotonic() + _LONGEST
        while run.poll() is None and time.monotonic() < until:
            progress(sum((into / name).exists() for name in names), len(names), "Maven")
            time.sleep(0.2)
    finally:
        end([run], grace=0)
    if run.returncode != 0:
        raise UnavailableError(
            f"Maven could not fetch the jars of Kafka {KAFKA}. The end of {log}:\n{log_tail(log, 8)}\n"
            "  Check the network and ~/.m2/settings.xml, or name a running broker in FENGQIAO_KAFKA."
        )


def _by_jgo(into: Path, names: list[str], progress: Progress) -> None:
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError:
        raise UnavailableError(
            "Kafka's jars are not in the cache, and there is neither Maven nor the package jgo to fetch them. "
            "Run `pip install 'fengqiao[local]'`, or name a running broker in FENGQIAO_KAFKA."
        ) from None
    context = MavenContext(repo_cache=into, resolver=PythonResolver(), timeout=60)

    def fetch(name: str) -> None:
        *group, artifact, version, _file = name.split("/")
        context.project(".".join(group), artifact).at_version(version).artifact().resolve()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for done, _ in enumerate(pool.map(fetch, names), start=1):
                progress(done, len(names), "jgo")
        except Exception as error:  # requests, jgo and urllib3 each have their own
            pool.shutdown(wait=False, cancel_futures=True)
            raise UnavailableError(
                f"the jars of Kafka {KAFKA} could not be fetched: {error}\n"
                "  Check the network, or name a running broker in FENGQIAO_KAFKA."
            ) from error


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Hold a lock file: two runs at once must not fetch the same jars over each other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
