"""OpenVINO as a contestant: the engine the default generator was published for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facecodec.errors import UsageError


def openvino_calls(ir: str | Path, w: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Return calls that render w [1, 512] through an IR, in float32 and as OpenVINO likes best.

    Raises UsageError when OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise UsageError("OpenVINO is missing; run: pip install openvino") from None
    core = openvino.Core()
    calls: dict[str, Callable[[], Any]] = {}
    for name, hint in (("openvino fp32", "f32"), ("openvino default", None)):
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        settings["PERFORMANCE_HINT"] = "LATENCY"
        if hint:
            settings["INFERENCE_PRECISION_HINT"] = hint
        request = core.compile_model(core.read_model(str(ir)), "CPU", settings)
        request = request.create_infer_request()
        calls[name] = _call(request, w)
    return calls


def _call(request: Any, w: np.ndarray) -> Callable[[], Any]:
    return lambda: request.infer({0: w})
