"""What an attempt is said to have used."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from powerloop.kernel.errors import EmptyAnswer, ModelDeadline, ModelRejected, ModelUnavailable
from powerloop.kernel.estimate import estimate_usage
from powerloop.kernel.messages import ImageBlock, NewMessage, ReasoningBlock, Role, TextBlock
from powerloop.kernel.ports.model import FinishReason, ModelReply
from powerloop.kernel.usage import CallOutcome, Usage
from powerloop.llm.metered import Metered
from powerloop.llm.prices import Price, PriceTable
from powerloop.testing.model_providers import WrittenDeltas, make_request

REQUEST = make_request("test:model")


async def test_a_success_has_one_entry_with_what_the_provider_counted(inner, clock):
    reply = await Metered(inner("yes", takes=1.5), clock).respond(REQUEST)

    (entry,) = reply.attempts
    assert (entry.usage, entry.estimated) == (Usage(input_tokens=3, output_tokens=2), False)
    assert (entry.outcome, entry.latency, entry.model) == (
        CallOutcome.OK,
        timedelta(seconds=1.5),
        "test:model",
    )


async def test_a_refused_request_used_nothing(inner, clock):
    with pytest.raises(ModelRejected) as raised:
        await Metered(inner(ModelRejected()), clock).respond(REQUEST, WrittenDeltas())

    (entry,) = raised.value.attempts
    assert (entry.usage, entry.outcome, entry.error_code) == (Usage(), CallOutcome.FAILED, "model.rejected")
    assert not entry.estimated


async def test_a_broken_answer_used_its_input_and_what_was_written(inner, clock):
    with pytest.raises(ModelUnavailable) as raised:
        await Metered(inner(ModelUnavailable(), text="x" * 400), clock).respond(REQUEST, WrittenDeltas())

    (entry,) = raised.value.attempts
    assert entry.usage == estimate_usage(REQUEST, 400)
    assert entry.usage.output_tokens == 100
    assert entry.estimated


async def test_an_answer_that_never_came_used_its_input(inner, clock):
    with pytest.raises(ModelDeadline) as raised:
        await Metered(inner(ModelDeadline()), clock).respond(REQUEST)

    (entry,) = raised.value.attempts
    assert entry.usage.input_tokens > 0
    assert entry.usage.output_tokens == 0
    assert entry.estimated


async def test_an_answer_whose_provider_does_not_count_is_said_to_be_estimated(inner, clock):
    content, usage = (TextBlock(text="yes"),), Usage(input_tokens=1)
    reply = ModelReply(content=content, finish=FinishReason.STOP, usage=usage, estimated=True)

    (entry,) = (await Metered(inner(reply), clock).respond(REQUEST)).attempts

    assert (entry.usage, entry.estimated) == (usage, True)


@pytest.mark.parametrize("content", [(), (ReasoningBlock(text="Hm."),)])
async def test_an_empty_answer_used_what_the_provider_counted(inner, clock, content):
    usage = Usage(input_tokens=8, output_tokens=8)
    reply = ModelReply(content=content, finish=FinishReason.STOP, usage=usage)

    with pytest.raises(EmptyAnswer) as raised:
        await Metered(inner(reply), clock).respond(REQUEST)

    assert [(entry.usage, entry.error_code) for entry in raised.value.attempts] == [(usage, "model.empty")]


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.REFUSAL])
async def test_an_answer_cut_off_or_declined_may_be_empty(inner, clock, finish):
    reply = ModelReply(content=(), finish=finish, usage=Usage())

    assert (await Metered(inner(reply), clock).respond(REQUEST)).finish is finish


async def test_a_call_without_deltas_stays_without(inner, clock):
    model = inner("yes", text="never streamed")

    await Metered(model, clock).respond(REQUEST)

    assert model.requests == [REQUEST]


def test_an_estimate_counts_everything_that_is_sent():
    image = NewMessage(role=Role.USER, content=(ImageBlock(data="aaaa" * 1000),))

    bare = estimate_usage(replace(REQUEST, system="", messages=()), 0)
    whole = estimate_usage(replace(REQUEST, system="x" * 40, messages=(*REQUEST.messages, image)), 5)

    assert bare == Usage()
    assert whole.input_tokens == 10 + 5 + 2 * 4 + 765
    assert whole.output_tokens == 2


async def test_every_attempt_has_its_cost(inner, clock):
    prices = PriceTable({"test:model": Price(input=Decimal(1000), output=Decimal(2000))})
    reply = await Metered(inner("yes"), clock, prices).respond(REQUEST)
    with pytest.raises(ModelRejected) as refused:
        await Metered(inner(ModelRejected()), clock, prices).respond(REQUEST, WrittenDeltas())
    with pytest.raises(ModelUnavailable) as broken:
        await Metered(inner(ModelUnavailable(), text="x" * 400), clock, prices).respond(
            REQUEST, WrittenDeltas()
        )

    assert reply.attempts[0].cost == Decimal("0.007")
    assert refused.value.attempts[0].cost == 0
    (entry,) = broken.value.attempts
    assert entry.cost == prices.cost_of("test:model", entry.usage) > 0


async def test_a_model_without_a_price_has_an_unknown_cost(inner, clock):
    (entry,) = (await Metered(inner("yes"), clock).respond(REQUEST)).attempts
    assert entry.cost is None
