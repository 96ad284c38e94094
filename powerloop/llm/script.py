"""Scripts: what the offline model says, as data.

Texts and arguments are templates: ``$input`` is the last user message, ``$result`` the text of the last tool
results, ``$facts`` the same with a JSON object told as words, and ``$name`` the group ``(?P<name>…)`` of a
rule's patterns.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches

from powerloop.kernel.errors import (
    EmptyAnswer,
    InvalidInput,
    ModelDeadline,
    ModelError,
    ModelRejected,
    ModelUnauthorized,
    ModelUnavailable,
    RateLimited,
)
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.ports.model import FinishReason
from powerloop.kernel.usage import Usage

_RAISABLE: Mapping[str, type[ModelError]] = {
    error.code: error
    for error in (EmptyAnswer, ModelDeadline, ModelRejected, ModelUnauthorized, ModelUnavailable, RateLimited)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedCall:
    """A tool call that a turn makes."""

    name: str
    #: Strings in it, at any depth, are templates.
    arguments: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error that a turn raises once it has streamed its text.

    Raises:
        InvalidInput: no error of a model has that code.
    """

    #: ``model.rate_limited``, ``model.unavailable``, ``model.rejected``, ``model.unauthorized`` …
    code: str
    message: str = "The script says so."
    #: How long a ``model.rate_limited`` asks to wait.
    retry_after: timedelta | None = None
    #: How many attempts fail before the turn succeeds; `None`: all.
    attempts: int | None = None

    def __post_init__(self) -> None:
        if self.code not in _RAISABLE:
            close = get_close_matches(self.code, _RAISABLE, n=1) or sorted(_RAISABLE)
            raise InvalidInput(f"a script cannot raise {self.code!r}.", hint=f"Try {', '.join(close)}.")

    def error(self) -> ModelError:
        """The error to raise."""
        if self.code == RateLimited.code:
            return RateLimited(self.message, retry_after=self.retry_after)
        return _RAISABLE[self.code](self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer of the model."""

    text: str = ""
    #: The text in the pieces in which it is streamed; instead of `text`, which is streamed word by word.
    chunks: tuple[str, ...] = ()
    reasoning: str = ""
    calls: tuple[ScriptedCall, ...] = ()
    #: Before the first piece.
    delay: timedelta = timedelta(0)
    #: Before each further piece.
    pace: timedelta = timedelta(0)
    #: `None`: ``tool_calls`` if it makes calls, otherwise ``stop``.
    finish: FinishReason | None = None
    #: `None`: estimated from the lengths of the texts.
    usage: Usage | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What to say to certain user messages.

    Raises:
        InvalidInput: `pattern` is not a regular expression.
    """

    #: Searched in the last user message, whatever the case.
    pattern: str
    #: The answers, one after another, to that message and to the results of the tools that they call.
    turns: tuple[Turn, ...]
    #: Searched in the user messages before, the latest first; a rule that recalls nothing does not apply.
    #: Groups of `pattern` may be used in it, as ``$name``.
    recalls: str = ""
    #: A tool that must be at hand; otherwise the rule does not apply.
    tool: str = ""

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise InvalidInput(
                f"the pattern {self.pattern!r} is not a regular expression: {error}."
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A deterministic model. Which turn comes next follows from the messages alone: any process can play it.

    The first of these that has an answer gives it: the turns of the session, the first rule that applies, the
    turns, `otherwise`. Turns are played one per model message; a user message that was never answered,
    because its send failed, uses one up too. With none left, the call is rejected.
    """

    turns: tuple[Turn, ...] = ()
    rules: tuple[Rule, ...] = ()
    #: Turns of their own for some sessions, by session id.
    sessions: Mapping[str, tuple[Turn, ...]] = field(default_factory=dict)
    otherwise: Turn | None = None
