"""The one HTTP client, against a real server on this machine that misbehaves on demand."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import traceback

import pytest
from aiohttp import web

from core import wire
from core.wire import Wire

SECRET = "123456789:AAH-this-is-a-bot-token-of-35-chars"


@pytest.fixture
async def client():
    client = Wire()
    yield client
    await client.close()


@pytest.fixture
async def server():
    """Its address; each path misbehaves in its own way."""

    async def echo(request: web.Request) -> web.Response:
        body = await request.read()
        return web.json_response(
            {"method": request.method, "body": body.decode(), "type": request.content_type},
            status=201,
            headers={"X-Seen": request.headers.get("X-Given", "")},
        )

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def trickle(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(50):
            await answer.write(b".")
            await asyncio.sleep(0.1)
        return answer

    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def bomb(request: web.Request) -> web.Response:
        packed = gzip.compress(bytes(wire.LARGEST_ANSWER + 1))
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/echo"})

    async def cookie(request: web.Request) -> web.Response:
        answer = web.Response(text=request.headers.get("Cookie", "none"))
        answer.set_cookie("visitor", "1")
        return answer

    application = web.Application()
    for handler in (echo, slow, trickle, hang_up, bomb, away, cookie):
        application.router.add_route("*", f"/{handler.__name__}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.anyio
async def test_a_request_goes_out_and_its_answer_comes_back_whole(client, server):
    answer = await client.request(
        "POST", f"{server}/echo", json={"name": "Ана"}, headers={"X-Given": "yes"}
    )
    assert answer.status == 201
    assert answer.headers["x-seen"] == "yes"
    assert answer.json() == {
        "method": "POST",
        "body": '{"name":"Ана"}',
        "type": "application/json",
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("data", "type_", "body"),
    [
        ({"a": "1 2"}, "application/x-www-form-urlencoded", "a=1+2"),
        (b"raw", "application/octet-stream", "raw"),
    ],
)
async def test_a_form_or_bytes_go_as_they_are(client, server, data, type_, body):
    answer = await client.request("PUT", f"{server}/echo", data=data)
    assert answer.json() == {"method": "PUT", "body": body, "type": type_}


@pytest.mark.anyio
async def test_an_answer_that_is_no_json_says_so_as_a_value_error(client, server):
    answer = await client.request("GET", f"{server}/cookie")
    with pytest.raises(ValueError, match="line 1"):
        answer.json()


@pytest.mark.anyio
async def test_a_redirect_is_an_answer_and_is_not_followed(client, server):
    answer = await client.request("GET", f"{server}/away")
    assert (answer.status, answer.headers["location"]) == (302, "/echo")


@pytest.mark.anyio
async def test_cookies_are_not_kept(client, server):
    await client.request("GET", f"{server}/cookie")
    assert (await client.request("GET", f"{server}/cookie")).body == b"none"


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["slow", "trickle"])
async def test_the_time_out_is_for_all_of_it(client, server, path):
    begun = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.3 s"):
        await client.request("GET", f"{server}/{path}", timeout=0.3)
    assert asyncio.get_running_loop().time() - begun < 2


@pytest.mark.anyio
async def test_a_request_that_never_left_is_told_apart_from_one_that_may_have_been_done(
    client, server
):
    with socket.create_server(("127.0.0.1", 0)) as closing:
        free = closing.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        await client.request("GET", f"http://127.0.0.1:{free}/")
    with pytest.raises(OSError, match="ServerDisconnected") as caught:
        await client.request("POST", f"{server}/hang_up")
    assert not isinstance(caught.value, ConnectionRefusedError)


@pytest.mark.anyio
async def test_an_answer_too_large_is_refused_after_decompression_too(client, server):
    with pytest.raises(OSError, match="ClientPayloadError"):
        await client.request("GET", f"{server}/bomb")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://example.com/", "http://", "http://[::1", "http://a b/"]
)
async def test_an_address_that_is_none_is_an_os_error(client, url):
    with pytest.raises(OSError, match="GET"):
        await client.request("GET", url)


@pytest.mark.anyio
async def test_a_closed_client_says_so(server):
    client = Wire()
    await client.close()
    with pytest.raises(ConnectionRefusedError, match="the client is closed"):
        await client.request("GET", server)


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["echo", "slow", "hang_up", "bomb"])
async def test_neither_a_log_line_nor_an_error_tells_the_path_or_a_header(
    client, server, path, caplog
):
    caplog.set_level(logging.DEBUG)
    told = ""
    try:
        await client.request(
            "POST",
            f"{server}/{path}?token={SECRET}",
            headers={"Authorization": f"Bearer {SECRET}"},
            timeout=0.3,
        )
    except OSError as error:
        told = "".join(traceback.format_exception(error))
    assert SECRET not in caplog.text + told
    assert server in caplog.text + told


@pytest.mark.anyio
async def test_a_header_with_a_line_break_is_refused(client, server):
    with pytest.raises(OSError, match="ValueError"):
        await client.request("GET", f"{server}/echo", headers={"X-Given": "a\r\nX-Other: b"})
