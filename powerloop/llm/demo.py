"""The scripts that come with powerloop: ``scripted:demo`` converses, ``scripted:echo`` repeats."""

import json
from collections.abc import Mapping
from datetime import timedelta

from powerloop.llm.script import Rule, Script, ScriptedCall, Turn

_DELAY = timedelta(milliseconds=150)
_PACE = timedelta(milliseconds=25)


def _say(text: str, *calls: ScriptedCall) -> Turn:
    return Turn(text=text, calls=calls, delay=_DELAY, pace=_PACE)


_NAME = r"\b(?:my name is|i am called) (?P<name>[^\W\d_][\w'-]*)"
_ORDER = r"\b(?P<order>[A-Z]{1,3}-\d+)\b"

_STORY = (
    "Once there was a worker that counted sheep for a living. Each time it had counted one, it wrote "
    "the number down before it looked at the next, for it knew itself: it slept badly, it was woken at "
    "odd hours, and now and then somebody pulled the plug in the middle of a sheep. One night the plug "
    "was pulled at sheep four hundred and twelve. Another worker came by, read the last line in the "
    "book, and went on with four hundred and thirteen. Nobody ever noticed. In the morning the farmer "
    "asked how many sheep there were, and the book said: one thousand, each of them once. The farmer "
    "was content, the sheep had slept well, and both workers agreed that the best part of the job was "
    "the book."
)

_CITIES = ("Lisbon", "Porto", "Faro")

_TRIP = (
    _say(
        "I ask three of my people about the weather, and you what you like.",
        *(
            ScriptedCall(name="scout", arguments={"input": f"How is the weather in {city}?"})
            for city in _CITIES
        ),
        ScriptedCall(
            name="ask_user",
            arguments={"prompt": "Beach or museums?", "choices": ["beach", "museums"]},
        ),
    ),
    _say("This is what I know now: $result. So I would go by that, and pack for sunshine."),
)

_TOPICS = ("the origin of {}", "the making of {}", "the trade in {}", "the price of {}", "the future of {}")


def _plan(subject: str) -> Turn:
    return _say(json.dumps({"topics": [topic.format(subject) for topic in _TOPICS]}))


#: What a planner, a researcher and a writer say to each other.
_RESEARCH = (
    # What a text in JSON cannot hold as it is must not be in the subject.
    Rule(pattern=r'^plan research on (?P<subject>[^"\\\n]+)\.(?:\n|$)', turns=(_plan("$subject"),)),
    Rule(pattern=r"^plan research on ", turns=(_plan("it"),)),
    Rule(
        pattern=r"^research (?P<topic>[\s\S]+)\.$",
        turns=(_say("On $topic: two sources agree, and a third one doubts it."),),
    ),
    Rule(
        pattern=r"^write a report on (?P<subject>[\s\S]+) from: \[(?P<findings>[\s\S]*)\]$",
        turns=(Turn(text="A report on $subject. $findings", delay=_DELAY),),
    ),
)

#: How an agent reminds somebody of something: in one send it goes to sleep, in a later one it is woken.
_REMINDING = (
    Rule(
        pattern=r"^\[wake-up [^\]]*\] (?P<note>[\s\S]+)",
        turns=(_say("My alarm has rung, and my note says: “$note”"),),
    ),
    Rule(
        pattern=r"\bremind me to (?P<what>[^.!?]+) in (?:10|ten|a few) seconds\b",
        tool="schedule_wakeup",
        turns=(
            _say(
                "I set my alarm.",
                ScriptedCall(
                    name="schedule_wakeup", arguments={"note": "It is time to $what.", "after_seconds": 10}
                ),
            ),
            _say("My alarm is set. It says: “$result”"),
        ),
    ),
    Rule(
        pattern=r"\bremind me\b",
        tool="schedule_wakeup",
        turns=(_say("Ask me like this: remind me to call the vet in 10 seconds."),),
    ),
    Rule(
        pattern=r"\bremind me\b",
        turns=(_say("I would gladly remind you, but I was given no tool to wake me up."),),
    ),
)

