"""The `malva` command. Every command ends with 0, or with one clear line on standard error.

What a command needs is imported when it runs, so that `malva --help` is quick and a plugin's
libraries stay out of the way.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.commands import settings
from core.commands.business import cafe, staff, till
from core.commands.guests import guest
from core.commands.plugin import plugin


@click.group(invoke_without_command=True)
@click.version_option(package_name="malva")
@click.pass_context
def malva(context: click.Context) -> None:
    """A loyalty gateway for cafes: messengers on one side, tills on the other.

    Settings come from the environment and from .env, plugins from plugins.toml; see
    docs/operations.md.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _group in (cafe, staff, till, guest, plugin):
    malva.add_command(_group)

_port = click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
_file = click.argument("file", type=click.Path(path_type=Path))


@malva.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_port
def serve(host: str, port: int) -> None:
    """Serve: bring the database up to date, start the plugins, answer."""
    told = settings()
    if not told.secret_key:
        from core.keys import HOW_TO_MAKE
        from core.settings import SettingsError

        raise SettingsError(f"MALVA_SECRET_KEY is not set; {HOW_TO_MAKE}")
    from core.serving import serve

    serve(told, told.plugins, host, port)


@malva.command()
@_port
@click.option("--reset", is_flag=True, help="Start afresh: the demo's data are thrown away.")
def demo(port: int, reset: bool) -> None:
    """Serve a sample chain of cafes from a database of its own; needs no settings."""
    from core.demo import run

    run(port, reset)


@malva.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from core.storage.database import Database
    from core.storage.migrate import migrate

    database = Database(settings().database_url)
    try:
        before, after = migrate(database)
    finally:
        database.close()
    click.echo(f"{before or 'empty'} -> {after}{' (nothing to do)' if before == after else ''}")


@malva.command()
@click.option("--offline", is_flag=True, help="Leave out asking the providers.")
def check(offline: bool) -> None:
    """Check settings, plugins, catalogs, database and ledger; ask each provider."""
    import os

    from core.checks import check_all

    findings = check_all(os.environ, offline=offline)
    for finding in findings:
        click.echo(" ".join(filter(None, (f"{finding.id}: {finding.message}", finding.hint))))
    errors = sum(finding.level == "error" for finding in findings)
    if errors:
        raise click.ClickException(f"{errors} of {len(findings)} findings are errors")
    if not findings:
        click.echo("all is well")


@malva.command()
def plugins() -> None:
    """List the plugins of plugins.toml with their settings, secrets masked."""
    from core.inventory import describe
    from core.pluginsfile import load_plugins_toml

    told = settings()
    lines, faulty = describe(load_plugins_toml(told.plugins, told.environ))
    for line in lines:
        click.echo(line)
    if faulty:
        raise click.ClickException(f"{faulty} of the plugins can't be used")


@malva.command()
@_file
def backup(file: Path) -> None:
    """Write a consistent copy of the database to FILE, while serving."""
    from core.backup import backup

    backup(settings().database_url, file)
    click.echo(f"{file} holds the database; MALVA_SECRET_KEY belongs to it and is kept elsewhere")


@malva.command()
@_file
def restore(file: Path) -> None:
    """Fill an empty database from the backup FILE."""
    from core.backup import restore

    restore(settings().database_url, file)
    click.echo(f"restored from {file}")


def main() -> None:
    """Runs a command; whatever goes wrong is told in one line."""
    try:
        code = malva.main(prog_name="malva", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as help_:
        click.echo(help_.format_message())
        code = 0
    except (click.Abort, KeyboardInterrupt):
        click.echo("malva: interrupted", err=True)
        code = 130
    except BrokenPipeError:
        sys.stdout = None  # nobody reads it: don't flush it at exit
        code = 1
    except Exception as error:
        from core.commands.failures import explain

        click.echo(f"malva: {explain(error)}", err=True)
        code = 2 if isinstance(error, click.UsageError) else 1
    sys.exit(code if isinstance(code, int) else 0)
