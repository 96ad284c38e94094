"""Anthropic's models, and those of any server that speaks its messages."""

import json

import aiohttp
import httpx2
from anthropic import (
    AnthropicError,
    APIConnectionError,
    APIStatusError,
    AsyncAnthropic,
    AsyncStream,
    DefaultAioHttpClient,
)

from powerloop.kernel.clock import Clock, SystemClock
from powerloop.kernel.errors import KeyMissing, ModelError, ModelRejected, ModelUnavailable
from powerloop.kernel.ports.model import Deltas, ModelReply, ModelRequest
from powerloop.llm.anthropic_answer import AnthropicAnswer
from powerloop.llm.anthropic_request import encode
from powerloop.llm.faults import Endpoint, from_connection, from_garbage, from_status, message_of
from powerloop.llm.network import CONNECTIONS, TIMEOUT, encoded
from powerloop.llm.per_loop import PerLoop
from powerloop.llm.settings import ProviderSettings

_PATH = "/v1/messages"
_OWN_URL = "https://api.anthropic.com"
_FAULTS = (AnthropicError, httpx2.HTTPError, aiohttp.ClientError, json.JSONDecodeError)


class AnthropicModel:
    """Asks by the official SDK's client, with encoded bodies, for the reasons of `OpenAIModel`.

    Raises:
        KeyMissing: there is no key, and the server is Anthropic's own.
    """

    def __init__(self, settings: ProviderSettings, clock: Clock | None = None) -> None:
        if not settings.anthropic_api_key and not settings.anthropic_base_url:
            raise KeyMissing(
                "models of anthropic: need an API key.",
                hint="Set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL for a server of your own.",
            )
        self._key = settings.anthropic_api_key or "none"
        self._clock = clock or SystemClock()
        self._endpoint = Endpoint(
            provider="Anthropic",
            url=settings.anthropic_base_url or _OWN_URL,
            key_variable="ANTHROPIC_API_KEY",
            url_variable="ANTHROPIC_BASE_URL",
        )
        self._clients = PerLoop(self._connect, AsyncAnthropic.close)

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        answer = AnthropicAnswer(request, deltas)
        body = encoded(encode(request, streamed=deltas is not None))
        try:
            await (self._ask(body, answer) if deltas is None else self._stream(body, answer))
        except _FAULTS as error:
            # An answer that had told its end is whole, and paid for, whatever becomes of the connection.
            if not answer.ended:
                raise self._translated(error, request, answer) from error
        return answer.reply()

    async def close(self) -> None:
        await self._clients.close()

    async def _ask(self, body: bytes, answer: AnthropicAnswer) -> None:
        whole = await self._clients.get().post(_PATH, content=body, cast_to=object)
        if not isinstance(whole, dict) or not isinstance(whole.get("content"), list):
            raise from_garbage(self._endpoint, whole)
        answer.take_message(whole)

    async def _stream(self, body: bytes, answer: AnthropicAnswer) -> None:
        stream = await self._clients.get().post(
            _PATH, content=body, cast_to=object, stream=True, stream_cls=AsyncStream[object]
        )
        async with stream:
            async for event in stream:
                if isinstance(event, dict):
                    answer.take_event(event)
        if not answer.ended:
            raise ModelUnavailable(f"Anthropic at {self._endpoint.url} ended its answer before it was whole.")

    def _connect(self) -> AsyncAnthropic:
        return AsyncAnthropic(
            api_key=self._key,
            base_url=self._endpoint.url,
            max_retries=0,
            timeout=TIMEOUT,
            http_client=DefaultAioHttpClient(limits=CONNECTIONS, timeout=TIMEOUT),
        )

    def _translated(self, error: Exception, request: ModelRequest, answer: AnthropicAnswer) -> ModelError:
        match error:
            case APIStatusError() if error.status_code == 200:
                return ModelUnavailable(f"Anthropic broke off its answer: {message_of(error.body)}")
            case APIStatusError():
                headers = {name.lower(): value for name, value in error.response.headers.items()}
                return from_status(
                    self._endpoint,
                    request.model,
                    error.status_code,
                    error.body,
                    headers,
                    self._clock.now(),
                )
            case APIConnectionError() | httpx2.HTTPError() | aiohttp.ClientError():
                return from_connection(self._endpoint, error, began=answer.began)
            case json.JSONDecodeError():
                return ModelUnavailable(f"Anthropic at {self._endpoint.url} answered with broken JSON.")
            case _:
                return ModelRejected(f"the Anthropic SDK refused the request: {error}")
