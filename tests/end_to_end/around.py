"""What stands around a Malva: its providers in plugins.toml, a till, a visitor of the web chat."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx2

from tests.simulators.octopos import OctoposSimulator
from tests.simulators.telegram import TelegramSimulator

WEBHOOK_TOKEN = "the-webhook-token-of-octopos"
WEBHOOK_SECRET = "the-webhook-secret-of-telegram"
HOUSE = """
[business]
name = "BIFE"
contact = "hello@bife.example"

[channels.webchat]
module = "channels.webchat"
messages_per_second = 1000
visitors_per_second = 1000

[pages.portal]
module = "portal"
"""
STATION = 11
"""Of Octopos' location 2, which is the cafe `bife`."""


def plugins(
    telegram: TelegramSimulator | None = None,
    octopos: OctoposSimulator | None = None,
    *,
    mode: str = "polling",
    poll_seconds: int = 1,
) -> str:
    """plugins.toml with web chat, whose paces are opened up for tests, with Malva's own pages,
    and with these providers."""
    parts = [HOUSE]
    if telegram is not None:
        parts.append(
            f'[channels.telegram]\nmodule = "channels.telegram"\ntoken = "{telegram.token}"\n'
            f'mode = "{mode}"\nwebhook_secret = "{WEBHOOK_SECRET}"\napi_base = "{telegram.url}"'
        )
    if octopos is not None:
        parts.append(
            f'[pos.octopos]\nmodule = "pos.octopos"\napi_base = "{octopos.url}"\n'
            f'email = "{octopos.email}"\npassword = "{octopos.password}"\n'
            f'webhook_token = "{WEBHOOK_TOKEN}"\npoll_seconds = {poll_seconds}\n'
            "[pos.octopos.cafes.bife]\nlocation_id = 2"
        )
    return "\n\n".join(parts) + "\n"


def eventually(happened: Callable[[], Any], timeout: float = 10.0, what: str = "") -> Any:
    """What `happened()` gives as soon as it is true; AssertionError when time is up."""
    until = time.monotonic() + timeout
    while not (found := happened()):
        assert time.monotonic() < until, f"not within {timeout:g} s: {what or happened}"
        time.sleep(0.02)
    return found


class Till:
    """A till with its token, over HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx2.Client(
            base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=20
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def post(self, path: str, body: Any, key: str | None = None) -> httpx2.Response:
        """`body` as JSON, or bytes as they are."""
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._http.post(path, headers=headers, **sent)

    def identify(self, **proof: str) -> dict[str, Any]:
        answer = self.post("identify", proof)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def order(self, order_id: str, total: str = "450.00", **more: Any) -> httpx2.Response:
        body = {"order_id": order_id, "total": total, "currency": "RSD", **more}
        return self.post("orders", body, key=f"key of {order_id}")

    def refund(self, order_id: str, refund_id: str = "r1", **more: Any) -> httpx2.Response:
        body = {"refund_id": refund_id, **more}
        return self.post(f"orders/{order_id}/refunds", body, key=f"key of {refund_id}")


class Visitor:
    """A visitor of the web chat, by its protocol (docs/channels/webchat.md)."""

    def __init__(self, url: str, language: str = "en") -> None:
        self.http = httpx2.Client(
            base_url=url, headers={"Accept-Language": language}, timeout=httpx2.Timeout(20)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def send(self, kind: str, id: str | None = None, **content: str) -> httpx2.Response:
        message = {"id": id or secrets.token_hex(8), "kind": kind, **content}
        return self.http.post("/chat/messages", json=message)

    def starts(self, payload: str = "") -> None:
        assert self.send("start", payload=payload).status_code == 200

    def says(self, text: str) -> None:
        assert self.send("text", text=text).status_code == 200

    def presses(self, label: str) -> None:
        """An option by its label, of the newest message that has it."""
        options = [
            option["value"]
            for message in self.wait_for(option=label)
            for row in message["options"]
            for option in row
            if option["label"] == label
        ]
        assert self.send("option", value=options[-1]).status_code == 200

    def wait_for(
        self, text: str = "", *, option: str | None = None, after: int = 0, timeout: float = 5.0
    ) -> list[dict[str, Any]]:
        """All that Malva wrote here, once a message behind the first `after` ones has this text and
        this option."""
        heard: list[dict[str, Any]] = []
        try:
            for message in self.events(timeout):
                heard += [] if message["mine"] else [message]
                if any(_fits(one, text, option) for one in heard[after:]):
                    return heard
        except httpx2.TimeoutException:
            pass
        shown = "\n".join(f"{m['text']!r} {m['options']}" for m in heard)
        raise AssertionError(f"no {text!r} {option or ''} within {timeout:g} s; there is:\n{shown}")

    def events(self, timeout: float) -> Iterator[dict[str, Any]]:
        """The messages of the conversation so far, then each as it comes."""
        limit = httpx2.Timeout(timeout)
        with self.http.stream("GET", "/chat/events", timeout=limit) as stream:
            assert stream.status_code == 200, stream.status_code
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    document = json.loads(line.removeprefix("data: "))
                    yield from document if isinstance(document, list) else [document]


def _fits(message: dict[str, Any], text: str, option: str | None) -> bool:
    labels = [one["label"] for row in message["options"] for one in row]
    return text in message["text"] and (option is None or option in labels)
