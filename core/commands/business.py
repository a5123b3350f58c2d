"""`malva cafe`, `malva staff`, `malva till`: what the business consists of."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.commands import now, opened, settings


@click.group()
def cafe() -> None:
    """Cafes."""


@cafe.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="As guests see it.")
@click.option("--currency", default="RSD", show_default=True, help="ISO 4217.")
@click.option("--timezone", default="Europe/Belgrade", show_default=True)
def cafe_add(slug: str, name: str, currency: str, timezone: str) -> None:
    """Add a cafe, ready to serve.

    It has a programme of its own: 1 point for each 1.00 spent, a free coffee for 1,000 points.
    """
    from core.services import cafes

    with opened() as database:
        database.write_now(cafes.add, slug, name, currency.upper(), timezone, now())
    click.echo(f"{slug} is ready; its first till: malva till add {slug} NAME")


@cafe.command("list")
def cafe_list() -> None:
    """List the cafes: slug, name, currency, time zone."""
    from core.services import cafes

    with opened() as database:
        found = database.read_now(cafes.everyone)
    for one in found:
        click.echo(f"{one.slug}\t{one.name}\t{one.currency}\t{one.timezone}")


@cafe.command("poster")
@click.argument("slug")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
def cafe_poster(slug: str, out: Path) -> None:
    """Write the cafe's join posters, ready to print: a QR per messenger, as SVG and PNG."""
    from core.posting import write_posters

    with opened() as database:
        for path in write_posters(settings(), database, slug, out):
            click.echo(path)


@click.group()
def staff() -> None:
    """Members of staff."""


@staff.command("add")
@click.argument("login")
@click.option("--role", required=True, type=click.Choice(["owner", "manager", "cashier"]))
@click.option("--cafe", metavar="SLUG", help="Whose manager or cashier; an owner is of all cafes.")
@click.option("--name", help="As colleagues see it; the login where it is left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password, a line, from stdin.")
def staff_add(
    login: str, role: str, cafe: str | None, name: str | None, password_stdin: bool
) -> None:
    """Add a member of staff; asks for the password."""
    password = _password(password_stdin)  # asked at once: the imports take a moment

    from core.services import staff

    password_hash = staff.hash_password(password)
    with opened() as database:
        slugs = [cafe] if cafe else []
        database.write_now(staff.add, login, name or login, role, slugs, password_hash, now())
    click.echo(f"{login} may sign in as {role}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: give --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@click.group()
def till() -> None:
    """Tills."""


@till.command("add")
@click.argument("cafe")
@click.argument("name")
@click.option("--station", metavar="ID", help="The POS's own id of this till.")
def till_add(cafe: str, name: str, station: str | None) -> None:
    """Add a till of CAFE and print its bearer token, alone; it is not shown again."""
    from core.services import tills

    with opened() as database:
        token = database.write_now(tills.add, cafe, name, station, now())
    click.echo(token)
