"""A support agent with two tools. Run it: ``powerloop dev --app examples.support``."""

import os

from powerloop import Agent, ToolContext, tool

ORDERS = {"A-17": "left the warehouse this morning", "B-4": "waits for a part"}


@tool(effect="read")
async def lookup_order(order_id: str) -> dict[str, str]:
    """Find an order.

    Args:
        order_id: The number on the receipt, such as A-17.
    """
    return {"order_id": order_id, "state": ORDERS.get(order_id.upper(), "unknown")}


@tool(effect="keyed")
async def open_ticket(context: ToolContext[None], subject: str) -> str:
    """Open a ticket for a colleague.

    Args:
        subject: What it is about, in one line.
    """
    # The key is the same after every crash: a ticket system that knows it opens one ticket.
    return f"ticket {context.idempotency_key}: {subject}"


support = Agent(
    name="support",
    model=os.environ.get("SUPPORT_MODEL", "scripted:demo"),
    instructions="You help customers of a small shop. Be brief. Look orders up first.",
    tools=[lookup_order, open_ticket],
)
