"""The server that counts effects."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from aiohttp import web

from powerloop.testing.http_server import HttpServer
from powerloop.testing.world.request import REQUEST, REQUESTS, WorldRequest


class WorldServer(HttpServer):
    """Takes effects by HTTP and remembers every request, for as long as it runs.

    A request whose key it knows is answered as the first one was, as payment providers do.
    """

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        #: Every request, in the order of arrival.
        self.requests: list[WorldRequest] = []
        #: How long an answer takes, once the effect has taken place.
        self.slowness = timedelta(0)

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.post("/effects", self._take),
            web.get("/effects", self._look),
            web.get("/control/requests", self._tell),
            web.post("/control/slow", self._slow_down),
            web.post("/control/reset", self._reset),
        ]

    async def _take(self, request: web.Request) -> web.Response:
        asked = REQUEST.validate_json(await request.read())
        self.requests.append(asked)
        number = next(
            number
            for number, known in enumerate(self.requests, start=1)
            if known is asked or known.is_same_effect(asked)
        )
        await asyncio.sleep(self.slowness.total_seconds())
        return web.json_response(number)

    async def _look(self, request: web.Request) -> web.Response:
        wanted = WorldRequest(tool=request.query["tool"], key=request.query["key"])
        return web.json_response(any(known.is_same_effect(wanted) for known in self.requests))

    async def _tell(self, _request: web.Request) -> web.Response:
        return web.json_response(body=REQUESTS.dump_json(self.requests))

    async def _slow_down(self, request: web.Request) -> web.Response:
        self.slowness = timedelta(seconds=float(await request.text()))
        return web.Response(status=204)

    async def _reset(self, _request: web.Request) -> web.Response:
        self.requests.clear()
        self.slowness = timedelta(0)
        return web.Response(status=204)
