"""The chat's static files, kept in memory, with an address that changes when they do."""

from __future__ import annotations

import hashlib
import mimetypes
from importlib.resources import files
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response


class Files:
    def __init__(self, path: str) -> None:
        self._path = path
        folder = files("channels.webchat") / "static"
        self._content = {file.name: file.read_bytes() for file in folder.iterdir()}

    def address(self, name: str) -> str:
        version = hashlib.sha256(self._content[name]).hexdigest()[:12]
        return f"{self._path}/{quote(name)}?v={version}"

    def text(self, name: str) -> str:
        return self._content[name].decode()

    async def serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        content = self._content.get(name)
        if content is None:
            return PlainTextResponse("not found", 404)
        keep = "public, max-age=31536000, immutable" if "v" in request.query_params else "no-cache"
        headers = {"Cache-Control": keep, "X-Content-Type-Options": "nosniff"}
        return Response(content, headers=headers, media_type=mimetypes.guess_type(name)[0])
