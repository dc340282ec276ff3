"""`fengqiao audit …`: verify the hash chains of the audit logs, and take anchors that make truncation visible."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

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


async def _verify(settings: ServiceSettings, services: list[str], anchors: Path | None) -> dict[str, Report]:
    found: dict[str, Report] = {}
    for service in services:
        mongo = _mongo(settings, service)
        try:
            found[service] = await audit.verify(mongo, _anchor(settings, service, anchors))
        finally:
            await mongo.close()
    return found


def _anchor(settings: ServiceSettings, service: str, folder: Path | None) -> Anchor | None:
    path = folder / f"{service}.anchor.json" if folder else None
    if path is None or not path.exists():
        return None
    try:
        anchor = Anchor.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise typer.BadParameter(f"{path}: {error}") from None
    if not audit.genuine(anchor, load_key(settings.secrets, "service", create=False)):
        raise typer.BadParameter(f"{path} is not signed by this installation's service key, or was changed")
    return anchor


@app.command("verify")
def verify(
    services: Services = None,
    anchors: Annotated[Path | None, typer.Option("--anchors", help="directory of anchors taken earlier")] = None,
) -> None:
    """Verify every chain. Ends with 1 and names the rows where something was edited, removed, inserted or cut off."""
    reports = asyncio.run(_verify(ServiceSettings(), _chosen(services), anchors))
    table = Table("service", "chains", "rows", "result")
    for service, report in reports.items():
        table.add_row(
            service, str(report.chains), str(report.rows), "ok" if report.ok else f"{len(report.findings)} findings"
        )
    console = Console()
    console.print(table)
    for service, report in reports.items():
        for finding in report.findings[:100]:
            console.print(f"[red]{service} {finding.chain}/{finding.n}: {finding.what}[/]", highlight=False)
    if any(not report.ok for report in reports.values()):
        raise typer.Exit(1)


async def _heads(settings: ServiceSettings, service: str) -> dict[str, tuple[int, str]]:
    mongo = _mongo(settings, service)
    try:
        return await audit.heads(mongo)
    finally:
        await mongo.close()


@app.command("anchor")
def anchor(
    folder: Annotated[Path, typer.Argument(help="directory to write to; keep a copy elsewhere")],
    services: Services = None,
) -> None:
    """Sign the heads of all chains as they are now. Rows cut off later, head and all, show against this file."""
    settings = ServiceSettings()
    key = load_key(settings.secrets, "service", create=settings.env == "demo")
    folder.mkdir(parents=True, exist_ok=True)
    for service in _chosen(services):
        sealed = audit.seal(asyncio.run(_heads(settings, service)), key, datetime.now(UTC))
        path = folder / f"{service}.anchor.json"
        path.write_text(sealed.to_json(), encoding="utf-8")
        Console().print(f"{path}: {len(sealed.heads)} chains, root {sealed.root[:16]}…", highlight=False)
