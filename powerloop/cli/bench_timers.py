"""``powerloop bench timers``: how fast beats fire timers that are due at once, and how late single ones are.

Each timer wakes a session of its own that is there before, once: firing makes sends, and no sessions.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

import typer

from powerloop.cli.bench_system import AGENT, Used, bench_system, percentile_ms, warm_up
from powerloop.cli.console import AsJson, Console
from powerloop.client.loop import AsyncPowerLoop
from powerloop.kernel.sends import Send
from powerloop.settings import Settings

T = TypeVar("T")
#: Tells people how far it has come.
Say = Callable[[str], object]

#: What is asked of the database at once while timers are made.
_IN_FLIGHT: Final = 32
#: Timers that are fired before any is measured: the beats have connected by then, and filled their caches.
_WARM_UP: Final = 200
_WARM_UP_APART: Final = timedelta(milliseconds=10)
_AT_ONCE: Final = timedelta(0)
#: Between two single timers. No part of a second, so that they meet no beat in its rhythm.
_IDLE_APART: Final = timedelta(milliseconds=337)

#: How far ahead of the first of them timers are begun to be made, and the last one is made at the latest: a
#: beat has seen what is new within a second.
_LEAD: Final = timedelta(seconds=5)
_AHEAD: Final = timedelta(seconds=2)
#: What making the first timers is expected to take, each; how much longer than expected it may take.
_EACH: Final = timedelta(milliseconds=5)
_SPARE: Final = 1.5
#: How often timers are made anew since some would have been due too soon.
_TRIES: Final = 3

#: Seconds between two looks at whether all have fired, and how long they are waited for.
_LOOK_S: Final = 0.1
_TIMEOUT_S: Final = 900
_PAGE: Final = 1_000
#: What the sends of a crowd are found by.
_MARK: Final = "crowd"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimersMeasured:
    """What `bench timers` found.

    Sends are made with the instant at which their beat has locked their timers, so that is what lateness ends
    with: to be taken by a worker, a send is yet to be committed and published.
    """

    due: int
    beats: int
    workers: int
    #: The timers that are due at one instant, by the seconds from then to the last of their sends.
    fires_per_s: float
    burst_late_p50_ms: float
    burst_late_p99_ms: float
    last_enqueued_s: float
    #: From that instant until all were seen to be committed, which was looked for every 0.1 seconds; and the
    #: timers by that. The difference to the above is the last transactions.
    all_committed_s: float
    committed_per_s: float
    #: Of all processes: beats, workers, Postgres and Redis, and the producer, who looks on.
    cpu_ms_per_fire: float
    #: Write transactions in Postgres: one fires many.
    commits_per_fire: float
    #: Timers that are due one by one after that, with nothing else to do: how late their sends are.
    idle: int
    late_p50_ms: float
    late_p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Timers that were made together."""

    #: In the metadata of their sends.
    mark: str
    #: When each is due.
    due_at: Mapping[str, datetime]
    #: How long it took to make one, on the average.
    each: timedelta

    @property
    def last_at(self) -> datetime:
        """When the last of them is due."""
        return max(self.due_at.values())


def register(family: typer.Typer) -> None:
    """Add the verb to the family."""
    family.command("timers")(timers)


