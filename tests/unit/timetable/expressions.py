"""Random cron expressions, such as match something near a given day."""

from datetime import date
from random import Random

from tests.unit.timetable.oracle import DAYS, MONTHS


def expression(random: Random, near: date) -> str:
    """An expression of five or six fields, most of which match on `near` or on days around it."""
    fields = [
        field(random, 0, 59, [0, 1, 15, 29, 30, 31, 45, 59], stars=3),
        field(random, 0, 23, [0, 1, 2, 3, 23], stars=3),
        day_of_month(random, near),
        named(random, field(random, 1, 12, [near.month], stars=8), MONTHS, 1),
        day_of_week(random),
    ]
    if random.random() < 0.15:
        fields.insert(0, random.choice(["0", "30", "*/20", "5,35", "58-59"]))
    text = " ".join(fields)
    return text.lower() if random.random() < 0.3 else text


def field(random: Random, least: int, most: int, likely: list[int], *, stars: int) -> str:
    """Of ten, about so many fields begin with a star."""

    def number() -> int:
        return random.choice(likely) if random.random() < 0.7 else random.randint(least, most)

    def span() -> str:
        low, high = sorted((number(), number()))
        return f"{low}-{high}"

    if random.random() < stars / 10:
        step = random.choice(["", "", f"/{random.randint(1, most + 3)}", "/2", f",{number()}"])
        return f"*{step}"
    match random.randint(0, 4):
        case 0:
            return str(number())
        case 1:
            return ",".join(str(number()) for _ in range(random.randint(2, 4)))
        case 2:
            return span()
        case 3:
            return f"{span()}/{random.randint(1, 20)}"
        case _:
            return random.choice([f"{number()}/{random.randint(1, 40)}", f"{number()},{span()}"])


def day_of_month(random: Random, near: date) -> str:
    drawn = random.random()
    if drawn < 0.1:
        return random.choice(["L", "LW", f"L,{near.day}", "1,L", "LW,15"])
    return field(random, 1, 31, [near.day, max(1, near.day - 1), min(31, near.day + 1)], stars=7)


def day_of_week(random: Random) -> str:
    drawn = random.random()
    if drawn < 0.6:
        return "*"
    day = named(random, str(random.randint(0, 7)), DAYS, 0)
    if drawn < 0.7:
        return random.choice([f"{day}#{random.randint(1, 5)}", f"{random.randint(0, 7)}L", f"{day},5L,MON#1"])
    return field(random, 0, 7, [0, 6, 7], stars=2) if drawn < 0.8 else day


def named(random: Random, text: str, names: tuple[str, ...], first: int) -> str:
    """A lone number, as its name at times."""
    if text.isdigit() and int(text) - first < len(names) and random.random() < 0.4:
        return names[int(text) - first]
    return text
