"""The hook: a named object of an agent: it observes, changes or vetoes what its sends do."""

import inspect
from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, ClassVar

from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.hooks.contexts import (
    AfterModel,
    AfterTool,
    BeforeCommit,
    BeforeModel,
    BeforeTool,
    InteractionOpened,
    RoundEnd,
    RoundStart,
    SessionEnd,
    SessionStart,
    SpawnRequested,
    TimerFiring,
)
from powerloop.kernel.hooks.decisions import (
    Answer,
    CancelTimer,
    ChangeArguments,
    ChangeInput,
    ChangeInstructions,
    ChangeMessage,
    ChangeMessages,
    ChangeReply,
    ChangeRequest,
    ChangeText,
    Postpone,
    Veto,
)
from powerloop.kernel.hooks.stages import Stage

#: How alike a name must be to that of a stage to be taken for a slip.
_ALIKE = 0.85

_STAGE_NAMES = frozenset(stage.value for stage in Stage)


class Hook:
    """Derive from it, and override the stages that you care for; the others cost nothing.

    Every stage may be asked again for the same thing after a crash: what a hook does to the outside world
    must bear repetition. One object serves many sends at a time.

    Raises:
        InvalidInput: at the definition of a class: a stage is not an ``async def``, or is misspelt.
    """

    #: What it is called in logs and errors; unique among the hooks of an agent. The class's name by default.
    name: str = ""
    #: What its failure means. A guard that raises or takes too long stops what it was asked about; any other
    #: hook is passed over, and what it was asked about goes on as if it were not there.
    guard: bool = False
    #: How long it may take to say something, each time.
    timeout: timedelta = timedelta(seconds=10)

    #: What a class overrides.
    stages: ClassVar[frozenset[Stage]] = frozenset()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__
        for name, member in vars(cls).items():
            if inspect.isfunction(member) and not name.startswith("_"):
                _check_method(cls, name, member)
        cls.stages = frozenset(stage for stage in Stage if getattr(cls, stage) is not getattr(Hook, stage))

    async def session_start(self, context: SessionStart) -> Veto | ChangeInstructions | None:
        """A process begins to drive a send. A veto fails the send."""

    async def session_end(self, context: SessionEnd) -> None:
        """The send has ended, and that is written down: there is nothing to decide any more."""

    async def round_start(self, context: RoundStart) -> Veto | ChangeMessages | None:
        """A round begins. A veto fails the send."""

    async def round_end(self, context: RoundEnd) -> Veto | None:
        """A round is over. A veto fails the send, with what was committed staying so."""

    async def before_model(self, context: BeforeModel) -> Veto | ChangeRequest | None:
        """The model is about to be asked. A veto fails the send."""

    async def after_model(self, context: AfterModel) -> Veto | ChangeReply | None:
        """The model has answered. A veto fails the send, without the answer."""

    async def before_tool(self, context: BeforeTool) -> Veto | ChangeArguments | None:
        """A call is about to run. A veto fails the call, and tells the model why."""

    async def after_tool(self, context: AfterTool) -> Veto | ChangeText | None:
        """A call has run, or failed. A veto keeps its result from the model, and tells it why."""

    async def before_commit(self, context: BeforeCommit) -> Veto | ChangeMessage | None:
        """Something is about to be written down. A veto fails the send."""

    async def spawn(self, context: SpawnRequested) -> Veto | ChangeInput | None:
        """A call is about to start a sub-agent. A veto fails the call, and tells the model why."""

    async def interaction(self, context: InteractionOpened) -> Veto | Answer | None:
        """A person is about to be asked about a call. A veto fails the call, and tells the model why.

        An answer is not held against the question's schema.
        """

    async def timer(self, context: TimerFiring) -> Veto | ChangeInput | Postpone | CancelTimer | None:
        """A timer is due. A veto drops this firing and no other."""


def check_hooks(agent: str, hooks: Iterable[Any]) -> None:
    """Refuse what cannot be the hooks of an agent.

    Raises:
        InvalidInput: something is not a `Hook`, two have one name, or one has no time.
    """
    names: set[str] = set()
    for hook in hooks:
        if not isinstance(hook, Hook):
            raise InvalidInput(
                f"agent {agent!r}: {hook!r} is not a hook.", hint="Give objects of classes derived from Hook."
            )
        if hook.name in names:
            raise InvalidInput(
                f"agent {agent!r} has two hooks named {hook.name!r}.", hint="Set the name of one of them."
            )
        if hook.timeout <= timedelta(0):
            raise InvalidInput(f"hook {hook.name!r}: timeout must be longer than nothing.")
        names.add(hook.name)


def _check_method(cls: type[Hook], name: str, method: object) -> None:
    if name in _STAGE_NAMES:
        if not inspect.iscoroutinefunction(method):
            raise InvalidInput(f"{cls.__name__}.{name} must be an async def.")
    elif close := get_close_matches(name, _STAGE_NAMES, n=1, cutoff=_ALIKE):
        raise InvalidInput(
            f"a hook has no stage {name!r}, which {cls.__name__} defines.",
            hint=f"Did you mean {close[0]!r}? Begin the name of a method of your own with an underscore.",
        )
