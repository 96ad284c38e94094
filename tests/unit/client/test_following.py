"""What a reader of a send is shown, whatever its stream has lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from powerloop.client.following import Follower
from powerloop.kernel.events import (
    MessageCommitted,
    Rewind,
    RoundStarted,
    SendEnded,
    SendStarted,
    TextDelta,
)
from powerloop.kernel.messages import Role
from powerloop.queue.cursors import position_of


def follow(life, stream, *, cursor="", lag=0, end=True):
    """Everything that is shown from the cursor on; the store is `lag` entries of the story ahead."""
    follower = Follower(life.send, cursor)
    shown = []
    for event in stream:
        if position_of(event.cursor) <= position_of(cursor):
            continue
        asked = follower.asks(event)
        index = min(position_of(event.cursor)[1] + lag, len(life.known) - 1)
        shown += follower.take(event, None if asked is None else life.known_at(index, asked))
        if shown and isinstance(shown[-1].body, SendEnded):
            return shown
    return [*shown, *follower.end(life.known_at(-1, follower.seq))] if end else shown


def bodies(events):
    return [event.body for event in events]


def check_promise(life, shown):
    """Texts add up, epochs never fall, offsets rise, and no answer is missing or told twice."""
    text, epoch, offset, answers = "", 0, -1, []
    for event in shown:
        match event.body:
            case Rewind():
                text = ""
            case TextDelta(text=delta):
                text += delta
            case MessageCommitted(seq=seq, role=role):
                assert text == (life.text_of(seq) if role is Role.ASSISTANT else ""), seq
                answers += [seq] if role is Role.ASSISTANT else []
                text = ""
        if event.epoch:
            assert (event.epoch, event.offset) > (epoch, offset)
            epoch, offset = event.epoch, event.offset
    assert [isinstance(event.body, SendEnded) for event in shown] == [False] * (len(shown) - 1) + [True]
    seqs = [event.body.seq for event in shown if isinstance(event.body, MessageCommitted)]
    first = min(seqs, default=None)
    if first is None:
        assert text == life.send.text
    else:
        of_model = [message.seq for message in life.messages if message.role is Role.ASSISTANT]
        assert answers == [seq for seq in of_model if seq >= first]


def plain(new_life):
    life = new_life()
    life.claim()
    life.round(["I ", "look"])
    life.finish(["Found ", "it"])
    return life


def test_a_stream_that_lost_nothing_is_shown_as_it_is(new_life):
    life = plain(new_life)
    shown = follow(life, life.stream())
    assert bodies(shown) == bodies(life.stream())
    assert [event.offset for event in shown] == list(range(len(shown)))


def test_a_reader_goes_on_from_any_event_without_gap_or_repeat(new_life):
    life = plain(new_life)
    shown = follow(life, life.stream())
    for index, event in enumerate(shown[:-1]):
        assert bodies(follow(life, life.stream(), cursor=event.cursor)) == bodies(shown[index + 1 :])


def test_a_lost_delta_is_told_with_the_whole_text_before_the_message(new_life):
    life = plain(new_life)
    stream = [event for event in life.stream() if event.body != TextDelta(text="Found ")]
    shown = bodies(follow(life, stream))
    at = shown.index(Rewind())
    assert shown[at + 1] == TextDelta(text="Found it")
    assert isinstance(shown[at + 2], MessageCommitted)
    assert TextDelta(text="it") not in shown


def test_what_is_told_is_of_no_claim(new_life):
    life = plain(new_life)
    stream = [event for event in life.stream() if event.body != TextDelta(text="Found ")]
    told = [event for event in follow(life, stream) if not event.epoch]
    assert [(event.attempt, event.offset) for event in told] == [(0, 0), (0, 1)]


def test_live_text_goes_on_with_the_round_after_a_gap(new_life):
    life = plain(new_life)
    lost = {TextDelta(text="I "), TextDelta(text="look")}
    stream = [event for event in life.stream() if event.body not in lost and not is_answer(event)]
    shown = bodies(follow(life, [*stream, *life.stream()[-5:]]))
    assert TextDelta(text="I look") in shown
    assert shown[shown.index(RoundStarted(round=2)) + 1 :][:2] == [
        TextDelta(text="Found "),
        TextDelta(text="it"),
    ]
    check_promise(life, follow(life, stream))


def is_answer(event):
    return isinstance(event.body, MessageCommitted) and event.body.role is Role.ASSISTANT


def test_a_reader_that_joins_in_the_middle_is_told_of_the_round_it_joined_in(new_life):
    life = plain(new_life)
    stream = life.stream()
    joined = next(index for index, event in enumerate(stream) if event.body == TextDelta(text="it"))
    shown = bodies(follow(life, stream[joined:]))
    assert shown[:2] == [Rewind(), TextDelta(text="Found it")]


def test_a_worker_that_died_has_its_text_taken_back(new_life):
    life = new_life()
    life.claim()
    life.write(["lost"])
    life.claim()
    life.finish(["kept"])
    shown = bodies(follow(life, life.stream()))
    taken_back = shown[shown.index(TextDelta(text="lost")) + 1 :]
    assert taken_back[0] == Rewind()
    assert isinstance(taken_back[1], SendStarted)


def test_a_commit_that_its_worker_did_not_live_to_tell_is_told_before_the_next_claim(new_life):
    life = new_life()
    life.claim()
    life.round(["I look"])
    untold = [len(life.stream()) - 1, len(life.stream()) - 2]
    life.claim()
    life.finish(["Found it"])
    stream = [event for index, event in enumerate(life.stream()) if index not in untold]
    shown = bodies(follow(life, stream))
    again = [index for index, body in enumerate(shown) if isinstance(body, SendStarted)][1]
    assert shown[again - 4 : again - 2] == [Rewind(), TextDelta(text="I look")]
    assert [body.role for body in shown[again - 2 : again]] == [Role.ASSISTANT, Role.TOOL]


def test_what_a_dead_claim_still_writes_is_not_shown(new_life):
    life = new_life()
    life.claim()
    life.write(["one"])
    life.claim()
    life.haunt(["two", "three"])
    life.finish(["kept"])
    assert TextDelta(text="two") in bodies(life.stream())
    texts = [body.text for body in bodies(follow(life, life.stream())) if isinstance(body, TextDelta)]
    assert texts == ["one", "kept"]


def test_a_stream_that_is_gone_leaves_the_output_and_the_end(new_life):
    life = plain(new_life)
    end = life.stream()[-1].body
    assert bodies(follow(life, [])) == [Rewind(), TextDelta(text="Found it"), end]


def test_only_the_end_is_told_where_only_the_end_was_lost(new_life):
    life = plain(new_life)
    assert bodies(follow(life, life.stream()[:-1])) == bodies(life.stream())


# Whatever happens

WORDS = st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=3)
ROUND = st.tuples(st.sampled_from(["round", "haunt"]), WORDS, WORDS)
EXIT = st.tuples(
    st.sampled_from(["die", "write and die", "commit and die", "hand over", "wait"]), WORDS, WORDS
)


@st.composite
def lives(draw, new_life):
    """A life of some rounds and claims."""
    life = new_life()
    life.claim()
    for what, words, voided in draw(st.lists(ROUND | EXIT, max_size=6)):
        match what:
            case "round":
                life.round(words, voided)
                continue
            case "haunt":
                life.haunt(words)
                continue
            case "write and die":
                life.write(words, voided)
            case "commit and die":
                text = life.write(words, voided)
                life.commit(Role.ASSISTANT, text, announce=False, rounds=life.send.rounds + 1)
            case "hand over":
                life.hand_over()
            case "wait":
                life.wait()
        life.claim()
    life.finish(draw(WORDS))
    return life


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_the_promise_holds_whatever_the_stream_loses_and_wherever_a_reader_leaves(new_life, data):
    life = data.draw(lives(new_life))
    stream = life.stream()
    kept = data.draw(st.lists(st.integers(0, 5), min_size=len(stream), max_size=len(stream)))
    trimmed = data.draw(st.integers(0, len(stream)))
    stream = [event for event, lost in zip(stream, kept, strict=True) if lost][trimmed // 3 :]
    shown = []
    cursor = ""
    for _ in range(data.draw(st.integers(0, 3))):
        lag = data.draw(st.integers(0, 10))
        part = follow(life, stream, cursor=cursor, lag=lag, end=False)
        part = part[: data.draw(st.integers(0, len(part)))]
        shown += part
        cursor = part[-1].cursor if part else cursor
        if part and isinstance(part[-1].body, SendEnded):
            break
    else:
        shown += follow(life, stream, cursor=cursor, lag=data.draw(st.integers(0, 10)))
    check_promise(life, shown)
