"""The errors of shared memory.

SharedMemoryError
├── SegmentMissing        no segment of that name: the run is not up, or the instance is another
├── SegmentMismatch       it exists, but with another layout, version or run
│   └── SegmentNotYet     incomplete, or of another run: the run has not created it yet
├── SegmentInUse          a live process holds it
└── RoleTaken             another live process already has this role
"""


class SharedMemoryError(Exception):
    """Root of this tree; the message says what to do."""


class SegmentMissing(SharedMemoryError):
    """Nothing of that name exists."""


class SegmentMismatch(SharedMemoryError):
    """The segment exists, but not as this program declares it."""


class SegmentNotYet(SegmentMismatch):
    """The segment is incomplete, or of another run: this run may create it soon."""


class SegmentInUse(SharedMemoryError):
    """A live process holds the segment."""


class RoleTaken(SharedMemoryError):
    """Another live process already has this role."""
