"""Runs exported policies with onnxruntime and compares their actions with this program's own.

    python -m venv /tmp/onnx && /tmp/onnx/bin/pip install onnxruntime==1.32.0 onnx==1.23.2
    EGN_ONNX=/tmp/models cargo test -p egn-rl --test export
    /tmp/onnx/bin/python tests/data/onnx/check.py /tmp/models

The test leaves a model, observations and actions for every kind of layer, activation and greedy rule, and
for six agents the observations that its policy met in three greedy episodes. Fails where an action differs
by more than 1e-5.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5

print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}")
models = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
n_actions = 0
for path in models:
    onnx.checker.check_model(str(path), full_check=True)
    case = json.loads(path.with_suffix(".json").read_text())
    observations = np.array(case["observations"], np.float32).reshape(-1, case["n"])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (action,) = session.run(["action"], {"observation": observations})
    expected = np.array(case["actions"]).reshape(action.shape)
    assert action.dtype == (np.int64 if action.ndim == 1 else np.float32), f"{path.stem}: {action.dtype}"
    difference = np.abs(action - expected).max()
    assert difference <= TOLERANCE, f"{path.stem}: {difference}"
    n_actions += len(action)
    if path.stem.startswith("record-"):
        print(f"{path.stem:28} {len(action):5} actions, largest difference {difference:.1e}")
assert models, "no model"
print(f"{len(models)} models, {n_actions} actions within {TOLERANCE}")
