"""Whose Kafka and MongoDB `demo` and `bench` write to: those they start themselves, unless their user says otherwise."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from deploy.local.choose import named, without_password

VARIABLES: Final = {"FENGQIAO_KAFKA": "Kafka", "FENGQIAO_MONGO": "MongoDB"}
OnTheseServers = Annotated[
    bool,
    typer.Option(
        "--on-these-servers", help="write into the Kafka and MongoDB that FENGQIAO_KAFKA and FENGQIAO_MONGO name"
    ),
]


def agree(command: str, on_these_servers: bool) -> None:
    """End with 2 where a shell made for `dlq` or `progress` would send made-up petitions into the services it looks after."""
    found = named()
    if not found or on_these_servers:
        return
    for variable, address in found.items():
        typer.echo(f"{variable} is set: {VARIABLES[variable]} at {without_password(address)}", err=True)
    unset = " ".join(f"-u {variable}" for variable in found)
    typer.echo(
        f"`fengqiao {command}` would write made-up petitions there, and its services would take the names of those that "
        "run there; nothing was done.\n"
        f"To use servers of its own: env {unset} fengqiao {command} …\n"
        "To use these, which must hold nothing that counts: add --on-these-servers",
        err=True,
    )
    raise typer.Exit(2)


def announce() -> None:
    """Say on stderr where a benchmark is about to write."""
    found = named()
    for variable, what in VARIABLES.items():
        address = found.get(variable)
        whose = "its own, started here" if address is None else f"{without_password(address)}, which {variable} names"
        typer.echo(f"{what:<9}{whose}", err=True)
