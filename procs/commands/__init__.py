"""One module per command of vortexctl, each imported only when it is called.

common             the parts that commands share: failing, printing, the instance option
attach_tools       the tools of attach: ``--to``, ``--stack``, ``--profile``, ``--gdb``
borrowing          the launch file and the keys of a stage, for a command that runs it
completion         ``vortexctl completion``: the completion script of a shell
config             ``vortexctl config``: checks a configuration
dashboard          ``vortexctl dashboard``: the run in a browser
deaths             ``vortexctl deaths``: the deaths in a run, with the last events of each process
debug              ``vortexctl run --pdb`` and ``--shadow``
doctor             ``vortexctl doctor``: checks this machine, and prints the repairs
events             ``vortexctl events``: the changes of state of the stages, one line each
jitter             ``vortexctl jitter``: the time lost by the engine's CPUs, and by its orders
logs               ``vortexctl logs``: all logs of a run in one stream
new                `vortexctl new`: a working file to begin with
probe              ``vortexctl probe``: round-trip times to a venue's addresses
rerun              ``vortexctl rerun``: repeat a whole run from what its stages took, and compare
restart            ``vortexctl restart``: end one stage and start it again
run                ``vortexctl run``: one stage in the foreground, the others unchanged
shm                ``vortexctl shm``: the shared memory of all instances
start              ``vortexctl start``: start an instance, or stages of a running one
status             ``vortexctl status``: what runs where, and in which state
step               ``vortexctl step``: step through a recording of a stage, as plain Python
stop               ``vortexctl stop``: pull the quotes, end the stages, leave nothing behind
strategy_template  quote at the touch, one step further away for each quote held
top                ``vortexctl top``: the whole pipeline on one screen
attach             ``vortexctl attach``: inspect one stage of a running instance, and its rings
wait               ``vortexctl wait``: wait until an instance is in a state
worst              ``vortexctl worst``: the orders over budget, and what delayed them
"""
