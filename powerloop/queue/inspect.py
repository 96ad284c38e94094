"""Looking at a broker from outside, for people who ask what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

from kombu.transport.redis import Channel

from powerloop.kernel.clock import Clock, SystemClock
from powerloop.kernel.errors import BrokerUnavailable
from powerloop.kernel.queues import QueueName
from powerloop.queue.app import create_app
from powerloop.queue.dead_letters import DEAD_LETTERS
from powerloop.queue.redis_address import REDIS_TROUBLE, RedisAddress
from powerloop.queue.routing import CLIENT_QUEUE, OUR_QUEUES, redis_lists

#: The policy under which Redis refuses what it cannot hold, and drops nothing that it has.
SAFE_EVICTION: Final = "noeviction"

_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisReport:
    """What a Redis says of itself."""

    #: ``host:port``.
    address: str
    version: str
    #: How long a ping took.
    ping: timedelta
    #: How far its clock is ahead of ours, to about the time of a ping.
    clock_ahead: timedelta
    #: What it does when its memory is full; anything but `SAFE_EVICTION` loses messages in silence.
    eviction_policy: str
    #: Whether it keeps an append-only file, so that a restart loses a second of messages and not all.
    appends: bool
    #: Messages that wait, by queue.
    queues: Mapping[str, int]
    #: Messages that were given to workers and not acknowledged: about the tasks that run.
    unacknowledged: int
    #: Messages that no worker could take.
    dead_letters: int


async def inspect_redis(
    redis_url: str, clock: Clock | None = None, *, tool_queues: Sequence[QueueName] = ()
) -> RedisReport:
    """Ask a Redis how it is.

    Args:
        tool_queues: Queues that tools have of their own; what waits there is counted too.

    Raises:
        SettingsInvalid: the URL is malformed.
        BrokerUnavailable: it does not answer.
    """
    address = RedisAddress.parse(redis_url)
    client: Any = address.client(connections=1, timeout=_TIMEOUT_S)
    clock = clock or SystemClock()
    try:
        await client.ping()  # connects
        began, asked_at = monotonic(), clock.now()
        seconds, microseconds = await client.time()
        ping = timedelta(seconds=monotonic() - began)
        info = await client.info()
        lengths = await _lengths(client, (*OUR_QUEUES, *tool_queues))
        dead, unacknowledged = await client.llen(DEAD_LETTERS), await client.hlen(Channel.unacked_key)
    except REDIS_TROUBLE as error:
        raise address.unavailable(error) from error
    finally:
        await client.aclose()
    told = datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(microseconds))
    return RedisReport(
        address=str(address),
        version=str(info.get("redis_version", "unknown")),
        ping=ping,
        clock_ahead=told - (asked_at + ping / 2),
        eviction_policy=str(info.get("maxmemory_policy", "unknown")),
        appends=bool(info.get("aof_enabled")),
        queues=lengths,
        unacknowledged=int(unacknowledged),
        dead_letters=int(dead),
    )


def check_broker(broker_url: str) -> None:
    """Pass if the broker answers, whichever it is. Blocking, for a few seconds at most.

    Raises:
        SettingsInvalid: the URL is malformed.
        BrokerUnavailable: it does not answer.
    """
    app = create_app(broker_url)
    connection: Any = app.connection_for_write()
    where = f"{connection.hostname}:{connection.port or connection.transport.default_port}"
    try:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=_TIMEOUT_S)
    except Exception as error:
        hint = "Is it running, and is the address right?"
        raise BrokerUnavailable(f"the broker at {where} does not answer: {error}.", hint=hint) from error
    finally:
        connection.release()
        app.close()


async def _lengths(client: Any, queues: Sequence[str]) -> dict[str, int]:  # noqa: ANN401 - typed for two protocols
    pipeline = client.pipeline(transaction=False)
    for queue in queues:
        for name in redis_lists(queue):
            pipeline.llen(name)
    lengths = await pipeline.execute()
    per_queue = len(redis_lists(CLIENT_QUEUE))
    return {queue: sum(lengths[i * per_queue : (i + 1) * per_queue]) for i, queue in enumerate(queues)}
