"""One module per command of vortexctl, each imported only when it is called.

common             what the commands share: how they fail, what they print, and which instance is
                   meant
attach_tools       what ``vortexctl attach`` can do beyond looking: ``--to``, ``--stack``,
                   ``--profile``, ``--gdb``
borrowing          what a command needs to play a stage: how the supervisor starts it, and its
                   keys
completion         ``vortexctl completion``: what a shell needs to complete our commands
config             ``vortexctl config``: look at a configuration before it is used
dashboard          ``vortexctl dashboard``: the run in a browser
deaths             ``vortexctl deaths``: what died in a run, and the last that was heard of it
debug              what ``vortexctl run --pdb`` and ``--shadow`` do
doctor             ``vortexctl doctor``: is this machine as the engine wants it, and what mends
                   what is not
events             ``vortexctl events``: what happened to the stages, one line each
jitter             ``vortexctl jitter``: what takes time from the engine's CPUs, and from its
                   orders
logs               ``vortexctl logs``: all logs of a run in one stream
new                `vortexctl new`: files to begin with, which work as they are
probe              ``vortexctl probe``: how far a venue's addresses are, and which is nearest
restart            ``vortexctl restart``: end one stage and start it again
run                ``vortexctl run``: one stage in the foreground, the others as they are
shm                ``vortexctl shm``: the shared memory of all instances
start              ``vortexctl start``: bring an instance up, or stages of one that is up
status             ``vortexctl status``: what runs where, and how it goes
step               ``vortexctl step``: step through what was recorded of a stage, as plain Python
stop               ``vortexctl stop``: pull the quotes, end the stages, leave nothing behind
strategy_template  quote at the touch, one step further away for each quote held: say here how
                   yours quotes
top                ``vortexctl top``: the whole pipeline on one screen
attach             ``vortexctl attach``: look at one stage of a running instance, and into its
                   rings
wait               ``vortexctl wait``: wait until an instance is where one wants it
worst              ``vortexctl worst``: the orders over budget, and what held them up
"""
