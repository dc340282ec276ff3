"""`fengqiao audit …`: verify the hash chains of the audit logs, and take anchors that make truncation visible."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.outputs import writing
from shared import audit
from shared.audit import Anchor, Report
from shared.keys import load_key
from shared.mongo import Mongo
from shared.settings import ServiceSettings

app = typer.Typer(help="The audit log: who did what and why, in hash chains.", no_args_is_help=True)
SERVICES: Final = ("intake", "screening", "alerts", "assessment")
Services = Annotated[list[str] | None, typer.Option("--service", help="only this service; repeat it")]


def _chosen(services: list[str] | None) -> list[str]:
    unknown = set(services or ()) - set(SERVICES)
    if unknown:
        raise typer.BadParameter(f"--service is one of {', '.join(SERVICES)}")
    return services or list(SERVICES)


def _mongo(settings: ServiceSettings, service: str) -> Mongo:
    prefix = settings.prefix.replace(".", "_")
    return Mongo(settings.mongo, f"{prefix}fengqiao_{service}", app_name="audit")


async def _verify(settings: ServiceSettings, anchors: Mapping[str, Anchor | None]) -> dict[str, Report]:
    found: dict[str, Report] = {}
    for service, anchor in anchors.items():
        mongo = _mongo(settings, service)
        try:
            found[service] = await audit.verify(mongo, anchor)
        finally:
            await mongo.close()
    return found


def _path(folder: Path, service: str) -> Path:
    return folder / f"{service}.anchor.json"


def _anchor(path: Path, key: bytes) -> Anchor:
    """The anchor in a file; ends with 2 where it is none of this installation's."""
    mend = "restore the copy that is kept elsewhere, or move the file away to do without it"
    try:
        anchor = Anchor.from_json(path.read_text(encoding="utf-8"))
    except ValueError:
        raise typer.BadParameter(f"{path} is not an audit anchor: {mend}") from None
    if not audit.genuine(anchor, key):
        raise typer.BadParameter(
            f"{path} is not signed by this installation's service key, or was changed: set FENGQIAO_SECRETS, {mend}"
        )
    return anchor


def _anchors(settings: ServiceSettings, services: list[str], folder: Path) -> dict[str, Anchor | None]:
    """The anchor of every service. One that is not there is not passed over: without it a cut end does not show."""
    missing = [service for service in services if not _path(folder, service).exists()]
    if missing:
        raise typer.BadParameter(
            f"{folder} holds no anchor of {', '.join(missing)}: name the folder that `fengqiao audit anchor` wrote to, "
            "or only the services it was taken of, by --service"
        )
    key = load_key(settings.secrets, "service", create=False)
    return {service: _anchor(_path(folder, service), key) for service in services}


@app.command("verify")
def verify(
    services: Services = None,
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", help="directory of anchors taken earlier", exists=True, file_okay=False),
    ] = None,
) -> None:
    """Verify every chain. Ends with 1 and names the rows where something was edited, removed, inserted or cut off."""
    settings, chosen = ServiceSettings(), _chosen(services)
    taken = _anchors(settings, chosen, anchors) if anchors else dict.fromkeys(chosen)
    reports = asyncio.run(_verify(settings, taken))
    table = Table("service", "chains", "rows", "result")
    for service, report in reports.items():
        table.add_row(
            service, str(report.chains), str(report.rows), "ok" if report.ok else f"{len(report.findings)} findings"
        )
    console = Console()
    console.print(table)
    for service, report in reports.items():
        _tell(console, service, report)
    if any(not report.ok for report in reports.values()):
        raise typer.Exit(1)


def _tell(console: Console, service: str, report: Report) -> None:
    for finding in report.findings[:100]:
        console.print(Text(f"{service} {finding.chain}/{finding.n}: {finding.what}", style="red"))


async def _heads(settings: ServiceSettings, service: str) -> dict[str, tuple[int, str]]:
    mongo = _mongo(settings, service)
    try:
        return await audit.heads(mongo)
    finally:
        await mongo.close()


@app.command("anchor")
def anchor(
    folder: Annotated[Path, typer.Argument(help="directory to write to; keep a copy elsewhere", file_okay=False)],
    services: Services = None,
) -> None:
    """Sign the heads of all chains as they are now. Rows cut off later, head and all, show against this file.

    An anchor that is there is verified first. It stays, and the command ends with 1, where the log does not continue it.
    """
    settings, chosen = ServiceSettings(), _chosen(services)
    key = load_key(settings.secrets, "service", create=settings.env == "demo")
    console, error = Console(soft_wrap=True, emoji=False), Console(stderr=True, soft_wrap=True, emoji=False)
    before = {service: _anchor(_path(folder, service), key) for service in chosen if _path(folder, service).exists()}
    refused = False
    for service in chosen:
        path = _path(folder, service)
        # The heads first: what is sealed is part of what is verified.
        sealed = audit.seal(asyncio.run(_heads(settings, service)), key, datetime.now(UTC))
        if service in before:
            report = asyncio.run(_verify(settings, {service: before[service]}))[service]
            if not report.ok:
                refused = True
                _tell(error, service, report)
                error.print(
                    f"{path} stays as it is: the log does not continue it. Find out what happened to the rows above; "
                    "keep the anchor as evidence, and move it away to take a new one all the same",
                    markup=False,
                    highlight=False,
                )
                continue
        with writing(path) as file:
            file.write(sealed.to_json().encode())
        console.print(f"{path}: {len(sealed.heads)} chains, root {sealed.root[:16]}…", markup=False, highlight=False)
    if refused:
        raise typer.Exit(1)
