"""`fengqiao secrets …`: key and password files, made where they are missing."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.docker import secret_files

app = typer.Typer(help="Make key and password files, and hand them out.", no_args_is_help=True)


@app.command("init")
def init(directory: Annotated[Path, typer.Argument(help="where the secret files are kept")]) -> None:
    """Make the secret files that DIRECTORY lacks; those that are there stay as they are."""
    taken = next((place for place in (directory, *directory.parents) if place.exists() and not place.is_dir()), None)
    if taken is not None:
        typer.echo(f"{taken} is a file; name a directory, which is made where it is missing", err=True)
        raise typer.Exit(2)
    try:
        made = secret_files.init(directory)
    except secret_files.SecretError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"made {', '.join(made)}" if made else "every secret is there")


@app.command("deliver")
def deliver(
    source: Annotated[Path, typer.Argument(help="where the secret files are kept; missing ones are made")],
    out: Annotated[Path, typer.Argument(help="directory with one volume a reader")],
) -> None:
    """Fill each container's volume with the secrets it needs, and no others. Run by docker-compose.yml, as root."""
    init(source)
    try:
        secret_files.deliver(source, out)
    except secret_files.SecretError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo("secrets are in place")


if __name__ == "__main__":  # the compose job: without loading every other command
    app()
