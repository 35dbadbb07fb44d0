"""Repeats the steps of a running stage as plain Python, and compares the outputs.

It observes the stage's rings like any tap.  It counts the steps that it could not copy in time, and
then begins again from the stage's current state.  It writes only to private memory.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing

import click

from procs.debug.prompt import Left, Prompt, first_of, places_of
from procs.debug.steps import standing
from procs.debug.steps.apart import Start
from procs.debug.steps.follow import Follower
from procs.debug.steps.moments import Moment, rings_of
from procs.debug.steps.repeat import Repeater, all_differences, record_count
from procs.debug.steps.stage_modules import modules_of, show_plain_numbers
from procs.debug.steps.standing import NeverStill
from procs.observe.samples.view import RunView
from procs.observe.watch import is_over, keeping_house
from procs.plan.launch import Launch

LOOK_S = 0.002
LIFE_S = 0.2
TOLD_COUNT_MAX = 20


class ShadowError(Exception):
    """The shadow could not follow the stage; the message says why."""


class Shadow:
    """One stage's shadow, with its counts of equal and differing records."""

    def __init__(
        self, view: RunView, role: str, launch: Launch, say: Callable[[str], None]
    ) -> None:
        self.view = view
        self.role = role
        self.launch = launch
        self.say = say
        rings_of(view.wiring, role)  # refuses a stage whose steps cannot be repeated
        self.step_count = self.equal_count = self.differing_count = self.passed_count = 0
        self.step_seq = 0
        self.is_over = False
        self.problem = ""

    def follow(self) -> None:
        """Repeat step after step until the run is over."""
        while not self.is_over:
            if not self.view.is_alive(self.role):
                time.sleep(LIFE_S)  # it is being started again
                self.is_over = is_over(self.view)
                continue
            try:
                start = standing.take(self.view, self.role)
            except NeverStill as error:
                self.problem = str(error)
                return
            self.begin(start.places[f"steps.{self.role}"].seq)
            with closing(Repeater(self.role, self.launch, start)) as repeater:
                self.follow_from(start, repeater)

    def begin(self, step_seq: int) -> None:
        """Print from where it continues, and the number of missed steps."""
        missed_count = step_seq - self.step_seq if self.step_seq else 0
        self.passed_count += missed_count
        self.step_seq = step_seq
        note = f"; {missed_count} were passed over" if missed_count else ""
        self.say(f"from step {step_seq} of {self.role}{note}")

    def follow_from(self, start: Start, repeater: Repeater) -> None:
        """Repeat the steps after ``start``, as long as none is missing."""
        follower = Follower(self.view, self.role, start)
        next_life_s = 0.0
        while not follower.gatherer.broken and not self.is_over:
            moment = follower.next()
            if moment is not None:
                self.compare(moment, repeater)
                continue
            if time.monotonic() > next_life_s:
                next_life_s = time.monotonic() + LIFE_S
                self.is_over = is_over(self.view)
            time.sleep(LOOK_S)
        if follower.gatherer.broken:
            self.say(follower.gatherer.broken)

    def compare(self, moment: Moment, repeater: Repeater) -> None:
        """Repeat one step and print where its output differs from the stage's."""
        outputs = repeater.step(moment)
        found = all_differences(self.view.wiring, outputs, moment.outputs)
        self.step_count += 1
        self.step_seq = moment.step_seq + 1
        self.differing_count += len(found)
        self.equal_count += max(record_count(moment.outputs) - len(found), 0)
        for line in found:
            if self.differing_count <= TOLD_COUNT_MAX:
                self.say(f"step {moment.step_seq} differs: {line}")

    def summary(self) -> str:
        """Return the counts of the comparison."""
        return (
            f"{self.step_count} steps of {self.role} repeated, {self.passed_count} passed over; "
            f"records: {self.equal_count} equal, {self.differing_count} differ"
        )


def banner(role: str, instance: str) -> str:
    """Return what the shadow does and what it costs."""
    return (
        f"{role} of {instance} continues to trade; here its steps are repeated as plain Python, in "
        "private memory.\n"
        "The output here is only compared with the records that the stage published."
    )


def look_where_it_fails(prompt: Prompt, shadow: Shadow) -> None:
    """Follow a stage at the prompt; when a step fails, show where, and fail."""
    try:
        prompt.run_until_left(shadow.follow)
    except Exception as error:
        prompt.look_at(error)
        shadow.problem = f"a step failed: {type(error).__name__}: {error}"


def run(
    view: RunView, launch: Launch, role: str, breaks: Sequence[str], *, wants_pdb: bool
) -> Shadow:
    """Follow a stage until Ctrl-C, the end of the prompt or of the run; return the shadow.

    Raises
    ------
    NotRepeatable, BadBreak
        When the stage cannot be repeated, or a breakpoint cannot be set.
    ShadowError
        When the shadow could not follow the stage.
    """
    shadow = Shadow(view, role, launch, lambda line: click.echo(f"shadow: {line}"))
    prompt = None
    if wants_pdb:
        modules = modules_of(role, launch.config)
        prompt = Prompt(places_of(breaks, modules) or [first_of(modules[0].drain)], once=not breaks)
    show_plain_numbers()
    click.echo(banner(role, view.config.instance))
    try:
        with keeping_house(view):
            if prompt is None:
                shadow.follow()
            else:
                click.echo("c continues, Ctrl-C returns to the prompt, q leaves.")
                look_where_it_fails(prompt, shadow)
    except (Left, KeyboardInterrupt):
        pass
    finally:
        click.echo(shadow.summary())
    if shadow.problem:
        raise ShadowError(shadow.problem)
    return shadow
