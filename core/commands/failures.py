"""What went wrong with a command, in one line for the person who typed it."""

from __future__ import annotations

import click

from core.contract import MalvaError


def explain(error: Exception) -> str:
    """One line; a database's or the system's own words where they are clear, never a secret."""
    if isinstance(error, click.UsageError):
        help_ = f" ({error.ctx.command_path} --help)" if error.ctx else ""
        return _one_line(error.format_message()) + help_
    if isinstance(error, click.ClickException):
        return _one_line(error.format_message())
    if isinstance(error, MalvaError) or type(error).__name__ == "NewerDatabase":
        return _one_line(str(error))
    library = type(error).__module__.partition(".")[0]
    if library in ("sqlalchemy", "psycopg", "sqlite3"):
        return f"the database: {_database_says(error)} (MALVA_DATABASE_URL)"
    if isinstance(error, OSError):
        return _system_says(error)
    return f"{type(error).__name__}: {_one_line(str(error))} (this should not happen: report it)"


def _database_says(error: Exception) -> str:
    """The driver's own first line: SQLAlchemy adds the statement and its values below."""
    says = str(getattr(error, "orig", None) or error)
    return _one_line(says.strip().partition("\n")[0]) or type(error).__name__


def _system_says(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    return _one_line(f"{error.filename}: {what}" if error.filename else what)


def _one_line(text: str) -> str:
    return " ".join(text.split())
