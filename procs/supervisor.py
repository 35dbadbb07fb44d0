"""The supervisor: creates the segments, starts the stages, watches them, and ends them.

``python -m procs.supervisor CONFIG_FILE``, started by ``vortexctl start``.  What it prints on
standard output is for that command: lines of progress, then READY or FAILED.  SIGTERM ends the run:
quotes are pulled first, then the stages leave, then what they left is archived and removed.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from ipc import control
from ipc.clock import calibrate, refresh_wall_offset
from ipc.control import Order, State
from ipc.errors import SharedMemoryError
from ipc.memory import address_of
from ipc.segment import Segment, remove_stale
from ipc.shared import SharedRing, SharedTable
from procs import archive, instance, logs, placement, reference, warm, wiring
from procs.config import KEY_VARIABLE, SECRET_VARIABLE, Config, ConfigError, credentials, load
from procs.instance import AlreadyRunning, InstanceLock, Mark
from procs.placement import Plan
from procs.stage import Launch, write_launch
from procs.view import View

WATCH_S = 0.02
WALL_OFFSET_S = 1.0
NS_PER_S = 1_000_000_000


class StartError(Exception):
    """The run could not be started; the message says why."""


class Supervisor:
    """One run from its start to its end."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.log = logs.logger(wiring.SUPERVISOR)
        self.wiring = wiring.wire(config)
        self.run_id = secrets.randbits(31) | 1
        self.plan: Plan = placement.plan(config.placement, self.wiring.roles)
        self.tables: dict[str, SharedTable] = {}
        self.rings: dict[str, SharedRing] = {}
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.view: View | None = None
        self.compiler: subprocess.Popen[str] | None = None
        self.stopping = False

    # Starting.

    def start(self, run_folder: Path) -> None:
        """Bring everything up; return when every stage is ready and every book in sync."""
        self.run_folder = run_folder
        self.credentials = credentials(self.config)
        for line in self.plan.lines():
            say(line)
        for line in placement.busy_tasks({place.cpu_index for place in self.plan.places.values()}):
            say(f"warning: {line}")
        self.write_launches()
        self.compile()
        instruments = reference.fetch_instruments(self.config)
        for name in remove_stale(self.config.instance):
            self.log.info("removed stale segment %s", name)
        self.create_segments()
        calibrate(self.tables["clock"].records)
        reference.fill_tables(self.config, self.tables, instruments)
        self.view = View(self.config, run_folder)
        for role in reversed(self.wiring.roles):  # readers before writers
            self.spawn(role)
        self.wait_ready()
        # Only now: a start may use every CPU, and the stages went to theirs by themselves.
        os.sched_setaffinity(0, self.plan.housekeeping_cpus)

    def write_launches(self) -> None:
        """Write each stage's launch file."""
        for role, place in self.plan.places.items():
            launch = Launch(
                self.config, self.run_id, str(self.run_folder), place.cpu_index,
                int(place.wait), list(self.plan.housekeeping_cpus),
            )  # fmt: skip
            write_launch(instance.launch_path(self.run_folder, role), launch)

    def compile(self) -> None:
        """Compile in a process of its own, passing its progress on."""
        if warm.is_warm(self.config):
            return
        path = instance.launch_path(self.run_folder, wiring.GATEWAY)
        command = [sys.executable, "-m", "procs.warm", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            self.compiler = process
            assert process.stdout is not None
            for line in process.stdout:
                say(line.rstrip())
        self.compiler = None
        if self.stopping:
            raise StartError("stopped while compiling")
        if process.returncode != 0:
            raise StartError(f"compiling failed with status {process.returncode}")

    def create_segments(self) -> None:
        """Create every table and ring; ``remove_segments`` removes them."""
        for name, table in self.wiring.tables.items():
            self.tables[name] = SharedTable.create(
                self.wiring.segment(name), table.layout, table.count, run_id=self.run_id
            )
        for name, link in self.wiring.links.items():
            self.rings[name] = SharedRing.create(
                self.wiring.segment(name), link.spec, run_id=self.run_id
            )
        for segment in self.segments():
            segment.lock(archive.SUPERVISOR_ROLE)

    def segments(self) -> list[Segment]:
        """Return every segment of the run."""
        tables = [table.segment for table in self.tables.values()]
        return tables + [ring.segment for ring in self.rings.values()]

    def spawn(self, role: str) -> None:
        """Start one stage's process; only the gateway gets the key."""
        environment = dict(os.environ)
        for name in (KEY_VARIABLE, SECRET_VARIABLE):
            environment.pop(name, None)
        if role == wiring.GATEWAY:
            environment[KEY_VARIABLE] = self.credentials.key
            environment[SECRET_VARIABLE] = self.credentials.secret.decode()
        launch = instance.launch_path(self.run_folder, role)
        with logs.log_path(self.run_folder, role).open("ab") as log:
            self.children[role] = subprocess.Popen(
                [sys.executable, "-m", "procs.run_stage", role, str(launch)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True,
            )  # fmt: skip

    def wait_ready(self) -> None:
        """Wait until every stage is ready and every book in sync.

        Raises
        ------
        StartError
            When a stage ends, or the time is up; the message holds the last lines of its log.
        """
        assert self.view is not None
        deadline = time.monotonic() + self.config.liveness.start_timeout_s
        while not self.view.ready():
            self.check_children()
            if self.stopping:
                raise StartError("stopped while starting")
            if time.monotonic() > deadline:
                raise StartError(self.why_not_ready())
            time.sleep(WATCH_S)

    def why_not_ready(self) -> str:
        """Return what the run still waits for."""
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
        path = logs.log_path(self.run_folder, role)
        return "\n".join([f"last lines of {path}:", *logs.last_lines(path, 8)])

    # Watching.

    def check_children(self) -> None:
        """Raise StartError when a stage has ended."""
        for role, child in self.children.items():
            if child.poll() is not None:
                raise StartError(
                    f"{role} ended with status {child.returncode}\n{self.last_log_lines(role)}"
                )

    def watch(self) -> int:
        """Stay until asked to stop, or until a stage ends; return the exit status."""
        next_offset = time.monotonic()
        while not self.stopping:
            try:
                self.check_children()
            except StartError as error:
                self.log.error("%s; pulling everything and stopping", error)
                return 1
            if time.monotonic() >= next_offset:
                refresh_wall_offset(address_of(self.tables["clock"].records))
                next_offset += WALL_OFFSET_S
            time.sleep(WATCH_S)
        return 0

    def ask_stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: end the run."""
        self.stopping = True
        if self.compiler is not None:
            self.compiler.terminate()

    # Ending.

    def stop(self) -> None:
        """Pull the quotes, end the stages, archive what they left, remove the segments."""
        if self.tables:
            self.pull()
            self.order_all(Order.STOP)
            self.wait_children(self.config.liveness.stop_timeout_s)
        for role, child in self.children.items():
            if child.poll() is None:
                self.log.error("%s did not leave; killing it", role)
                child.send_signal(signal.SIGCONT)
                child.kill()
                child.wait()
        try:
            if self.view is not None:
                archive.write(self.view, self.run_folder)
                self.view.close()
                self.view = None
        finally:
            self.remove_segments()

    def pull(self) -> None:
        """Ask the gateway to pull everything and wait until nothing stands."""
        gateway = self.children.get(wiring.GATEWAY)
        commands = self.tables["commands"]
        for index in range(len(self.wiring.roles)):
            control.give_pull(commands.record_address(index), 1)
        if gateway is None or self.view is None:
            return
        if gateway.poll() is not None and self.view.status(wiring.GATEWAY)["started_ns"] != 0:
            self.log.warning("the gateway is dead; starting it again to cancel what stands")
            self.spawn(wiring.GATEWAY)
            gateway = self.children[wiring.GATEWAY]
        deadline = time.monotonic() + self.config.liveness.stop_timeout_s
        while gateway.poll() is None and time.monotonic() < deadline:
            if self.view.status(wiring.GATEWAY)["is_flat"] == 1:
                self.log.info("nothing of ours stands at the venue")
                return
            time.sleep(WATCH_S)
        self.log.error("could not confirm that nothing stands at the venue; look there")

    def order_all(self, order: Order) -> None:
        """Give all stages one order."""
        commands = self.tables["commands"]
        for index in range(len(self.wiring.roles)):
            control.give_order(commands.record_address(index), order)

    def wait_children(self, timeout_s: float) -> None:
        """Wait until all stages have ended, or the time is up."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if all(child.poll() is not None for child in self.children.values()):
                return
            time.sleep(WATCH_S)

    def remove_segments(self) -> None:
        """Remove every segment that ``create_segments`` created."""
        for segment in self.segments():
            segment.unlink()
            segment.close()
        self.tables.clear()
        self.rings.clear()


def say(line: str) -> None:
    """Print one line for ``vortexctl start``, if it still listens."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(config: Config) -> int:
    """Run one instance from start to stop; return the exit status."""
    supervisor = Supervisor(config)
    lock = InstanceLock.take(config.instance)
    run_folder = instance.new_run_folder(
        Path(config.runs_folder), config.instance, supervisor.run_id
    )
    lock.write(Mark(os.getpid(), supervisor.run_id, str(run_folder), time.time_ns()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.ask_stop)
    log_fd = os.open(logs.log_path(run_folder, wiring.SUPERVISOR), os.O_WRONLY | os.O_CREAT, 0o644)
    os.dup2(log_fd, sys.stderr.fileno())
    logs.to_stderr()
    try:
        try:
            supervisor.start(run_folder)
        except (StartError, ConfigError, SharedMemoryError) as error:
            supervisor.log.error("%s", error)
            say(f"FAILED {error}")
            return 1
        say(f"READY {run_folder}")
        return supervisor.watch()
    except Exception:
        supervisor.log.exception("supervisor failed")
        say("FAILED see the supervisor's log")
        return 1
    finally:
        supervisor.stop()
        lock.release()


def main() -> int:
    """Run the instance of one configuration file."""
    try:
        return run(load(Path(sys.argv[1])))
    except (ConfigError, AlreadyRunning) as error:
        say(f"FAILED {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
