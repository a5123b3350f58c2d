"""Brings the .po files up to date with the source: `python -m locales.update`.

What was translated stays, what the source no longer says goes, and what is new comes in without a
translation (in English: as it is). The files carry no places, dates or hosts, so a diff
shows words only.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages import Catalog
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po
from jinja2 import Environment, nodes

from core.i18n import CATALOGS, LANGUAGES, catalog

ROOT = Path(__file__).parent.parent
_EVERYWHERE = {"_": None, "ngettext": (1, 2), "N_": None}
_OURS = _EVERYWHERE | {"text": None, "count": (1, 2)}
KEYWORDS: dict[str, dict[str, Any]] = {
    "core": _OURS,
    "portal": _OURS,
    "channels": _EVERYWHERE | {"translate": (2,)},  # of the gateway: language, text
}
"""By folder: functions and methods, and which of their arguments are texts (None: the first)."""
METHODS = (
    ("core/storage/**", "ignore"),
    ("core/**.py", "locales.update:extract_python"),
    ("channels/**.py", "locales.update:extract_python"),
    ("portal/**.py", "locales.update:extract_python"),
    ("**/templates/**.html", "locales.update:extract_template"),
)
_DATABASE = ("sa", "sqlalchemy")  # their `text` is SQL

Found = tuple[int, str, tuple[str | None, ...], list[str]]
"""Line, function, its arguments (None: not a literal), comments: what Babel wants."""


def gather() -> Catalog:
    """Every text of the source."""
    found = Catalog()
    for folder, keywords in KEYWORDS.items():
        methods = [(pattern.removeprefix(f"{folder}/"), method) for pattern, method in METHODS]
        for _, _, text, _, _ in extract_from_dir(ROOT / folder, methods, keywords=keywords):
            found.add(text)
    return found


def extract_python(
    file: IO[bytes], keywords: Mapping[str, Any], tags: object, options: object
) -> Iterator[Found]:
    """Calls of `keywords` in Python, whatever the object (`w.text("…")`)."""
    for node in ast.walk(ast.parse(file.read())):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Attribute) and not _is_database(called.value):
            name = called.attr
        elif isinstance(called, ast.Name) and called.id == "N_":
            name = called.id
        else:
            continue
        if name in keywords:
            yield node.lineno, name, tuple(_literal(argument) for argument in node.args), []


def extract_template(
    file: IO[bytes], keywords: Mapping[str, Any], tags: object, options: object
) -> Iterator[Found]:
    """Calls of `keywords` in a Jinja template: `_("…", name=…)`, `ngettext("…", "…", n)`."""
    tree = Environment(autoescape=True, extensions=["jinja2.ext.do"]).parse(file.read().decode())
    for node in tree.find_all(nodes.Call):
        called = node.node
        name = getattr(called, "name", None) or getattr(called, "attr", None)
        if isinstance(name, str) and name in keywords:
            yield node.lineno, name, tuple(_constant(argument) for argument in node.args), []


def update(language: str, found: Catalog) -> bytes:
    """The language's file as it should be."""
    known = catalog(language)
    merged = Catalog(locale=known.locale)
    for message in found:
        if message.id:
            before = known.get(_id(message))
            string = before.string if before and before.id == message.id else None
            if language == "en" and not string:
                string = message.id
            merged.add(message.id, string)
    body = BytesIO()
    write_po(body, merged, width=100, omit_header=True, sort_output=True, no_location=True)
    return _header(language, known).encode() + body.getvalue()


def main() -> None:
    found = gather()
    for language in LANGUAGES:
        path = CATALOGS / language / "LC_MESSAGES" / "malva.po"
        path.write_bytes(update(language, found))
        missing = [message for message in catalog(language) if message.id and not _done(message)]
        sys.stdout.write(f"{language}: {len(found)} texts, {len(missing)} to translate\n")


def _header(language: str, known: Catalog) -> str:
    return (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Plural-Forms: {known.plural_forms}\\n"\n\n'
    )


def _id(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _done(message: Message) -> bool:
    string = message.string
    return bool(string) if isinstance(string, str) else all(string or [""])


def _is_database(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _DATABASE


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _constant(node: nodes.Node) -> str | None:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


if __name__ == "__main__":
    main()
