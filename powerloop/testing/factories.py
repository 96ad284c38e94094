"""Nouns with sensible fields, for tests that care about one or two of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import CallStatus, Effect, ToolCall
from powerloop.kernel.dispatch import Activation, activation_of
from powerloop.kernel.ids import CallId, Epoch, SendId, Seq, SessionId, TimerId, WorkerId
from powerloop.kernel.messages import Message, NewMessage, TextBlock, user_message
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Claim, Fence, Send, SendStatus
from powerloop.kernel.timers import Schedule, Timer, TimerOwner, TimerPlan, TimerStatus
from powerloop.kernel.tools import Tool
from powerloop.kernel.turn import Turn
from powerloop.kernel.usage import Usage

#: When everything made here was made.
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def make_agent(*, tools: tuple[Tool, ...] = (), max_rounds: int = 25, name: str = "support") -> Agent:
    """An agent on the echoing scripted model."""
    return Agent(name=name, model="scripted:echo", instructions="Help.", tools=tools, max_rounds=max_rounds)


def make_send(
    *, id: str = "send-1", session_id: str = "session-1", text: str = "hello", attempt: int = 1
) -> Send:
    """A running send of the first position."""
    return Send(
        id=SendId(id),
        session_id=SessionId(session_id),
        agent="support",
        position=1,
        status=SendStatus.RUNNING,
        policy=Policy.ENQUEUE,
        content=(TextBlock(text=text),),
        idempotency_key=None,
        priority=0,
        metadata={},
        attempt=attempt,
        strikes=1,
        epoch=Epoch(1),
        owner=WorkerId("worker-1"),
        rounds=0,
        usage=Usage(),
        stop_reason=None,
        error=None,
        cancel=None,
        output=(),
        created_at=BEGINNING,
        dispatched_at=BEGINNING,
        started_at=BEGINNING,
        ended_at=None,
    )


def make_activation(
    number: int = 1, priority: int = 0, *, first: bool = True, preview: str = "Where is order A-17?"
) -> Activation:
    """What wakes the send of that number, each in a session of its own."""
    send = make_send(id=f"send-{number}", session_id=f"session-{number}", text=preview, attempt=1 - first)
    return activation_of(replace(send, priority=priority))


def make_claim(send: Send | None = None) -> Claim:
    """The claim of a send."""
    send = send or make_send()
    fence = Fence(session_id=send.session_id, send_id=send.id, epoch=send.epoch)
    return Claim(send=send, fence=fence, seq=Seq(1))


def make_call(
    id: str = "call-1",
    *,
    name: str = "find",
    status: CallStatus = CallStatus.PENDING,
    effect: Effect = Effect.READ,
    round: int = 1,
    index: int = 0,
) -> ToolCall:
    """A tool call of the first send."""
    return ToolCall(
        id=CallId(id),
        send_id=SendId("send-1"),
        round=round,
        index=index,
        name=name,
        arguments={},
        effect=effect,
        status=status,
        result="found" if status is CallStatus.DONE else None,
        full_result=None,
        started_at=None,
        ended_at=None,
    )


def make_turn(
    agent: Agent | None = None,
    *,
    messages: tuple[Message | NewMessage, ...] = (),
    calls: tuple[ToolCall, ...] = (),
    rounds: int = 0,
) -> Turn:
    """What is known of a claimed send that was just loaded."""
    return Turn(
        agent=agent or make_agent(),
        claim=make_claim(),
        messages=messages or (user_message("hello"),),
        calls=calls,
        rounds=rounds,
    )


def make_timer(
    *, id: str = "timer-1", plan: TimerPlan | None = None, tick_at: datetime | None = BEGINNING
) -> Timer:
    """An armed timer of a session; every hour from `BEGINNING` on, unless a plan is given."""
    hourly = TimerPlan(schedule=Schedule(every=timedelta(hours=1), start=BEGINNING), input="Wake up.")
    return Timer(
        id=TimerId(id),
        session_id=SessionId("session-1"),
        agent="support",
        owner=TimerOwner.PRODUCER,
        status=TimerStatus.ARMED,
        reason="",
        plan=plan or hourly,
        tick_at=tick_at,
        due_at=tick_at,
        asked_at=None,
        held_at=None,
        fires=0,
        skips=0,
        last_send_id=None,
        last_tick_at=None,
        created_at=BEGINNING,
        armed_at=BEGINNING,
        ended_at=None,
    )
