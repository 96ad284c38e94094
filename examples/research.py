"""Research, as a workflow: a planner names topics, researchers look into them side by side, a writer reports.

On workers: ``powerloop dev --app examples.research``, and in another terminal
``powerloop workflow run examples/research.json --input tea --follow``.
Without any server, in one process: ``python -m examples.research tea``.
"""

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from powerloop import Agent, AsyncPowerLoop
from powerloop.llm import Rule, Script, Turn

WORKFLOW = Path(__file__).with_suffix(".json")

MODEL = os.environ.get("RESEARCH_MODEL", "scripted:research")

planner = Agent(
    name="planner",
    model=MODEL,
    instructions="You plan research. Name three to six topics that one person each can look into.",
)
researcher = Agent(
    name="researcher",
    model=MODEL,
    instructions="You research one topic. Tell what you found in two sentences.",
)
writer = Agent(
    name="writer",
    model=MODEL,
    instructions="You write short reports for busy people, from nothing but the findings that you are given.",
)


def _says(text: str) -> tuple[Turn]:
    return (Turn(text=text, delay=timedelta(milliseconds=200)),)


_TOPICS = ("the origin of {}", "the making of {}", "the trade in {}", "the price of {}", "the future of {}")

#: What ``scripted:research`` plays: the answers of all three, without any provider.
research = Script(
    rules=(
        # What a text in JSON cannot hold as it is must not be in the subject.
        Rule(
            pattern=r'^Plan research on (?P<subject>[^"\\\n]+)\.(?:\n|$)',
            turns=_says(json.dumps({"topics": [topic.format("$subject") for topic in _TOPICS]})),
        ),
        Rule(
            pattern=r"^Plan research on ",
            turns=_says(json.dumps({"topics": [topic.format("it") for topic in _TOPICS]})),
        ),
        Rule(
            pattern=r"^Research (?P<topic>[\s\S]+)\.$",
            turns=_says("On $topic: two sources agree, and a third one doubts it."),
        ),
        Rule(
            pattern=r"^Write a report on (?P<subject>[\s\S]+) from: \[(?P<findings>[\s\S]*)\]$",
            turns=_says("A report on $subject. $findings"),
        ),
    )
)


async def main(subject: str) -> None:
    """Run the workflow in this process, and print its report."""
    crew = [planner, researcher, writer]
    async with AsyncPowerLoop.local(":memory:", agents=crew, scripts={"research": research}) as loop:
        run = await loop.start_workflow(WORKFLOW.read_text(), subject)
        result = await run.result()
        sys.stdout.write(f"{result.value if result.ok else result.error}\n")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "tea"))
