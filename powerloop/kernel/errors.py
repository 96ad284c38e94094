"""Every error that powerloop raises.

::

    PowerLoopError
    ├── WrongUse                    the caller is to change something
    │   ├── InvalidInput            input.invalid
    │   ├── SettingsInvalid         settings.invalid
    │   ├── AppBroken               app.broken
    │   ├── AgentUnknown            agent.unknown
    │   ├── WorkflowInvalid         workflow.invalid
    │   ├── WorkflowNotFound        workflow.not_found
    │   ├── SessionNotFound         session.not_found
    │   ├── SessionExists           session.exists
    │   ├── SessionClosed           session.closed
    │   ├── SessionBusy             session.busy
    │   ├── SendNotFound            send.not_found
    │   ├── RunNotFound             run.not_found
    │   ├── RunAlive                run.alive
    │   ├── InteractionNotFound     interaction.not_found
    │   ├── InteractionClosed       interaction.closed
    │   ├── ScheduleInvalid         timer.schedule_invalid
    │   ├── TimerNotFound           timer.not_found
    │   ├── TimerExists             timer.exists
    │   ├── TimerEnded              timer.ended
    │   ├── TimerQuotaReached       timer.quota_reached
    │   └── EmbeddedBusy            embedded.busy
    ├── ResultTimeout               send.result_timeout
    ├── Fenced                      send.fenced
    ├── RowRefused                  store.row_refused
    ├── ModelError
    │   ├── ProviderUnknown         model.provider_unknown
    │   ├── SdkMissing              model.sdk_missing
    │   ├── KeyMissing              model.key_missing
    │   ├── ModelRejected           model.rejected
    │   ├── ModelUnauthorized       model.unauthorized
    │   ├── RateLimited             model.rate_limited
    │   ├── ModelUnavailable        model.unavailable
    │   ├── EmptyAnswer             model.empty
    │   ├── ModelDeadline           model.deadline
    │   └── CallFailed              tool.failed
    ├── ToolError
    │   ├── ToolUnknown             tool.unknown
    │   ├── ToolArgumentsInvalid    tool.arguments_invalid
    │   ├── ToolTimeout             tool.timeout
    │   └── ToolRaised              tool.raised
    ├── HookError
    │   ├── HookVeto                hook.veto
    │   └── HookFailed              hook.failed
    ├── DemoFailed                  demo.failed
    └── Unavailable                 a service is to be started or mended
        ├── StoreUnavailable        store.unavailable
        ├── SchemaMissing           store.schema_missing
        ├── SchemaOutdated          store.schema_outdated
        ├── SchemaNewer             store.schema_newer
        ├── BrokerUnavailable       broker.unavailable
        ├── QueueUnavailable        queue.unavailable
        └── EmbeddedUnavailable     embedded.unavailable

``code`` is stable and belongs to the public face; a class docstring is the default message; ``hint`` says
what to do.
"""

import inspect
from collections.abc import Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, ClassVar, Final

from powerloop.kernel.usage import ModelCallEntry

#: Of the names that there are, where none is near to the one that was asked for.
_LISTED: Final = 40


class PowerLoopError(Exception):
    """Something in powerloop went wrong."""

    code: ClassVar[str] = "powerloop.error"

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").split("\n\n")[0]
        #: What to do about it, or `None` where the message says it all.
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Celery and multiprocessing pickle errors; those with arguments of their own must come out whole.
        return _revive, (type(self), self.args, self.__dict__)


# Wrong use


class WrongUse(PowerLoopError):
    """Raised when the call cannot mean anything: the caller is to change something."""

    code = "use.wrong"


class InvalidInput(WrongUse):
    """Raised when a value given to powerloop is not what it must be."""

    code = "input.invalid"


class SettingsInvalid(WrongUse):
    """Raised when a setting is missing, unknown or malformed."""

    code = "settings.invalid"


class AppBroken(WrongUse):
    """Raised when a module named by ``POWERLOOP_APP`` cannot be imported or defines no agent."""

    code = "app.broken"


class AgentUnknown(WrongUse):
    """Raised when no agent has the name that was asked for."""

    code = "agent.unknown"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(f"no agent is named {name!r}.", hint=_suggestion(name, self.known, "agents"))


class WorkflowInvalid(WrongUse):
    """Raised when a workflow has problems; all of them are told."""

    code = "workflow.invalid"

    def __init__(self, problems: Iterable[str]) -> None:
        #: Each with its place: ``root.steps[2].when: …``.
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        super().__init__("\n".join([f"the workflow has {count}:", *(f"- {one}" for one in self.problems)]))


class WorkflowNotFound(WrongUse):
    """Raised when no workflow is stored under the name that was asked for, or not in that version."""

    code = "workflow.not_found"

    def __init__(self, name: str, known: Iterable[str], *, version: int | None = None) -> None:
        self.name = name
        self.version = version
        self.known = tuple(sorted(known))
        if version is not None and name in self.known:
            super().__init__(
                f"the workflow {name!r} has no version {version}.",
                hint=f"List those that it has: list_workflows({name!r}).",
            )
        else:
            super().__init__(
                f"no workflow is stored as {name!r}.", hint=_suggestion(name, self.known, "stored workflows")
            )


