"""A Redis channel that outlives its connection: tasks that began before an outage acknowledge after it."""

from typing import Any

from kombu.transport import redis as kombu_redis


class SurvivingChannel(kombu_redis.Channel):
    """Closes when the broker is gone, and still takes acknowledgements afterwards.

    Kombu 5.7 does neither. Celery closes the channels of a lost connection; the first close raises, the
    next one has no address any more to put unacknowledged messages back to, and its `AttributeError` ends
    the worker. So does the acknowledgement of a task that ran through the outage.
    """

    def close(self) -> None:
        """Close. When the broker does not answer, messages are not put back: their tasks still run."""
        transport = self.connection
        try:
            super().close()  # type: ignore[no-untyped-call]
        except self.connection_errors:
            # The second time it asks nothing of the broker.
            self.do_restore = False
            self.auto_delete_queues.clear()
            super().close()  # type: ignore[no-untyped-call]
        # The names of queues are looked up through it when a message is put back later.
        self.connection = transport

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        known: dict[bool, dict[str, Any]] = vars(self).setdefault("_known_params", {})
        if self.connection.client is not None:
            known[asynchronous] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        return dict(known[asynchronous])
