"""What a check saw, what it makes of it for a profile, and how it is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from procs.machine.facts import Machine


class Verdict(StrEnum):
    """What a finding amounts to."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"


class MachineProfile(StrEnum):
    """What a machine is for: a desk, a guest that trades on paper, or trading."""

    DEV = "dev"
    VM = "vm"
    PROD = "prod"


@dataclass(frozen=True)
class Seen:
    """What a check found: in words, and whether that is well; None where there is no such thing."""

    found: str
    is_well: bool | None


def not_here(reason: str = "not on this machine") -> Seen:
    """Return what is seen where there is nothing to see."""
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
    """One check: how to look, what is wanted and why, what mends it, and how grave it is where."""

    name: str
    look: Callable[[Machine], Seen]
    wanted: str
    why: str
    fix: str
    graveness: tuple[Verdict, Verdict, Verdict]  # of each profile, in their order
    needs_reboot: bool = False


def judge(
    check: Check, machine: Machine, profile: MachineProfile, words: dict[str, str]
) -> Finding:
    """Return what a check finds; ``words`` fill the braces of what is wanted and of what mends it.

    A profile for which a fault means nothing calls it not applicable, and tells it all the same.
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
