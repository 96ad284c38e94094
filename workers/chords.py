"""The result backend of workers: Celery's counters of chords on Redis, and nothing else."""

import asyncio
import logging
from typing import Any

from celery.backends.redis import RedisBackend

from .greenlets import await_in_greenlet, in_bridge

logger = logging.getLogger("powerloop.worker")


class ChordBackend(RedisBackend):  # type: ignore[misc] # celery has no types
    """Counts members of chords without blocking the event loop, and without failing them.

    A member that could not be counted has done what it had to do, and the journal knows.
    """

    def on_chord_part_return(
        self,
        request: Any,  # noqa: ANN401 - as Celery calls it
        state: str,
        _result: object,
        **options: Any,  # noqa: ANN401 - as above
    ) -> None:
        """Count a member that has run; after the last, publish what the chord ends with."""

        def count() -> None:
            try:
                # What it came to stands in the journal.
                super(ChordBackend, self).on_chord_part_return(request, state, None, **options)
            except Exception as error:  # noqa: BLE001 - whatever Redis, or Celery, has to say
                logger.warning("chord not counted", extra={"group_id": request.group, "error": str(error)})

        if in_bridge():
            await_in_greenlet(asyncio.to_thread(count))
        else:
            count()
