"""The web dashboard: a side process that looks at a run read-only and shows it in a browser.

``feed`` follows the run by the samples that every observer takes (``procs/observe``), ``recent``
keeps those of the last seconds, and ``columns`` one column a second of what is drawn over time.
``pages`` says what each page shows, ``frames`` packs it for the wire, ``server`` serves it on
loopback, and ``guard`` keeps strangers out.  Nothing here is ever in the way of the engine: it maps
memory read-only and may die at any moment.

contents          what the pages show, beside the pages themselves
frames            one binary WebSocket frame: a JSON header, then raw little-endian arrays
guard             who may speak to the dashboard, and what a browser may do with its pages
run_watch         one run as the dashboard follows it: sampled ten times a second, drawn once a
                  second
pages             what each page shows of a run at this moment, as plain objects for JSON
sample_feed       follows an instance through its runs, and wakes those who show it at every
                  sample
browser           one browser: what it looks at, what it has, and how fast it takes it
dashboard_server  the dashboard's server: its pages, its frames, and the few things that act
serve             opens the dashboard's port and serves until it is told to end, or the run has
                  ended
"""
