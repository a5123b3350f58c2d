"""Logging, as text or JSON lines on standard error, with nothing secret and no phone number in it.

Redaction works on what is about to be written, tracebacks included, so it does not matter which
library logged it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

import orjson

SHORTEST_SECRET = 6
"""A known secret shorter than this is not looked for: it would blot out ordinary words."""

_PATTERNS = [
    # the live card, signed pictures and downloads: whoever has the address has what it shows
    (re.compile(r"(/(?:card|media|privacy/data)/)[^/\s?\"'<>]+"), r"\1…"),
    (
        re.compile(r"(?i)([?&](?:token|key|code|secret|signature|sig|password)=)[^&\s\"'<>]+"),
        r"\1…",
    ),
    # Telegram: <bot id>:<35 characters>
    (re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"), "…"),
    (re.compile(r"\bmt_[A-Za-z0-9_-]{16,}"), "mt_…"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 …"),
    (re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*b?['\"]?)(?!bearer|basic)[^\s'\",]+"), r"\1…"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1…@"),
    # phone numbers: international, then as they are written in Serbia and Russia
    (re.compile(r"(?<![\w.])(?:\+|00|%2B)\s?\d(?:[\s().-]{0,2}\d){6,14}(?!\d)"), "[phone]"),
    (
        re.compile(r"(?<![\w.:/-])(?:381\d{8,9}|7\d{10}|8[489]\d{9}|06\d{7,8})(?![\w.:-])"),
        "[phone]",
    ),
    (re.compile(r"(?<![\w.:/-])06\d(?:[\s/.-]{1,2}\d{2,4}){2,3}(?!\d)"), "[phone]"),
]


class Redaction:
    """Takes out what may not be seen. `secrets`: values known from the settings."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """More values that may not be seen, in the form that an address gives them too."""
        known = {s for s in secrets if len(s) >= SHORTEST_SECRET}
        known |= {quote(secret, safe="") for secret in known}
        self._secrets = sorted(known.union(self._secrets), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


class TextFormatter(logging.Formatter):
    """`2026-11-22T12:00:00.000Z INFO core.outbox: message`; a line break from outside is shown as
    one, so that nobody writes log lines of their own."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        message = self._redact(_printable(record.getMessage()))
        line = f"{_time(record)} {record.levelname} {record.name}: {message}"
        trace = _trace(self, record)
        return f"{line}\n{self._redact(trace)}" if trace else line


class JsonFormatter(logging.Formatter):
    """An object a line: `at`, `level`, `logger`, `message`, `trace` where something was raised."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if trace := _trace(self, record):
            entry["trace"] = self._redact(trace)
        clean = {key: value.encode("utf-8", "replace").decode() for key, value in entry.items()}
        return orjson.dumps(clean).decode()


def set_up(style: Literal["text", "json"], secrets: Iterable[str] = ()) -> Redaction:
    """Sends every log record of the process to standard error, redacted. The Redaction that it
    gives back can learn more secrets, those of the plugins."""
    redact = Redaction(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter(redact) if style == "text" else JsonFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in ("aiogram", "aiohttp.access", "alembic"):  # they tell each update, request, step
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    return redact


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback and the stack, where there are any."""
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _printable(text: str) -> str:
    """Control characters as escapes: `\\n` stays a visible two characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else repr(c)[1:-1] for c in text)
