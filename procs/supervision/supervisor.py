"""The supervisor: creates the segments, starts the stages, watches them, ends them.

``one_run`` makes one for each run.  SIGTERM or ``vortexctl stop`` ends the run: first the gateway
pulls all quotes, then the stages end, then the run's memory is archived and removed.

One loop waits for the ends of processes, for commands, and for time to pass.  ``children.policy``
decides when a dead stage is started again.  While any stage is not ready, the gateway pulls.  When
the supervisor itself dies, the gateway notices and pulls, and the next start adopts the run.
"""

import os
import selectors
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

import numpy as np

from ipc.clock import CLOCK, calibrate, refresh_wall_offset
from ipc.control import StageOrder, State
from ipc.memory import address_of
from ipc.segment import remove_stale
from ipc.waiting import Wait
from procs.logs import process_log
from procs.logs.run_events import EventLog
from procs.machine.scheduling import Turns
from procs.observe import archive
from procs.observe.samples.view import RunView
from procs.plan import instance, placement, strategy_files, wiring
from procs.plan.config import Config
from procs.plan.credentials import Credentials
from procs.plan.errors import StartError
from procs.plan.launch import Launch, read_launch, write_launch
from procs.plan.placement import Plan, StagePlace
from procs.supervision import reference
from procs.supervision.children import nursery, run_stage
from procs.supervision.children.health import Health, health_of
from procs.supervision.children.keeper import Keeper, Phase
from procs.supervision.children.log_keeper import LogKeeper
from procs.supervision.children.nursery import Child
from procs.supervision.children.policy import RestartPolicy
from procs.supervision.compiling import warm
from procs.supervision.compiling.compiler import Compiler
from procs.supervision.control.control_socket import (
    Caller,
    Command,
    CommandAnswer,
    ControlSocket,
    ListStages,
    RestartStage,
    StopRun,
    StopStage,
)
from procs.supervision.control.progress import notify_systemd, say
from procs.supervision.loans import Loans
from procs.supervision.run_segments import RunMemory

WATCH_S = 0.02
SECOND_S = 1.0


