"""The queue that carries callbacks to the hub's thread."""

import select
import threading

import pytest

from powerloop.workers.callbacks import CallbackQueue


class FakeHub:
    """Remembers its readers, and calls them when they can be read."""

    def __init__(self):
        self.readers = {}

    def add_reader(self, fds, callback, *args):
        self.readers[fds] = callback

    def remove(self, fd):
        self.readers.pop(fd, None)

    def run_once(self, timeout=0.0):
        ready, _, _ = select.select(list(self.readers), [], [], timeout)
        for reader in ready:
            self.readers[reader]()
        return len(ready)


@pytest.fixture
def queue():
    queue = CallbackQueue()
    yield queue
    queue.close()


@pytest.fixture
def hub(queue):
    hub = FakeHub()
    queue.register(hub)
    return hub


def test_callbacks_are_made_by_the_hub_in_the_order_of_the_posts(queue, hub):
    made = []
    for number in range(100):
        queue.post(lambda number=number: made.append(number))
    assert made == []
    assert hub.run_once() == 1
    assert made == list(range(100))
    assert hub.run_once() == 0


def test_a_post_from_another_thread_wakes_the_hub(queue, hub):
    made = []
    thread = threading.Thread(target=lambda: queue.post(lambda: made.append(threading.current_thread())))
    thread.start()
    assert hub.run_once(timeout=5) == 1
    thread.join()
    assert made == [threading.current_thread()]


def test_a_post_during_a_callback_is_not_forgotten(queue, hub):
    made = []
    queue.post(lambda: queue.post(lambda: made.append("inner")))
    while hub.run_once():
        pass
    assert made == ["inner"]


def test_a_hub_that_was_reset_is_told_again(queue, hub):
    made = []
    hub.readers.clear()
    queue.post(lambda: made.append("during the reconnect"))
    queue.register(hub)
    hub.run_once()
    assert made == ["during the reconnect"]


def test_a_callback_that_fails_is_logged_and_does_not_stop_the_others(queue, hub, caplog):
    made = []
    queue.post(lambda: 1 / 0)
    queue.post(lambda: made.append("next"))
    hub.run_once()
    assert made == ["next"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("error", [MemoryError, SystemExit])
def test_an_error_that_means_the_worker_gets_through_to_it(queue, hub, error):
    def fails():
        raise error

    queue.post(fails)
    with pytest.raises(error):
        hub.run_once()


def test_without_a_hub_the_call_is_made_where_it_is_posted(queue):
    made = []
    queue.post(lambda: made.append("here"))
    assert made == ["here"]


def test_waiting_ends_with_the_next_post(queue, hub):
    timer = threading.Timer(0.01, lambda: queue.post(lambda: None))
    timer.start()
    queue.wait(10)
    timer.join()
    assert hub.run_once() == 1


def test_a_queue_that_was_closed_takes_posts_without_complaint(queue, hub):
    queue.close()
    queue.post(lambda: None)
    assert hub.readers == {}
