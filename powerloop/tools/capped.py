"""The wrapper that keeps what the model sees within a length, and the whole beside it."""

from dataclasses import replace

from powerloop.kernel.calls import ToolOutcome
from powerloop.kernel.errors import InvalidInput
from powerloop.kernel.jsontypes import clean_text
from powerloop.kernel.waits import ToolWait
from powerloop.kernel.workflows import DIRECT
from powerloop.tools.invocation import Invocation, Step

DEFAULT_RESULT_CAP = 20_000
#: Room for the notice and some text on both sides of it.
MIN_RESULT_CAP = 200


class Capped:
    """Cuts the middle out of a text that is too long: beginnings say what it is, ends say how it came out.

    It also replaces what no database takes in text: NUL characters and halves of surrogate pairs.

    Args:
        cap: The most characters that the model sees, the notice included.

    Raises:
        InvalidInput: the cap is too small for the notice.
    """

    def __init__(self, cap: int = DEFAULT_RESULT_CAP) -> None:
        if cap < MIN_RESULT_CAP:
            raise InvalidInput(f"a cap on results is at least {MIN_RESULT_CAP} characters, not {cap}.")
        self._cap = cap

    async def __call__(self, invocation: Invocation, then: Step) -> ToolOutcome | ToolWait:
        outcome = await then(invocation)
        if isinstance(outcome, ToolWait):
            return outcome
        text = clean_text(outcome.text)
        if len(text) <= self._cap or _is_program(invocation):
            return replace(outcome, text=text)
        return replace(outcome, text=_cut(text, self._cap), full_text=text)


def _is_program(invocation: Invocation) -> bool:
    """Whether no model reads the result: it is the value of a leaf of a workflow."""
    return str((invocation.context.spec or {}).get("model", "")).startswith(DIRECT)


def _cut(text: str, cap: int) -> str:
    """Head and tail of the text, two parts to one, with a notice between them; `cap` characters at most."""
    # The numbers in the notice are never longer than these.
    room = cap - len(_notice(len(text), len(text)))
    tail = room // 3
    head = room - tail
    return f"{text[:head]}{_notice(len(text) - room, len(text))}{text[-tail:]}"


def _notice(cut: int, whole: int) -> str:
    return f"\n\n[… {cut:,} of {whole:,} characters were cut out here …]\n\n"