class SessionNotFound(WrongUse):
    """Raised when no session has the id that was given."""

    code = "session.not_found"

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"there is no session {session_id!r}.",
            hint="Create it with create_session(agent=…), or look it up.",
        )


class SessionExists(WrongUse):
    """Raised when a session is created under an id that is taken."""

    code = "session.exists"

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"session {session_id!r} exists already.", hint="Send to it, or choose another id.")


class SessionClosed(WrongUse):
    """Raised when a closed session is sent to."""

    code = "session.closed"

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"session {session_id!r} is closed and takes no sends.", hint="Create a new session."
        )


class SessionBusy(WrongUse):
    """Raised when a send with the policy ``reject`` meets a session that has not finished its sends."""

    code = "session.busy"

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"session {session_id!r} has sends that have not ended.",
            hint="Wait for them, or send with policy='enqueue'.",
        )


class SendNotFound(WrongUse):
    """Raised when no send has the id that was given."""

    code = "send.not_found"

    def __init__(self, send_id: str) -> None:
        self.send_id = send_id
        super().__init__(f"there is no send {send_id!r}.")


class RunNotFound(WrongUse):
    """Raised when there is no run of a workflow of that id."""

    code = "run.not_found"

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"there is no run of a workflow {run_id!r}.")


class RunAlive(WrongUse):
    """Raised when a run has not ended, and what was asked for is for one that has."""

    code = "run.alive"

    def __init__(self, run_id: str, what: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"the run {run_id!r} has not ended: {what} is for one that has.",
            hint="Wait for its end, or cancel it first.",
        )


class InteractionNotFound(WrongUse):
    """Raised when no interaction has the id that was given."""

    code = "interaction.not_found"

    def __init__(self, interaction_id: str) -> None:
        super().__init__(
            f"there is no interaction {interaction_id!r}.", hint="List the open ones with interactions()."
        )


class InteractionClosed(WrongUse):
    """Raised when an interaction was answered before, its time was over, or its send ended without it."""

    code = "interaction.closed"

    def __init__(
        self, interaction_id: str, status: str, *, actor: str = "", closed_at: datetime | None = None
    ) -> None:
        self.status = str(status)
        #: Who gave the answer that won, as that one named itself; may be empty.
        self.actor = actor
        self.closed_at = closed_at
        by = f" by {actor!r}" if actor else ""
        at = f" at {closed_at.isoformat(timespec='seconds')}" if closed_at else ""
        super().__init__(f"interaction {interaction_id!r} is closed: {status}{by}{at}. Nothing was changed.")


class ScheduleInvalid(WrongUse):
    """Raised when a timer cannot be scheduled as was asked: the message says what is wrong with it."""

    code = "timer.schedule_invalid"


class TimerNotFound(WrongUse):
    """Raised when no timer has the id that was given."""

    code = "timer.not_found"

    def __init__(self, timer_id: str) -> None:
        self.timer_id = timer_id
        super().__init__(f"there is no timer {timer_id!r}.", hint="List them with list_timers().")


class TimerExists(WrongUse):
    """Raised when a timer is scheduled under an id that another one has, which does something else."""

    code = "timer.exists"

    def __init__(self, timer_id: str, *, is_of_another: bool = False) -> None:
        self.timer_id = timer_id
        if is_of_another:
            what, hint = "it wakes another session", "Choose another id; cancel that one if it is to go."
        else:
            what, hint = "it does something else", "Change it with replace=True, or choose another id."
        super().__init__(f"there is a timer {timer_id!r} already, and {what}.", hint=hint)


class TimerEnded(WrongUse):
    """Raised when a timer that fires no more is to be changed."""

    code = "timer.ended"

    def __init__(self, timer_id: str, status: str, what: str) -> None:
        self.timer_id = timer_id
        self.status = str(status)
        super().__init__(
            f"the timer {timer_id!r} cannot be {what}: it is {self.status}, or has no further tick.",
            hint="Schedule another one, under another id.",
        )


class TimerQuotaReached(WrongUse):
    """Raised when an agent has as many live timers as it may have."""

    code = "timer.quota_reached"

    def __init__(self, limit: int, of: str) -> None:
        self.limit = limit
        super().__init__(
            f"{of} has {limit} wake-ups already, the most that it may have.",
            hint="Cancel one of them first, or let one recur.",
        )


class EmbeddedBusy(WrongUse):
    """Raised when an embedded server is started in a folder where one runs already."""

    code = "embedded.busy"


class ResultTimeout(PowerLoopError, TimeoutError):
    """Raised when a send has not ended within the time that `result` was given. The send goes on."""

    code = "send.result_timeout"


class Fenced(PowerLoopError):
    """Raised when a write bears an epoch that is not its session's: another process owns the send now.

    Nothing was written, and whoever sees it must stop at once.
    """

    code = "send.fenced"


