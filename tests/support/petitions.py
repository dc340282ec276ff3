"""Made-up petitions for the tests of screening: a few matters, many people, any order."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.screening.domain.engine import County
from services.screening.domain.flags import Flag
from services.screening.domain.outcome import Filed, Outcome
from services.screening.domain.petitions import Decision, Filing, Step
from services.screening.domain.policy import Policies
from services.screening.policyfile import read_policies

COUNTY = "379911"
DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
POLICY = Path(__file__).resolve().parents[2] / "deploy" / "policy"
POLICIES = read_policies(POLICY)
MATTERS = (
    ("翠湖花园小区地下车库漏水严重", "翠湖花园小区地下车库长期漏水，车辆被淹，物业多次推诿不处理，请督促维修。"),
    ("宏达纺织厂拖欠工人三个月工资", "宏达纺织厂从去年底开始拖欠工资，三个月没有发放，老板联系不上，请帮助讨薪。"),
    ("青石村征地补偿款迟迟没有到位", "青石村修路占用承包地，征地补偿款承诺年底发放，到现在村里没有公布也没有到位。"),
    ("永安路烧烤店油烟扰民", "永安路夜市烧烤店油烟直排，居民楼整夜开不了窗，噪音到凌晨，希望有人来管。"),
)


def filed(
    n: int,
    matter: int = 0,
    *,
    at: datetime | None = None,
    petitioner: str | None = None,
    text: str | None = None,
    minutes: float = 0,
    **more: Any,
) -> Filed:
    """Petition number `n` on one of `MATTERS`, worded a little differently from the others unless `text` is given."""
    title, body = MATTERS[matter]
    words = random.Random(n).sample("盼复望尽快解决谢谢领导关注核实情况非常着急", 6)
    own = text if text is not None else f"{body}{''.join(words)}（{n}）"
    filing = Filing(
        id=f"p{n:05d}",
        county=COUNTY,
        petitioner=petitioner or f"who{n}",
        at=at or START + timedelta(minutes=minutes),
        channel=more.pop("channel", "hotline_12345"),
        title=title,
        **more,
    )
    return Filed(filing, own)


def step(id: str, petition: Filed | str, kind: Any, at: datetime, **more: Any) -> Step:
    """A step of a petition."""
    pid = petition if isinstance(petition, str) else petition.filing.id
    return Step(id, pid, kind, at, **more)


def county(policies: Policies = POLICIES) -> County:
    """An engine with nothing in it."""
    return County(COUNTY, policies)


def feed(*items: Filed | Step | Decision, policies: Policies = POLICIES) -> County:
    """An engine that heard these, one after the other."""
    engine = county(policies)
    for item in items:
        engine.apply([item])
    return engine


def flags(engine: County, kind: str) -> list[Flag]:
    """Its flags of one kind, cleared ones too."""
    return [flag for flag in engine.flags() if flag.kind == kind]


def rule(kind: str, **numbers: Any) -> Policies:
    """The packaged policy with other numbers for one rule."""
    base = POLICIES.all[-1]
    changed = replace(getattr(base.rules, kind), **numbers)
    return Policies([replace(base, rules=replace(base.rules, **{kind: changed}))])


def raised(out: Outcome, kind: str | None = None) -> list[Flag]:
    """Flags raised in an outcome."""
    return [n.flag for n in out.notices if n.what == "raised" and kind in (None, n.flag.kind)]


def matters_of(engine: County) -> dict[str, str]:
    """Petition → the matter it belongs to."""
    return {pid: placed.matter for pid, placed in engine.placed.items()}
