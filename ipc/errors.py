"""What can go wrong with shared memory.

SharedMemoryError
├── SegmentMissing        nothing of that name: the run is not up, or another instance is meant
├── SegmentMismatch       there, but of another layout, version or run
│   └── SegmentNotYet     not whole, or of another run: the one that is meant has not made it yet
├── SegmentInUse          a live process holds it
└── RoleTaken             another process already plays this part
"""


class SharedMemoryError(Exception):
    """Root of this tree; the message says what to do."""


class SegmentMissing(SharedMemoryError):
    """Nothing of that name exists."""


class SegmentMismatch(SharedMemoryError):
    """The segment exists, but not as this program declares it."""


class SegmentNotYet(SegmentMismatch):
    """The segment is not whole, or another run left it: the run that is meant may make it soon."""


class SegmentInUse(SharedMemoryError):
    """A live process holds the segment."""


class RoleTaken(SharedMemoryError):
    """Another live process already plays this part."""
