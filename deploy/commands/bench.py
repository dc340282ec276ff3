"""`fengqiao bench …`: measures, prints a table, writes JSON. Each benchmark is a module of `deploy/bench`."""

import typer

app = typer.Typer(help="Measure, print a table, write JSON.", no_args_is_help=True)
