"""Outages: a service's silence is logged once when it begins and once when it is over."""

import logging
from time import monotonic
from typing import Final

#: How long a failed service is left alone by those who can do without it.
REST_S: Final = 1.0


class Outage:
    """Whether a service is away, as those who use it have found.

    Args:
        logger: Where it is told.
        service: Who is away, for the log.
        consequence: What that means meanwhile, for the log.
    """

    def __init__(self, logger: logging.Logger, service: object, consequence: str) -> None:
        self._logger = logger
        self._service = str(service)
        self._consequence = consequence
        self._error: Exception | None = None
        self._failed_at = 0.0

    @property
    def error(self) -> Exception | None:
        """The latest trouble; `None` while all is well."""
        return self._error

    @property
    def resting(self) -> bool:
        """Whether it failed less than a second ago, so that trying again only costs time."""
        return self._error is not None and monotonic() - self._failed_at < REST_S

    def failed(self, error: Exception) -> None:
        """The service did not answer."""
        if self._error is None:
            details = {"service": self._service, "consequence": self._consequence, "error": str(error)}
            self._logger.warning("service away", extra=details)
        self._error = error
        self._failed_at = monotonic()

    def answered(self) -> None:
        """The service answered."""
        if self._error is not None:
            self._logger.info("service back", extra={"service": self._service})
            self._error = None
