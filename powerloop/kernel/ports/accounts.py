"""The accounts of budgets, as the executor sees them: a part of the journal."""

from typing import Protocol

from powerloop.kernel.budgets import Reservation, Spending
from powerloop.kernel.limits import Budget
from powerloop.kernel.sends import Fence


class Accounts(Protocol):
    """What the budgets of a tree have left.

    The session's row is locked first, then accounts in the order of their ids; no session after an account.
    """

    async def reserve(self, fence: Fence, budget: Budget, wanted: Spending) -> Reservation:
        """Reserve what a model call may use, in all of `Fence.budgets`, as `budgets.granted` says.

        Opens the account of the send itself if it is among them and has none yet: its limits stand from then
        on, also as `Send.budget`, and its wall clock has run since the send's first claim. A reservation that
        the send still has, because a process died, is given up first. What is refused reserves nothing.

        A budget whose send was deleted limits nothing any more.

        `commit_model` and `finish` settle: what the entries used is written down in all of `Fence.budgets`,
        and the reservation is given up, in the same transaction.

        Args:
            fence: The right to write.
            budget: That of the send itself.
            wanted: What the call may use at most.
        """
        ...
