from unittest.mock import patch

import pytest
from kombu import Connection
from kombu.transport.redis import Channel

from powerloop.queue.routing import MAX_PRIORITY, redis_list, redis_lists, redis_priority


@pytest.fixture
def channel():
    """Kombu's own, without a server."""
    with patch.object(Channel, "client"), Connection("redis://") as connection:
        yield Channel(connection.transport)


@pytest.mark.parametrize("priority", range(MAX_PRIORITY + 1))
def test_a_message_lies_where_kombu_would_put_it(channel, priority):
    message = {"properties": {"priority": redis_priority(priority)}}
    place = channel._q_for_pri("powerloop.send", channel._get_message_priority(message))
    assert redis_list("powerloop.send", priority) == place


def test_workers_empty_the_lists_in_the_order_that_is_told(channel):
    assert redis_lists("q") == [channel._q_for_pri("q", step) for step in channel.priority_steps]
    order = [redis_lists("q").index(redis_list("q", priority)) for priority in range(MAX_PRIORITY + 1)]
    assert order == [3, 2, 2, 2, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(("priority", "expected"), [(0, 9), (9, 0), (-3, 9), (12, 0)])
def test_our_highest_is_the_first_for_redis(priority, expected):
    assert redis_priority(priority) == expected
