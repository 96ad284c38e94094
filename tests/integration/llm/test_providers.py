"""The real SDKs against servers that misbehave, and against none."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from powerloop.kernel.errors import ModelDeadline, ModelRejected, ModelUnavailable, RateLimited
from powerloop.kernel.messages import calls_of, text_of
from powerloop.kernel.ports.model import FinishReason, ModelReply
from powerloop.llm import ModelCatalog, ProviderSettings
from powerloop.testing.model_providers import IMPATIENT, WrittenDeltas, make_request
from powerloop.testing.wire import Reply, WireCall, WireServer

NAMES = ["openai:gpt-test", "anthropic:claude-test"]
by_name = pytest.mark.parametrize("name", NAMES)
either_way = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])

FINDING = (WireCall(name="find_order", arguments={"order_id": "A-17"}),)

Handler = Callable[[web.Request], object]


async def ask(url: str, name: str, *, streamed: bool) -> ModelReply:
    settings = ProviderSettings(openai_base_url=f"{url}/v1", anthropic_base_url=url)
    catalog = ModelCatalog(settings, retries=IMPATIENT)
    try:
        return await catalog.get(name).respond(make_request(name), WrittenDeltas() if streamed else None)
    finally:
        await catalog.close()


@pytest.fixture
async def serve() -> AsyncIterator[Callable]:
    """Serves every request with one handler; the address."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runners.append(web.AppRunner(app, shutdown_timeout=0.1))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runners[-1].addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@by_name
@either_way
async def test_an_address_where_nobody_listens_is_named(name: str, streamed: bool):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

        with pytest.raises(ModelUnavailable, match=f"{url}.* cannot be reached"):
            await ask(url, name, streamed=streamed)


@by_name
async def test_a_page_instead_of_an_answer_is_refused_for_good(name: str, serve: Callable):
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>Welcome</html>", content_type="text/html")

    with pytest.raises(ModelRejected, match="BASE_URL"):
        await ask(await serve(page), name, streamed=False)


@by_name
async def test_a_page_instead_of_a_stream_is_no_answer(name: str, serve: Callable):
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>Welcome</html>", content_type="text/html")

    with pytest.raises(ModelUnavailable, match="before it was whole"):
        await ask(await serve(page), name, streamed=True)


@by_name
async def test_an_error_page_is_an_error(name: str, serve: Callable):
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>Bad Gateway</html>", content_type="text/html", status=502)

    with pytest.raises(ModelUnavailable, match="502"):
        await ask(await serve(page), name, streamed=True)


@by_name
async def test_broken_json_is_unavailable(name: str, serve: Callable):
    async def half(_request: web.Request) -> web.Response:
        return web.Response(text='{"choices": [', content_type="application/json")

    with pytest.raises(ModelUnavailable):
        await ask(await serve(half), name, streamed=False)


@by_name
@either_way
async def test_a_server_that_hangs_up_at_once_is_unavailable(name: str, streamed: bool):
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        with pytest.raises(ModelUnavailable):
            await ask(url, name, streamed=streamed)


@by_name
@either_way
async def test_a_server_that_speaks_no_http_is_unavailable(name: str, streamed: bool):
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        with pytest.raises(ModelUnavailable):
            await ask(url, name, streamed=streamed)


@pytest.mark.parametrize(
    ("name", "after"),
    [("openai:gpt-test", n) for n in range(1, 8)] + [("anthropic:claude-test", n) for n in range(1, 13)],
)
async def test_a_stream_that_breaks_before_its_end_is_unavailable(
    powerloop_wire: WireServer, name: str, after: int
):
    powerloop_wire.enqueue(Reply(text="one two three", calls=FINDING, drop_after=after))

    with pytest.raises(ModelUnavailable):
        await ask(powerloop_wire.url, name, streamed=True)


@pytest.mark.parametrize(("name", "after"), [("openai:gpt-test", 8), ("anthropic:claude-test", 13)])
async def test_a_stream_that_breaks_after_it_told_its_end_is_whole(
    powerloop_wire: WireServer, name: str, after: int
):
    powerloop_wire.enqueue(Reply(text="one two three", calls=FINDING, drop_after=after))

    reply = await ask(powerloop_wire.url, name, streamed=True)

    assert text_of(reply.content) == "one two three"
    assert calls_of(reply.content)[0].arguments == {"order_id": "A-17"}
    assert reply.finish is FinishReason.TOOL_CALLS


@by_name
@pytest.mark.parametrize("after", [1, 4])
async def test_an_error_within_a_stream_is_unavailable(powerloop_wire: WireServer, name: str, after: int):
    powerloop_wire.enqueue(Reply(text="one two three", error_after=after))

    with pytest.raises(ModelUnavailable, match="overloaded"):
        await ask(powerloop_wire.url, name, streamed=True)


@by_name
@either_way
async def test_arguments_that_are_cut_off_are_kept_as_written(
    powerloop_wire: WireServer, name: str, streamed: bool
):
    calls = (WireCall(name="find_order", arguments='{"order_id": "A-'),)
    powerloop_wire.enqueue(Reply(calls=calls, finish=FinishReason.LENGTH))

    reply = await ask(powerloop_wire.url, name, streamed=streamed)

    assert reply.finish is FinishReason.LENGTH
    (call,) = calls_of(reply.content)
    assert (call.arguments, bool(call.malformed)) == ({}, True)


@by_name
async def test_a_rate_limit_is_read_from_its_header(powerloop_wire: WireServer, name: str):
    limited = Reply(status=429, headers={"retry-after": "60"})
    powerloop_wire.enqueue(limited)
    catalog = ModelCatalog(powerloop_wire.settings)

    with pytest.raises(ModelDeadline) as raised:
        await catalog.get(name).respond(make_request(name, deadline_s=5))
    await catalog.close()

    cause = raised.value.__cause__
    assert isinstance(cause, RateLimited)
    assert cause.retry_after is not None
    assert cause.retry_after.total_seconds() == 60


@by_name
async def test_a_model_outlives_the_loop_that_first_used_it(powerloop_wire: WireServer, name: str):
    catalog = ModelCatalog(powerloop_wire.settings)

    async def once() -> str:
        reply = await catalog.get(name).respond(make_request(name))
        await catalog.close()
        return text_of(reply.content)

    in_threads = [await asyncio.to_thread(lambda: asyncio.run(once())) for _ in range(2)]

    assert in_threads == ["You said: Where is order A-17?"] * 2
