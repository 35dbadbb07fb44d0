"""The web dashboard: a side process that looks at a run read-only and shows it in a browser.

``feed`` follows the run by the samples that every observer takes (``procs/observe``), ``recent``
keeps those of the last seconds, and ``columns`` one column a second of what is drawn over time.
``pages`` says what each page shows, ``frames`` packs it for the wire, ``server`` serves it on
loopback, and ``guard`` keeps strangers out.  Nothing here is ever in the way of the engine: it maps
memory read-only and may die at any moment.
"""
