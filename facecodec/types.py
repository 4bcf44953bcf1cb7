"""Names for the arrays that pass between modules; shapes are in the docstrings that use them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Picture: TypeAlias = NDArray[np.uint8]  # RGB [H, W, 3]
Landmarks: TypeAlias = NDArray[np.float64]  # [68, 2], or [N, 68, 2]
Controls: TypeAlias = NDArray[np.float32]  # [K], or [N, K], K as many as the rig has
Flags: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
