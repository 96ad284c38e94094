"""Rows of budgets and reservations to nouns, and nouns to rows."""

from powerloop.kernel.budgets import Account, Spending
from powerloop.kernel.limits import Budget
from powerloop.kernel.money import dollars, nanodollars
from powerloop.store.database import Row


def account_row(budget: Budget) -> dict[str, int | None]:
    """The columns of `budgets` that say what is limited."""
    return {
        "max_input_tokens": budget.input_tokens,
        "max_output_tokens": budget.output_tokens,
        "max_total_tokens": budget.total_tokens,
        "max_cost": None if budget.cost is None else max(nanodollars(budget.cost), 1),
    }


def account_of(row: Row, reserved: Spending) -> Account:
    """The account of a row of `budgets` with its send's `deadline_at`."""
    return Account(
        send_id=row["send_id"],
        budget=Budget(
            input_tokens=row["max_input_tokens"],
            output_tokens=row["max_output_tokens"],
            total_tokens=row["max_total_tokens"],
            cost=None if row["max_cost"] is None else dollars(row["max_cost"]),
        ),
        used=spending_of_row(row),
        reserved=reserved,
        deadline_at=row["deadline_at"],
    )


def spending_of_row(row: Row) -> Spending:
    """What was used or reserved, of a row that has `spending_row`'s columns."""
    # Postgres sums to decimals.
    return Spending(
        input_tokens=int(row["input_tokens"]),
        output_tokens=int(row["output_tokens"]),
        cost=dollars(int(row["cost"])),
    )


def spending_row(spending: Spending) -> dict[str, int]:
    """The columns of `budgets` and `reservations` that count."""
    return {
        "input_tokens": spending.input_tokens,
        "output_tokens": spending.output_tokens,
        "cost": nanodollars(spending.cost),
    }
