import inspect
import pickle
import re

import pytest

from powerloop.kernel import errors
from powerloop.kernel.errors import (
    AgentUnknown,
    Fenced,
    PowerLoopError,
    RateLimited,
    SessionBusy,
    ToolUnknown,
)

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, PowerLoopError) and kind is not PowerLoopError
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_has_a_code_of_its_own_and_says_when_it_is_raised(kind: type[PowerLoopError]):
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.code)
    assert [other for other in KINDS if other.code == kind.code] == [kind]
    assert (kind.__doc__ or "").startswith("Raised when ")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_tree_at_the_top_shows_every_error(kind: type[PowerLoopError]):
    line = next(
        (line for line in (errors.__doc__ or "").splitlines() if re.search(rf"── {kind.__name__}\b", line)),
        "",
    )
    assert line
    leaf = not [other for other in KINDS if other is not kind and issubclass(other, kind)]
    assert (kind.code in line) is leaf


@pytest.mark.parametrize(
    "error",
    [AgentUnknown("ehco", ["echo"]), SessionBusy("s"), ToolUnknown("fnd", ["find"]), RateLimited(), Fenced()],
)
def test_an_error_comes_out_of_a_pickle_whole(error: PowerLoopError):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again), again.args) == (str(error), vars(error), error.args)


def test_the_docstring_is_the_message_unless_one_is_given():
    assert "bears an epoch that is not its session's" in str(Fenced())


@pytest.mark.parametrize(
    ("known", "hint"),
    [
        (["echo", "support"], "Did you mean 'echo'?"),
        (["billing"], "The agents are: billing."),
        ([], "There are no agents."),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_what_is(known: list[str], hint: str):
    assert AgentUnknown("ehco", known).hint == hint
