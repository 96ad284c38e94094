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
from powerloop.kernel.firing import Order, Step, made_by, ordered
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import Send, SendStatus
from powerloop.kernel.sessions import NewSession, Session, new_session
from powerloop.kernel.timers import Timer
from powerloop.store.acceptance import SENDS
from powerloop.store.columns import now
from powerloop.store.database import Run
from powerloop.store.inputs import checked_send, checked_session
from powerloop.store.portable.acceptance import new_send_row
from powerloop.store.portable.locking import lock_session
from powerloop.store.readiness import readied
from powerloop.store.rows import cancel_row, send_of
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
    present."""
    known = await _known(run, steps)
    batch = _Batch(at)
    # What they ask to end has its turn before what they make.
    cut = [await _ask_to_end(run, one.stepped) for one in steps if one.stepped.ends is not None]
    done = [_with_send(one, known, batch) for one in steps]
    await batch.write(run)
    await _write_timers(run, [stepped.timer for stepped in done])
    await _write_firings(run, done)
    made = [stepped.timer.last_send_id for stepped in done if stepped.order is not None]
    told = batch.made | {send.id: send for send in known.values()}
    heads = [send for send in batch.made.values() if send.dispatched_at is not None]
    asked = [send for send in cut if send is not None]
    return Written(
        made=tuple(told[send_id] for send_id in made if send_id is not None),
        ready=(*heads, *(send for send in asked if send.status is SendStatus.QUEUED and send.dispatched_at)),
        ended=tuple(send for send in asked if send.status is SendStatus.RUNNING),
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
        stands = self.sessions.get(session.id, session) if session else self._freshly(timer, order)
        position, is_head = stands.accepted + 1, stands.pending == 0
        steering = stands.steering + (order.policy is Policy.STEER and not is_head)
        if session is not None:
            self.sessions[session.id] = replace(stands, accepted=position, steering=steering)
        new = checked_send(ordered(order, stands.id, SendId(str(uuid7()))))
        spec = stands.origin.spec if stands.origin else None
        self.made[new.id] = accepted_send(
            new, order.policy, position, self.at, agent=stands.agent, spec=spec, is_head=is_head
        )
        dispatched_at = self.at if is_head else None
        row = new_send_row(new, order.policy, position, is_head=is_head)
        self.rows.append({**row, "created_at": self.at, "dispatched_at": dispatched_at})
        return new.id

    def _freshly(self, timer: Timer, order: Order) -> Session:
        """A session that is yet to be written, before its first send."""
        new = NewSession(id=SessionId(str(uuid7())), agent=timer.agent, metadata=dict(order.metadata))
        session = new_session(checked_session(new), self.at)
        self.fresh.append(_session_row(session))
        return session

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
    send_id = earlier.id if earlier else batch.add(one.session, stepped.timer, stepped.order)
    return made_by(stepped, send_id)


async def _known(run: Run, steps: Iterable[Made]) -> dict[tuple[SessionId, str], Send]:
    """The sends that were made before for the same ticks."""
    keys = [(one.session.id, one.stepped.order.key) for one in steps if one.session and one.stepped.order]
    if not keys:
        return {}
    place = tuple_(sends.c.session_id, sends.c.idempotency_key)
    rows = await run(SENDS.where(place.in_(keys)))
    return {(row["session_id"], row["idempotency_key"]): send_of(row) for row in rows}


async def _ask_to_end(run: Run, stepped: Step) -> Send | None:
    """Ask for the end of the send before, if it has not ended; as it stands then."""
    assert stepped.ends is not None
    rows = await run(SENDS.where(sends.c.id == stepped.ends))
    if not rows or await lock_session(run, rows[0]["session_id"]) is None:
        return None
    its = update(sends).where(sends.c.id == stepped.ends, sends.c.ended_at.is_(None))
    reason = f"the timer {stepped.timer.id} fired again"
    unasked = its.where(sends.c.cancel_requested_at.is_(None))
    await run(unasked.values(cancel_row(reason, "", now())))
    # Its transcript is to be closed, which takes a worker. One behind others has its turn, and ends then.
    started = its.where(sends.c.status != SendStatus.RUNNING.value, sends.c.dispatched_at.is_not(None))
    await run(started.values(readied()))
    rows = await run(SENDS.where(sends.c.id == stepped.ends, sends.c.ended_at.is_(None)))
    return send_of(rows[0]) if rows else None


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
