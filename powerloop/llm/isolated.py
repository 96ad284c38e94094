"""Models that are agents in processes of their own: ``isolated:NAME``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from powerloop.kernel.errors import InvalidInput, ModelDeadline, ModelRejected
from powerloop.kernel.isolation import EndedBy, Exited, IsolationPolicy, Launch
from powerloop.kernel.isolation_errors import LaunchFailed, LeafFailed
from powerloop.kernel.jsontypes import JSONObject
from powerloop.kernel.messages import Role, TextBlock
from powerloop.kernel.ports.launcher import Launcher
from powerloop.kernel.ports.model import Deltas, FinishReason, Model, ModelReply, ModelRequest, Models
from powerloop.kernel.sends import StopReason
from powerloop.kernel.usage import Usage
from powerloop.llm.isolated_wire import LeafOutcome, LeafRequest, outcome_from_json, request_to_json

PROVIDER: Final = "isolated"

#: Whatever kept the agent from its end reads as an answer that is not whole.
_FINISHES: Final[Mapping[StopReason | None, FinishReason]] = {
    None: FinishReason.STOP,
    StopReason.END_TURN: FinishReason.STOP,
    StopReason.REFUSAL: FinishReason.REFUSAL,
    StopReason.OUTPUT_LIMIT: FinishReason.LENGTH,
    StopReason.ROUND_LIMIT: FinishReason.LENGTH,
    StopReason.BUDGET: FinishReason.LENGTH,
}


class IsolatedModel:
    """Answers each request with one send of an agent, in a process that lives as long as the send.

    The name after ``isolated:`` is the agent's. The system prompt is a JSON object, or empty: ``agent``,
    which wins over that name, and ``spec``, how the agent differs from one that the application has. The
    input is the content of the last user message. The reply's `attempts` are those of the send over there: it
    is not to be metered or tried again, for that was done.

    Args:
        launcher: What runs the process.
        argv: The program: one that does as `powerloop.client.isolated_child`.
        policy: What it may see and use.
        env: Variables that are set for it beside those that the policy passes on.
    """

    def __init__(
        self,
        launcher: Launcher,
        argv: Sequence[str],
        policy: IsolationPolicy,
        *,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._launcher = launcher
        self._launch = Launch(argv=tuple(argv), policy=policy, env=env or {})

    async def respond(self, request: ModelRequest, deltas: Deltas | None = None) -> ModelReply:
        """See `Model.respond`.

        Raises:
            LaunchFailed: there was no process, or none with an outcome; nothing was run without isolation.
            LeafFailed: the send failed over there.
            ModelDeadline: `request.deadline` ran out before the policy's own time.
            ModelRejected: the system prompt is not what it must be.
        """
        asked = _asked(request)
        if asked.deadline <= timedelta(0):
            raise ModelDeadline(f"{request.model} had no time left to begin.")
        outcome = self._outcome(request, await self._launcher.run(self._launch_for(asked)))
        if outcome.error:
            failure = LeafFailed(outcome.error.code, outcome.error.message)
            failure.attempts = outcome.entries
            raise failure
        if deltas and outcome.text:
            deltas.text(outcome.text)
        return ModelReply(
            content=(TextBlock(text=outcome.text),) if outcome.text else (),
            finish=_FINISHES[outcome.stop_reason],
            usage=sum((entry.usage for entry in outcome.entries), Usage()),
            estimated=any(entry.estimated for entry in outcome.entries),
            attempts=outcome.entries,
        )

    async def close(self) -> None:
        """There is nothing to let go of: no process outlives its request."""

    def _launch_for(self, asked: LeafRequest) -> Launch:
        policy = self._launch.policy
        policy = replace(policy, limits=policy.limits.within(asked.deadline))
        return replace(self._launch, stdin=request_to_json(asked), policy=policy)

    def _outcome(self, request: ModelRequest, exited: Exited) -> LeafOutcome:
        failure = self._failure(request, exited)
        try:
            outcome = outcome_from_json(exited.stdout)
        except InvalidInput as error:
            raise failure from error
        if exited.ended_by is None and exited.code == 0:
            return outcome
        # What it could tell of its cost when it was asked to end.
        failure.attempts = outcome.entries
        raise failure

    def _failure(self, request: ModelRequest, exited: Exited) -> LaunchFailed | ModelDeadline:
        limit = self._launch.policy.limits.wall_clock
        if exited.ended_by is EndedBy.WALL_CLOCK and (limit is None or request.deadline < limit):
            seconds = request.deadline.total_seconds()
            return ModelDeadline(f"{request.model} did not answer within {seconds:.3g} s.")
        hint = f"Its last words: {exited.complaint}" if exited.complaint else None
        return LaunchFailed(f"the process of {request.model} {_end_of(exited)}.", hint=hint)


class IsolatedModels:
    """Every model of a catalogue, and ``isolated:NAME`` beside them.

    Not in the catalogue: what it wraps its models with has been done over there.

    Args:
        inner: The catalogue.
        isolated: What answers for ``isolated:``.
    """

    def __init__(self, inner: Models, isolated: IsolatedModel) -> None:
        self._inner = inner
        self._isolated = isolated

    def get(self, name: str) -> Model:
        return self._isolated if name.startswith(f"{PROVIDER}:") else self._inner.get(name)

    def cost_of(self, name: str, usage: Usage) -> Decimal | None:
        return self._inner.cost_of(name, usage)

    async def close(self) -> None:
        await self._isolated.close()
        await self._inner.close()


def _asked(request: ModelRequest) -> LeafRequest:
    told = _told(request.system)
    spec = told.get("spec")
    agent = told.get("agent") or request.model.partition(":")[2]
    if not isinstance(agent, str) or not (spec is None or isinstance(spec, dict)):
        raise ModelRejected("the agent of an isolated leaf is a name, and its spec an object.")
    content = next(
        (message.content for message in reversed(request.messages) if message.role is Role.USER), ()
    )
    return LeafRequest(agent=agent, spec=spec, content=content, deadline=request.deadline)


def _told(system: str) -> JSONObject:
    if not system.strip():
        return {}
    try:
        told = json.loads(system)
    except ValueError as error:
        raise ModelRejected(f"the system prompt of an isolated leaf is JSON: {error}.") from error
    if not isinstance(told, dict):
        raise ModelRejected("the system prompt of an isolated leaf is a JSON object.")
    return told


def _end_of(exited: Exited) -> str:
    """How the process ended, in words that follow its name."""
    match exited.ended_by:
        case EndedBy.WALL_CLOCK:
            return "took too long and was ended"
        case EndedBy.CPU:
            return "used too much of the processor and was ended"
        case EndedBy.OUTPUT:
            return "wrote too much and was ended"
        case EndedBy.SIGNAL:
            return f"was ended by signal {-exited.code}"
        case None if exited.code != 0:
            return f"ended with code {exited.code}"
        case None:
            return "gave no outcome that can be read"
