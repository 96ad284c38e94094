"""Fan-outs as chords: Celery counts the members, each once, and calls back once."""

import re

import pytest
import redis

pytestmark = pytest.mark.acceptance


def say(name, text):
    return {"type": "agent", "id": name, "agent": "echo", "input": text}


async def test_each_fan_out_is_a_chord_whose_callback_comes_once(loop, system, eventually):
    worker = system.start_worker()
    windowed = {
        "type": "foreach",
        "id": "f",
        "as": "i",
        "items": list(range(7)),
        "max_concurrency": 2,
        "body": say("a", "{{i}}"),
    }
    plain = {"type": "parallel", "id": "p", "branches": [say("x", "x"), say("y", "y"), say("z", "z")]}
    run = await loop.start_workflow({"name": "w", "root": {"type": "sequence", "steps": [windowed, plain]}})
    assert (await run.result(timeout=60)).ok

    def calls_back():
        return re.findall(r"Task powerloop\.workflow\[\S+\] succeeded", worker.output())

    await eventually(lambda: len(calls_back()) >= 2, "both chords have called back", within=20)
    nodes = {node.node.path: node.node.id for _, node in (await run.tree()).walk()}
    with redis.Redis.from_url(system.settings.redis_url) as server:
        for path in ("root.steps[0]", "root.steps[1]"):
            # Celery writes this once the callback is published, and forgets the rest.
            assert server.get(f"celery-taskset-meta-{nodes[path]}.c") == b"done", path
            assert server.get(f"celery-taskset-meta-{nodes[path]}.s") is None, path
    assert len(calls_back()) == 2
