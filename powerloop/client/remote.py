"""The backend of producers: the database, the broker and the event streams of a running system."""

from powerloop.kernel.errors import SettingsInvalid
from powerloop.queue import RedisEventFeed, open_dispatcher
from powerloop.queue.explaining import RedisLockReader
from powerloop.queue.nudges import RedisNudges
from powerloop.settings import Settings
from powerloop.store import open_store


class RemoteBackend:
    """Reaches the servers that the settings name.

    Raises:
        SettingsInvalid: an address is missing or malformed.
    """

    def __init__(self, settings: Settings) -> None:
        require_urls(settings)
        self.store = open_store(
            settings.database_url, policy=settings.schema_policy, pool_size=settings.database_pool
        )
        self.dispatcher = open_dispatcher(settings.celery_broker_url, preview=settings.task_preview)
        self.feed = RedisEventFeed(settings.redis_url)
        self.nudges = RedisNudges(settings.redis_url)
        self.lock_reader = RedisLockReader(settings.redis_url)
        self.max_attempts = settings.max_attempts

    async def open(self) -> None:
        await self.store.open()

    async def close(self) -> None:
        await self.lock_reader.close()
        await self.nudges.close()
        await self.feed.close()
        await self.dispatcher.close()
        await self.store.close()


def require_urls(settings: Settings) -> None:
    """Refuse settings that name no servers.

    Raises:
        SettingsInvalid: an address is missing.
    """
    missing = [
        f"POWERLOOP_{name.upper()}" for name in ("database_url", "redis_url") if not getattr(settings, name)
    ]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise SettingsInvalid(
            f"{' and '.join(missing)} {verb} not set, and no stack runs in this folder.",
            hint="Start one with `powerloop dev`, or set the addresses of your servers.",
        )
