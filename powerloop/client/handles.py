"""What a producer holds of a send: its handle, and its result."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from powerloop.client.cancelling import Canceller
from powerloop.client.watch import Watcher
from powerloop.kernel.events import Event
from powerloop.kernel.ids import SendId, SessionId
from powerloop.kernel.messages import Block, text_of
from powerloop.kernel.sends import Cancellation, CancelRequest, Send, SendError, SendStatus, StopReason
from powerloop.kernel.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """How a send ended."""

    send_id: SendId
    session_id: SessionId
    #: A final status.
    status: SendStatus
    #: Why it stopped, when completed.
    stop_reason: StopReason | None
    #: Why it failed, when failed.
    error: SendError | None
    #: Who asked for its end, and why; set where it was cancelled, and where it ended before it could be.
    cancel: CancelRequest | None
    #: The content of the model's last message, when completed; what it had written, when cancelled.
    output: tuple[Block, ...]
    #: Tokens of all its committed model calls, and of the failed ones as far as they are known.
    usage: Usage
    #: Model calls that were committed.
    rounds: int

    @property
    def text(self) -> str:
        """The text of the output; empty when there is none."""
        return text_of(self.output)

    @property
    def ok(self) -> bool:
        """Whether it completed."""
        return self.status is SendStatus.COMPLETED


class SendHandle:
    """A send, as its producer holds it. Any process can get one: `AsyncPowerLoop.get_send`."""

    def __init__(self, send: Send, watcher: Watcher, canceller: Canceller) -> None:
        self._send = send
        self._watcher = watcher
        self._canceller = canceller

    @property
    def id(self) -> SendId:
        """The send's id, which is its Celery task's id too."""
        return self._send.id

    @property
    def session_id(self) -> SessionId:
        return self._send.session_id

    @property
    def send(self) -> Send:
        """The send as it was when it was last looked at."""
        return self._send

    async def refresh(self) -> Send:
        """The send as it is now.

        Raises:
            SendNotFound: its session was deleted.
            StoreUnavailable: the database does not answer.
        """
        self._send = await self._watcher.get(self.id)
        return self._send

    async def status(self) -> SendStatus:
        """Where the send is now; errors as `refresh`."""
        return (await self.refresh()).status

    async def result(self, timeout: float | None = None) -> SendResult:
        """How the send ended, as soon as it has.

        A failed or cancelled send is a result, not an exception: look at `status` or `ok`.

        Args:
            timeout: Seconds to wait; `None` (default) waits without end.

        Raises:
            ResultTimeout: it has not ended in time. It goes on.
            SendNotFound: its session was deleted.
            StoreUnavailable: the database does not answer.
        """
        self._send = await self._watcher.ended(self._send, timeout)
        return result_of(self._send)

    async def cancel(self, reason: str = "", actor: str = "") -> Cancellation:
        """Ask for its end; see `AsyncPowerLoop.cancel`. `result` tells when it has ended.

        Args:
            reason: Why, for the eyes of people.
            actor: Who, likewise.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        cancellation = await self._canceller.cancel(self.id, reason=reason, actor=actor)
        self._send = cancellation.send or self._send
        return cancellation

    def events(self, after: str = "") -> AsyncIterator[Event]:
        """What the send tells while it runs, from any process; the last event is its end.

        Between two of ``message`` and ``send.rewind``, the text deltas add up to the text of the message:
        on ``send.rewind``, drop the text that came since the last of them. A reader that stops reading, or
        dies, does not end the send; `cancel` does.

        Args:
            after: The `Event.cursor` to go on from, in any process and whatever happened meanwhile; from the
            beginning of what is kept unless given.

        Raises:
            BrokerUnavailable: the event stream does not answer as the reading begins.
            InvalidInput: `after` is no cursor.
            SendNotFound: its session was deleted.
            StoreUnavailable: the database does not answer; go on from the last cursor.
        """
        return self._watcher.events(self._send, after)

    def __repr__(self) -> str:
        return f"<SendHandle {self.id} {self._send.status}>"


def result_of(send: Send) -> SendResult:
    """The result of a final send."""
    return SendResult(
        send_id=send.id,
        session_id=send.session_id,
        status=send.status,
        stop_reason=send.stop_reason,
        error=send.error,
        cancel=send.cancel,
        output=send.output,
        usage=send.usage,
        rounds=send.rounds,
    )
