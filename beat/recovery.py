"""The composition root of a beat: settings in, sweeps until it is stopped."""

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Final

from powerloop.client.remote import require_urls
from powerloop.kernel.clock import SystemClock
from powerloop.kernel.errors import StoreUnavailable
from powerloop.kernel.ports.store import Store
from powerloop.kernel.sweep import Sweeper, SweepOptions
from powerloop.queue import open_dispatcher
from powerloop.queue.outage import Outage
from powerloop.settings import Settings
from powerloop.store import open_store

logger = logging.getLogger("powerloop.beat")

#: Sweeps follow one another: one connection, and one to spare for an upgrade of the schema.
_CONNECTIONS: Final = 2

_RETRY_S: Final = 1.0


async def recover_until_stopped(settings: Settings) -> None:
    """`recover`, until this process is sent SIGTERM or SIGINT."""
    recovering = asyncio.create_task(recover(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, recovering.cancel)
    with suppress(asyncio.CancelledError):
        await recovering
    logger.info("beat stopped")


async def recover(settings: Settings) -> None:
    """Sweep until cancelled, which may be at any line: what was found and not published is found again.

    Raises:
        SettingsInvalid: an address is missing or malformed.
        SchemaMissing, SchemaOutdated, SchemaNewer: the schema is not what this code needs.
    """
    require_urls(settings)
    store = open_store(settings.database_url, policy=settings.schema_policy, pool_size=_CONNECTIONS)
    dispatcher = open_dispatcher(settings.celery_broker_url, preview=settings.task_preview)
    options = SweepOptions(interval=settings.sweep_interval)
    try:
        await _open(store)
        logger.info("beat started", extra={"interval_s": options.interval.total_seconds()})
        sweeper = Sweeper(
            store.recovery, store.task_recovery, store.workflow_recovery, dispatcher, SystemClock(), options
        )
        await sweeper.run()
    finally:
        await dispatcher.close()
        await store.close()


async def _open(store: Store) -> None:
    """Open the store, as soon as its database answers."""
    outage = Outage(logger, "the database", "nothing is recovered")
    while True:
        try:
            await store.open()
        except StoreUnavailable as error:
            outage.failed(error)
            await asyncio.sleep(_RETRY_S)
        else:
            return outage.answered()
