"""A market made from a recording of the venue's streams.

capture_file  a recording of market streams on disk: lines of `<local ns> <raw JSON>`
replay        plays a recording: frames go out as they were, and the recorded symbols follow them
"""
