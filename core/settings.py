"""Process settings from the environment, and plugins.toml.

Everything that is wrong is said in a line that names the place and what to do; nothing that may be
a secret is ever part of it. `SettingsError.problems` has all of it, `str()` the first.
"""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from core.contract import MalvaError
from core.keys import HOW_TO_MAKE

NAMES = (
    "MALVA_DATABASE_URL",
    "MALVA_PUBLIC_URL",
    "MALVA_SECRET_KEY",
    "MALVA_TRUSTED_PROXIES",
    "MALVA_METRICS_TOKEN",
    "MALVA_PLUGINS",
    "MALVA_LOG",
)

Kind = Literal["channels", "pos", "pages"]
KINDS: tuple[Kind, ...] = ("channels", "pos", "pages")


class SettingsError(MalvaError):
    """Settings that Malva can't start with. `problems`: one line each."""

    def __init__(self, *problems: str) -> None:
        more = f" (and {len(problems) - 1} more: malva check)" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)
        self.problems = problems


# -- the environment -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """What the process was told. `environ` is the environment with `.env` beneath it; plugins.toml
    takes its `${NAME}` from there.

    public_url       without a slash at its end
    secret_key       Fernet keys, comma-separated, the first in use; "" where none is set
    trusted_proxies  addresses and networks whose forwarded headers count
    """

    database_url: str = field(default="sqlite:///malva.db", repr=False)
    public_url: str = "http://127.0.0.1:8000"
    secret_key: str = field(default="", repr=False)
    trusted_proxies: tuple[str, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)
    plugins: Path = Path("plugins.toml")
    log: Literal["text", "json"] = "text"
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], dotenv: Path | None = Path(".env")
    ) -> Settings:
        """Reads MALVA_…, each also as MALVA_…_FILE. The environment goes before `dotenv`, which
        need not exist. Raises SettingsError."""
        merged = {**_read_dotenv(dotenv), **environ}
        values: dict[str, Any] = {"environ": merged}
        problems = []
        for name in NAMES:
            try:
                if (text := _value_of(name, merged)) is not None:
                    values[name.removeprefix("MALVA_").lower()] = _PARSERS[name](text)
            except ValueError as error:
                problems.append(f"{name} {error}")
        if problems:
            raise SettingsError(*problems)
        return cls(**values)

    def secrets(self) -> set[str]:
        """Values that must never be seen in a log."""
        password = urlsplit(self.database_url).password or ""
        known = {*self.secret_key.split(","), self.metrics_token or "", password, unquote(password)}
        return known - {""}


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Names that look like a setting of ours and are none: most likely misspelt."""
    known = {*NAMES, *(f"{name}_FILE" for name in NAMES), "MALVA_TEST_POSTGRES"}
    return sorted(name for name in environ if name.startswith("MALVA_") and name not in known)


def _read_dotenv(path: Path | None) -> dict[str, str]:
    from dotenv.parser import parse_stream  # gives the line of what it can't read

    if path is None or not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {_reason(error)}") from None
    found = {}
    for binding in parse_stream(StringIO(text)):
        if binding.error or (binding.key and binding.value is None):
            blank = len(binding.original.string) - len(binding.original.string.lstrip("\n"))
            line = binding.original.line + blank
            raise SettingsError(f"{path}:{line}: not of the form NAME=value")
        if binding.key and binding.value is not None:
            found[binding.key] = binding.value
    return found


def _value_of(name: str, environ: Mapping[str, str]) -> str | None:
    """The value, or the content of the file that NAME_FILE names; an empty one counts as unset."""
    value, file = environ.get(name, "").strip(), environ.get(f"{name}_FILE", "").strip()
    if value and file:
        raise ValueError(f"and {name}_FILE are both set: keep one of them")
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"can't be read from {file}: {_reason(error)}") from None
        if not value:
            raise ValueError(f"is to come from {file}, which is empty")
    return value or None


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"


def _database_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if separator and scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        _parts(text)
        return f"postgresql://{rest}"
    if scheme != "sqlite" or not separator:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    if not rest.startswith("/") or rest in ("/", "/:memory:"):
        raise ValueError("names no file: sqlite:///malva.db, or sqlite:////var/lib/malva/malva.db")
    return text


def _public_url(text: str) -> str:
    parts = _parts(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://loyalty.example.com")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be scheme and host alone, such as https://loyalty.example.com")
    return f"{parts.scheme}://{parts.netloc}"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("has a host or a port that can't be read") from None
    return parts


def _secret_key(text: str) -> str:
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for number, key in enumerate(keys, start=1):
        try:
            sound = len(base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)) == 32
        except (binascii.Error, UnicodeEncodeError):
            sound = False
        if not sound:
            which = f" (number {number} of {len(keys)})" if len(keys) > 1 else ""
            raise ValueError(f"is not 32 bytes in URL-safe base64{which}; {HOW_TO_MAKE}")
    return ",".join(keys)


def _trusted_proxies(text: str) -> tuple[str, ...]:
    proxies = tuple(part.strip() for part in text.split(",") if part.strip())
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError:
            raise ValueError(
                f'has "{proxy}", which is neither an address (127.0.0.1) nor a network (10.0.0.0/8)'
            ) from None
    return proxies


def _one_of(*allowed: str, text: str) -> str:
    if text not in allowed:
        raise ValueError(f'is "{text}"; it may be {" or ".join(allowed)}')
    return text


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "MALVA_DATABASE_URL": _database_url,
    "MALVA_PUBLIC_URL": _public_url,
    "MALVA_SECRET_KEY": _secret_key,
    "MALVA_TRUSTED_PROXIES": _trusted_proxies,
    "MALVA_METRICS_TOKEN": str,
    "MALVA_PLUGINS": Path,
    "MALVA_LOG": lambda text: _one_of("text", "json", text=text),
}


# -- plugins.toml ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Business:
    """Who runs the cafes. `contact` and `privacy_url` are shown to guests."""

    name: str = "Malva"
    contact: str = ""
    privacy_url: str = ""


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
        raise SettingsError(f"{path} can't be read: {_reason(error)}") from None


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
