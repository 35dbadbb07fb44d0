"""The result of a check, and how a profile judges it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from procs.machine.facts import Machine


class Verdict(StrEnum):
    """The verdict of a finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"


class MachineProfile(StrEnum):
    """The purpose of a machine: a desk, a guest that trades on paper, or trading."""

    DEV = "dev"
    VM = "vm"
    PROD = "prod"


@dataclass(frozen=True)
class Seen:
    """The result of a check in words, and whether it is good; None when it does not apply."""

    found: str
    is_well: bool | None


def not_here(reason: str = "not on this machine") -> Seen:
    """Return the result of a check that does not apply."""
    return Seen(reason, None)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    found: str
    wanted: str
    why: str
    fix: str
    verdict: Verdict
    needs_reboot: bool


@dataclass(frozen=True)
class Check:
    """One check: its function, what is wanted and why, the repair, the severity by profile."""

    name: str
    look: Callable[[Machine], Seen]
    wanted: str
    why: str
    fix: str
    graveness: tuple[Verdict, Verdict, Verdict]  # one for each profile, in order
    needs_reboot: bool = False


def judge(
    check: Check, machine: Machine, profile: MachineProfile, words: dict[str, str]
) -> Finding:
    """Return the finding of a check; ``words`` fill the braces of its texts.

    A profile for which a fault does not matter reports it as not applicable.
    """
    seen = check.look(machine)
    if seen.is_well is None:
        verdict = Verdict.NOT_APPLICABLE
    elif seen.is_well:
        verdict = Verdict.OK
    else:
        verdict = check.graveness[list(MachineProfile).index(profile)]
    return Finding(
        check.name,
        seen.found or "nothing",
        check.wanted.format_map(words),
        check.why,
        check.fix.format_map(words),
        verdict,
        check.needs_reboot,
    )
