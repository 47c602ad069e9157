"""Reads a record's event file with TensorBoard's own EventAccumulator and compares it with the record.

    python -m venv /tmp/tb && /tmp/tb/bin/pip install tensorboard==2.20.0 'setuptools<81'
    /tmp/tb/bin/python tests/data/tensorboard/read.py runs/records/CartPole-v1/ppo/egn/seed-0

Prints every tag with its number of points; fails when an evaluation differs from curve.csv.
"""

import csv
import pathlib
import sys

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

record = pathlib.Path(sys.argv[1])
events = EventAccumulator(str(next(record.glob("*tfevents*"))), size_guidance={"scalars": 0})
events.Reload()
for tag in events.Tags()["scalars"]:
    print(f"{tag:40} {len(events.Scalars(tag))}")
rows = list(csv.DictReader(open(record / "curve.csv")))
told = [(event.step, event.value) for event in events.Scalars("eval/mean_reward")]
assert told == [(int(row["env_steps"]), float(np.float32(row["mean"]))) for row in rows], "evaluations differ"
print(f"{len(rows)} evaluations equal to curve.csv")
