"""The agents that ``powerloop demo`` and ``powerloop bench`` run."""

import asyncio
import os
from datetime import timedelta

from powerloop.kernel.agents import Agent
from powerloop.tools import ask_user, schedule_wakeup, tool

#: Which model the demo's agent speaks with; `powerloop demo --model` sets it for the workers.
MODEL_VARIABLE = "DEMO_MODEL"

_ORDERS = {
    "A-17": "left the warehouse this morning and arrives tomorrow",
    "B-4": "waits for a part that is due on Friday",
}


@tool(effect="read")
async def lookup_order(order_id: str) -> str:
    """Find an order.

    Args:
        order_id: The number on the receipt, such as A-17.
    """
    await asyncio.sleep(0.2)  # as a real warehouse would take its time
    return _ORDERS.get(order_id.upper(), "is not in the book of orders")


support = Agent(
    name="support",
    model=os.environ.get(MODEL_VARIABLE, "scripted:demo"),
    instructions=(
        "You help the customers of a small shop. Be brief and friendly. "
        "Remember what the customer told you. Look orders up before you speak about them."
    ),
    tools=[lookup_order],
)

scout = Agent(
    name="scout",
    model=support.model,
    instructions="You tell how the weather in a city usually is at this time of the year, in one sentence.",
)

concierge = Agent(
    name="concierge",
    model=support.model,
    instructions=(
        "You plan trips. Call scout once for each of Lisbon, Porto and Faro, and ask_user once for what the "
        "customer likes, all in your first answer. Then say where to go, in two sentences."
    ),
    tools=[scout.as_tool(description="Find out how the weather in a city is."), ask_user()],
)

secretary = Agent(
    name="secretary",
    model=support.model,
    instructions=(
        "You remind people of things. When somebody asks to be reminded, call schedule_wakeup, once, with "
        "after_seconds as they said it and with a note of what to remind them of; then say, in one sentence, "
        "at what time you will. When you are told [wake-up …], the time has come: call no tool, and remind "
        "them of what the note says, in one sentence."
    ),
    tools=[schedule_wakeup(longest=timedelta(minutes=1), recurring=False)],
)

planner = Agent(
    name="planner",
    model=support.model,
    instructions="You plan research. Name four to six topics that one person each can look into.",
)

researcher = Agent(
    name="researcher",
    model=support.model,
    instructions="You research one topic. Tell what you found in one sentence.",
)

writer = Agent(
    name="writer",
    model=support.model,
    instructions="You write reports of three sentences, from nothing but the findings that you are given.",
)

echo = Agent(name="echo", model="scripted:echo")
