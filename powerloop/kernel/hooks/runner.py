"""The runner: what the executor calls at each stage of a send."""

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.errors import HookError, HookVeto
from powerloop.kernel.hooks import changes
from powerloop.kernel.hooks.chain import Chain
from powerloop.kernel.hooks.changes import Commit
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
)
from powerloop.kernel.hooks.hook import Hook
from powerloop.kernel.hooks.stages import Stage
from powerloop.kernel.interactions import Resolution
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.messages import Block, Message, NewMessage
from powerloop.kernel.ports.journal import Ending
from powerloop.kernel.ports.model import ModelReply, ModelRequest
from powerloop.kernel.sends import Send
from powerloop.kernel.waits import Question, Spawn

#: What the model is told of a guard that failed: what went wrong is for the log.
GUARD_FAILED_NOTE: Final = "the check that must allow it could not be made."


class Hooks:
    """The hooks of an agent, for one claim of one send. Cheap to make; free where there are none.

    A stage of a send raises `HookVeto` or `HookFailed`, which are to fail it; a stage of a call tells how the
    call ends instead.

    Args:
        hooks: In the order in which they are asked.
        send: The send, as it was when it was claimed.
        deps: The agent's.
    """

    def __init__(self, hooks: Sequence[Hook], send: Send, deps: object = None) -> None:
        self._send = send
        self._deps = deps
        log_fields = {"session_id": send.session_id, "send_id": send.id, "attempt": send.attempt}
        self._chain = Chain(hooks, log_fields)

    async def session_start(self, instructions: str) -> str:
        """The system prompt, for this claim."""
        return await self._chain.ask(
            Stage.SESSION_START,
            instructions,
            lambda hook, value: hook.session_start(
                SessionStart(send=self._send, deps=self._deps, instructions=value)
            ),
            changes.changed_instructions,
        )

    async def session_end(self, ending: Ending) -> None:
        """Tell how the send has ended. Raises nothing: it is too late."""
        context = SessionEnd(send=self._send, deps=self._deps, ending=ending)
        await self._chain.tell(Stage.SESSION_END, lambda hook: hook.session_end(context))

    async def round_start(
        self, number: int, messages: Sequence[Message | NewMessage]
    ) -> Sequence[Message | NewMessage]:
        """What the model sees in this round."""
        return await self._chain.ask(
            Stage.ROUND_START,
            messages,
            lambda hook, value: hook.round_start(
                RoundStart(send=self._send, deps=self._deps, round=number, messages=value)
            ),
            changes.changed_messages,
        )

    async def round_end(
        self, number: int, content: tuple[Block, ...], calls: Sequence[ToolCall] = ()
    ) -> None:
        """Ask if the send may go on from what the model said, and from how the calls ended."""
        context = RoundEnd(
            send=self._send, deps=self._deps, round=number, content=content, calls=tuple(calls)
        )
        await self._chain.ask(
            Stage.ROUND_END, None, lambda hook, _: hook.round_end(context), changes.unchanged
        )

    async def before_model(self, number: int, request: ModelRequest) -> ModelRequest:
        """The request, as it is to be sent."""
        return await self._chain.ask(
            Stage.BEFORE_MODEL,
            request,
            lambda hook, value: hook.before_model(
                BeforeModel(send=self._send, deps=self._deps, round=number, request=value)
            ),
            changes.changed_request,
        )

    async def after_model(self, number: int, request: ModelRequest, reply: ModelReply) -> ModelReply:
        """The reply that the send goes on with. What is raised bears what the model call cost."""
        try:
            return await self._chain.ask(
                Stage.AFTER_MODEL,
                reply,
                lambda hook, value: hook.after_model(
                    AfterModel(send=self._send, deps=self._deps, round=number, request=request, reply=value)
                ),
                changes.changed_reply,
            )
        except HookError as error:
            error.attempts = reply.attempts
            raise

    async def before_tools(
        self, calls: Sequence[ToolCall]
    ) -> tuple[tuple[ToolCall, ...], tuple[ToolOutcome, ...]]:
        """The calls that may run, as they are to run, and how those ended that may not.

        To be asked before a call is written down as running: one that is refused has never run.
        """
        if not self._chain.at(Stage.BEFORE_TOOL):
            return tuple(calls), ()
        answers = await asyncio.gather(*map(self._before_tool, calls))
        return (
            tuple(answer for answer in answers if isinstance(answer, ToolCall)),
            tuple(answer for answer in answers if isinstance(answer, ToolOutcome)),
        )

    async def after_tool(self, call: ToolCall, outcome: ToolOutcome) -> ToolOutcome:
        """The outcome that is written down."""
        try:
            return await self._chain.ask(
                Stage.AFTER_TOOL,
                outcome,
                lambda hook, value: hook.after_tool(
                    AfterTool(send=self._send, deps=self._deps, round=call.round, call=call, outcome=value)
                ),
                changes.changed_outcome,
            )
        except HookError as error:
            return changes.refused(call, f"It was run, but its result is withheld: {_told(error)}")

    async def before_commit(self, number: int, commit: Commit) -> Commit:
        """The commit, as it is to be written. What is raised bears what the model call cost.

        Nobody is asked of the ending of a send that failed or was cancelled: it must end.
        """
        if changes.must_be_written(commit):
            return commit
        try:
            return await self._chain.ask(
                Stage.BEFORE_COMMIT,
                commit,
                lambda hook, value: hook.before_commit(
                    BeforeCommit(
                        send=self._send,
                        deps=self._deps,
                        round=number,
                        commit=value,
                        message=changes.message_of(value),
                    )
                ),
                changes.changed_commit,
            )
        except HookError as error:
            error.attempts = changes.entries_of(commit)
            raise

    async def spawn(self, call: ToolCall, spawn: Spawn) -> Spawn | ToolOutcome:
        """The sub-agent, as it is to be started; or how the call ended, if it is not."""
        try:
            return await self._chain.ask(
                Stage.SPAWN,
                spawn,
                lambda hook, value: hook.spawn(
                    SpawnRequested(send=self._send, deps=self._deps, round=call.round, call=call, spawn=value)
                ),
                changes.changed_spawn,
            )
        except HookError as error:
            return changes.refused(call, f"Not started: {_told(error)}")

    async def interaction(self, call: ToolCall, question: Question) -> Resolution | None:
        """What the question comes to without a person; `None`: a person is to be asked."""
        context = InteractionOpened(
            send=self._send, deps=self._deps, round=call.round, call=call, question=question
        )
        nobody_yet: Resolution | None = None
        try:
            return await self._chain.ask(
                Stage.INTERACTION,
                nobody_yet,
                lambda hook, _: hook.interaction(context),
                lambda _, decision: changes.answered(question, decision),
                lambda resolution: resolution is not None,
            )
        except HookError as error:
            text = clean_text(f"Nobody was asked: {_told(error)}")
            return Resolution(status=CallStatus.FAILED, text=text)

    async def _before_tool(self, call: ToolCall) -> ToolCall | ToolOutcome:
        try:
            return await self._chain.ask(
                Stage.BEFORE_TOOL,
                call,
                lambda hook, value: hook.before_tool(
                    BeforeTool(send=self._send, deps=self._deps, round=call.round, call=_copied(value))
                ),
                changes.changed_arguments,
            )
        except HookError as error:
            return changes.refused(call, f"Not run: {_told(error)}")


def _copied(call: ToolCall) -> ToolCall:
    """The call with arguments of its own: a hook may spoil them, and fail."""
    return replace(call, arguments=copy.deepcopy(call.arguments))


def _told(error: HookError) -> str:
    """What the model is told of why a hook stopped a call."""
    return error.reason if isinstance(error, HookVeto) else GUARD_FAILED_NOTE