class Supervisor:
    """One run from its start to its end."""

    def __init__(self, config: Config, keys: dict[str, Credentials]) -> None:
        """``keys`` are those of the accounts, by name."""
        self.config = config.with_strategy_files(strategy_files.keep)
        self.keys = keys
        self.log = process_log.logger(wiring.SUPERVISOR)
        self.wiring = wiring.wire(self.config)
        self.plan: Plan = placement.plan(config.placement, self.wiring.roles)
        self.policy = RestartPolicy(death_count_max=config.liveness.deaths_per_minute)
        self.selector = selectors.DefaultSelector()
        self.keepers: dict[str, Keeper] = {}
        self.waiting: list[tuple[Caller, Keeper]] = []
        self.memory: RunMemory | None = None
        self.view: RunView | None = None
        self.compiler = Compiler()
        self.is_starting = True
        #: The gateways that were ordered to pull.
        self.pulled = set(self.wiring.gateway_roles)
        self.stopping = False
        self._next_second = time.monotonic()

    def open_run(self, run_folder: Path, run_id: int) -> None:
        """Open the files and sockets of one run; ``close_run`` closes them."""
        self.run_folder = run_folder
        self.run_id = run_id
        self.events = EventLog(run_folder)
        self.loans = Loans(self.events, self.take_back)
        for roles in self.plan.groups:
            keeper = Keeper(roles, self.spawn, self.order_stop, self.events)
            self.keepers.update(dict.fromkeys(roles, keeper))
        self.log_keeper = LogKeeper(run_folder, self.policy, self.events)
        self.control = ControlSocket(self.config.instance)
        self.selector.register(self.control, selectors.EVENT_READ, self.take_call)

    def close_run(self) -> None:
        """Close the files and sockets of ``open_run``."""
        self.selector.unregister(self.control)
        self.control.close()
        self.events.close()

    # Starting.

    def start(self) -> None:
        """Start everything; return when every stage is ready and every book in sync."""
        self.turns = Turns(self.config.placement.scheduler, self.plan)
        for line in self.plan.lines():
            say(line)
        say(self.turns.choice.line())
        for line in placement.busy_tasks(self.plan.engine_cpus()):
            say(f"warning: {line}")
        clock = np.zeros(1, CLOCK.dtype)
        calibrating = threading.Thread(target=calibrate, args=(clock,))
        calibrating.start()  # takes half a second, in parallel with the next steps
        self.write_launches()
        self.compile()
        reference.check_keys(self.config, self.keys)
        instruments = reference.fetch_instruments(self.config)
        reference.check_certificates(self.config)
        for name in remove_stale(self.config.instance):
            self.log.info("removed stale segment %s", name)
        self.memory = RunMemory.create(self.wiring, self.run_id)
        calibrating.join()
        self.memory.tables["clock"].records[:] = clock
        reference.fill_tables(self.config, self.memory.tables, instruments)
        if self.config.record.intake_mb:
            archive.write_begun(self.memory.tables, self.run_folder)
        self.view = RunView(self.config, self.run_folder)
        self.log_keeper.begin(self.view)
        for keeper in reversed(self.processes()):  # readers before writers
            self.start_keeper(keeper)
        self.bring_up()

    def keep_plan(self, run_folder: Path) -> None:
        """Keep the placement of the adopted run, even if this process runs on other CPUs."""
        launches = {
            role: read_launch(instance.launch_path(run_folder, role)) for role in self.wiring.roles
        }
        places = {
            role: StagePlace(launch.cpu_indexes[role], Wait(launch.wait))
            for role, launch in launches.items()
        }
        housekeeping_cpus = tuple(launches[wiring.BOOK].housekeeping_cpus)
        self.plan = Plan(places, housekeeping_cpus, self.plan.groups)

    def adopt(self) -> None:
        """Adopt a run whose supervisor died: keep live stages, start the others."""
        self.turns = Turns(self.config.placement.scheduler, self.plan)
        self.compile()
        self.memory = RunMemory.adopt(self.wiring, self.run_id)
        self.view = RunView(self.config, self.run_folder)
        self.events.append("adopted", pid=os.getpid())
        self.log_keeper.begin(self.view)
        for keeper in self.processes():
            role = keeper.roles[0]
            if self.view.is_alive(role):
                keeper.take(Child(int(self.view.status(role)["pid"])))
                self.watch_keeper(keeper)
            else:
                self.start_keeper(keeper)
        self.bring_up()

    def bring_up(self) -> None:
        """Wait until all is ready, then let the hot threads use their CPUs fully."""
        self.wait_ready()
        # Only now: a start may use every CPU, and the stages pinned themselves.
        os.sched_setaffinity(0, self.plan.housekeeping_cpus)
        self.order(self.wiring.roles, StageOrder.RUN)
        while not self.is_settled(self.wiring.roles):
            self.turn()
        self.is_starting = False
        self.events.append("ready", pid=os.getpid())

    def is_settled(self, roles: Iterable[str]) -> bool:
        """Return whether the loops of some stages wait in the mode of their placement."""
        assert self.view is not None
        places = self.plan.places
        return all(self.view.status(role)["wait_mode"] == places[role].wait for role in roles)

    def write_launches(self) -> None:
        """Write each stage's launch file."""
        cpu_indexes = {role: place.cpu_index for role, place in self.plan.places.items()}
        for role, place in self.plan.places.items():
            launch = Launch(
                self.config, self.run_id, str(self.run_folder), cpu_indexes,
                int(place.wait), list(self.plan.housekeeping_cpus),
            )  # fmt: skip
            write_launch(instance.launch_path(self.run_folder, role), launch)

    def compile(self) -> None:
        """Compile every function that is not in the cache."""
        if not warm.is_warm(self.config):
            self.compiler.run(instance.launch_path(self.run_folder, wiring.BOOK), say)

    def wait_ready(self) -> None:
        """Wait until every stage is ready and every book in sync.

        Raises
        ------
        StartError
            When a stage ends, or at the timeout; the message holds the last lines of its log.
        """
        assert self.view is not None
        deadline = time.monotonic() + self.config.liveness.start_timeout_s
        while not self.view.ready():
            self.turn()
            if self.stopping:
                raise StartError("stopped while starting")
            if time.monotonic() > deadline:
                raise StartError(self.why_not_ready())

    def why_not_ready(self) -> str:
        """Return the reason why the run is not ready."""
        assert self.view is not None
        late = [r for r in self.wiring.roles if self.view.state(r) != State.READY]
        if late:
            states = ", ".join(f"{role} is {self.view.state(role).name}" for role in late)
            return f"not ready in time: {states}\n{self.last_log_lines(late[0])}"
        touches = self.view.records("touches")
        symbols = [
            s for s, t in zip(self.config.symbols, touches, strict=True) if not t["is_valid"]
        ]
        return (
            f"the book of {', '.join(symbols)} did not come into sync in time\n"
            + self.last_log_lines(self.wiring.ingest_roles[0])
        )

    def last_log_lines(self, role: str) -> str:
        """Return the last lines of one stage's log, for a message."""
        path = process_log.log_path(self.run_folder, self.keepers[role].name)
        return "\n".join([f"last lines of {path}:", *process_log.last_lines(path, 8)])

    # Processes.

    def processes(self) -> list[Keeper]:
        """Return every process once, in the order of a tick."""
        return list(dict.fromkeys(self.keepers.values()))

    def spawn(self, roles: tuple[str, ...]) -> Child:
        """Start one process; only a gateway's process gets a secret, that of its account."""
        self.order(roles, StageOrder.SETTLE if self.is_starting else StageOrder.RUN)
        variables = reference.variables_for(self.config, self.wiring, roles, self.keys)
        launch = instance.launch_path(self.run_folder, roles[0])
        log = process_log.log_path(self.run_folder, placement.process_name(roles))
        return nursery.spawn(run_stage.enter, roles, launch, log, variables)

    def start_keeper(self, keeper: Keeper) -> None:
        """Start a process and watch for its end."""
        keeper.start()
        self.watch_keeper(keeper)

    def watch_keeper(self, keeper: Keeper) -> None:
        """Watch for the end of a process; ``on_end`` stops watching."""
        assert keeper.child is not None, "only a process that was started can end"
        self.selector.register(keeper.child.fd, selectors.EVENT_READ, lambda: self.on_end(keeper))

    def on_end(self, keeper: Keeper) -> None:
        """Handle the end of a process: pull immediately, then decide the next action."""
        assert keeper.child is not None, "it was watched"
        self.selector.unregister(keeper.child.fd)
        was_asked = keeper.phase == Phase.STOPPING
        if self.memory is not None and not was_asked:
            for role in keeper.roles:
                self.memory.bury(role)
        keeper.ended(self.policy)
        if keeper.phase == Phase.STOPPED and not self.stopping:
            self.order(keeper.roles, StageOrder.RUN)  # so that a foreground process may run it
        self.judge()
        message = f"{keeper.name} ended with status {keeper.last_status}"
        if was_asked:
            self.log.info(message)
        elif self.is_starting:
            raise StartError(f"{message}\n{self.last_log_lines(keeper.roles[0])}")
        else:
            self.log.error("%s; %s", message, keeper.phase)
        if keeper.is_alive:
            self.watch_keeper(keeper)

    def order(self, roles: Iterable[str], order: StageOrder) -> None:
        """Give some stages one order."""
        assert self.memory is not None, "orders are in shared memory"
        self.memory.order(roles, order)

    def order_stop(self, roles: tuple[str, ...]) -> None:
        """Order the stages of one process to end."""
        self.order(roles, StageOrder.STOP)

    def give_pull(self, gateway_roles: Iterable[str], pull: int) -> None:
        """Order gateways to pull (1), or end the pull (0)."""
        assert self.memory is not None, "orders are in shared memory"
        self.memory.give_pull(gateway_roles, pull)

    # Watching.

    def turn(self, timeout_s: float = WATCH_S) -> None:
        """Wait for an event, and do what is due."""
        for key, _ in self.selector.select(timeout_s):
            key.data()
        now_s = time.monotonic()
        for keeper in self.processes():
            was_alive = keeper.is_alive
            keeper.see_to(now_s)
            if keeper.is_alive and not was_alive:
                self.watch_keeper(keeper)
            self.look_after(keeper)
        self.log_keeper.see_to(now_s)
        self.loans.see_to(self.is_flat_for)
        self.judge()
        self.answer_waiting()
        if now_s >= self._next_second:
            self._next_second += SECOND_S
            self.each_second()

    def each_second(self) -> None:
        """Measure the offset to wall time again, and show that this process lives."""
        if self.memory is not None:
            refresh_wall_offset(address_of(self.memory.tables["clock"].records))
        notify_systemd("WATCHDOG=1")

    def look_after(self, keeper: Keeper) -> None:
        """Continue a stopped process; kill a stuck one."""
        if keeper.child is None or keeper.phase != Phase.UP or self.view is None:
            return
        if self.view.state(keeper.roles[0]) not in (State.RUNNING, State.READY):
            return
        age_ns = self.view.heartbeat_age_ns(keeper.roles[0])
        health = health_of(keeper.child.pid, age_ns)
        if health == Health.STOPPED:
            self.log.warning("%s was stopped by a signal; continuing it", keeper.name)
            self.events.append("continued", keeper.name, pid=keeper.child.pid)
            keeper.child.send_signal(signal.SIGCONT)
        elif health == Health.STUCK:
            self.log.error("%s is stuck; killing it", keeper.name)
            self.events.append("stuck", keeper.name, pid=keeper.child.pid)
            keeper.child.kill()

    def judge(self) -> None:
        """Pull while a stage is not ready; end the pull when all are.

        A gateway that is not ready pulls its own account; any other stage pulls all of them.
        """
        if self.is_starting or self.stopping or self.view is None:
            return
        threads = self.running_threads()
        away_counts = {role: int(self.view.status(role)["away_count"]) for role in threads}
        self.turns.see_to(threads, away_counts)
        lent = self.loans.pulling
        unready = [r for r in self.wiring.roles if self.view.state(r) != State.READY]
        halted = {
            role
            for role in self.wiring.gateway_roles
            if {*lent, *unready} & {*self.roles_through(role)}
        }
        if newly := halted - self.pulled:
            self.give_pull(newly, 1)
            self.pulled |= newly
            reason = "lent" if lent else "not ready"
            self.events.append("pulled", note=f"{reason}: {', '.join(lent or unready)}")
        over = {role for role in self.pulled - halted if self.is_settled(self.roles_through(role))}
        if over:
            self.give_pull(over, 0)
            self.pulled -= over
            if not self.pulled:
                self.events.append("whole")

    def roles_through(self, gateway_role: str) -> list[str]:
        """Return the stages that an order of one gateway passes."""
        return [*self.wiring.roles_before_gateways, gateway_role]

    def gateways_of(self, keeper: Keeper) -> list[str]:
        """Return the gateways that trade through a process."""
        roles = self.wiring.gateway_roles
        return [role for role in roles if {*keeper.roles} & {*self.roles_through(role)}]

    def running_threads(self) -> dict[str, int]:
        """Return the hot threads to line up, by role: not those under a debugger."""
        assert self.view is not None
        roles = [role for role in self.wiring.roles if role not in self.loans.debugged]
        running = [r for r in roles if self.view.state(r) in (State.RUNNING, State.READY)]
        return {role: int(self.view.status(role)["thread_id"]) for role in running}

    # Commands.

    def take_call(self) -> None:
        """Accept a command on the control socket."""
        self.control.accept(self.take_command)

    def take_command(self, command: Command, caller: Caller) -> None:
        """Carry out one command; some get their answer only when it is complete."""
        if isinstance(command, StopRun):
            self.stopping = True
            caller.answer(CommandAnswer())
            return
        if isinstance(command, ListStages):
            stages = {role: keeper.state_of_stage() for role, keeper in self.keepers.items()}
            caller.answer(CommandAnswer(stages=stages))
            return
        keeper = self.keepers.get(command.stage)
        if keeper is None:
            caller.answer(
                CommandAnswer(error=f"no stage {command.stage!r}; {', '.join(self.keepers)}")
            )
            return
        if self.is_starting:
            caller.answer(CommandAnswer(error="the run is just starting; try again"))
            return
        self.log.info("asked: %s", command)
        gateways = [self.keepers[role] for role in self.gateways_of(keeper)]
        timeout_s = self.config.liveness.stop_timeout_s
        if self.loans.answers(command, keeper, caller, gateways, timeout_s):
            self.judge()
            return
        if isinstance(command, StopStage):
            keeper.stop()
        elif isinstance(command, RestartStage):
            was_alive = keeper.is_alive
            keeper.stop(again=True)
            if not was_alive:
                self.watch_keeper(keeper)
        elif not keeper.is_alive:
            keeper.deaths.clear()
            self.start_keeper(keeper)
        self.judge()
        self.waiting.append((caller, keeper))

    def answer_waiting(self) -> None:
        """Answer the callers whose command is complete."""
        for caller, keeper in list(self.waiting):
            error = ""
            if keeper.phase == Phase.GIVEN_UP:
                error = f"{keeper.name} ended again and again; see its log"
            elif keeper.phase != Phase.STOPPED and not self.is_back(keeper):
                continue
            self.waiting.remove((caller, keeper))
            caller.answer(CommandAnswer(error=error))

    def is_back(self, keeper: Keeper) -> bool:
        """Return whether a process runs, and the accounts that trade through it are whole again."""
        assert self.view is not None
        view = self.view
        is_up = keeper.phase == Phase.UP and not self.pulled & {*self.gateways_of(keeper)}
        is_ready = all(view.state(role) == State.READY for role in keeper.roles)
        return is_up and is_ready and view.books_in_sync()

    # Lending.

    def take_back(self, keeper: Keeper) -> None:
        """Restart our own process of a stage that was lent."""
        assert self.memory is not None, "it was lent while the run was up"
        for role in keeper.roles:
            self.memory.bury(role)
        if not self.stopping:
            keeper.deaths.clear()
            self.start_keeper(keeper)

    def is_flat(self, gateway_roles: Iterable[str]) -> bool:
        """Return whether some gateways report that no order of theirs is open."""
        view = self.view
        return view is not None and all(view.status(r)["is_flat"] == 1 for r in gateway_roles)

    def is_flat_for(self, keeper: Keeper) -> bool:
        """Return whether no order is open of the accounts that trade through a process."""
        return self.is_flat(self.gateways_of(keeper))

    # Ending.

    def ask_stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: end the run."""
        self.stopping = True
        self.compiler.end()

    def stop(self) -> None:
        """Pull the quotes, end the stages, archive their memory, remove the segments."""
        self.stopping = True
        notify_systemd("STOPPING=1")
        if self.memory is None:
            return
        self.pull()
        for keeper in self.processes():
            keeper.stop()
        # A foreground stage is not our child, but must end as well.
        self.order(self.wiring.roles, StageOrder.STOP)
        while any(keeper.is_alive for keeper in self.processes()):
            self.turn()
        self.log_keeper.stop()  # last: it writes the final events of the others
        while self.log_keeper.is_alive:
            self.turn()
        try:
            if self.view is not None:
                archive.write(self.view, self.run_folder)
        except OSError as error:
            self.log.error("the run is not archived in %s: %s", self.run_folder, error.strerror)
        finally:
            if self.view is not None:
                self.view.close()
                self.view = None
            self.memory.remove()

    def pull(self) -> None:
        """Order the gateways to pull, and wait until no order is open."""
        self.give_pull(self.wiring.gateway_roles, 1)
        if self.view is None:
            return
        roles = self.wiring.gateway_roles
        started = [role for role in roles if self.view.status(role)["started_ns"] != 0]
        gateways = {role: self.keepers[role] for role in started if self.may_trade(role)}
        if not gateways:
            return
        for role, gateway in gateways.items():
            if not gateway.is_alive and self.loans.of(gateway) is None:
                self.log.warning("the %s is dead; starting it again to cancel open orders", role)
                self.start_keeper(gateway)
        for keeper in self.processes():
            if keeper.child is not None:
                keeper.child.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + self.config.liveness.stop_timeout_s
        while time.monotonic() < deadline:
            if self.is_flat(gateways):
                self.log.info("no order of ours is open at the venue")
                return
            if not any(each.is_alive or self.loans.of(each) for each in gateways.values()):
                break
            self.turn()
        self.log.error("could not confirm that no order is open; check the venue")

    def may_trade(self, gateway_role: str) -> bool:
        """Return whether a gateway may have traded since it was lent."""
        loan = self.loans.of(self.keepers[gateway_role])
        return loan is None or not (loan.is_lent and loan.halts)
