"""How a tool acts on the world, and how its probe asks."""

import json
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from powerloop.testing.world.request import REQUEST, WorldRequest

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class WorldClient:
    """The world at an address, for async tools and for blocking ones. Keeps no connection."""

    url: str

    async def post(self, tool: str, *, key: str = "", send: str = "") -> int:
        """Have an effect, and return its number, from 1. A key that is known has the number that it had.

        Args:
            tool: Who acts.
            key: The idempotency key.
            send: The id of the send.
        """
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"{self.url}/effects", data=_body(tool, key, send))
            answer.raise_for_status()
            return int(await answer.text())

    async def knows(self, tool: str, key: str) -> bool:
        """Whether a tool has had an effect with that key."""
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"{self.url}/effects", params={"tool": tool, "key": key})
            answer.raise_for_status()
            return bool(await answer.json())

    def post_blocking(self, tool: str, *, key: str = "", send: str = "") -> int:
        """As `post`, for a tool that runs in a thread."""
        with urllib.request.urlopen(f"{self.url}/effects", _body(tool, key, send), _TIMEOUT_S) as answer:
            return int(answer.read())

    def knows_blocking(self, tool: str, key: str) -> bool:
        """As `knows`, for a probe that runs in a thread."""
        query = urlencode({"tool": tool, "key": key})
        with urllib.request.urlopen(f"{self.url}/effects?{query}", timeout=_TIMEOUT_S) as answer:
            return bool(json.load(answer))


def _body(tool: str, key: str, send: str) -> bytes:
    return REQUEST.dump_json(WorldRequest(tool=tool, key=key, send=send))
