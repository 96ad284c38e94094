"""A client belongs to the loop that made it."""

import asyncio

from powerloop.llm.per_loop import PerLoop


class Client:
    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


def test_each_loop_has_a_client_of_its_own():
    clients = PerLoop(Client, Client.close)

    async def twice() -> tuple[Client, Client]:
        return clients.get(), clients.get()

    first, again = asyncio.run(twice())
    other, _ = asyncio.run(twice())

    assert first is again
    assert other is not first


async def test_closing_closes_the_client_and_makes_room_for_another():
    clients = PerLoop(Client, Client.close)
    first = clients.get()

    await clients.close()
    await clients.close()

    assert first.closed
    assert clients.get() is not first
