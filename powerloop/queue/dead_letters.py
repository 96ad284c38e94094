"""The list of messages that no worker could take: kept for people to look at, and bounded."""

import json
import logging
from datetime import UTC, datetime
from typing import Final

import redis

from powerloop.queue.redis_address import REDIS_TROUBLE

logger = logging.getLogger("powerloop.broker")

#: The latest first. Each is a JSON object: `error`, `queue`, `message`, `at`.
DEAD_LETTERS: Final = "powerloop.dead"

#: How many are kept.
MAX_DEAD_LETTERS: Final = 1_000


def bury(client: redis.Redis, *, queue: str, message: str, error: str) -> None:
    """Put a message on the list, and log that it is there.

    Args:
        client: The broker.
        queue: Where it came from.
        message: What it said.
        error: Why nobody can take it.
    """
    logger.error("message buried", extra={"queue": queue, "error": error, "list": DEAD_LETTERS})
    letter = {"error": error, "queue": queue, "message": message, "at": datetime.now(UTC).isoformat()}
    try:
        with client.pipeline() as pipeline:
            pipeline.lpush(DEAD_LETTERS, json.dumps(letter))
            pipeline.ltrim(DEAD_LETTERS, 0, MAX_DEAD_LETTERS - 1)
            pipeline.execute()
    except REDIS_TROUBLE:
        logger.exception("message lost instead", extra={"queue": queue})
