"""The chat's page, and the script that opens it on a cafe's own site."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

import malva
from channels.webchat.files import Files
from channels.webchat.visitors import LANGUAGES, Visitors, language

TITLE = "Your loyalty card"


class Pages:
    def __init__(
        self, gateway: malva.Gateway, visitors: Visitors, *, embed_on: Sequence[str]
    ) -> None:
        self._gateway = gateway
        self._visitors = visitors
        self._files = Files("/chat/static")
        self._templates = Environment(
            loader=PackageLoader("channels.webchat"), autoescape=True, undefined=StrictUndefined
        )
        self._headers = {
            "Content-Security-Policy": _policy(embed_on),
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
        }

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/chat", self.page),
            Route("/chat/embed.js", self.embed),
            Route("/chat/static/{name}", self._files.serve),
        ]

    async def page(self, request: Request) -> Response:
        tag = language(request)
        address = self._visitors.known(request)
        query = request.query_params
        payload = f"cafe_{query['cafe']}" if query.get("cafe") else query.get("start", "")
        html = self._templates.get_template("chat.html").render(
            _=partial(self._gateway.translate, tag),
            language=LANGUAGES[tag],
            words={each: self._words(each) for each in LANGUAGES},
            business=self._gateway.business,
            payload=payload,
            known=address is not None,
            file=self._files.address,
        )
        response = Response(html, headers=self._headers, media_type="text/html")
        if address is not None:
            self._visitors.remember(response, address)
        return response

    async def embed(self, request: Request) -> Response:
        labels = {tag: self._gateway.translate(tag, TITLE) for tag in LANGUAGES}
        script = self._files.text("embed.js").replace("{}", orjson.dumps(labels).decode(), 1)
        headers = {
            "Cache-Control": "public, max-age=300",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(script, headers=headers, media_type="text/javascript")

    def _words(self, tag: str) -> dict[str, str]:
        """What the page's script says by itself."""
        template = self._templates.get_template("words.html")
        translate = partial(self._gateway.translate, tag)
        words: dict[str, str] = orjson.loads(template.render(_=translate))
        return words


def _policy(embed_on: Sequence[str]) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            " ".join(["frame-ancestors 'self'", *embed_on]),
        )
    )
