"""Spending: what a claim's budgets are, and what each of its model calls may use of them."""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from powerloop.kernel.agents import AgentRegistry
from powerloop.kernel.budgets import Refused, Reserved, Spending
from powerloop.kernel.cancellation import uninterrupted
from powerloop.kernel.errors import AgentUnknown
from powerloop.kernel.estimate import estimate_usage
from powerloop.kernel.limits import Budget
from powerloop.kernel.model_settings import ModelSettings
from powerloop.kernel.money import FREE
from powerloop.kernel.ports.accounts import Accounts
from powerloop.kernel.ports.model import ModelRequest, Models
from powerloop.kernel.sends import Claim, Fence
from powerloop.kernel.subagents import budget_of, charged_budgets
from powerloop.kernel.turn import Turn
from powerloop.kernel.usage import Usage
from powerloop.kernel.workflows import DIRECT

logger = logging.getLogger("powerloop.executor")

#: The most tokens of an answer that is charged to a budget of tokens or money, where the agent says nothing.
#: No model is known that refuses to write so many.
DEFAULT_OUTPUT_TOKENS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A model call that may be made."""

    #: As it is to be sent: its answer and its time are cut to what is left.
    request: ModelRequest
    #: Whether its answer may be shorter than the agent allows.
    is_short: bool = False
    #: Whether it has less time than the agent allows.
    is_hurried: bool = False


class Purse:
    """Reserves what model calls may use, in every budget that a claim is charged to."""

    def __init__(self, accounts: Accounts, models: Models) -> None:
        self._accounts = accounts
        self._models = models
        self._warned = False

    async def admit(self, turn: Turn, request: ModelRequest) -> Admitted | None:
        """The request as it may be sent; `None`: a budget is used up."""
        fence, send = turn.claim.fence, turn.claim.send
        if not fence.budgets:
            return Admitted(request=request)
        budget = budget_of(turn.agent, send)
        if request.model.startswith(DIRECT):
            # It uses nothing; those below the send are to find the account.
            await uninterrupted(self._accounts.reserve(fence, budget, Spending()))
            return Admitted(request=request)
        wanted = self._wanted(fence, budget, request)
        answer = await uninterrupted(self._accounts.reserve(fence, budget, wanted))
        if isinstance(answer, Refused):
            told = {"session_id": send.session_id, "send_id": send.id}
            logger.info(
                "budget used up", extra={**told, "limit": answer.limit.value, "budget_of": answer.send_id}
            )
            return None
        return _within(answer, request, wanted)

    def _wanted(self, fence: Fence, budget: Budget, request: ModelRequest) -> Spending:
        """What the call may use at most, its input by an estimate."""
        usage = Usage(
            input_tokens=estimate_usage(request, 0).input_tokens, output_tokens=_most_output(request.settings)
        )
        cost = self._models.cost_of(request.model, usage)
        if (
            cost is None
            and (budget.cost is not None or fence.budgets != (fence.send_id,))
            and not self._warned
        ):
            self._warned = True
            extra = {"session_id": fence.session_id, "send_id": fence.send_id, "model": request.model}
            logger.warning("price not known: its calls cost a budget nothing", extra=extra)
        return Spending(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=FREE if cost is None else cost,
        )


def charged(agents: AgentRegistry, claim: Claim) -> Claim:
    """The claim; its fence says which budgets are charged with what it uses."""
    send = claim.send
    name = str((send.spec or {}).get("base", send.agent))
    try:
        budget = budget_of(agents.get(name), send)
    except AgentUnknown:
        budget = send.budget or Budget()
    budgets = charged_budgets(budget, send)
    return replace(claim, fence=replace(claim.fence, budgets=budgets)) if budgets else claim


def _most_output(settings: ModelSettings) -> int:
    return settings.max_output_tokens or DEFAULT_OUTPUT_TOKENS + (settings.reasoning_tokens or 0)


def _within(reserved: Reserved, request: ModelRequest, wanted: Spending) -> Admitted:
    """The request, cut to what was reserved."""
    most, left = reserved.spending.output_tokens, reserved.time_left
    is_hurried = left is not None and left < request.deadline
    settings = request.settings
    if reserved.limits_output:
        # Reasoning is a part of the answer: providers refuse to spend all of it on that.
        reasons = settings.reasoning_tokens is not None and settings.reasoning_tokens < most
        settings = replace(
            settings,
            max_output_tokens=most,
            reasoning_tokens=settings.reasoning_tokens if reasons else None,
        )
    return Admitted(
        request=replace(request, settings=settings, deadline=_sooner(request.deadline, left)),
        is_short=most < wanted.output_tokens,
        is_hurried=is_hurried,
    )


def _sooner(deadline: timedelta, left: timedelta | None) -> timedelta:
    return deadline if left is None else min(deadline, left)
