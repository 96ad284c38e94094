"""Three inputs that meet in one session, played step by step: who arrives when, and where a process dies.

The first input starts a send of two rounds: the model asks for a tool, then it answers. The others arrive as
some crash point is passed; at another the process may die, and the next one goes on. After each commit, and
in each request to the model, the transcript is looked at; at the end, what became of each input.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from powerloop.kernel.crash_points import CrashPoint, arm
from powerloop.kernel.errors import SessionBusy
from powerloop.kernel.executor import Executor
from powerloop.kernel.ids import SendId, SessionId, WorkerId
from powerloop.kernel.messages import (
    Message,
    Role,
    TextBlock,
)
from powerloop.kernel.policies import Policy
from powerloop.kernel.ports.store import Store
from powerloop.kernel.sends import Accepted, NewSend, Send, SendStatus
from powerloop.kernel.sessions import NewSession
from tests.unit.kernel.transcripts import assert_in_order, assert_valid, awaits_result
from tests.unit.kernel.two_rounds import Toolbox, TwoRoundModel

ENDS_HEAD = (Policy.INTERRUPT, Policy.ROLLBACK)
WRITES = frozenset({"claim", "commit_model", "commit_results", "merge", "finish", "hand_over", "suspend"})
#: More drives than any of the stories takes.
ENOUGH = 30


@dataclass(frozen=True, slots=True)
class Case:
    """One story."""

    #: Of the first input, which finds the session idle, and of the two that come later.
    policies: tuple[Policy, Policy, Policy]
    #: The passings of crash points, counted from 0, at which those two arrive. If they come to none: when the
    #: session is idle.
    arrivals: tuple[int, int]
    #: The passing at which the process dies; `None`: it does not.
    crash: int | None = None
    #: Whether a process hears at once that the end of what it runs was asked for.
    nudged: bool = True


class Died(BaseException):
    """What a kill is to the coroutines of a process: they come to nothing more."""


class CheckedStore:
    """The store, as a process has it that may die: its transcript is looked at after each write."""

    def __init__(self, store: Store, session_id: SessionId) -> None:
        self._store = store
        self._session_id = session_id
        self.journal = self
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        if name not in WRITES:
            return getattr(self._store, name, None) or getattr(self._store.journal, name)
        write = getattr(self._store.journal, name)

        async def checked(*args: Any) -> Any:
            if self.dead:
                raise Died
            written = await write(*args)
            await self.check()
            return written

        return checked

    async def check(self) -> None:
        assert_valid(await self._store.sessions.messages(self._session_id))
        assert_valid(await self._store.journal.load_window(self._session_id))


@dataclass
class Interleaving:
    """A story as it is played.

    Args:
        house: An executor's surroundings, with an agent named ``support``.
        store: Where everything is kept.
        accept: `Sends.accept`, as another process calls it: done when it returns.
        case: The story.
        prefix: What the ids of its sends and its session begin with.
    """

    house: Any
    store: Store
    accept: Callable[[NewSend], Accepted]
    case: Case
    prefix: str = ""
    executor: Executor = field(init=False)
    checked: CheckedStore = field(init=False)
    passings: int = 0
    lives: int = 0
    #: What was published and not taken yet.
    queue: list[SendId] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session_id = SessionId(f"{self.prefix}session")
        self.house.model = self.model = TwoRoundModel()
        self.house.toolbox = Toolbox()
        #: When those arrive that have not yet.
        self.to_come = [0, *self.case.arrivals]
        self._begin_life()

    async def play(self) -> None:
        """Play it to its end, and look at what came of it."""
        try:
            await self._play()
        except Exception as error:
            raise AssertionError(f"{self.case}: {error!r}") from error

    async def _play(self) -> None:
        await self.store.sessions.create(NewSession(id=self.session_id, agent="support"))
        self._arrive()
        arm(self._pass)
        try:
            for _ in range(ENOUGH):
                if not await self._step():
                    break
            else:
                raise AssertionError("it does not come to its end")
        finally:
            arm(None)
        await self._check_end()

    async def _step(self) -> bool:
        """Take what was published. Where nothing was, the session is idle, or a message was lost."""
        self.queue += [activation.id for activation in self.house.recorder.published]
        self.house.recorder.published.clear()
        session = await self.store.sessions.find(self.session_id)
        assert session is not None
        if not self.queue and session.pending:
            assert self.lives > 1, "nobody was told of a send that is ready"
            self.queue += await self._swept()
        if not self.queue:
            if not self.to_come:
                return False
            self._arrive()
            return True
        drive = asyncio.create_task(self.executor.drive(self.queue.pop(0)))
        await asyncio.wait((drive,))
        if self.checked.dead:
            _ = drive.cancelled() or drive.exception()
            self.queue.clear()
            self.house.recorder.published.clear()
            self._begin_life()
        else:
            drive.result()
        return True

    def _pass(self, point: CrashPoint) -> None:
        passing, self.passings = self.passings, self.passings + 1
        while self.to_come and self.to_come[0] <= passing:
            self._arrive()
        if passing == self.case.crash:
            self.checked.dead = True
        if self.checked.dead:
            raise Died(point)

    def _arrive(self) -> None:
        """The next input arrives, from another process."""
        number = 3 - len(self.to_come)
        self.to_come.pop(0)
        policy = self.case.policies[number]
        new = NewSend(
            id=SendId(f"{self.prefix}send-{number}"),
            session_id=self.session_id,
            content=(TextBlock(text=f"input {number}"),),
            policy=policy,
        )
        try:
            accepted = self.accept(new)
        except SessionBusy:
            assert policy is Policy.REJECT
            return
        assert accepted.created
        assert policy is not Policy.REJECT or accepted.is_head
        assert policy in ENDS_HEAD or accepted.interrupted is None
        self.accepted.append(accepted)
        for ready in (accepted.send if accepted.is_head else None, accepted.ready):
            if ready:
                self.queue.append(ready.id)
        if accepted.interrupted and self.case.nudged:
            self.executor.cancel(accepted.interrupted.id)

    def _begin_life(self) -> None:
        self.lives += 1
        self.house.store = self.checked = CheckedStore(self.store, self.session_id)
        self.executor = self.house.executor(WorkerId(f"{self.prefix}worker-{self.lives}"))

    async def _swept(self) -> Sequence[SendId]:
        """What a sweeper finds: sends whose owner died, or whose message was lost."""
        found = [send for send in await self.store.recovery.reclaim(10) if send.session_id == self.session_id]
        sends = await self.store.sends.list(session_id=self.session_id, status=SendStatus.QUEUED)
        return [send.id for send in found] or [sends[-1].id]

    async def _check_end(self) -> None:
        sends = {one.send.id: await self._find(one.send.id) for one in self.accepted}
        log = await self.store.sessions.messages(self.session_id)
        window = await self.store.journal.load_window(self.session_id)
        assert not awaits_result(log)
        assert_in_order(log, sends)
        gone = {one.interrupted.id for one in self._interruptions() if one.send.policy is Policy.ROLLBACK}
        assert list(window) == [message for message in log if message.send_id not in gone]
        for request in self.model.requests:
            others = {message.send_id for message in request.messages if isinstance(message, Message)}
            assert not (others - {request.send_id}) & gone
        for send in sends.values():
            self._check_send(send, log)
        self._check_told(sends)

    def _interruptions(self) -> list[Any]:
        """What was accepted and asked for the end of another send."""
        return [one for one in self.accepted if one.interrupted]

    async def _find(self, send_id: SendId) -> Send:
        send = await self.store.sends.find(send_id)
        assert send is not None
        return send

    def _check_send(self, send: Send, log: Sequence[Message]) -> None:
        """Its input is in the log once, and it ended as it had to."""
        [message] = [one for one in log if one.role is Role.USER and one.content == send.content]
        asked_for_end = [one.send for one in self._interruptions() if one.interrupted.id == send.id]
        assert (send.cancel is not None) == bool(asked_for_end)
        match send.status:
            case SendStatus.COMPLETED:
                assert send.text == f"Well, {send.id} is done."
                seen = [one.messages for one in self.model.requests if one.send_id == send.id]
                assert all(send.content in [one.content for one in messages] for messages in seen)
                assert send.rounds == 2
            case SendStatus.MERGED:
                assert send.policy is Policy.STEER
                assert message.metadata == {"merged": send.id}
                assert message.send_id < send.id
                return
            case SendStatus.CANCELLED:
                assert send.cancel is not None
                assert send.cancel.reason.endswith(f"by send {asked_for_end[0].id}")
            case status:
                raise AssertionError(f"{send.id} is {status}")
        assert message.send_id == send.id

    def _check_told(self, sends: Iterable[SendId]) -> None:
        """Where no process died, the end of each send was told once."""
        if self.lives > 1:
            return
        told = [event.send_id for event in self.house.recorder.events if event.type == "send.ended"]
        assert sorted(told) == sorted(sends)
