"""The fixtures that a user's tests get from the pytest plugin."""

from powerloop import Agent
from powerloop.llm import Script, ScriptedCall, Turn
from powerloop.testing.wire import Reply
from powerloop.tools import tool


@tool(effect="read")
def stock(item: str) -> int:
    """How many there are.

    Args:
        item: What.
    """
    return {"screws": 12}.get(item, 0)


def test_an_agent_is_tested_in_memory_against_a_script(powerloop_local):
    script = Script(
        turns=(
            Turn(calls=(ScriptedCall(name="stock", arguments={"item": "screws"}),)),
            Turn(text="Twelve screws."),
        )
    )
    clerk = Agent(name="clerk", model="scripted:clerk", tools=[stock])
    loop = powerloop_local(agents=[clerk], scripts={"clerk": script})
    session = loop.create_session("clerk")
    result = loop.send(session.id, "How many screws are there?").result(timeout=10)
    assert (result.text, result.rounds) == ("Twelve screws.", 2)
    [_, _, told, _] = loop.messages(session.id)
    assert told.content[0].text == "12"


def test_an_agent_is_tested_over_the_wire_with_the_real_sdk(powerloop_local, powerloop_wire, monkeypatch):
    for name, value in powerloop_wire.environ.items():
        monkeypatch.setenv(name, value)
    powerloop_wire.enqueue(Reply(text="from the wire"))
    loop = powerloop_local(agents=[Agent(name="clerk", model="openai:gpt-test", instructions="Be brief.")])
    session = loop.create_session("clerk")
    assert loop.send(session.id, "hello").result(timeout=30).text == "from the wire"
    [request] = powerloop_wire.requests
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
