"""What must hold before a process is started, found out where it can be said in words."""

import asyncio

from powerloop.client.remote import RemoteBackend
from powerloop.queue.inspect import check_broker, inspect_redis
from powerloop.settings import Settings


def preflight(settings: Settings) -> None:
    """Open what the processes will open, once.

    Raises:
        SettingsInvalid: an address is missing or malformed.
        StoreUnavailable, SchemaMissing, SchemaOutdated, SchemaNewer: the database will not do.
        BrokerUnavailable: Redis, or the broker, does not answer.
    """
    asyncio.run(_preflight(settings))
    check_broker(settings.celery_broker_url)


async def _preflight(settings: Settings) -> None:
    backend = RemoteBackend(settings)
    try:
        await backend.open()
    finally:
        await backend.close()
    await inspect_redis(settings.redis_url)
