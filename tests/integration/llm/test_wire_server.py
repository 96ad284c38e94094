"""The wire server as users have it: in a block, in a thread, in a process of its own."""

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta

import pytest

from powerloop.kernel.messages import NewMessage, Role, TextBlock, calls_of, text_of, user_message
from powerloop.kernel.ports.model import FinishReason
from powerloop.llm import ModelCatalog, Turn
from powerloop.testing.model_providers import make_request
from powerloop.testing.wire import Reply, WireCall, WireProcess, WireServer, failure

APIS = {
    "openai": ("/v1/chat/completions", {"model": "m"}),
    "anthropic": ("/v1/messages", {"model": "m", "max_tokens": 9}),
}


@pytest.fixture(scope="module")
def wire_process() -> Iterator[WireProcess]:
    with WireProcess(latency=timedelta(milliseconds=1)) as server:
        yield server


@pytest.fixture
def remote(wire_process: WireProcess) -> WireProcess:
    wire_process.reset()
    return wire_process


def post(wire: WireServer | WireProcess, api: str, *messages: dict[str, object]) -> tuple[int, dict]:
    path, body = APIS[api]
    data = json.dumps({**body, "messages": messages}).encode()
    request = urllib.request.Request(wire.url + path, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


async def test_it_serves_for_the_length_of_its_block():
    async with WireServer() as server, asyncio.timeout(10):
        catalog = ModelCatalog(server.settings)
        reply = await catalog.get("openai:m").respond(make_request("openai:m", user_message("hi")))
        await catalog.close()

    assert text_of(reply.content) == "You said: hi"
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))


def test_it_is_scripted_from_another_process(remote: WireProcess):
    remote.on(
        "order",
        Reply(calls=(WireCall(name="find", arguments={"id": "A-17"}),)),
        Reply(text="Shipped.", finish=FinishReason.LENGTH),
    )
    remote.enqueue(failure(429, retry_after=3))

    refused, _ = post(remote, "openai", user("my order"))
    _, asked = post(remote, "openai", user("my order"))
    call = asked["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "shipped"}
    _, told = post(remote, "openai", user("my order"), call, result)
    _, other = post(remote, "openai", user("hello"))

    assert refused == 429
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"id": "A-17"}
    assert told["choices"][0]["message"]["content"] == "Shipped."
    assert told["choices"][0]["finish_reason"] == "length"
    assert other["choices"][0]["message"]["content"] == "You said: hello"
    assert [request.last_input for request in remote.requests()] == ["my order"] * 3 + ["hello"]
    assert remote.stats().served == 4


async def test_it_answers_hundreds_of_slow_requests_at_once(remote: WireProcess):
    remote.enqueue(*(Reply(text="yes", delay=timedelta(seconds=2)) for _ in range(300)))
    catalog = ModelCatalog(remote.settings)
    model = catalog.get("anthropic:m")

    replies = await asyncio.gather(*(model.respond(make_request("anthropic:m")) for _ in range(300)))
    await catalog.close()

    assert {text_of(reply.content) for reply in replies} == {"yes"}
    assert remote.stats().peak > 200


def test_it_answers_both_apis_in_a_test_without_a_loop(powerloop_wire: WireServer):
    powerloop_wire.on("hello", Reply(text="Hi!"))

    _, openai = post(powerloop_wire, "openai", user("Hello"))
    _, anthropic = post(powerloop_wire, "anthropic", user([{"type": "text", "text": "hello"}]))

    assert openai["choices"][0]["message"]["content"] == "Hi!"
    assert anthropic["content"] == [{"type": "text", "text": "Hi!"}]
    assert [request.api for request in powerloop_wire.requests] == ["openai", "anthropic"]


CALLING = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "x"}
USING = {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]}
USED = user([{"type": "tool_result", "tool_use_id": "1", "content": "x"}])


@pytest.mark.parametrize(
    ("api", "messages"),
    [
        ("openai", []),
        ("openai", [user("a"), CALLING]),
        ("openai", [user("a"), CALLING, user("b")]),
        ("openai", [user("a"), RESULT]),
        ("openai", [user("a"), CALLING, RESULT, RESULT]),
        ("openai", [user("a"), {**CALLING, "tool_calls": CALLING["tool_calls"] * 2}, RESULT]),
        ("anthropic", []),
        ("anthropic", [user("a"), user("b")]),
        ("anthropic", [user("a"), USING]),
        ("anthropic", [user("a"), USING, user("b")]),
        ("anthropic", [USED]),
        ("anthropic", [user("")]),
        ("anthropic", [user([{"type": "text", "text": "a", "cache_control": {}}] * 5)]),
    ],
)
def test_it_refuses_what_a_provider_would_refuse(powerloop_wire: WireServer, api: str, messages: list):
    status, _ = post(powerloop_wire, api, *messages)

    assert status == 400


@pytest.mark.parametrize(
    ("api", "messages"),
    [
        ("openai", [user("a"), CALLING, RESULT, user("b")]),
        ("anthropic", [user("a"), USING, USED]),
    ],
)
def test_it_takes_what_a_provider_would_take(powerloop_wire: WireServer, api: str, messages: list):
    status, _ = post(powerloop_wire, api, *messages)

    assert status == 200


async def test_the_script_fixture_makes_a_model(powerloop_script):
    models = powerloop_script(Turn(text="one"), Turn(text="two"))
    history = (
        user_message("a"),
        NewMessage(role=Role.ASSISTANT, content=(TextBlock(text="one"),)),
        user_message("b"),
    )

    reply = await models.get("scripted:test").respond(make_request("scripted:test", *history))

    assert (text_of(reply.content), calls_of(reply.content)) == ("two", ())


def test_the_plugin_imports_no_server_and_no_sdk_before_they_are_needed():
    code = (
        "import sys, powerloop.testing.plugin; "
        "print(sorted({'aiohttp', 'openai', 'anthropic', 'powerloop.testing.wire'} & set(sys.modules)))"
    )

    assert _python(code) == "[]"


def test_the_catalogue_imports_no_sdk_before_it_is_needed():
    code = (
        "import sys, powerloop.llm; powerloop.llm.ModelCatalog().get('scripted:demo'); "
        "print(sorted({'aiohttp', 'openai', 'anthropic', 'httpx2'} & set(sys.modules)))"
    )

    assert _python(code) == "[]"


def _python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
