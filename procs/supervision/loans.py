"""Lending a stage: another process plays its part in the foreground, until it ends."""

import time
from collections.abc import Callable

from procs.logs.run_events import EventLog
from procs.supervision.children.keeper import Keeper, Phase
from procs.supervision.children.nursery import Child
from procs.supervision.control.control_socket import Caller, Command, CommandAnswer, LendStage


class Loan:
    """One stage that is to be played by a process of somebody else; ``close`` forgets that one.

    Quotes are pulled first, then the supervisor's own process ends, then the caller is told that
    the part is free.
    """

    def __init__(
        self, command: LendStage, keeper: Keeper, caller: Caller, timeout_s: float
    ) -> None:
        """Raise ProcessLookupError when there is no process ``command.pid``."""
        self.keeper = keeper
        self.caller = caller
        self.borrower = Child(command.pid)
        self.halts = command.halts
        self.is_lent = False
        self.is_refused = False
        self._deadline_s = time.monotonic() + timeout_s

    @property
    def is_over(self) -> bool:
        """Whether the borrower has ended, or never got the stage."""
        return self.is_refused or self.borrower.poll() is not None

    @property
    def pulls(self) -> bool:
        """Whether nothing may stand at the venue because of it."""
        return self.halts or not self.is_lent

    def go_on(self, *, is_flat: bool) -> None:
        """Do the next thing on the way to lending the stage; ``is_flat``: nothing stands."""
        if self.is_lent:
            return
        if self.keeper.phase == Phase.STOPPED and is_flat:
            self.keeper.phase = Phase.LENT
            self.is_lent = True
            self.caller.answer(CommandAnswer())
        elif self.keeper.phase not in (Phase.STOPPED, Phase.STOPPING) and is_flat:
            self.keeper.stop()
        elif time.monotonic() > self._deadline_s and not is_flat:
            self.is_refused = True
            self.caller.answer(
                CommandAnswer(error="nobody confirmed that nothing stands at the venue; look there")
            )

    def close(self) -> None:
        """Release the descriptor by which the borrower is watched."""
        self.borrower.close()


class Loans:
    """All stages that are lent, or are about to be."""

    def __init__(self, events: EventLog, take_back: Callable[[Keeper], None]) -> None:
        """``take_back`` starts the supervisor's own process of a stage again."""
        self.events = events
        self.take_back = take_back
        self.loans: list[Loan] = []

    def of(self, keeper: Keeper) -> Loan | None:
        """Return the loan of a stage, if there is one."""
        return next((loan for loan in self.loans if loan.keeper is keeper), None)

    @property
    def pulling(self) -> list[str]:
        """The stages because of which nothing may stand at the venue."""
        return [role for loan in self.loans if loan.pulls for role in loan.keeper.roles]

    @property
    def debugged(self) -> list[str]:
        """The stages that are played with nothing traded."""
        return [role for loan in self.loans if loan.halts for role in loan.keeper.roles]

    def answers(
        self, command: Command, keeper: Keeper, caller: Caller, gateway: Keeper, timeout_s: float
    ) -> bool:
        """Begin to lend a stage, or refuse what is asked of one that is lent; else return False."""
        error = ""
        if loan := self.of(keeper):
            error = f"{keeper.name} is played by process {loan.borrower.pid}, and ours again when "
            error += "that ends"
        elif not isinstance(command, LendStage):
            return False
        elif len(keeper.roles) > 1:
            error = f"{keeper.name} are one process; only a stage with its own can be run alone"
        elif not gateway.is_alive:
            error = "the gateway is not up, so nobody can pull what stands; start it first"
        else:
            try:
                self.loans.append(Loan(command, keeper, caller, timeout_s))
            except ProcessLookupError:
                error = f"there is no process {command.pid}"
        if error:
            caller.answer(CommandAnswer(error=error))
        return True

    def see_to(self, *, is_flat: bool) -> None:
        """Lend what is asked for, and take back what a process has left that has ended."""
        for loan in list(self.loans):
            if loan.is_over:
                self.end(loan)
                continue
            was_lent = loan.is_lent
            loan.go_on(is_flat=is_flat)
            if loan.is_lent and not was_lent:
                self.events.append("lent", loan.keeper.name, pid=loan.borrower.pid)

    def end(self, loan: Loan) -> None:
        """Forget a loan; what was lent is taken back."""
        self.loans.remove(loan)
        loan.close()
        if loan.is_lent:
            self.events.append("taken back", loan.keeper.name, pid=loan.borrower.pid)
            loan.keeper.phase = Phase.STOPPED
            self.take_back(loan.keeper)
        elif loan.keeper.phase == Phase.STOPPING:
            loan.keeper.starts_again = True
