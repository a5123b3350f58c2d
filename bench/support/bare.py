"""The floor of everything behind HTTP: `python -m bench.support.bare PORT`."""

from __future__ import annotations

import gc
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def ok(request: Request) -> Response:
    await request.body()
    return Response(b"{}", media_type="application/json")


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    uvicorn.run(
        Starlette(routes=[Route("/api/v1/orders", ok, methods=["POST"])]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
