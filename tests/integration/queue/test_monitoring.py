"""What monitors such as Flower see of what we publish."""

import threading
from dataclasses import replace

import pytest
from celery import Celery
from celery.events.state import State

from powerloop.kernel.dispatch import Kind
from powerloop.kernel.queues import SUBAGENT_QUEUE
from powerloop.queue import create_app
from powerloop.queue.kombu_dispatcher import KombuDispatcher
from powerloop.queue.redis_dispatcher import RedisDispatcher
from powerloop.testing.factories import make_activation

pytestmark = pytest.mark.integration


class Monitor:
    """A stock event receiver, as Flower has one."""

    def __init__(self, url):
        self.events = []
        self.state = State()
        self._app = Celery(broker=url, set_as_current=False)
        self._thread = threading.Thread(target=self._capture, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._receiver.should_stop = True
        self._thread.join(10)
        self._app.close()

    def _capture(self):
        with self._app.connection_for_read() as connection:
            self._receiver = self._app.events.Receiver(connection, handlers={"*": self._take})
            for _ in self._receiver.itercapture(timeout=None, wakeup=False):
                pass

    def _take(self, event):
        self.events.append(event)
        self.state.event(event)


@pytest.fixture
def monitor(redis_url, eventually_blocking):
    monitor = Monitor(redis_url)
    monitor.start()
    probe = create_app(redis_url)

    def seen():
        with probe.events.default_dispatcher() as dispatcher:
            dispatcher.send("probe-sent")
        return monitor.events

    eventually_blocking(seen, "the monitor listens")
    monitor.events.clear()
    yield monitor
    monitor.stop()
    probe.close()


def sent(monitor):
    return {event["uuid"]: event for event in monitor.events if event["type"] == "task-sent"}


@pytest.fixture(params=["redis", "kombu"])
async def dispatcher(request, redis_url):
    dispatcher = (
        RedisDispatcher(redis_url) if request.param == "redis" else KombuDispatcher(create_app(redis_url))
    )
    yield dispatcher
    await dispatcher.close()


async def test_a_monitor_is_told_of_what_is_published_for_the_first_time(monitor, dispatcher, eventually):
    await dispatcher.publish([make_activation(1), make_activation(2, first=False), make_activation(3)])
    await eventually(lambda: "send-3" in sent(monitor), "the events arrive")
    assert set(sent(monitor)) == {"send-1", "send-3"}
    event = sent(monitor)["send-1"]
    assert event["args"] == "session=session-1 send=send-1 'Where is order A-17?'"
    assert (event["queue"], event["root_id"], event["parent_id"]) == ("powerloop.send", "send-1", None)
    assert abs(event["timestamp"] - event["local_received"]) < 5
    assert monitor.state.tasks["send-1"].state == "PENDING"


async def test_a_monitor_sees_which_sub_agents_belong_together(monitor, dispatcher, eventually):
    activation = replace(
        make_activation(1),
        kind=Kind.SUBAGENT,
        queue=SUBAGENT_QUEUE,
        root_id="root-send",
        parent_id="parent-send",
        group_id="parent-send",
    )
    await dispatcher.publish([activation])
    await eventually(lambda: "send-1" in sent(monitor), "the event arrives")
    event = sent(monitor)["send-1"]
    assert (event["root_id"], event["parent_id"]) == ("root-send", "parent-send")
    assert event["name"] in ("subagent support", "powerloop.subagent")


async def test_a_preview_can_be_switched_off(monitor, redis_url, eventually):
    dispatcher = RedisDispatcher(redis_url, preview=False)
    await dispatcher.publish([make_activation(1)])
    await dispatcher.close()
    await eventually(lambda: "send-1" in sent(monitor), "the event arrives")
    assert sent(monitor)["send-1"]["args"] == "session=session-1 send=send-1"


async def test_events_can_be_switched_off(monitor, redis_url, eventually):
    silent, telling = RedisDispatcher(redis_url, events=False), RedisDispatcher(redis_url)
    await silent.publish([make_activation(1)])
    await telling.publish([make_activation(2)])
    await eventually(lambda: "send-2" in sent(monitor), "the second event arrives")
    assert set(sent(monitor)) == {"send-2"}
    await silent.close()
    await telling.close()


async def test_a_task_keeps_its_name_from_publication_to_its_end(monitor, worker, redis_url, eventually):
    dispatcher = RedisDispatcher(redis_url)
    await dispatcher.publish([make_activation(1)])
    await dispatcher.close()
    await eventually(lambda: "send-1" in sent(monitor), "the event arrives")
    assert monitor.state.tasks["send-1"].name == "send support"
    worker.start()
    await eventually(lambda: monitor.state.tasks["send-1"].state == "SUCCESS", "the task ends", within=30)
    assert monitor.state.tasks["send-1"].name == "send support"
