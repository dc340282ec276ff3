"""`fengqiao backtest FILE --policy P --out F`: replays messages through linking and rules, on event time, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from deploy.backtest.county import Run, uncollected, unusable
from deploy.backtest.figures import Difference, Figures, difference, figures
from deploy.backtest.report import span, write_report
from deploy.backtest.runner import replay
from deploy.outputs import check_outputs, drafted, writing
from deploy.rows import Strict, usable
from services.screening.policyfile import read_policies
from shared.messages import Message
from shared.yamlfile import ConfigError


def backtest(
    file: Annotated[Path, typer.Argument(help="messages: .jsonl, .csv or .xlsx", exists=True, dir_okay=False)],
    policy: Annotated[Path, typer.Option("--policy", help="the policy to replay", exists=True)],
    out: Annotated[Path, typer.Option("--out", help="JSONL to write, a flag a line, as first raised", dir_okay=False)],
    against: Annotated[
        Path | None, typer.Option("--against", help="another policy to compare with", exists=True)
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="also write a report with charts", dir_okay=False)] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", help="also write every transition: raised, updated, cleared", dir_okay=False),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="YAML, our field: the file's column", exists=True, dir_okay=False)
    ] = None,
    jurisdiction: Annotated[str, typer.Option("--jurisdiction", help="county of rows that name none")] = "000000",
    budget: Annotated[int, typer.Option("--budget", min=1, help="flags a week that can be checked")] = 10,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="processes; default: one a core")] = None,
    strict: Strict = False,
) -> None:
    """Flags per day, lead time before the fifth petitioner and the peak week, alert budget, difference of two policies.

    Message files say nothing of replies and deadlines, so the rules that need them (cross_level_risk by overdue or contest,
    pending_elsewhere, unanswered_repeat) have nothing to go by here.
    """
    console = Console(stderr=True, soft_wrap=True, markup=False, emoji=False)
    check_outputs({"--out": out, "--html": html, "--events": events}, file, policy, against, mapping)
    try:
        named = _named([(path, read_policies(path).all[-1].name) for path in (policy, against) if path is not None])
    except ConfigError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None
    with uncollected():
        good, _ = usable(file, mapping, console, strict=strict, check=unusable)
        runs = [_replay(console, good, path, name, jurisdiction, workers) for path, name in named]
    numbers = frozenset(message.id for message in good if message.numeric_id)
    _write(out, [told.line(numbers) for told in runs[0].raised])
    if events is not None:
        _write(events, [told.line(numbers) | {"what": told.what, "flag": told.flag.id} for told in runs[0].told])
    all_figures = [figures(run, good, name, budget) for run, (_, name) in zip(runs, named, strict=True)]
    diff = difference(runs[0], runs[1]) if len(runs) > 1 else None
    if html is not None:
        with drafted(html) as page:
            write_report(page, all_figures[0], all_figures[1] if len(all_figures) > 1 else None, diff)
    console.print(_table(all_figures))
    if diff is not None:
        console.print(_difference(diff, [name for _, name in named]))


def _named(policies: list[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Policies by names that differ: two of one name and version bear that of their file too, or its path where that is one."""
    if len({name for _, name in policies}) == len(policies):
        return policies
    files = [path.name for path, _ in policies]
    if len(set(files)) < len(files):
        files = [str(path) for path, _ in policies]
    return [(path, f"{name} ({file})") for (path, name), file in zip(policies, files, strict=True)]


def _replay(
    console: Console, messages: list[Message], policy: Path, name: str, county: str, workers: int | None
) -> Run:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(name, total=len(messages))
        return replay(messages, policy, county=county, workers=workers, tick=lambda n: progress.update(task, advance=n))


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with writing(path) as lines:
        lines.writelines(orjson.dumps(row) + b"\n" for row in rows)


def _table(columns: list[Figures]) -> Table:
    table = Table("", title="backtest 回测")
    for f in columns:
        table.add_column(Text(f.policy))
    rows = {
        "messages 件": [f"{f.messages:,}" for f in columns],
        "flags 苗头": [str(f.flags) for f in columns],
        "by kind 类型": [", ".join(f"{k} {n}" for k, n in sorted(f.by_kind.items())) or "–" for f in columns],
        "busiest day 最多一日": [str(f.busiest) for f in columns],
        "per week 每周": [f"{f.per_week:.2f}" for f in columns],
        f"weeks over {columns[0].budget} 超预算周": [str(f.weeks_over_budget) for f in columns],
        "matters of five in 30 days 五人事项": [str(len(f.crowds)) for f in columns],
        "flagged by the fifth 及时": [str(f.in_time) for f in columns],
        "flagged after 之后": [str(f.after) for f in columns],
        "missed 未预警": [str(f.missed) for f in columns],
        "median lead before the peak week 高峰周前": [_median(f) for f in columns],
        "late 迟到": [str(f.late) for f in columns],
        "petitions/s 件/秒": [f"{f.rate:,.0f}" for f in columns],
    }
    for name, values in rows.items():
        table.add_row(name, *map(Text, values))
    return table


def _median(f: Figures) -> str:
    leads = sorted(c.lead_peak for c in f.crowds if c.lead_peak is not None)
    return span((leads[(len(leads) - 1) // 2] + leads[len(leads) // 2]) / 2) if leads else "–"


def _difference(diff: Difference, names: list[str]) -> Table:
    table = Table("", "flags", title="difference 差别")
    table.add_row("in both 相同", str(diff.both))
    table.add_row("earlier / later / other level in the second", f"{diff.earlier} / {diff.later} / {diff.other_level}")
    for name, only in zip(names, (diff.only_first, diff.only_second), strict=True):
        table.add_row(Text(f"only {name}"), Text("\n".join(only) or "–"))
    return table