DEMO = Script(
    rules=(
        *_REMINDING,
        *_RESEARCH,
        Rule(pattern=r"\bplan\b.*\btrip\b", tool="ask_user", turns=_TRIP),
        Rule(pattern=r"\bweather in (?P<city>\w+)", turns=(_say("In $city it will be sunny."),)),
        Rule(
            pattern=_NAME,
            turns=(
                _say("Nice to meet you, $name! I will remember your name for as long as this session lives."),
            ),
        ),
        Rule(
            pattern=r"\bwhat(?:'s| is) my name\b|\bwho am i\b|\bdo you (?:know|remember) my name\b",
            recalls=_NAME,
            turns=(_say("Your name is $name. You told me earlier in this session."),),
        ),
        Rule(
            pattern=r"\bwhat(?:'s| is) my name\b|\bwho am i\b|\bdo you (?:know|remember) my name\b",
            turns=(_say("You have not told me yet. What is your name?"),),
        ),
        Rule(
            pattern=_ORDER,
            tool="lookup_order",
            turns=(
                _say(
                    "Let me look up order $order.",
                    ScriptedCall(name="lookup_order", arguments={"order_id": "$order"}),
                ),
                _say("Here is what I found about order $order: $facts."),
            ),
        ),
        Rule(
            pattern=_ORDER,
            turns=(_say("I would gladly look up order $order, but I was given no tool for it."),),
        ),
        Rule(
            pattern=r"\border\b",
            turns=(_say("Which order do you mean? Its number looks like A-17."),),
        ),
        Rule(
            pattern=r"\bwhat(?:'s| is) my favou?rite (?P<thing>\w+)",
            recalls=r"\bmy favou?rite $thing is (?P<value>[^.!?]+)",
            turns=(_say("Your favourite $thing is $value."),),
        ),
        Rule(
            pattern=r"\bwhat(?:'s| is) my favou?rite (?P<thing>\w+)",
            turns=(_say("You have not told me your favourite $thing."),),
        ),
        Rule(
            pattern=r"\bmy favou?rite (?P<thing>\w+) is (?P<value>[^.!?]+)",
            turns=(_say("Good to know: your favourite $thing is $value. I will keep it in mind."),),
        ),
        Rule(
            pattern=r"\bwhat (?:did i|have i) (?:just )?(?:say|said|ask|asked|tell|told)\b",
            recalls=r"(?P<before>[\s\S]+)",
            turns=(_say("Before this, you said: “$before”"),),
        ),
        Rule(
            pattern=r"\bstory\b",
            turns=(Turn(text=_STORY, delay=_DELAY, pace=timedelta(milliseconds=60)),),
        ),
        Rule(
            pattern=r"\bpowerloop\b",
            turns=(
                _say(
                    "powerloop runs agents like me as Celery tasks. What you send is a row in Postgres "
                    "before any message exists, so it is answered once, whatever dies in between."
                ),
            ),
        ),
        Rule(
            pattern=r"\b(?:help|what can you do|how does this work)\b",
            turns=(
                _say(
                    "Tell me your name and ask me for it later. Ask about an order, A-17 for example. "
                    "Or ask for a story, and stop the worker while I tell it."
                ),
            ),
        ),
        Rule(
            pattern=r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening))\b",
            recalls=_NAME,
            turns=(_say("Hello again, $name! What can I do for you?"),),
        ),
        Rule(
            pattern=r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening))\b",
            turns=(_say("Hello! What can I do for you?"),),
        ),
        Rule(pattern=r"\b(?:thanks|thank you)\b", turns=(_say("You are welcome."),)),
        Rule(
            pattern=r"\b(?:bye|goodbye|see you)\b",
            turns=(_say("Goodbye! This session stays as it is; come back whenever you like."),),
        ),
    ),
    otherwise=_say(
        "I read: “$input”. I am a script that runs without any provider, so that is as far as my wit goes. "
        "Ask me for help to see what I can do."
    ),
)

ECHO = Script(otherwise=Turn(text="$input"))

BUILT_IN: Mapping[str, Script] = {"demo": DEMO, "echo": ECHO}
