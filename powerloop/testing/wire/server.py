"""The wire server: speaks the providers' HTTP on a real socket, and does as it is told."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from aiohttp import web

from powerloop.llm.settings import ProviderSettings
from powerloop.testing.http_server import HttpServer
from powerloop.testing.wire import anthropic, control, openai
from powerloop.testing.wire.address import environ_of
from powerloop.testing.wire.reply import Reply, failure
from powerloop.testing.wire.request import Api, WireRequest
from powerloop.testing.wire.script import WireScript
from powerloop.testing.wire.validity import find_fault

_FORMATS = {"openai": openai, "anthropic": anthropic}


class WireServer(HttpServer):
    """An LLM provider on 127.0.0.1: OpenAI's chat completions and Anthropic's messages.

    Requests that a provider would refuse (a tool call without its result, roles that do not alternate) are
    refused with 400.

    Args:
        port: 0: any free one.
        latency: Before the first byte of each reply.
        keep: How many requests it remembers, the latest.
    """

    def __init__(
        self, *, port: int = 0, latency: timedelta = timedelta(0), keep: int = 10_000, host: str = "127.0.0.1"
    ) -> None:
        super().__init__(port=port, host=host)
        self._latency = latency
        self._ids = count(1)
        self.script = WireScript()
        #: What was asked, in the order of arrival.
        self.requests: deque[WireRequest] = deque(maxlen=keep)
        #: How many requests are being answered now.
        self.in_flight = 0
        #: The most that were being answered at one time.
        self.peak = 0
        #: How many came since the start or the last `reset`.
        self.served = 0
        #: How many of their answers were cut: their client went away before the end.
        self.cut = 0

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables that point a process at this server."""
        return environ_of(self.url)

    @property
    def settings(self) -> ProviderSettings:
        """The settings that point a `ModelCatalog` at this server."""
        return ProviderSettings.from_environ(self.environ)

    def enqueue(self, *replies: Reply) -> None:
        """Answer the next requests with these, one each. See `WireScript.enqueue`."""
        self.script.enqueue(*replies)

    def on(self, pattern: str, *replies: Reply) -> None:
        """Answer user messages that match the pattern. See `WireScript.on`."""
        self.script.on(pattern, *replies)

    def reset(self) -> None:
        """Forget replies, requests and counts."""
        self.script.clear()
        self.requests.clear()
        self.served = self.peak = self.cut = 0

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._openai),
            web.post("/v1/messages", self._anthropic),
            *control.routes(self),
        ]

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        return await self._serve("openai", request)

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        return await self._serve("anthropic", request)

    async def _serve(self, api: Api, request: web.Request) -> web.StreamResponse:
        asked = WireRequest(
            api=api,
            body=json.loads(await request.read()),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        self.requests.append(asked)
        self.served += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self._answer(request, asked)
        except (asyncio.CancelledError, ConnectionError):
            self._note_cut(asked)
            raise
        finally:
            self.in_flight -= 1

    def _note_cut(self, asked: WireRequest) -> None:
        self.cut += 1
        for index, request in enumerate(self.requests):
            if request is asked:
                self.requests[index] = replace(asked, cut_at=datetime.now(UTC))
                return

    async def _answer(self, request: web.Request, asked: WireRequest) -> web.StreamResponse:
        fault = find_fault(asked)
        reply = failure(400, fault) if fault else self.script.next_reply(asked)
        await _pause(self._latency + reply.delay)
        form = _FORMATS[asked.api]
        if reply.status != 200:
            return _json(form.error_of(reply), reply)
        if asked.streamed:
            return await self._stream(request, asked, reply)
        if reply.drop_after is not None:
            return await _break_off(request)
        return _json(form.body_of(reply, asked, self._ids), reply)

    async def _stream(self, request: web.Request, asked: WireRequest, reply: Reply) -> web.StreamResponse:
        form = _FORMATS[asked.api]
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **reply.headers})
        await response.prepare(request)
        for index, event in enumerate(form.events_of(reply, asked, self._ids)):
            if index == reply.drop_after:
                _cut(request)
                return response
            if index == reply.error_after:
                await response.write(form.error_event())
                break
            if index:
                await _pause(reply.pace)
            await response.write(event)
        await response.write_eof()
        return response


async def _pause(span: timedelta) -> None:
    if span > timedelta(0):
        await asyncio.sleep(span.total_seconds())


def _json(body: Mapping[str, Any], reply: Reply) -> web.Response:
    return web.json_response(body, status=reply.status, headers=reply.headers)


async def _break_off(request: web.Request) -> web.StreamResponse:
    """Promise a body, send half of it, and hang up."""
    response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "1000"})
    await response.prepare(request)
    await response.write(b'{"half": ')
    _cut(request)
    return response


def _cut(request: web.Request) -> None:
    """Close the connection; what was written before still arrives."""
    if request.transport:
        request.transport.close()
