"""Which reply the wire server gives: a queue, rules by the last user message, and an echo."""

import re
from collections import deque
from collections.abc import Callable
from itertools import chain

from powerloop.testing.wire.reply import Reply
from powerloop.testing.wire.request import WireRequest

#: Answers some requests; `None`: not this one.
ReplyRule = Callable[[WireRequest], Reply | None]


class WireScript:
    """The replies of one server. Safe to change while it serves."""

    def __init__(self) -> None:
        self._queue: deque[Reply] = deque()
        self._rules: list[ReplyRule] = []

    def enqueue(self, *replies: Reply) -> None:
        """Answer the next requests with these, one each, whatever they ask."""
        self._queue.extend(replies)

    def on(self, pattern: str, *replies: Reply) -> None:
        """Answer user messages that match the pattern, whatever the case; earlier rules win.

        The first reply answers the message itself, the second the results of the tools that the first one
        called, and so on: which one is due follows from the request, so it does not matter how many
        conversations there are, nor how often a request comes.
        """
        compiled = re.compile(pattern, re.IGNORECASE)

        def rule(request: WireRequest) -> Reply | None:
            due = request.answered < len(replies) and compiled.search(request.last_input)
            return replies[request.answered] if due else None

        self._rules.append(rule)

    def add_rule(self, rule: ReplyRule) -> None:
        """Answer with what a function makes of the request; earlier rules win."""
        self._rules.append(rule)

    def clear(self) -> None:
        """Forget queue and rules."""
        self._queue.clear()
        self._rules.clear()

    def next_reply(self, request: WireRequest) -> Reply:
        """The reply to a request."""
        if self._queue:
            return self._queue.popleft()
        answers = (rule(request) for rule in list(self._rules))
        return next(filter(None, chain(answers, (_echo(request),))))


def _echo(request: WireRequest) -> Reply:
    return Reply(text=f"You said: {request.last_input or 'nothing'}")