def timers(
    due: Annotated[int, typer.Option("--due", min=1, help="Timers that are due at once.")] = 10_000,
    beats: Annotated[int, typer.Option("--beats", min=1)] = 2,
    idle: Annotated[int, typer.Option("--idle", min=1, help="Timers that are due one by one.")] = 60,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Run the sends, beside the beats that make them.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Have so many timers be due at one instant, each of a session of its own, and then some one by one.

    Runs on an embedded stack of its own, so that the processor time of every process can be counted. Making
    the timers takes longer than firing them. Fails if any of them made no send, or more than one.
    """
    say = Console.errors().say if not as_json else _keep_quiet
    with bench_system(workers, beats=beats) as settings:
        measured = asyncio.run(_measure(settings, due=due, beats=beats, idle=idle, workers=workers, say=say))
    Console.output(as_json).record(asdict(measured))


async def _measure(
    settings: Settings, *, due: int, beats: int, idle: int, workers: int, say: Say
) -> TimersMeasured:
    async with AsyncPowerLoop.from_env(settings) as loop:
        await warm_up(loop, workers)
        first = await _crowd(loop, "warm-up", _WARM_UP, _WARM_UP_APART, _EACH, say)
        await _fired(loop, first)
        burst = await _crowd(loop, "burst", due, _AT_ONCE, first.each, say)
        at = burst.last_at
        await _sleep_until(at - timedelta(seconds=1))
        before = await Used.so_far(settings)
        all_committed_s = (await _fired(loop, burst) - at).total_seconds()
        used = (await Used.so_far(settings)).since(before)
        say(f"they have fired within {all_committed_s:.1f} s")
        if workers:
            await _ended(loop)
        single = await _crowd(loop, "idle", idle, _IDLE_APART, first.each, say)
        await _fired(loop, single)
        lates = lateness(burst.due_at, await _sends_of(loop, burst))
        idle_lates = lateness(single.due_at, await _sends_of(loop, single))
    return TimersMeasured(
        due=due,
        beats=beats,
        workers=workers,
        fires_per_s=round(due / lates[-1], 1),
        burst_late_p50_ms=percentile_ms(lates, 0.5),
        burst_late_p99_ms=percentile_ms(lates, 0.99),
        last_enqueued_s=round(lates[-1], 3),
        all_committed_s=round(all_committed_s, 2),
        committed_per_s=round(due / all_committed_s, 1),
        cpu_ms_per_fire=round(used.cpu_s * 1000 / due, 3),
        commits_per_fire=round(used.commits / due, 4),
        idle=idle,
        late_p50_ms=percentile_ms(idle_lates, 0.5),
        late_p99_ms=percentile_ms(idle_lates, 0.99),
    )


def lateness(due_at: Mapping[str, datetime], sends: Sequence[Send]) -> list[float]:
    """How late the sends of these timers are, in seconds, in order.

    A timer without a send is a defect, and so are two sends of one, and one that came before its time.
    """
    asked = Counter(due_at.items())
    made = Counter(_tick_of(send) for send in sends)
    if asked != made:
        few, many = (asked - made).total(), (made - asked).total()
        raise RuntimeError(f"of {len(due_at)} timers, {few} made no send, and there are {many} too many.")
    lates = sorted((send.created_at - _tick_of(send)[1]).total_seconds() for send in sends)
    if lates[0] < 0:
        raise RuntimeError(f"a send was made {-lates[0]} seconds before its time.")
    return lates


def _tick_of(send: Send) -> tuple[str, datetime]:
    """The timer that made the send, and when that was due."""
    return str(send.metadata["timer_id"]), datetime.fromisoformat(str(send.metadata["timer_due_at"]))


async def _crowd(
    loop: AsyncPowerLoop, mark: str, count: int, apart: timedelta, each: timedelta, say: Say
) -> Crowd:
    """Timers that are due so far apart, all of them made in time; `each`: what it is expected to take."""
    for number in range(1, _TRIES + 1):
        say(f"making {count} sessions …")
        sessions = await _sessions(loop, count)
        first = datetime.now(UTC) + _LEAD + count * each * _SPARE
        say(f"making {count} timers, due from {first:%H:%M:%S} UTC on …")
        due_at = [first + place * apart for place in range(count)]
        crowd = await _made(loop, f"{mark} {number}", sessions, due_at)
        if len(crowd.due_at) == count:
            return crowd
        say(f"only {len(crowd.due_at)} of them were made in time: once more, with more of it")
        each = 2 * max(each, crowd.each)
    raise RuntimeError(f"{_TRIES} times, {count} timers could not be made as fast as was expected.")


async def _sessions(loop: AsyncPowerLoop, count: int) -> list[str]:
    async def make(_number: int) -> str:
        return (await loop.create_session(AGENT)).id

    return await _many(count, make)


async def _made(
    loop: AsyncPowerLoop, mark: str, sessions: Sequence[str], due_at: Sequence[datetime]
) -> Crowd:
    """A timer of each session, but for those that would be due too soon."""

    async def make(number: int) -> tuple[str, datetime] | None:
        at = due_at[number]
        if datetime.now(UTC) > at - _AHEAD:
            return None
        timer = await loop.schedule("ping", session_id=sessions[number], at=at, metadata={_MARK: mark})
        return timer.id, at

    began = time.perf_counter()
    made = [one for one in await _many(len(sessions), make) if one is not None]
    took = timedelta(seconds=time.perf_counter() - began)
    return Crowd(mark=mark, due_at=dict(made), each=took / max(len(made), 1))


async def _many(count: int, one: Callable[[int], Awaitable[T]]) -> list[T]:
    """So many calls, some of them at once; what they come to."""
    gate = asyncio.Semaphore(_IN_FLIGHT)

    async def gated(number: int) -> T:
        async with gate:
            return await one(number)

    return await asyncio.gather(*map(gated, range(count)))


async def _fired(loop: AsyncPowerLoop, crowd: Crowd) -> datetime:
    """Wait until these timers have fired, and all others; when that was seen."""
    await _sleep_until(crowd.last_at)
    await _until_none(lambda: loop.list_timers(status="armed", limit=1))
    return datetime.now(UTC)


async def _ended(loop: AsyncPowerLoop) -> None:
    """Wait until workers have run every send."""
    await _until_none(lambda: loop.list_sends(status=("queued", "running"), limit=1))


async def _until_none(find: Callable[[], Awaitable[Sequence[object]]]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while await find():
        if time.monotonic() > deadline:
            raise RuntimeError(f"it was not over within {_TIMEOUT_S} seconds.")
        await asyncio.sleep(_LOOK_S)


async def _sleep_until(instant: datetime) -> None:
    await asyncio.sleep(max((instant - datetime.now(UTC)).total_seconds(), 0))


async def _sends_of(loop: AsyncPowerLoop, crowd: Crowd) -> list[Send]:
    """Every send of these timers."""
    found: list[Send] = []
    while page := await loop.list_sends(
        metadata={_MARK: crowd.mark}, before=found[-1].id if found else None, limit=_PAGE
    ):
        found += page
    return found


def _keep_quiet(_text: str) -> None:
    """Programs are told nothing but the figures."""
