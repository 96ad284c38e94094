"""Several processes on one file: each send runs once, in one of them."""

import asyncio

from powerloop import Agent, AsyncPowerLoop, SendStatus

ECHO = Agent(name="echo", model="scripted:echo")
DEMO = Agent(name="demo", model="scripted:demo")


async def test_sends_of_two_backends_on_one_file_run_once_each(tmp_path):
    path = tmp_path / "app.db"
    one, two = (AsyncPowerLoop.local(path, agents=[ECHO, DEMO], concurrency=4) for _ in range(2))
    async with one, two:
        sessions = [(await one.create_session("echo")).id for _ in range(10)]
        handles = [
            await loop.send(session, f"{number}")
            for number in range(2)
            for session in sessions
            for loop in (one, two)
        ]
        results = await asyncio.gather(*(handle.result(timeout=60) for handle in handles))
        assert all(result.ok for result in results)
        assert {(await handle.refresh()).attempt for handle in handles} == {1}
        for session in sessions:
            assert [message.seq for message in await one.messages(session)] == list(range(1, 9))


async def test_an_idle_backend_takes_over_what_another_has_no_room_for(tmp_path):
    path = tmp_path / "app.db"
    busy = AsyncPowerLoop.local(path, agents=[ECHO, DEMO], concurrency=1)
    async with busy:
        story = await busy.send((await busy.create_session("demo")).id, "Tell me a story.")
        waiting = await busy.send((await busy.create_session("echo")).id, "me too")
        async with AsyncPowerLoop.local(path, agents=[ECHO, DEMO]) as idle:
            assert (await (await idle.get_send(waiting.id)).result(timeout=30)).ok
            assert await story.status() is SendStatus.RUNNING
            assert (await waiting.refresh()).owner != (await story.refresh()).owner


async def test_a_cancel_reaches_the_backend_that_runs_the_send(tmp_path):
    path = tmp_path / "app.db"
    one, two = (AsyncPowerLoop.local(path, agents=[DEMO]) for _ in range(2))
    async with one, two:
        handle = await one.send((await one.create_session("demo")).id, "Tell me a story.")
        async for event in handle.events():
            if event.type == "text.delta":
                break
        [cancellation] = await two.cancel(handle.id)
        assert cancellation.effect == "requested"
        assert (await handle.result(timeout=20)).status == "cancelled"
