"""What several edges write: sessions, messages, ends of calls, ledger entries, new values of a session or a
send."""

from collections.abc import Sequence

from sqlalchemy import insert, update

from powerloop.kernel.calls import CallStatus, ToolOutcome
from powerloop.kernel.codec import content_to_json
from powerloop.kernel.ids import Epoch, SendId, Seq, SessionId
from powerloop.kernel.interactions import InteractionKind, InteractionStatus, NewInteraction
from powerloop.kernel.messages import NewMessage
from powerloop.kernel.sends import Send
from powerloop.kernel.sessions import NewSession, Session, SessionStatus
from powerloop.kernel.usage import ModelCallEntry, Usage
from powerloop.store.columns import after, now
from powerloop.store.database import Run
from powerloop.store.encoding import cleaned, decode
from powerloop.store.rows import (
    entry_row,
    new_interaction_row,
    origin_row,
    outcome_row,
    session_of,
    usage_row,
)
from powerloop.store.schema import interactions, messages, model_calls, sends, sessions, tool_calls


async def add_session(run: Run, new: NewSession) -> Session:
    """Write a new session, as `checked_session` returns it: open, and empty."""
    row = insert(sessions).values(
        id=new.id,
        agent=new.agent,
        status=SessionStatus.OPEN.value,
        metadata=new.metadata,
        epoch=0,
        seq=0,
        accepted=0,
        finished=0,
        created_at=now(),
        updated_at=now(),
        policy=new.policy.value,
        steering=0,
        **origin_row(new.origin),
    )
    return session_of((await run(row.returning(sessions)))[0])


async def change_session(run: Run, session_id: SessionId, **values: object) -> None:
    """Give the session's row new values."""
    await run(update(sessions).where(sessions.c.id == session_id).values(updated_at=now(), **values))


async def change_send(run: Run, send_id: SendId, **values: object) -> None:
    """Give the send's row new values."""
    await run(update(sends).where(sends.c.id == send_id).values(**values))


def more_usage(send: Send, usage: Usage) -> dict[str, int]:
    """The values of the send's token counts with `usage` added."""
    return usage_row(send.usage + usage)


async def append(
    run: Run, session: Session, send_id: SendId, epoch: Epoch, added: Sequence[NewMessage]
) -> Seq:
    """Append to the session's log; the place of its last message, to which the caller moves `seq`."""
    for seq, message in enumerate(added, start=session.seq + 1):
        await run(
            insert(messages).values(
                session_id=session.id,
                seq=seq,
                role=message.role.value,
                content=content_to_json(message.content),
                send_id=send_id,
                epoch=epoch,
                metadata=cleaned(message.metadata),
                created_at=now(),
            )
        )
    return Seq(session.seq + len(added))


async def end_calls(run: Run, send_id: SendId, outcomes: Sequence[ToolOutcome]) -> None:
    """Write how calls ended. One that has ended stays as it is."""
    for outcome in outcomes:
        values = outcome_row(outcome)
        its = (tool_calls.c.send_id == send_id, tool_calls.c.id == values.pop("id"))
        open_call = update(tool_calls).where(*its, tool_calls.c.ended_at.is_(None))
        await run(open_call.values(ended_at=now(), **values))


async def bill(run: Run, send: Send, number: int, entries: Sequence[ModelCallEntry]) -> None:
    """Write ledger entries of the round `number`."""
    for entry in entries:
        await run(
            insert(model_calls).values(
                session_id=send.session_id,
                send_id=send.id,
                round=number,
                attempt=send.attempt,
                created_at=now(),
                **entry_row(entry),
            )
        )


async def ask(run: Run, send: Send, new: NewInteraction) -> None:
    """Open an interaction about a call of the send, unless that has ended: it waits from now on."""
    row = new_interaction_row(new)
    in_doubt = new.kind is InteractionKind.IN_DOUBT
    status = CallStatus.IN_DOUBT if in_doubt else CallStatus.WAITING
    if new.within is not None:
        row["expires_at"] = after(new.within)
    its = (tool_calls.c.send_id == send.id, tool_calls.c.id == row["call_id"])
    asked = update(tool_calls).where(*its, tool_calls.c.ended_at.is_(None))
    for call in await run(asked.values(status=status.value).returning(tool_calls)):
        await run(
            insert(interactions).values(
                status=InteractionStatus.OPEN.value,
                session_id=send.session_id,
                send_id=send.id,
                tool=call["name"],
                arguments=decode(call["arguments"]),
                actor="",
                created_at=now(),
                **row,
            )
        )


async def withdraw(run: Run, send_id: SendId) -> None:
    """Close what people were asked for the send, unanswered."""
    its_open = (interactions.c.send_id == send_id, interactions.c.status == InteractionStatus.OPEN.value)
    withdrawn = update(interactions).where(*its_open)
    await run(withdrawn.values(status=InteractionStatus.WITHDRAWN.value, closed_at=now()))
