"""Names for the types that cross function boundaries."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

ByteArray: TypeAlias = npt.NDArray[np.uint8]
Int64Array: TypeAlias = npt.NDArray[np.int64]
RecordArray: TypeAlias = "np.ndarray[Any, np.dtype[np.void]]"

#: One record: ``record.field`` reads and writes shared memory in place.
Record: TypeAlias = Any
