"""Wake-ups in a list, for tests of the tools that ask for them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from powerloop.kernel.timer_edges import cancelled
from powerloop.kernel.timers import Timer
from powerloop.testing.factories import make_agent, make_call, make_send, make_timer
from powerloop.tools import AgentToolbox

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)
NOTE = {"note": "Look at order A-17."}


class FakeWakeups:
    """Keeps what it is asked for. Whatever timers are to do, their next tick is `SOON`."""

    def __init__(self):
        self.timers: list[Timer] = []
        self.asked = []
        self.refuses: Exception | None = None

    async def schedule(self, new, *, shortest, longest):
        if self.refuses is not None:
            raise self.refuses
        self.asked.append((new, shortest, longest))
        self.timers.append(timer := made(new))
        return timer

    async def list(self, session_id):
        return [timer for timer in self.timers if timer.session_id == session_id]

    async def cancel(self, session_id, timer_id):
        its = [timer for timer in await self.list(session_id) if timer.id == timer_id]
        return next((cancelled(one, "", NOW) if one.is_live else one for one in its), None)

    async def use(self, tool, arguments=None, *, call_id="call-1"):
        """How a call of the tool ends that has these wake-ups at hand."""
        call = replace(make_call(call_id, name=tool.spec.name), arguments=arguments or {})
        return await AgentToolbox(wakeups=self).call(make_agent(tools=(tool,)), make_send(), call)

    def upcoming(self, timer, count):
        return [
            SOON + timedelta(minutes=number) for number in range(count if timer.plan.schedule.recurs else 1)
        ]


def made(new) -> Timer:
    timer = replace(make_timer(id=new.id, plan=new.plan, tick_at=SOON), owner=new.owner)
    return replace(timer, session_id=new.session_id, agent=new.agent)
