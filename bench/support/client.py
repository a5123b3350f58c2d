"""The bare HTTP client, aiohttp's, with nothing around it: `python -m bench.support.client URL
SECONDS` repeats the request that it reads from standard input, as it came over the wire, and prints
how often a second it was answered."""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp
import uvloop

TASKS = 32
"""As many at once as the load has connections."""
NOT_TAKEN = (b"host", b"content-length", b"accept-encoding")
"""Headers that aiohttp writes itself."""


async def requests_per_second(url: str, request: bytes, lasting: float) -> float:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    path = first.split(b" ", 2)[1].decode()
    pairs = [line.split(b": ", 1) for line in lines]
    headers = {k.decode(): v.decode() for k, v in pairs if k.lower() not in NOT_TAKEN}
    answered, began = 0, time.perf_counter()

    async def repeat(http: aiohttp.ClientSession) -> None:
        nonlocal answered
        while time.perf_counter() < began + lasting:
            async with http.post(url + path, data=body, headers=headers) as answer:
                await answer.read()
            answered += 1

    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        await asyncio.gather(*(repeat(http) for _ in range(TASKS)))
    return answered / (time.perf_counter() - began)


if __name__ == "__main__":
    _, to, seconds = sys.argv
    print(uvloop.run(requests_per_second(to, sys.stdin.buffer.read(), float(seconds))))
