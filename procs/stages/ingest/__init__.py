"""Socket bytes in, market records out; one stage per source.

feed          the main thread of an ingest process: connects, fetches snapshots, renews masking
              keys
ingest_stage  the ingest stage: socket bytes in, market records out
"""
