"""What the policy of a new send comes to where its session is busy: functions without I/O, for any store."""

from typing import Final

from powerloop.kernel.ids import SendId
from powerloop.kernel.messages import NewMessage, Role
from powerloop.kernel.policies import Policy
from powerloop.kernel.sends import NewSend, Send
from powerloop.kernel.sessions import Session

_REASONS: Final = {
    Policy.INTERRUPT: "interrupted by send {}",
    Policy.ROLLBACK: "rolled back by send {}",
}

#: The key of a message's metadata that names the send whose input it was.
MERGED: Final = "merged"


def policy_of(session: Session, new: NewSend) -> Policy:
    """The policy of the new send: its own, or what the session says."""
    return new.policy or session.policy


def ends_head(policy: Policy) -> bool:
    """Whether a send of this policy asks for the end of the one that has started."""
    return policy in _REASONS


def reason_of(policy: Policy, send_id: SendId) -> str:
    """Why the send that has started is to end, where a send of this policy asks for it."""
    return _REASONS[policy].format(send_id)


def merged_input(send: Send) -> NewMessage:
    """The input of a send that steers, as a message of the one that it is merged into."""
    return NewMessage(role=Role.USER, content=send.content, metadata={MERGED: send.id})
