"""Where orders match: a simulation or a recording.

capture_file  a recording of market streams on disk: gzipped lines of `<local ns> <raw JSON>`
replay        a market made from a recording: frames go out as they were, our orders rest beside
              them
simulated     a market made by the matching engine and ten simulated traders
"""
