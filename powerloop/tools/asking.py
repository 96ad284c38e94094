"""Asking whether a call may run: whether a person is asked, and what."""

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from powerloop.kernel.errors import ToolArgumentsInvalid
from powerloop.kernel.interactions import ApprovalAction, InteractionKind
from powerloop.kernel.jsontypes import JSON, clean_text
from powerloop.kernel.tools import Approval, ApprovalRule
from powerloop.kernel.waits import Question
from powerloop.mending.words import clip
from powerloop.tools.arguments import Bound
from powerloop.tools.cancellation import pass_on_cancel
from powerloop.tools.function import FunctionTool
from powerloop.tools.handler import handler_takes_context
from powerloop.tools.invocation import Invocation
from powerloop.tools.routine import Routine
from powerloop.tools.signature import is_blocking, label_of
from powerloop.tools.threads import ToolThreads
from powerloop.tools.timed import starting
from powerloop.tools.validated import Validated

logger = logging.getLogger(__name__)

#: How long a rule may take. The send waits, and so does its session.
RULE_TIMEOUT: Final = timedelta(seconds=30)

_UNDECIDED_NOTE: Final = "(You are asked because the rule that decides about it could not: {}.)"
_MAX_ARGUMENTS_LENGTH: Final = 4_000
_DENIAL: Final[Mapping[str, JSON]] = {
    "action": ApprovalAction.DENY.value,
    "reason": "nobody answered in time",
}


async def question_about(
    invocation: Invocation, approval: Approval, validated: Validated, threads: ToolThreads
) -> Question | None:
    """What a person is to be asked before the call runs; `None`: nothing.

    It fails closed: where it cannot be told whether to ask, a person is asked.

    Args:
        invocation: The call.
        approval: That its tool asks for.
        validated: Checks its arguments: of a call that is refused anyway, nobody is asked.
        threads: Where a rule that may block runs.
    """
    try:
        decided = await _decided(invocation, approval, validated, threads)
    except BaseException as error:
        pass_on_cancel(error)
        logger.error("approval rule failed", extra=invocation.log_fields, exc_info=error)
        decided = f"{_prompt(invocation)}\n{_UNDECIDED_NOTE.format(type(error).__name__)}"
    if decided is False:
        return None
    return Question(
        kind=InteractionKind.APPROVAL,
        prompt=clean_text(decided) if isinstance(decided, str) else _prompt(invocation),
        schema=invocation.spec.parameters,
        within=approval.within,
        default=None if approval.within is None else _DENIAL,
    )


async def _decided(
    invocation: Invocation, approval: Approval, validated: Validated, threads: ToolThreads
) -> bool | str:
    """Whether to ask, or what."""
    try:
        bound = validated.bind(invocation)
    except ToolArgumentsInvalid:
        return False
    if approval.rule is None:
        return True
    tool = invocation.tool
    arguments = tool.named(bound) if isinstance(tool, FunctionTool) else dict(bound.args[0])
    async with asyncio.timeout(None) as limit:
        return await _routine(approval.rule).run(
            invocation.context,
            Bound(args=(arguments,)),
            threads,
            begun=starting(limit, RULE_TIMEOUT),
            log_fields=invocation.log_fields,
        )


def _routine(rule: ApprovalRule) -> Routine[bool | str]:
    return Routine(
        function=rule,
        takes_context=handler_takes_context(rule, label_of(rule)),
        blocking=is_blocking(rule),
        conclude=_as_decision,
    )


def _as_decision(value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value.strip()):
        return value
    raise TypeError(f"an approval rule returns True, False or what to ask, not {value!r:.80}")


def _prompt(invocation: Invocation) -> str:
    arguments = json.dumps(invocation.arguments, ensure_ascii=False, indent=2, default=str)
    who, what = invocation.context.agent, invocation.spec.name
    return clean_text(f"{who} wants to call {what} with\n{clip(arguments, _MAX_ARGUMENTS_LENGTH)}")
