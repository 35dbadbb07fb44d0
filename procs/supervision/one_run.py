"""One run of an instance: takes the lock, starts or adopts the run, ends it.

Its standard output is for ``vortexctl start``: lines of progress, then READY or FAILED.
"""

import os
import signal
import time
from pathlib import Path

from ipc.errors import SharedMemoryError
from procs.logs import process_log
from procs.plan import instance, wiring
from procs.plan.config import Config, load
from procs.plan.credentials import credentials, forget_credentials, leave_no_core
from procs.plan.errors import ConfigError, StartError
from procs.plan.instance import AlreadyRunning, InstanceLock, Mark
from procs.supervision import orphans
from procs.supervision.control.progress import notify_systemd, say
from procs.supervision.supervisor import Supervisor


def run(config: Config, *, to_log: bool) -> int:
    """Run one instance from start to stop; return the exit status."""
    leave_no_core()
    supervisor = Supervisor(config, credentials(config))
    forget_credentials()  # so that no later process inherits them
    lock = InstanceLock.take(config.instance)
    adopted = orphans.abandoned_run(config, instance.read_mark(config.instance))
    run_id = adopted.run_id if adopted else instance.new_run_id()
    run_folder = (
        Path(adopted.run_folder)
        if adopted
        else instance.new_run_folder(Path(config.runs_folder), config.instance, run_id)
    )
    lock.write(Mark(os.getpid(), run_id, str(run_folder), time.time_ns()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.ask_stop)
    if to_log:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(process_log.log_path(run_folder, wiring.SUPERVISOR), flags, 0o644), 2)
    process_log.to_stderr()
    if adopted:
        supervisor.keep_plan(run_folder)
    supervisor.open_run(run_folder, run_id)
    try:
        try:
            if adopted:
                supervisor.adopt()
            else:
                supervisor.start()
        except (StartError, ConfigError, SharedMemoryError) as error:
            supervisor.log.error("%s", error)
            say(f"FAILED {error}")
            return 1
        say(f"READY {run_folder}" if to_log else f"trading; report will be in {run_folder}")
        notify_systemd("READY=1")
        while not supervisor.stopping:
            supervisor.turn()
        return 0
    except Exception:
        supervisor.log.exception("supervisor failed")
        say("FAILED see the supervisor's log")
        return 1
    finally:
        supervisor.stop()
        supervisor.close_run()
        lock.release()


def main(config_path: Path, *, to_log: bool) -> int:
    """Run the instance of one configuration file, logging to a file or to standard error."""
    try:
        return run(load(config_path), to_log=to_log)
    except (ConfigError, AlreadyRunning, StartError) as error:
        say(f"FAILED {error}")
        return 1
