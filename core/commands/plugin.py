"""`malva plugin`: a project of one's own for a channel or a till system."""

from __future__ import annotations

import re
from pathlib import Path

import click

SCAFFOLD = Path(__file__).parents[1] / "scaffold"
"""A project of each kind, complete, for a vendor called Acme."""
FILES = ("pyproject.toml", "README.md", "malva_acme.py", "tests/test_contract.py")
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 20


@click.group()
def plugin() -> None:
    """Plugins of your own."""


@plugin.command("new")
@click.argument("name")
@click.option("--kind", required=True, type=click.Choice(["channel", "pos"]))
@click.option(
    "--out",
    default=".",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder that the project's own is made in.",
)
def plugin_new(name: str, kind: str, out: Path) -> None:
    """Make a plugin project called NAME, which passes the contract kit as it is.

    Its README tells how to go on; docs/plugins.md explains the seam.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME or (kind, name) == ("pos", "api"):
        raise click.UsageError(
            f'"{name}" can\'t be its name: up to {LONGEST_NAME} of a-z, 0-9 and _, a letter first'
        )
    project = out / f"malva-{name.replace('_', '-')}"
    if project.exists():
        raise click.ClickException(f"{project} is there already")
    for file in FILES:
        text = (SCAFFOLD / kind / file).read_text(encoding="utf-8")
        target = project / renamed(file, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(renamed(text, name), encoding="utf-8")
    click.echo(f"{project} is ready; in it: pytest, then see its README.md")


def renamed(text: str, name: str) -> str:
    """Acme's scaffold with another name for Acme, in each of the ways that it is written."""
    for acme, other in (
        ("malva-acme", f"malva-{name.replace('_', '-')}"),
        ("x-acme-", f"x-{name.replace('_', '-')}-"),
        ("X-Acme-", f"X-{name.replace('_', '-').title()}-"),
        ("api.acme.example", f"api.{name.replace('_', '-')}.example"),
        ("ACME", name.upper()),
        ("Acme", name.replace("_", " ").title().replace(" ", "")),
        ("acme", name),
    ):
        text = text.replace(acme, other)
    return text
