"""A made-up busy night of a district as flags: what the pictures in the docs show."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.events import Bilingual, Event, Evidence, FlagRaised, FlagUpdated, RuleRef, derived_id, new_event

COUNTY: Final = "379911"
TOWNS: Final = ("379911001", "379911002", "379911102", "379911103", "379911104")
CHANNELS: Final = ("hotline_12345", "web_portal", "visit", "letter", "petition_line")
ARTICLE: Final = {
    "collective_visit": "信访工作条例 第二十条；内部做法",
    "cross_level_visit": "信访工作条例 第十九条",
    "over_representatives": "信访工作条例 第二十条",
    "reprisal_risk": "信访工作条例 第三十条",
}
MATTERS: Final = (
    ("life_safety", "来电人称讨薪无果，流露轻生念头", "labour_dispute", "hr_social_security_bureau", 1, 1),
    (
        "collective_visit",
        "宏达机械厂拖欠三个月工资，工人到区政府集体来访",
        "labour_dispute",
        "hr_social_security_bureau",
        31,
        4,
    ),
    ("collective_risk", "云锦花园地下车库强制收费，业主多次反映", "urban_construction", "construction_bureau", 18, 0),
    ("cross_level_visit", "锦绣社区拆迁安置户越级到市走访", "demolition_resettlement", "construction_bureau", 6, 2),
    ("cross_level_risk", "桥头村征地补偿款未到位，村民称将赴省", "land_expropriation", "land_resources_branch", 12, 3),
    (
        "over_representatives",
        "渣土车夜间噪声，来访代表超过五人",
        "environmental_protection",
        "environment_bureau",
        9,
        1,
    ),
    ("unanswered_repeat", "塑料厂异味扰民，逾期未答复再次反映", "environmental_protection", "environment_bureau", 7, 0),
    ("collective_risk", "实验小学分班公示不清，家长接连反映", "basic_education", "education_bureau", 14, 2),
    ("pending_elsewhere", "物业纠纷诉讼期间再次反映", "litigation_related", "district_court", 5, 4),
    (
        "collective_risk",
        "青石镇农贸市场搬迁补偿标准不一",
        "comprehensive_enforcement",
        "urban_management_bureau",
        11,
        3,
    ),
    ("unanswered_repeat", "医保报销材料反复退回", "social_insurance", "hr_social_security_bureau", 6, 1),
    ("cross_level_risk", "回迁房逾期交付，住户约定集体上访", "demolition_resettlement", "construction_bureau", 21, 0),
)


def flags(now: datetime, *, run: str, seed: int = 7) -> Iterator[Event]:
    """Each matter as it grew: a flag raised, then two updates."""
    draw = random.Random(seed)
    for number, (kind, title, topic, department, people, town) in enumerate(MATTERS):
        matter = f"night-{number}"
        times = sorted(
            now - timedelta(hours=draw.expovariate(1 / 60), minutes=draw.randint(3, 50)) for _ in range(people)
        )
        for counted in sorted({max(1, people // 3), max(1, people * 2 // 3), people}):
            at = times[counted - 1].astimezone(UTC)
            first = counted == max(1, people // 3)
            data = (FlagRaised if first else FlagUpdated)(
                flag_id=f"flag-{matter}",
                kind=kind,
                matter=matter,
                jurisdiction=COUNTY,
                petition_ids=tuple(f"{matter}-{n:02d}" for n in range(counted)),
                petitioners=tuple(f"{number:04x}{n:04x}" for n in range(counted)),
                distinct_petitioners=counted,
                headcount=people if kind == "collective_visit" else 0,
                level="III",
                rule=RuleRef(id=kind, version=3, policy="base@2026.1", basis=ARTICLE.get(kind, "内部做法")),
                threshold=1 if kind == "life_safety" else 5,
                observed=counted,
                margin=counted - (1 if kind == "life_safety" else 5),
                explanation=Bilingual(
                    zh=f"近 30 天内 {counted} 名不同信访人反映“{title}”，达到规则阈值；增速高于本事项与全区以往水平。",
                    en=f"{counted} different petitioners on this matter within 30 days; faster than it and the district were.",
                ),
                counter_evidence=(
                    Bilingual(
                        zh="其中部分来自同一小区，措辞相近。", en="Some come from one estate and use like words."
                    ),
                ),
                evidence=tuple(
                    Evidence(petition_id=f"{matter}-{n:02d}", at=times[n], channel=draw.choice(CHANNELS))
                    for n in range(counted)
                ),
                at=at,
                title=title,
                topic=topic,
                responsible_unit=f"{COUNTY}.{department}",
                town=TOWNS[town],
            )
            id = derived_id(run, matter, str(counted))
            trace = f"00-{'a' * 32}-{'b' * 16}-01"
            yield new_event(data, id=id, source="/screening", time=at, traceparent=trace)
