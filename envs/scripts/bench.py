"""Steps per CPU second here and in the Python packages, side by side, one thread, random actions.

    python envs/scripts/bench.py

Needs gymnasium, numpy and, for the MinAtar rows, MinAtar (`pip install gymnasium MinAtar`), and
cargo. Both sides report the best of many short batches.
"""

import pathlib
import subprocess
import sys
import time

import gymnasium
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLASSIC = ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1"]
GAMES = ["Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders"]


def best_rate(step, batches=20, seconds=0.1):
    """Best steps per CPU second of `step()` over short batches."""
    best = 0.0
    for _ in range(batches):
        start, n = time.thread_time(), 0
        while time.thread_time() - start < seconds:
            for _ in range(100):
                step()
            n += 100
        best = max(best, n / (time.thread_time() - start))
    return best


def classic(env_id):
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(1000)]
    count = 0

    def step():
        nonlocal count
        count += 1
        _, _, terminated, truncated, _ = env.step(actions[count % 1000])
        if terminated or truncated:
            env.reset()

    return best_rate(step)


def minatar(game):
    """Steps of MinAtar's own `act` and `state`, without Gymnasium's wrappers around them."""
    from minatar import Environment

    name = {"SpaceInvaders": "space_invaders"}.get(game, game.lower())
    env = Environment(name)
    env.seed(0)
    moves = env.minimal_action_set()
    actions = np.random.default_rng(0).choice(moves, 1000).tolist()
    count = 0

    def step():
        nonlocal count
        count += 1
        _, terminal = env.act(actions[count % 1000])
        env.state()
        if terminal:
            env.reset()

    return best_rate(step)


def ours():
    command = ["cargo", "run", "--release", "-q", "-p", "egn-envs", "--example", "bench_envs", *sys.argv[1:]]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return {env_id: 1e6 * float(rate) for env_id, rate in (line.split() for line in lines)}


def main():
    rates = ours()
    print(f"{'':28} {'here, M/s':>10} {'Python, M/s':>12} {'ratio':>7}")
    for env_id in CLASSIC + [f"MinAtar/{game}-v1" for game in GAMES]:
        try:
            theirs = minatar(env_id[8:-3]) if env_id.startswith("MinAtar/") else classic(env_id)
        except ImportError as error:
            print(f"{env_id:28} {rates[env_id] / 1e6:10.1f}  not compared: {error}")
            continue
        print(f"{env_id:28} {rates[env_id] / 1e6:10.1f} {theirs / 1e6:12.3f} {rates[env_id] / theirs:6.0f}x")


if __name__ == "__main__":
    main()
