"""`malva guest`: what is held about a guest, erasing it, bringing guests from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands import now, opened

if TYPE_CHECKING:
    from core.storage.tx import Tx


@click.group()
def guest() -> None:
    """Guests."""


@guest.command("export")
@click.argument("id_", metavar="ID")
def guest_export(id_: str) -> None:
    """Print everything held about the guest with this public ID, as JSON."""
    import orjson

    from core.services import privacy

    with opened() as database:
        document = database.read_now(lambda tx: privacy.export(tx, _find(tx, id_)))
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


@guest.command("erase")
@click.argument("id_", metavar="ID")
def guest_erase(id_: str) -> None:
    """Erase the guest with this public ID: name, phone, addresses, messages. The sums stay."""
    from core.services import privacy

    with opened() as database:
        database.write_now(lambda tx: privacy.erase(tx, _find(tx, id_), now()))
    click.echo(f"guest {id_} is erased")


def _find(tx: Tx, public_id: str) -> int:
    from core.services import guests
    from core.services.errors import NotPossible

    found = guests.find(tx, public_id.strip().upper())
    if found is None:
        raise NotPossible(f'there is no guest "{public_id}"')
    return found


@guest.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def guest_import(file: Path) -> None:
    """Bring guests from a CSV FILE with a header: phone, name, language, opening balance, cafe.

    Each waits for its owner, whose phone a messenger proves. Where a row is wrong nothing is
    written and each wrong row is named; a second run of the same file changes nothing.
    """
    from core.services import importing
    from core.services.errors import NotPossible

    try:
        rows = importing.read_csv(file.read_text(encoding="utf-8-sig"))
        with opened() as database:
            done = database.write_now(importing.import_rows, rows, now())
    except UnicodeDecodeError:
        raise NotPossible(f"{file} is not UTF-8: save it as CSV UTF-8") from None
    except importing.BadRows as error:
        for line, what in error.problems:
            click.echo(f"{file}:{line}: {what}")
        raise
    click.echo(
        f"{done.added} new, {done.claimed} of them claimed at once by a number proven before; "
        f"{done.known} were here already"
    )
    if done.different:
        click.echo(f"{done.different} of these differ in the file: left as they were")
