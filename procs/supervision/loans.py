"""Lends a stage to a foreground process until that process ends."""

import time
from collections.abc import Callable, Sequence

from procs.logs.run_events import EventLog
from procs.supervision.children.keeper import Keeper, Phase
from procs.supervision.children.nursery import Child
from procs.supervision.control.control_socket import Caller, Command, CommandAnswer, LendStage


class Loan:
    """The loan of one stage to a borrower's process; ``close`` releases its pidfd.

    Quotes are pulled first, then the supervisor's own process ends, then the caller gets the
    answer that the stage is free.
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
        """Whether the loan requires that no order is open at the venue."""
        return self.halts or not self.is_lent

    def go_on(self, *, is_flat: bool) -> None:
        """Do the next step of lending the stage; ``is_flat``: no order of ours is open."""
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
                CommandAnswer(
                    error="the gateway did not confirm that no order is open; check the venue"
                )
            )

    def close(self) -> None:
        """Release the borrower's pidfd."""
        self.borrower.close()


class Loans:
    """All loans, current or requested."""

    def __init__(self, events: EventLog, take_back: Callable[[Keeper], None]) -> None:
        """``take_back`` restarts the supervisor's own process of a stage."""
        self.events = events
        self.take_back = take_back
        self.loans: list[Loan] = []

    def of(self, keeper: Keeper) -> Loan | None:
        """Return the loan of a stage, if there is one."""
        return next((loan for loan in self.loans if loan.keeper is keeper), None)

    @property
    def pulling(self) -> list[str]:
        """The stages whose loans require that no order is open at the venue."""
        return [role for loan in self.loans if loan.pulls for role in loan.keeper.roles]

    @property
    def debugged(self) -> list[str]:
        """The lent stages during whose loan nothing is traded."""
        return [role for loan in self.loans if loan.halts for role in loan.keeper.roles]

    def answers(
        self,
        command: Command,
        keeper: Keeper,
        caller: Caller,
        gateways: Sequence[Keeper],
        timeout_s: float,
    ) -> bool:
        """Begin a loan, or refuse a command for a lent stage; return False for other commands.

        ``gateways`` are those that must pull first.
        """
        error = ""
        if loan := self.of(keeper):
            error = f"{keeper.name} is played by process {loan.borrower.pid}, and ours again when "
            error += "that ends"
        elif not isinstance(command, LendStage):
            return False
        elif len(keeper.roles) > 1:
            error = f"{keeper.name} are one process; only a stage with its own can be run alone"
        elif not all(gateway.is_alive for gateway in gateways):
            error = "the gateway is not up, so open orders cannot be cancelled; start it first"
        else:
            try:
                self.loans.append(Loan(command, keeper, caller, timeout_s))
            except ProcessLookupError:
                error = f"there is no process {command.pid}"
        if error:
            caller.answer(CommandAnswer(error=error))
        return True

    def see_to(self, is_flat: Callable[[Keeper], bool]) -> None:
        """Advance the requested loans; take back the stages of borrowers that have ended.

        ``is_flat`` says whether no order is open of the accounts that trade through a stage.
        """
        for loan in list(self.loans):
            if loan.is_over:
                self.end(loan)
                continue
            was_lent = loan.is_lent
            loan.go_on(is_flat=is_flat(loan.keeper))
            if loan.is_lent and not was_lent:
                self.events.append("lent", loan.keeper.name, pid=loan.borrower.pid)

    def end(self, loan: Loan) -> None:
        """End a loan; take the stage back if it was lent."""
        self.loans.remove(loan)
        loan.close()
        if loan.is_lent:
            self.events.append("taken back", loan.keeper.name, pid=loan.borrower.pid)
            loan.keeper.phase = Phase.STOPPED
            self.take_back(loan.keeper)
        elif loan.keeper.phase == Phase.STOPPING:
            loan.keeper.starts_again = True
