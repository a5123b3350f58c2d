"""What may be read in the logs, and what may not."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import pytest

from core.keys import Keys
from core.logs import JsonFormatter, Redaction, TextFormatter
from core.services import tills

SIGNED = Keys("bWFsdmEgaXMgYSBmbG93ZXIsIG5vdCBhIHNlY3JldCE=").sign("card", "7Q4KXTPD5LJ2M3NB.1")
TILL = tills.PREFIX + "p3Zk0sJmD2b7yQ1xW5v9uR4tE6nC8aLfGhKjOiUyTrE"
BOT = "7654321098:AAHk2-x9YzABcdEfGhIjKlMnOpQrStUvWxY"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"GET /card/{SIGNED} 200", SIGNED),
        (f'"GET /card/{SIGNED}?x=1 HTTP/1.1" 200', SIGNED),
        (f"GET https://m.example/media/{SIGNED}", SIGNED),
        (f"GET /privacy/data/{SIGNED}", SIGNED),
        (f"POST https://api.telegram.org/bot{BOT}/sendMessage", BOT),
        (f"token {BOT} refused", BOT),
        (f"Authorization: Bearer {TILL}", TILL),
        (f"{{'authorization': '{TILL}'}}", TILL),
        (f"{{'Authorization': 'bare-{SIGNED}'}}", SIGNED),
        (f"a till with {TILL}", TILL),
        ("postgresql://malva:hunter22@db/malva", "hunter22"),
        ("/webhook?token=hunter22&x=1", "hunter22"),
        ("+381641234567 wrote", "641234567"),
        ("+381 64 123 45 67 wrote", "123 45"),
        ("+381 (64) 123-4567", "123-4567"),
        ("whatsapp:+381641234567", "641234567"),
        ("phone=%2B381641234567", "641234567"),
        ("00381641234567", "641234567"),
        ("from 381641234567 to us", "641234567"),
        ("called 0641234567", "641234567"),
        ("called 064/123-45-67", "123-45"),
        ("89161234567", "9161234567"),
        ("+79161234567", "9161234567"),
    ],
)
def test_secrets_and_phone_numbers_are_taken_out(text, secret):
    assert secret in text
    assert secret not in Redaction()(text)


@pytest.mark.parametrize(
    "text",
    [
        "serving on http://127.0.0.1:8000",
        "order 48213 of bife: 85 points, 1240 in all",
        "2026-11-22T12:00:00.000Z",
        "GET /card/ 404",
        "GET /media 404",
        "guest 7Q4KXTPD5LJ2M3NB identified at till 3",
        "took 0.0641234567 s",
        "update 812345678 of chat 5566778899 left out",
        "version 3.11.7, schema 0001",
        "10.0.0.64:41234 closed",
    ],
)
def test_what_a_person_needs_to_read_stays(text):
    assert Redaction()(text) == text


def test_values_from_the_settings_are_taken_out_in_an_address_too():
    redact = Redaction({"pass word/1"})
    redact.learn({"whsec_1234"})
    assert redact("a pass word/1 b pass%20word%2F1 c whsec_1234") == "a … b … c …"


def test_a_short_value_does_not_blot_out_words():
    assert Redaction({"on"})("the one on the left") == "the one on the left"


@pytest.fixture(params=[TextFormatter, JsonFormatter])
def log(request):
    """A logger, and what it wrote."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(request.param(Redaction({"hunter22"})))
    logger = logging.getLogger(request.node.name)
    logger.addHandler(handler)
    return logger, written


def test_arguments_tracebacks_and_stacks_are_redacted(log):
    logger, written = log
    try:
        raise ValueError("the password is hunter22 of +381641234567")
    except ValueError:
        logger.exception("failed for %s", {"phone": "+381641234567"}, stack_info=True)
    text = written.getvalue()
    assert "ValueError" in text
    assert "test_arguments_tracebacks" in text
    assert "hunter22" not in text
    assert "641234567" not in text


def test_nobody_writes_log_lines_of_their_own():
    formatter = TextFormatter(Redaction())
    forged = "Ана\n2026 ERROR forged\x1b[31m\u2028"
    record = logging.makeLogRecord({"msg": "name %s", "args": (forged,), "levelname": "INFO"})
    line = formatter.format(record)
    assert len(line.splitlines()) == 1
    assert "Ана\\n2026 ERROR forged\\x1b[31m\\u2028" in line


def test_json_is_an_object_a_line_whatever_is_in_it():
    formatter = JsonFormatter(Redaction())
    record = logging.makeLogRecord(
        {"name": "test", "levelname": "INFO", "msg": 'a "b"\n\ud800 /card/xyz"'}
    )
    line = formatter.format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert entry["message"] == 'a "b"\n? /card/…"'
    assert set(entry) == {"at", "level", "logger", "message"}


def test_one_handler_takes_every_library_s_records():
    """In a process of its own: logging is the process's."""
    script = """
import logging, warnings
from core import logs
logging.basicConfig()
redact = logs.set_up("json", {"hunter22"})
redact.learn({"hunter33"})
logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", "/card/abc", "1.1", 200)
logging.getLogger("plugin").error("hunter22 hunter33")
warnings.warn("careful")
logging.getLogger("aiogram.event").info("Update id=1 is handled")
"""  # noqa: E501
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    entries = [json.loads(line) for line in run.stderr.splitlines()]
    assert [entry["logger"] for entry in entries] == ["uvicorn.access", "plugin", "py.warnings"]
    assert '"GET /card/… HTTP/1.1" 200' in entries[0]["message"]
    assert entries[1]["message"] == "… …"
