"""What the steps of timers write: their sends, their sessions, the timers themselves, and each tick.

The rows of all steps of a transaction are written together: a few statements, however many timers fire.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, tuple_, update
from uuid6 import uuid7

from powerloop.kernel.accepting import accepted_send
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.firing import Order, Step, made_by, ordered, unfollowable
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import CancelEffect, Cancellation, Send
from powerloop.kernel.sessions import NewSession, Session, new_session
from powerloop.kernel.timers import Timer
from powerloop.store.acceptance import SENDS
from powerloop.store.cancelling import end
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.inputs import checked_send, checked_session
from powerloop.store.portable.acceptance import new_send_row
from powerloop.store.portable.locking import lock_session
from powerloop.store.rows import cancel_row, send_of, session_of
from powerloop.store.schema import sends, sessions, timer_firings, timers
from powerloop.store.timer_rows import firing_row, state_row

_COUNTED: Final = (
    update(sessions)
    .where(sessions.c.id == bindparam("of_id"))
    .values(
        accepted=bindparam("now_accepted"), steering=bindparam("now_steering"), updated_at=bindparam("at")
    )
)


@dataclass(frozen=True, slots=True)
class Made:
    """A step of a timer, and the session that it wakes."""

    #: The timer before it.
    timer: Timer
    stepped: Step
    #: As it stands, locked; `None`: each tick has a fresh one.
    session: Session | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written."""

    #: The sends, in the order of the steps that made them; those that were made before included.
    made: tuple[Send, ...]
    #: Those of them that are new and the heads of their sessions, and those that a worker has to end.
    ready: tuple[Send, ...]
    #: Sends that run, and are asked to end.
    ended: tuple[Send, ...]


async def write_steps(run: Run, steps: Sequence[Made], at: datetime) -> Written:
    """Write the steps of timers that are locked with their sessions, at most one of each timer; `at`: the
    present. One that makes no sense after all pauses its timer, and stands in the way of no other."""
    known = await _known(run, steps)
    steps, cut = await _end_those_before(run, steps)
    batch = _Batch(at)
    done = [_with_send(one, known, batch) for one in steps]
    await batch.write(run)
    if done:
        await _write_timers(run, [stepped.timer for stepped in done])
    await _write_firings(run, done)
    made = [stepped.timer.last_send_id for stepped in done if stepped.order is not None]
    told = batch.made | {send.id: send for send in known.values()}
    heads = [send for send in batch.made.values() if send.dispatched_at is not None]
    return Written(
        made=tuple(told[send_id] for send_id in made if send_id is not None),
        ready=(*heads, *(one.ready for one in cut if one.ready)),
        ended=tuple(one.send for one in cut if one.send and one.effect is not CancelEffect.ENDED),
    )


@dataclass(slots=True)
class _Batch:
    """The sends and sessions that are to be written."""

    at: datetime
    #: The sessions as they will stand.
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    fresh: list[dict[str, Any]] = field(default_factory=list)
    #: The sends by their ids, and their rows.
    made: dict[SendId, Send] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, session: Session | None, timer: Timer, order: Order) -> SendId:
        """Take a send in; its id."""
        stands = self.sessions.get(session.id, session) if session else self._fresh(timer, order)
        new = checked_send(ordered(order, stands.id, SendId(str(uuid7()))))
        position, is_head = stands.accepted + 1, stands.pending == 0
        steering = stands.steering + (order.policy is Policy.STEER and not is_head)
        row = new_send_row(new, order.policy, position, is_head=is_head, at=self.at)
        spec = stands.origin.spec if stands.origin else None
        self.made[new.id] = accepted_send(
            new, order.policy, position, self.at, agent=stands.agent, spec=spec, is_head=is_head
        )
        self.rows.append(row)
        if session is None:
            self.fresh.append(_session_row(stands))
        else:
            self.sessions[session.id] = replace(stands, accepted=position, steering=steering)
        return new.id

    def _fresh(self, timer: Timer, order: Order) -> Session:
        """A session that is yet to be written, before its first send."""
        new = NewSession(id=SessionId(str(uuid7())), agent=timer.agent, metadata=dict(order.metadata))
        return new_session(checked_session(new), self.at)

    async def write(self, run: Run) -> None:
        """Write the rows."""
        if self.fresh:
            await run(insert(sessions), self.fresh)
        if self.sessions:
            counts = [{**_counts(session), "at": self.at} for session in self.sessions.values()]
            await run(_COUNTED, counts)
        if self.rows:
            await run(insert(sends), self.rows)


