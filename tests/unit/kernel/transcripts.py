"""What holds of every transcript."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from powerloop.kernel.ids import SendId
from powerloop.kernel.messages import Message, NewMessage, ToolResultBlock, calls_of, text_of
from powerloop.kernel.sends import Send


def assert_valid(messages: Sequence[Message | NewMessage]) -> None:
    """Each call has exactly one result, in the next message; the last message may ask for more."""
    for one, following in pairwise((None, *messages, None)):
        asked = [call.id for call in calls_of(one.content)] if one else []
        told = [
            block.call_id
            for block in (following.content if following else ())
            if isinstance(block, ToolResultBlock)
        ]
        assert told == asked or (following is None and asked), _shown(messages)


def assert_in_order(log: Sequence[Message], sends: Mapping[SendId, Send]) -> None:
    """The messages of each send stand together, in the order in which the sends were accepted."""
    places = [sends[message.send_id].position for message in log]
    assert places == sorted(places), _shown(log)
    assert [message.seq for message in log] == list(range(1, len(log) + 1))


def awaits_result(messages: Sequence[Message | NewMessage]) -> bool:
    """Whether the last message asks for calls."""
    return bool(messages) and bool(calls_of(messages[-1].content))


def _shown(messages: Sequence[Message | NewMessage]) -> str:
    return " / ".join(f"{one.role}: {text_of(one.content) or len(one.content)}" for one in messages)