class RowRefused(PowerLoopError):
    """Raised when a constraint of the database refuses a row that no check of ours refused: a defect."""

    code = "store.row_refused"

    def __init__(self, constraint: str) -> None:
        #: The constraint's name, as the schema has it.
        self.constraint = constraint
        super().__init__(f"the database refuses a row: {constraint} does not hold.")


# Models


class ModelError(PowerLoopError):
    """Raised when a model call failed."""

    code = "model.error"
    #: Whether the same call may succeed later.
    transient: ClassVar[bool] = False

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        #: The attempts that were made before giving up, for the usage ledger.
        self.attempts: tuple[ModelCallEntry, ...] = ()


class ProviderUnknown(ModelError):
    """Raised when a model name does not begin with a provider that powerloop knows."""

    code = "model.provider_unknown"


class SdkMissing(ModelError):
    """Raised when the SDK of a provider is not installed."""

    code = "model.sdk_missing"


class KeyMissing(ModelError):
    """Raised when a provider has no API key."""

    code = "model.key_missing"


class ModelRejected(ModelError):
    """Raised when the provider refused the request for good: asking again will not help."""

    code = "model.rejected"


class ModelUnauthorized(ModelError):
    """Raised when the provider refused the API key."""

    code = "model.unauthorized"


class RateLimited(ModelError):
    """Raised when the provider asks for patience."""

    code = "model.rate_limited"
    transient = True

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        #: How long the provider asked to wait, if it said so.
        self.retry_after = retry_after


class ModelUnavailable(ModelError):
    """Raised when the provider could not be reached, broke off, or answered with an error of its own."""

    code = "model.unavailable"
    transient = True


class EmptyAnswer(ModelError):
    """Raised when the model answered with neither text nor a tool call."""

    code = "model.empty"
    transient = True


class ModelDeadline(ModelError):
    """Raised when a model call, its retries included, took longer than its deadline."""

    code = "model.deadline"


# Tools. The model reads these messages: they tell it how to mend its call.


class CallFailed(ModelError):
    """Raised when the one call of a send that has no model failed."""

    code = "tool.failed"

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code  # type: ignore[misc] # that of the call, where it has one


class ToolError(PowerLoopError):
    """Raised when a tool call cannot be carried out."""

    code = "tool.error"


class ToolUnknown(ToolError):
    """Raised when the model calls a tool that its agent does not have."""

    code = "tool.unknown"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        super().__init__(f"there is no tool {name!r}.", hint=_suggestion(name, tuple(sorted(known)), "tools"))


class ToolArgumentsInvalid(ToolError):
    """Raised when the arguments of a tool call do not match the tool's schema."""

    code = "tool.arguments_invalid"


class ToolTimeout(ToolError):
    """Raised when a tool took longer than its timeout."""

    code = "tool.timeout"


class ToolRaised(ToolError):
    """Raised when a tool's function raised."""

    code = "tool.raised"


class HookError(PowerLoopError):
    """Raised when a hook kept something from happening."""

    code = "hook.error"

    def __init__(self, hook: str, stage: str, reason: str) -> None:
        self.hook = hook
        self.stage = str(stage)
        self.reason = reason
        #: What a model call cost whose answer is void now, for the usage ledger.
        self.attempts: tuple[ModelCallEntry, ...] = ()
        super().__init__(f"hook {hook!r} at {self.stage}: {reason}")


class HookVeto(HookError):
    """Raised when a hook vetoed what was to happen."""

    code = "hook.veto"


class HookFailed(HookError):
    """Raised when a guard failed: what it was asked about must not happen then."""

    code = "hook.failed"


class DemoFailed(PowerLoopError):
    """Raised when the demo did not see what it came to show."""

    code = "demo.failed"


# Services


class Unavailable(PowerLoopError):
    """Raised when a service that powerloop stands on does not answer."""

    code = "service.unavailable"


class StoreUnavailable(Unavailable):
    """Raised when the database does not answer, or breaks off."""

    code = "store.unavailable"


class SchemaMissing(Unavailable):
    """Raised when the database has no powerloop schema."""

    code = "store.schema_missing"


class SchemaOutdated(Unavailable):
    """Raised when the database's schema is older than this code."""

    code = "store.schema_outdated"


class SchemaNewer(Unavailable):
    """Raised when the database's schema is newer than this code."""

    code = "store.schema_newer"


class BrokerUnavailable(Unavailable):
    """Raised when Redis, or another broker, does not answer."""

    code = "broker.unavailable"


class QueueUnavailable(Unavailable):
    """Raised when the broker does not answer, and a send was not to be accepted without it."""

    code = "queue.unavailable"


class EmbeddedUnavailable(Unavailable):
    """Raised when the embedded stack cannot be started on this machine."""

    code = "embedded.unavailable"


def _revive(kind: type[PowerLoopError], args: tuple[Any, ...], state: dict[str, Any]) -> PowerLoopError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def _suggestion(name: str, known: tuple[str, ...], kind: str) -> str:
    if close := get_close_matches(name, known, n=1):
        return f"Did you mean {close[0]!r}?"
    if not known:
        return f"There are no {kind}."
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"The {kind} are: {', '.join(known[:_LISTED])}{more}."
