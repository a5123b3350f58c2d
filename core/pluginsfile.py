"""plugins.toml: which plugins run, and with what, every mistake with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from core.domain.business import Business
from core.settings import SettingsError, reason

Kind = Literal["channels", "pos", "pages"]
KINDS: tuple[Kind, ...] = ("channels", "pos", "pages")


@dataclass(frozen=True, slots=True)
class PluginConfig:
    """A table such as `[channels.telegram]`.

    given     its keys as they are written, without `module` and `enabled`
    settings  the same with every `${NAME}` replaced, for an enabled plugin
    """

    kind: Kind
    name: str
    module: str
    enabled: bool
    given: Mapping[str, Any]
    settings: Mapping[str, Any] = field(repr=False)

    @property
    def table(self) -> str:
        return f"[{self.kind}.{self.name}]"


@dataclass(frozen=True, slots=True)
class PluginsFile:
    """plugins.toml, read. `secrets` are the values that came from the environment."""

    path: Path
    text: str = field(repr=False)
    business: Business
    plugins: tuple[PluginConfig, ...]
    secrets: frozenset[str] = field(repr=False)

    @property
    def enabled(self) -> list[PluginConfig]:
        return [plugin for plugin in self.plugins if plugin.enabled]

    def line(self, keys: Sequence[str | int]) -> int:
        """The line on which `keys`, or the nearest table above them, stands."""
        return line_of(self.text, keys)


def load_plugins_toml(path: Path, environ: Mapping[str, str]) -> PluginsFile:
    """Reads plugins.toml; what the plugins' own keys mean is left to `core.plugins`.

    Raises SettingsError with a problem a line: `plugins.toml:12: …`.
    """
    text = _read(path)
    reader = _Reader(path, text, environ)
    document = reader.parse()
    for key in document.keys() - {"business", *KINDS}:
        reader.wrong([key], f'there is no "{key}": business, {", ".join(KINDS)}')
    business = reader.business(document.get("business", {}))
    plugins = tuple(plugin for kind in KINDS for plugin in reader.plugins(kind, document))
    if reader.problems:
        raise SettingsError(*reader.in_order())
    return PluginsFile(path, text, business, plugins, frozenset(reader.secrets))


def line_of(text: str, keys: Sequence[str | int]) -> int:
    """The line of a TOML text, counted from 1, on which `keys` begin; of the longest part of them
    that there is. tomllib keeps no positions: the shortest beginning that has them tells."""
    keys = _existing(tomllib.loads(text), keys)
    lines = text.split("\n")
    begins = 1
    for end in range(1, len(lines) + 1):
        try:
            so_far = tomllib.loads("\n".join(lines[:end]) + "\n")
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value of several lines
        if len(_existing(so_far, keys)) == len(keys):
            return begins
        begins = end + 1
    return 1


def _existing(document: Any, keys: Sequence[str | int]) -> list[str | int]:
    found = []
    for key in keys:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            break
        found.append(key)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is not there: run malva beside it, or name it in MALVA_PLUGINS"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {reason(error)}") from None


_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class _Reader:
    """Reads one document and gathers everything that is wrong with it."""

    def __init__(self, path: Path, text: str, environ: Mapping[str, str]) -> None:
        self._path, self._text, self._environ = path, text, environ
        self.problems: list[tuple[int, str]] = []
        self.secrets: set[str] = set()

    def wrong(self, keys: Sequence[str | int], what: str) -> None:
        self.problems.append((line_of(self._text, keys), what))

    def in_order(self) -> list[str]:
        return [f"{self._path}:{line}: {what}" for line, what in sorted(self.problems)]

    def parse(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            what, _, place = str(error).rpartition(" (at ")
            line = re.match(r"line (\d+)", place)
            number = int(line[1]) if line else self._text.rstrip("\n").count("\n") + 1
            raise SettingsError(f"{self._path}:{number}: not TOML: {what or error}") from None
        except RecursionError:
            raise SettingsError(f"{self._path}:1: nested too deeply") from None

    def business(self, table: Any) -> Business:
        if not isinstance(table, dict):
            self.wrong(["business"], "business must be a table: [business]")
            return Business()
        known = {"name", "contact", "privacy_url"}
        for key, value in table.items():
            if key not in known:
                self.wrong(["business", key], f'[business] has no key "{key}"')
            elif not isinstance(value, str):
                self.wrong(["business", key], f"[business] {key} must be text in quotes")
        texts = {k: v for k, v in table.items() if k in known and isinstance(v, str)}
        texts = self._filled(texts, ["business"])
        if not texts.get("name", "Malva").strip():
            self.wrong(["business", "name"], "[business] name is empty")
        if (url := texts.get("privacy_url")) and urlsplit(url).scheme not in ("http", "https"):
            self.wrong(["business", "privacy_url"], "[business] privacy_url must be an address")
        return Business(**texts)

    def plugins(self, kind: Kind, document: Mapping[str, Any]) -> Iterator[PluginConfig]:
        tables = document.get(kind, {})
        if not isinstance(tables, dict):
            self.wrong([kind], f"{kind} must be tables, such as [{kind}.name]")
            return
        for name, table in tables.items():
            if (plugin := self._plugin(kind, name, table)) is not None:
                yield plugin

    def _plugin(self, kind: Kind, name: str, table: Any) -> PluginConfig | None:
        here = [kind, name]
        wrong = partial(self.wrong, here)
        if not isinstance(table, dict):
            wrong(f"{kind}.{name} must be a table: [{kind}.{name}]")
        elif not _NAME.fullmatch(name):
            wrong(f'"{name}" can\'t be a name: up to 32 of a-z, 0-9, - and _, a letter first')
        elif (kind, name) == ("pos", "api"):
            wrong('"api" is the till API\'s own name: call it something else')
        elif not isinstance(module := table.get("module"), str) or not module:
            wrong(f'[{kind}.{name}] names no module, such as module = "{kind}.{name}"')
        elif not isinstance(enabled := table.get("enabled", True), bool):
            self.wrong([*here, "enabled"], f"[{kind}.{name}] enabled must be true or false")
        else:
            given = {k: v for k, v in table.items() if k not in ("module", "enabled")}
            settings = self._filled(given, here) if enabled else {}
            return PluginConfig(kind, name, module, enabled, given, settings)
        return None

    def _filled(self, value: Any, keys: Sequence[str | int]) -> Any:
        """`value` with `${NAME}` replaced in every text in it."""
        if isinstance(value, dict):
            return {key: self._filled(inner, [*keys, key]) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner, [*keys, n]) for n, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        for name in _VARIABLE.findall(value):
            if found := self._environ.get(name):
                self.secrets.add(found)
            else:
                self.wrong(keys, f"{name} is not set: put it in the environment or in .env")
        return _VARIABLE.sub(lambda match: self._environ.get(match[1], ""), value)
