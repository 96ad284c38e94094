"""The identifiers that cross rooms, each a type of its own."""

from typing import NewType

#: A session's name. Chosen by the producer, or made by us as a UUIDv7; 1 to 200 characters.
SessionId = NewType("SessionId", str)

#: A send's name, and the id of its Celery task. A UUIDv7, or what a foreign producer gave its message; 1 to
#: 200 characters.
SendId = NewType("SendId", str)

#: The name of one call, as the model gave it; unique within its send.
CallId = NewType("CallId", str)

#: The name of one run of a call on a queue of its own, and the id of its Celery task; a UUID.
TaskId = NewType("TaskId", str)

#: The name of a run of a workflow: that of the send which first drove it.
RunId = NewType("RunId", str)

#: The name of one attempt at one node of a run; a UUID that says where in the run it stands.
NodeId = NewType("NodeId", str)

#: A timer's name. Chosen by whoever made it, or made by us as a UUIDv7; 1 to 120 characters.
TimerId = NewType("TimerId", str)

#: The name of a question to a person: ``send:epoch.index``.
InteractionId = NewType("InteractionId", str)

#: The name of one worker process, new at each start: ``host:pid:random``.
WorkerId = NewType("WorkerId", str)

#: A session's fencing number. It grows by one at each claim and never falls.
Epoch = NewType("Epoch", int)

#: The place of a message in its session, from 1, without gaps.
Seq = NewType("Seq", int)

MAX_ID_LENGTH = 200

#: Of a timer: it is part of the idempotency keys of its sends.
MAX_TIMER_ID_LENGTH = 120
