"""The web dashboard: a side process that reads a run and shows it in a browser.

``sample_feed`` follows the run by the samples that every observer takes (``procs/observe``),
``recent`` keeps those of the last seconds, and ``columns`` keeps one column a second for charts.
``pages`` makes the content of each page, ``frames`` packs it for the wire, ``dashboard_server``
serves it on loopback, and ``guard`` refuses strangers.  It never delays the engine: it maps memory
read-only and may die at any moment.

contents          the parts of the pages' content
frames            one binary WebSocket frame: a JSON header, then raw little-endian arrays
guard             checks the callers of the dashboard, and restricts its pages in the browser
run_watch         follows one run: ten samples a second, one column of the charts a second
pages             the content of each page at this moment, as plain objects for JSON
sample_feed       follows an instance through its runs, and wakes the browsers at every sample
browser           serves one browser: its page, its position, its speed
dashboard_server  the dashboard's server: its pages, its frames, and the few commands
serve             opens the dashboard's port and serves until a stop or the end of the run
"""
