#!/usr/bin/env python3
"""Writes values.json: aggregates and intervals computed by the real rliable.

    python3 -m venv .venv && .venv/bin/pip install rliable==1.2.0 'pandas<3'
    .venv/bin/python tests/data/rliable/make.py

For each score matrix (runs x tasks):
  iqm, mean       rliable.metrics.aggregate_iqm and aggregate_mean
  replay          the run indices of 40 bootstrap resamples as rliable drew them, and the 95 %
                  percentile interval that rliable made of those draws (to be met exactly)
  interval, interval_std
                  the 95 % interval with rliable's default of 50,000 resamples, mean and standard
                  deviation over 20 seeds of its generator (to be met within Monte-Carlo error)
For each set of curves (runs x points): iqm, interval and interval_std for every point.
"""
import json
import pathlib

import numpy as np
import rliable
from rliable import library, metrics

REPS = 50_000
SEEDS = 20
REPLAYED = 40


def iqm(scores):
    return np.array([metrics.aggregate_iqm(scores)])


def iqm_of_points(scores):  # (runs, tasks, points) -> (points,)
    return np.array([metrics.aggregate_iqm(scores[:, :, k]) for k in range(scores.shape[2])])


def interval(scores, function, reps, seed):
    # rliable draws from numpy's global generator, whatever random_state it is given.
    np.random.seed(seed)
    _, intervals = library.get_interval_estimates({"x": scores}, function, reps=reps)
    return intervals["x"]


def replay(scores, seed):
    drawn = []
    original = library.StratifiedBootstrap.update_indices

    def recording(self):
        indices = original(self)
        drawn.append(indices[0].tolist())
        return indices

    library.StratifiedBootstrap.update_indices = recording
    try:
        low, high = interval(scores, iqm, REPLAYED, seed)[:, 0]
    finally:
        library.StratifiedBootstrap.update_indices = original
    assert len(drawn) == REPLAYED
    return dict(runs=drawn, low=low, high=high)


def monte_carlo(scores, function, reps):
    intervals = np.stack([interval(scores, function, reps, seed) for seed in range(SEEDS)])
    return intervals.mean(axis=0), intervals.std(axis=0, ddof=1)


def matrix(name, scores):
    mean, std = monte_carlo(scores, iqm, REPS)
    return dict(name=name, scores=scores.tolist(), iqm=metrics.aggregate_iqm(scores),
                mean=metrics.aggregate_mean(scores), replay=replay(scores, seed=7),
                interval=mean[:, 0].tolist(), interval_std=std[:, 0].tolist())


def curves(name, scores, reps):
    mean, std = monte_carlo(scores[:, None, :], iqm_of_points, reps)
    return dict(name=name, curves=scores.tolist(), iqm=iqm_of_points(scores[:, None, :]).tolist(),
                low=mean[0].tolist(), high=mean[1].tolist(),
                low_std=std[0].tolist(), high_std=std[1].tolist())


draw = np.random.default_rng(20260101)
matrices = [
    matrix("two runs", np.array([[1.0], [4.0]])),
    matrix("three runs, nothing trimmed", np.array([[-250.5], [-120.25], [-131.0]])),
    matrix("five runs", np.array([[500.0], [487.3], [121.9], [500.0], [433.1]])),
    matrix("ten runs", draw.normal(-200.0, 80.0, (10, 1))),
    matrix("seven runs on three tasks", draw.uniform(0.0, 1.0, (7, 3)) * [1.0, 2.0, 0.5]),
]
steps = np.arange(6)
learning = 500.0 / (1.0 + np.exp(-(steps[None] - draw.uniform(1.0, 4.0, (8, 1)))))
bands = [curves("eight learning curves", learning + draw.normal(0.0, 10.0, learning.shape), 2_000)]

out = dict(rliable="1.2.0", numpy=np.__version__, resamples=REPS, curve_resamples=2_000,
           matrices=matrices, bands=bands)
lines = [f' "{key}": {json.dumps(value)}' if not isinstance(value, list)
         else f' "{key}": [\n  ' + ",\n  ".join(map(json.dumps, value)) + "\n ]"
         for key, value in out.items()]
pathlib.Path(__file__).with_name("values.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
