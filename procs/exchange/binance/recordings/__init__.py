"""A market made from a recording of the venue's streams.

capture_file  a recording of market streams on disk: gzipped lines of `<local ns> <raw JSON>`
replay        a market made from a recording: frames go out as they were, our orders rest beside
              them
"""
