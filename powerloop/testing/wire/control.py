"""The wire server's control endpoints: how another process scripts it and asks what it saw."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import BaseModel, TypeAdapter

from powerloop.testing.wire.reply import Reply
from powerloop.testing.wire.request import WireRequest

if TYPE_CHECKING:
    # The server mounts these routes, and they act on the server.
    from powerloop.testing.wire.server import WireServer


class WireRule(BaseModel):
    """What ``POST /control/rules`` takes: replies to user messages that match a pattern."""

    pattern: str
    replies: tuple[Reply, ...]


class WireStats(BaseModel):
    """What ``GET /control/stats`` tells."""

    served: int
    in_flight: int
    peak: int
    #: Answers whose client went away before their end.
    cut: int


REPLIES = TypeAdapter(tuple[Reply, ...])
REQUESTS = TypeAdapter(list[WireRequest])


def routes(server: "WireServer") -> Iterable[web.RouteDef]:
    """The endpoints under ``/control``."""

    async def enqueue(request: web.Request) -> web.Response:
        server.enqueue(*REPLIES.validate_json(await request.read()))
        return web.Response(status=204)

    async def add_rule(request: web.Request) -> web.Response:
        rule = WireRule.model_validate_json(await request.read())
        server.on(rule.pattern, *rule.replies)
        return web.Response(status=204)

    async def requests(_request: web.Request) -> web.Response:
        return web.json_response(body=REQUESTS.dump_json(list(server.requests)))

    async def stats(_request: web.Request) -> web.Response:
        now = WireStats(served=server.served, in_flight=server.in_flight, peak=server.peak, cut=server.cut)
        return web.json_response(text=now.model_dump_json())

    async def reset(_request: web.Request) -> web.Response:
        server.reset()
        return web.Response(status=204)

    return [
        web.post("/control/replies", enqueue),
        web.post("/control/rules", add_rule),
        web.get("/control/requests", requests),
        web.get("/control/stats", stats),
        web.post("/control/reset", reset),
    ]
