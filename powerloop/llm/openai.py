"""Models behind OpenAI's chat completions: OpenAI's own, and those of any server that speaks the same."""

import json

import aiohttp
import httpx2
from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AsyncOpenAI,
    AsyncStream,
    DefaultAioHttpClient,
    OpenAIError,
)

from powerloop.kernel.clock import Clock, SystemClock
from powerloop.kernel.errors import KeyMissing, ModelError, ModelRejected, ModelUnavailable
from powerloop.kernel.ports.model import Deltas, ModelReply, ModelRequest
from powerloop.llm.faults import Endpoint, from_connection, from_garbage, from_status, message_of
from powerloop.llm.network import CONNECTIONS, TIMEOUT, encoded
from powerloop.llm.openai_answer import OpenAIAnswer
from powerloop.llm.openai_request import encode
from powerloop.llm.per_loop import PerLoop
from powerloop.llm.settings import ProviderSettings

_PATH = "/chat/completions"
_OWN_URL = "https://api.openai.com/v1"
_FAULTS = (OpenAIError, httpx2.HTTPError, aiohttp.ClientError, json.JSONDecodeError)


class OpenAIModel:
    """Asks by the official SDK's client, with encoded bodies, and takes answers as plain dictionaries.

    The SDK's typed methods walk every message of the history by its type annotations (0.16 ms each) and build
    a model object from every chunk (0.25 ms each). Its `post` does neither.

    Raises:
        KeyMissing: there is no key, and the server is OpenAI's own.
    """

    def __init__(self, settings: ProviderSettings, clock: Clock | None = None) -> None:
        if not settings.openai_api_key and not settings.openai_base_url:
            raise KeyMissing(
                "models of openai: need an API key.",
                hint="Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own.",
            )
        self._key = settings.openai_api_key or "none"
        self._clock = clock or SystemClock()
        self._endpoint = Endpoint(
            provider="OpenAI",
            url=settings.openai_base_url or _OWN_URL,
            key_variable="OPENAI_API_KEY",
            url_variable="OPENAI_BASE_URL",
        )
        self._limit_field = "max_tokens" if settings.openai_base_url else "max_completion_tokens"
        self._clients = PerLoop(self._connect, AsyncOpenAI.close)

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        answer = OpenAIAnswer(request, deltas)
        body = encoded(encode(request, streamed=deltas is not None, limit_field=self._limit_field))
        try:
            await (self._ask(body, answer) if deltas is None else self._stream(body, answer))
        except _FAULTS as error:
            # An answer that had told its end is whole, and paid for, whatever becomes of the connection.
            if not answer.ended:
                raise self._translated(error, request, answer) from error
        return answer.reply()

    async def close(self) -> None:
        await self._clients.close()

    async def _ask(self, body: bytes, answer: OpenAIAnswer) -> None:
        whole = await self._clients.get().post(_PATH, content=body, cast_to=object)
        if not isinstance(whole, dict) or not whole.get("choices"):
            raise from_garbage(self._endpoint, whole)
        answer.take(whole)

    async def _stream(self, body: bytes, answer: OpenAIAnswer) -> None:
        stream = await self._clients.get().post(
            _PATH, content=body, cast_to=object, stream=True, stream_cls=AsyncStream[object]
        )
        async with stream:
            async for chunk in stream:
                if isinstance(chunk, dict):
                    answer.take(chunk)
        if not answer.ended:
            raise ModelUnavailable(f"OpenAI at {self._endpoint.url} ended its answer before it was whole.")

    def _connect(self) -> AsyncOpenAI:
        return AsyncOpenAI(
            api_key=self._key,
            base_url=self._endpoint.url,
            max_retries=0,
            timeout=TIMEOUT,
            http_client=DefaultAioHttpClient(limits=CONNECTIONS, timeout=TIMEOUT),
        )

    def _translated(self, error: Exception, request: ModelRequest, answer: OpenAIAnswer) -> ModelError:
        match error:
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
            case APIError():
                return ModelUnavailable(f"OpenAI broke off its answer: {message_of(error.body)}")
            case json.JSONDecodeError():
                return ModelUnavailable(f"OpenAI at {self._endpoint.url} answered with broken JSON.")
            case _:
                return ModelRejected(f"the OpenAI SDK refused the request: {error}")
