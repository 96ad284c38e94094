"""A turn: what is known of a claimed send between two steps."""

from dataclasses import dataclass

from powerloop.kernel.agents import Agent
from powerloop.kernel.calls import ToolCall
from powerloop.kernel.messages import Message, NewMessage
from powerloop.kernel.sends import Claim
from powerloop.kernel.waits import ToolWait


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """All that is known of a claimed send between two steps."""

    agent: Agent
    claim: Claim
    #: What the model is to see: the session's log, this send's own messages at its end.
    messages: tuple[Message | NewMessage, ...]
    #: The calls of the last model message, where it asked for any and their results are not in the log yet.
    calls: tuple[ToolCall, ...] = ()
    #: Model calls that were committed.
    rounds: int
    #: Whether somebody has asked for the send's end.
    cancel_requested: bool = False
    #: What calls of these wait for, once it is written down.
    waits: tuple[ToolWait, ...] = ()
    #: Whether sends wait to be merged into this one.
    steering: bool = False
