"""`fengqiao policy check PATH…`: are the files right that steer the system?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.policyfiles import check

app = typer.Typer(help="Check the files that steer the system.", no_args_is_help=True)


@app.callback()
def policy() -> None:
    """Check the files that steer the system."""


@app.command("check")
def check_command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="files, or folders of them", exists=True)],
) -> None:
    """Read policy files as the services would: rules, clocks, escalation, plans, routing, units, lexicon, topics.

    Says what each file is, or what is wrong with it and on which line. Ends with 2 where a file is wrong.
    """
    found = check(paths)
    right = Console(soft_wrap=True)
    for one in found.right:
        right.print(f"{one.file}: {one.kind}: {one.says}", markup=False, highlight=False)
    errors = Console(stderr=True, soft_wrap=True)
    for line in found.wrong:
        errors.print(line, style="red", markup=False, highlight=False)
    if found.wrong:
        errors.print(
            f"errors: {len(found.wrong)}; files that are right: {len(found.right)}", markup=False, highlight=False
        )
        raise typer.Exit(2)
