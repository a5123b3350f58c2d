"""Process settings, from the environment and `.env`.

Everything that is wrong is said in a line that names the place and what to do; nothing that may be
a secret is ever part of it. `SettingsError.problems` has all of it, `str()` the first.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
        raise SettingsError(f"{path} can't be read: {reason(error)}") from None
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
            raise ValueError(f"can't be read from {file}: {reason(error)}") from None
        if not value:
            raise ValueError(f"is to come from {file}, which is empty")
    return value or None


def reason(error: OSError | UnicodeDecodeError) -> str:
    """Why a file can't be read, in a few words."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"


def _database_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if separator and scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        if _parts(text).netloc.count("@") > 1:
            raise ValueError("has an @ in its user or password: write it as %40")
        return f"postgresql://{rest}"
    if scheme != "sqlite" or not separator:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    if not rest.startswith("/") or rest in ("/", "/:memory:"):
        raise ValueError("names no file: sqlite:///malva.db, or sqlite:////var/lib/malva/malva.db")
    if "?" in rest:
        raise ValueError("takes no options after the file's name")
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
