"""What every page shares: templates and their words, languages, headers, static files."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

import malva
from core.i18n import LANGUAGES, Words, best_language, words
from core.services.desk import Desk

COOKIE = "malva_language"
COOKIE_SECONDS = 400 * 86400
TAGS = {"en": "en", "sr": "sr-Latn", "ru": "ru"}
NAMES = {"en": "English", "sr": "Srpski", "ru": "Русский"}
STATIC = "/static"


class Frame:
    """Renders the pages of one business. Nothing is loaded from elsewhere and no script or style
    stands in a page itself: the Content-Security-Policy holds them to that."""

    def __init__(self, gateway: malva.Gateway, desk: Desk) -> None:
        self.gateway = gateway
        self.desk = desk
        folder = files("portal") / "static"
        self._files = {
            prefix + file.name: file.read_bytes()
            for prefix, place in (("", folder), ("vendor/", folder / "vendor"))
            for file in place.iterdir()
            if file.is_file()
        }
        self._templates = Environment(
            loader=PackageLoader("portal"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            business=desk.business, file=self.file, tags=TAGS, names=NAMES
        )

    def routes(self) -> list[BaseRoute]:
        return [Route(STATIC + "/{name:path}", self.serve)]

    # -- pages -----------------------------------------------------------------------------------

    def page(
        self,
        request: Request,
        template: str,
        *,
        language: str | None = None,
        status: int = 200,
        framed_by: str = "'none'",
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """`language`: the guest's, where a page has one; else the visitor's. `framed_by`: the
        sources that may show the page in a frame."""
        w = words(language or self.language(request))
        html = self.render(template, w, path=request.url.path, **values)
        response = Response(html, status, headers=headers, media_type="text/html")
        response.headers["Content-Security-Policy"] = policy(framed_by)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-cache")
        if request.query_params.get("lang") in LANGUAGES and language is None:
            response.set_cookie(
                COOKIE, w.language, COOKIE_SECONDS, samesite="lax", secure=self.secure
            )
        return response

    def render(self, template: str, w: Words, **values: Any) -> str:
        return self._templates.get_template(template).render(
            _=w.text, ngettext=w.count, w=w, **values
        )

    def language(self, request: Request) -> str:
        """Asked for by the address, chosen before, or what the browser prefers."""
        accepted = request.headers.get("accept-language", "").split(",")
        wished = [request.query_params.get("lang"), request.cookies.get(COOKIE), *accepted]
        for tag in wished:
            tag = (tag or "").split(";")[0].strip()
            nearest = best_language(tag)
            if nearest != "en" or tag.lower().startswith("en"):
                return nearest
        return "en"

    @property
    def secure(self) -> bool:
        return self.gateway.public_url.startswith("https://")

    # -- static files ----------------------------------------------------------------------------

    def file(self, name: str) -> str:
        """The address of a static file; it changes when the file does."""
        return f"{STATIC}/{name}?v={_digest(self._files[name])}"

    async def serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        content = self._files.get(name)
        if content is None:
            return PlainTextResponse("not found", 404)
        keep = "public, max-age=31536000, immutable" if "v" in request.query_params else "no-cache"
        tag = f'"{_digest(content)}"'
        headers = {"Cache-Control": keep, "X-Content-Type-Options": "nosniff", "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=mimetypes.guess_type(name)[0])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def policy(framed_by: str) -> str:
    """https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy"""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {framed_by}",
        )
    )
