"""The `fengqiao` command: one entry, one module a command under `deploy/commands`."""

import typer

from deploy.commands import (
    audit,
    backtest,
    bench,
    classify,
    clocks,
    demo,
    dlq,
    link,
    progress,
    replay,
    secrets,
    topics,
    up,
)

app = typer.Typer(
    name="fengqiao",
    help="枫桥 Fengqiao: early warning and accountability for citizens' petitions.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.add_typer(audit.app, name="audit")
app.add_typer(bench.app, name="bench")
app.add_typer(classify.app, name="classify")
app.add_typer(progress.app, name="progress")
app.add_typer(dlq.app, name="dlq")
app.add_typer(topics.app, name="topics")
app.add_typer(secrets.app, name="secrets")
app.add_typer(backtest.policy_app, name="policy")
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("replay")(replay.replay)
app.command("link")(link.link)
app.command("clocks")(clocks.clocks)
app.command("backtest")(backtest.backtest)


def main() -> None:
    """Run the command line."""
    app()
