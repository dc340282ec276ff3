"""The whole system for a benchmark: started in a folder of its own, fed over HTTP, counted in its stores."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from deploy.local.supervise import Supervisor
from shared.mongo import Mongo

SERVICES: Final = ("intake", "screening", "alerts", "assessment")
COUNTIES: Final = tuple(f"{n:06d}" for n in range(370901, 370913))
_SUBJECTS: Final = ("工资", "物业费", "噪声", "拆迁补偿", "自来水", "供暖", "道路积水", "公交线路", "油烟", "房产证")
_PLACES: Final = ("东湖", "南山", "西河", "北辰", "金桥", "银杏", "石门", "柳林", "长青", "望岳")
_KINDS: Final = ("小区", "工业园", "村", "市场", "学校")


@dataclass(frozen=True)
class Draft:
    """A made-up petition: its key and the body of the request."""

    key: str
    body: dict[str, Any]


def draft(n: int, run: str, draw: random.Random) -> Draft:
    """Petition number `n` of a run; what it is about is drawn, so that some matters gather several people."""
    place = f"{draw.choice(_PLACES)}{draw.choice(_KINDS)}{draw.randint(1, 400)}号"
    subject = draw.choice(_SUBJECTS)
    body = {
        "channel": draw.choice(("hotline_12345", "web_portal", "letter")),
        "jurisdiction": draw.choice(COUNTIES),
        "title": f"{place}的{subject}问题",
        "text": f"{place}的{subject}问题一直没有解决，已经向有关部门反映过，请尽快处理并答复。编号{n}。",
        "petitioner_ref": f"{run}-{draw.randint(0, 10**9)}",
        "external_id": f"{run}-{n}",
    }
    return Draft(f"{run}-{n}", body)


def visit(n: int, run: str, draw: random.Random) -> Draft:
    """A visit of six people on a matter of its own: a warning must come of it."""
    one = draft(n, run, draw)
    words = "".join(chr(draw.randint(0x4E00, 0x9FA5)) for _ in range(60))  # like no other: a matter of its own
    body = {
        **one.body,
        "channel": "visit",
        "title": f"{words[:8]}工资",
        "text": f"{words[:8]},{words[8:30]}。{words[30:]}。",
        "headcount": 6,
        "representatives": 3,
    }
    return Draft(one.key, body)


class System:
    """A running system and the ways to feed and count it."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    @property
    def tokens(self) -> Mapping[str, str]:
        """Tokens by role."""
        return dict(self.supervisor.ready["tokens"])

    def url(self, service: str) -> str:
        """Base URL of a service."""
        return self.supervisor.url(service)

    def mongo(self, service: str) -> Mongo:
        """The database of a service, to count in."""
        return Mongo(self.supervisor.stack.mongo, f"fengqiao_{service}", app_name="bench")

    async def file(self, client: httpx.AsyncClient, one: Draft, *, patience_s: float = 120) -> str:
        """File a petition until it is answered with 201: a client that does not know the outcome asks again."""
        until = time.monotonic() + patience_s
        while True:
            try:
                answer = await client.post(
                    f"{self.url('intake')}/v1/petitions", json=one.body, headers={"Idempotency-Key": one.key}
                )
                if answer.status_code == 201:
                    return str(answer.json()["petition_id"])
                if answer.status_code < 500 and answer.status_code not in (408, 425, 429):
                    raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
            except httpx.TransportError:
                pass
            if time.monotonic() > until:
                raise TimeoutError("the intake did not answer")
            await asyncio.sleep(0.2)

    def cpu(self) -> dict[str, float]:
        """CPU seconds used so far, by process name."""
        used = {}
        for name, pid in self.supervisor.pids.items():
            try:
                used[name] = sum(psutil.Process(pid).cpu_times()[:2])
            except psutil.Error:
                used[name] = 0.0
        return used


@contextmanager
def system(say: Callable[[str], None] = lambda line: None, **environment: str) -> Iterator[System]:
    """Run everything in a temporary folder for the length of a `with` block."""
    with (
        tempfile.TemporaryDirectory(prefix="fengqiao-bench-", ignore_cleanup_errors=True) as folder,
        Supervisor(Path(folder), quiet=True, reuse=False, say=say, environment=environment) as supervisor,
    ):
        yield System(supervisor)


async def until(check: Callable[[], Awaitable[bool]], *, seconds: float, what: str, every: float = 0.2) -> float:
    """Wait for `check`; returns the seconds it took, raises TimeoutError with `what`."""
    started = time.monotonic()
    while not await check():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"{what} did not come about in {seconds:.0f} s")
        await asyncio.sleep(every)
    return time.monotonic() - started
