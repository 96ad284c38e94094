"""How calls begin to wait, and what of that ends with their send, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from powerloop.kernel.calls import CallStatus, ToolCall, ToolOutcome
from powerloop.kernel.dispatch import Ready
from powerloop.kernel.ids import CallId, SendId
from powerloop.kernel.interactions import Interaction, InteractionKind, InteractionStatus, NewInteraction
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.sends import Send
from powerloop.kernel.suspension import NewSleep, Suspension
from powerloop.kernel.tool_tasks import NewToolTask, TaskStatus, ToolTask
from powerloop.kernel.workflows import NewRun, RunAdvance
from powerloop.store.encoding import cleaned
from powerloop.store.memory.children import start_children
from powerloop.store.memory.interactions import wake
from powerloop.store.memory.state import State
from powerloop.store.memory.workflow_ends import begin_run


def begin_waits(state: State, send: Send, suspension: Suspension) -> tuple[Ready, ...]:
    """Write down what calls of the send wait for, those that have ended excepted; what is to be published."""
    for new in suspension.interactions:
        _ask(state, send, new)
    for sleep in suspension.sleeps:
        _begin_sleep(state, send, sleep)
    tasks = [_begin_task(state, send, task) for task in suspension.tasks]
    children = start_children(state, send, suspension)
    runs = [_begin_run(state, send, new) for new in suspension.runs]
    return (*children, *(one for one in (*tasks, *runs) if one))


def stop_tasks(state: State, send_id: SendId) -> None:
    """Cancel the tool tasks of a send that ends."""
    for task in state.tasks.values():
        if task.send_id == send_id and not task.status.is_final:
            state.tasks[task.id] = replace(task, status=TaskStatus.CANCELLED, ended_at=state.clock.now())


def rouse(state: State, limit: int) -> Sequence[Send]:
    """As `Recovery.rouse`."""
    now = state.clock.now()
    asleep = [
        (call.wakes_at, call)
        for calls in state.calls.values()
        for call in calls.values()
        if call.status is CallStatus.WAITING and call.wakes_at and call.wakes_at <= now
    ]
    slept = [call for _, call in sorted(asleep, key=lambda pair: pair[0])[:limit]]
    for call in slept:
        text = state.wake_results[call.send_id, call.id]
        state.end_calls(call.send_id, (ToolOutcome(call_id=call.id, status=CallStatus.DONE, text=text),))
    woken = [wake(state, send_id) for send_id in dict.fromkeys(call.send_id for call in slept)]
    return [send for send in woken if send is not None]


def _begin_sleep(state: State, send: Send, sleep: NewSleep) -> None:
    call = _open_call(state, send, sleep.call_id)
    if call is not None:
        until = sleep.until if sleep.lasts is None else state.clock.now() + sleep.lasts
        state.calls[send.id][call.id] = replace(call, status=CallStatus.WAITING, wakes_at=until)
        state.wake_results[send.id, call.id] = clean_text(sleep.result)


def _begin_run(state: State, send: Send, new: NewRun) -> RunAdvance | None:
    """Write the run, unless its call has ended."""
    call = _open_call(state, send, new.call_id)
    if call is None:
        return None
    state.calls[send.id][call.id] = replace(call, status=CallStatus.WAITING)
    return begin_run(state, send, new)


def _begin_task(state: State, send: Send, new: NewToolTask) -> ToolTask | None:
    """Queue the task, unless its call has ended."""
    call = _open_call(state, send, new.call_id)
    if call is None:
        return None
    state.calls[send.id][call.id] = replace(call, status=CallStatus.WAITING)
    now = state.clock.now()
    state.tasks[new.id] = task = ToolTask(
        id=new.id,
        session_id=send.session_id,
        send_id=send.id,
        root_id=send.root_id,
        call_id=call.id,
        tool=clean_text(new.tool),
        queue=new.queue,
        arguments=cleaned(new.arguments),
        edited=new.edited,
        priority=send.priority,
        status=TaskStatus.QUEUED,
        attempt=0,
        strikes=0,
        owner=None,
        created_at=now,
        dispatched_at=now,
        started_at=None,
        ended_at=None,
    )
    state.task_dispatches[task.id] = 1
    return task


def _ask(state: State, send: Send, new: NewInteraction) -> None:
    call = _open_call(state, send, new.call_id)
    if call is None:
        return
    in_doubt = new.kind is InteractionKind.IN_DOUBT
    status = CallStatus.IN_DOUBT if in_doubt else CallStatus.WAITING
    state.calls[send.id][call.id] = replace(call, status=status)
    now = state.clock.now()
    state.interactions[new.id] = Interaction(
        id=new.id,
        kind=new.kind,
        status=InteractionStatus.OPEN,
        session_id=send.session_id,
        send_id=send.id,
        call_id=call.id,
        tool=call.name,
        arguments=call.arguments,
        prompt=clean_text(new.prompt),
        schema=None if new.schema is None else cleaned(new.schema),
        choices=tuple(cleaned(list(new.choices))),
        default=cleaned(new.default),
        expires_at=None if new.within is None else now + new.within,
        answer=None,
        actor="",
        created_at=now,
        closed_at=None,
    )


def _open_call(state: State, send: Send, call_id: CallId) -> ToolCall | None:
    call = state.calls.get(send.id, {}).get(CallId(clean_text(call_id)))
    return None if call is None or call.status.is_final else call