def _with_send(one: Made, known: dict[tuple[SessionId, str], Send], batch: _Batch) -> Step:
    """The step, with the id of the send that it makes."""
    stepped = one.stepped
    if stepped.order is None:
        return stepped
    # A timer that was planned anew may come to a tick that has fired.
    earlier = known.get((one.session.id, stepped.order.key)) if one.session else None
    if earlier is not None:
        return made_by(stepped, earlier.id)
    try:
        return made_by(stepped, batch.add(one.session, stepped.timer, stepped.order))
    except InvalidInput as error:
        return unfollowable(one.timer, error)


async def _known(run: Run, steps: Iterable[Made]) -> dict[tuple[SessionId, str], Send]:
    """The sends that were made before for the same ticks."""
    keys = [(one.session.id, one.stepped.order.key) for one in steps if one.session and one.stepped.order]
    if not keys:
        return {}
    place = tuple_(sends.c.session_id, sends.c.idempotency_key)
    rows = await run(SENDS.where(place.in_(keys)))
    return {(row["session_id"], row["idempotency_key"]): send_of(row) for row in rows}


async def _end_those_before(run: Run, steps: Sequence[Made]) -> tuple[Sequence[Made], Sequence[Cancellation]]:
    """Ask for the end of the sends that steps ask for: it has its turn before what they make.

    Returns:
        The steps, with their sessions as they stand then, and what each request came to. Those whose send is
        in a session that somebody has locked are left out: their timers are due the next time, too.
    """
    cut: list[Cancellation] = []
    taken: list[Made] = []
    moved: dict[SessionId, Session | None] = {}
    for one in steps:
        if one.stepped.ends is None:
            taken.append(one)
            continue
        in_its_session = select(sends.c.session_id).where(sends.c.id == one.stepped.ends).scalar_subquery()
        its = select(sessions).where(sessions.c.id == in_its_session)
        locked = await run(its.with_for_update(key_share=True, skip_locked=True))
        if not locked:
            continue
        cancellation = await _ask_to_end(run, session_of(locked[0]), one.stepped)
        if cancellation is not None:
            cut.append(cancellation)
        taken.append(one)
        if one.session is not None:
            moved[one.session.id] = await lock_session(run, one.session.id)
    # Others may wake the same sessions.
    stand = ((one, moved.get(one.session.id, one.session) if one.session else None) for one in taken)
    return [replace(one, session=session) for one, session in stand], cut


async def _ask_to_end(run: Run, session: Session, stepped: Step) -> Cancellation | None:
    """Ask for the end of the send before; what that came to, `None` if it is not there any more."""
    assert stepped.ends is not None, "a send is to end"
    its = update(sends).where(sends.c.id == stepped.ends, sends.c.ended_at.is_(None))
    reason = f"the timer {stepped.timer.id} fired again"
    unasked = its.where(sends.c.cancel_requested_at.is_(None))
    await run(unasked.values(cancel_row(reason, "", now())))
    rows = await run(SENDS.where(sends.c.id == stepped.ends))
    return await end(run, session, send_of(rows[0])) if rows else None


async def _write_timers(run: Run, changed: Sequence[Timer]) -> None:
    rows = [
        {"of_id": timer.id, **{f"new_{name}": value for name, value in state_row(timer).items()}}
        for timer in changed
    ]
    places: dict[str, Any] = {
        name.removeprefix("new_"): bindparam(name) for name in rows[0] if name != "of_id"
    }
    await run(update(timers).where(timers.c.id == bindparam("of_id")).values(places), rows)


async def _write_firings(run: Run, steps: Iterable[Step]) -> None:
    """Write what became of the ticks; a tick that was held back is written anew."""
    firings = [firing for stepped in steps for firing in stepped.firings]
    if not firings:
        return
    place = tuple_(timer_firings.c.timer_id, timer_firings.c.tick_at)
    ticks = [(firing.timer_id, firing.tick_at) for firing in firings]
    held = select(timer_firings.c.timer_id, timer_firings.c.tick_at).where(place.in_(ticks))
    before = [(row["timer_id"], row["tick_at"]) for row in await run(held)]
    if before:
        await run(delete(timer_firings).where(place.in_(before)))
    await run(insert(timer_firings), [firing_row(firing) for firing in firings])


def _counts(session: Session) -> dict[str, Any]:
    return {"of_id": session.id, "now_accepted": session.accepted, "now_steering": session.steering}


def _session_row(session: Session) -> dict[str, Any]:
    """The row of a fresh session, its first send counted."""
    return {
        "id": session.id,
        "agent": session.agent,
        "status": session.status.value,
        "metadata": session.metadata,
        "epoch": 0,
        "seq": 0,
        "accepted": 1,
        "finished": 0,
        "policy": session.policy.value,
        "steering": 0,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
    }
