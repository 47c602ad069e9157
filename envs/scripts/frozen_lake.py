"""Records episodes of Gymnasium's FrozenLake from seeds, for tests/data/gymnasium/frozenlake-v1.json.

    pip install gymnasium==1.4.0
    python envs/scripts/frozen_lake.py tests/data/gymnasium/frozenlake-v1.json

One generator an entry, seeded by the first reset; later resets go on with it. Entry i of a list belongs to
step i + 1; `cells` are row * n_columns + column.
"""

import json
import random
import sys

import gymnasium as gym
import numpy as np

SETTINGS = [
    ("FrozenLake-v1", {}),
    ("FrozenLake-v1", {"is_slippery": False}),
    ("FrozenLake-v1", {"success_rate": 0.75}),
    ("FrozenLake8x8-v1", {}),
]


UP = 3


def best_actions(env):
    """The action of most value in every cell, by value iteration."""
    transitions = env.unwrapped.P
    values = np.zeros(len(transitions))

    def of(cell, action):
        return sum(p * (reward + 0.99 * values[to] * (not over)) for p, to, reward, over in transitions[cell][action])

    for _ in range(2000):
        values = np.array([max(of(cell, action) for action in range(4)) for cell in range(len(values))])
    return [max(range(4), key=lambda action: of(cell, action)) for cell in range(len(values))]


def episodes(env_id, kwargs, seed, n_episodes):
    env, actions = gym.make(env_id, **kwargs), random.Random(seed)
    best = best_actions(env)
    recorded = []
    for episode in range(n_episodes):
        cell = int(env.reset(seed=seed if episode == 0 else None)[0])
        steps = {"first": cell, "actions": [], "cells": [], "rewards": [], "terminated": [], "truncated": []}
        over = False
        while not over:
            # At random; towards the goal; along the upper edge, to the time limit.
            action = [actions.randrange(4), best[cell], UP][episode % 3]
            cell, reward, terminated, truncated, _ = env.step(action)
            cell = int(cell)
            over = terminated or truncated
            for name, value in zip(
                ["actions", "cells", "rewards", "terminated", "truncated"],
                [action, cell, float(reward), bool(terminated), bool(truncated)],
            ):
                steps[name].append(value)
        recorded.append(steps)
    return recorded


def main(path):
    spec = gym.spec
    runs = [
        {"env_id": env_id, "env_kwargs": {k: float(v) for k, v in kwargs.items()}, "seed": seed,
         "max_episode_steps": spec(env_id).max_episode_steps, "reward_threshold": spec(env_id).reward_threshold,
         "episodes": episodes(env_id, kwargs, seed, 9)}
        for env_id, kwargs in SETTINGS
        for seed in (0, 7)
    ]
    versions = {"gymnasium": gym.__version__, "numpy": np.__version__}
    with open(path, "w") as file:
        json.dump({"versions": versions, "runs": runs}, file, separators=(",", ":"))
        file.write("\n")


main(sys.argv[1])
