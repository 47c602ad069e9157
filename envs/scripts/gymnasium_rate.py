"""Steps per second through the child process, and in Python by itself, in turns.

    EGN_PYTHON=$(which python) python envs/scripts/gymnasium_rate.py CartPole-v1 LunarLander-v3 HalfCheetah-v5

Needs cargo, and in this Python gymnasium with what the ids need (`pip install gymnasium[box2d,mujoco]`).
"""

import os
import pathlib
import subprocess
import sys
import time

import gymnasium

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS, ROUNDS = 2.0, 3
# Environments in a child.
GROUPS = [1, 4, 16]


def through_child(env_id, n_envs):
    command = ["cargo", "run", "--release", "-q", "-p", "egn-envs", "--example", "gymnasium_rate"]
    command += ["--", env_id, str(n_envs), str(SECONDS)]
    environment = {"EGN_PYTHON": sys.executable, **os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def alone(env_id):
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(1000)]
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        _, _, terminated, truncated, _ = env.step(actions[n % 1000])
        n += 1
        if terminated or truncated:
            env.reset()
    return n / (time.perf_counter() - start)


for env_id in sys.argv[1:] or ["CartPole-v1"]:
    rounds = [(alone(env_id), *(through_child(env_id, n) for n in GROUPS)) for _ in range(ROUNDS)]
    python, *children = (max(column) for column in zip(*rounds))
    rates = (f"{n} in a child {rate:.0f}/s ({rate / python:.0%})" for n, rate in zip(GROUPS, children))
    print(f"{env_id}: Python alone {python:.0f}/s, " + ", ".join(rates))
