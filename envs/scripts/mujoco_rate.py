"""Steps per second of MuJoCo's tasks here and in Python, side by side: random actions, resets included.

    python envs/scripts/mujoco_rate.py [seconds] [task ...]

Needs `pip install "gymnasium[mujoco]==1.4.0"` and cargo. Columns: one thread here and Gymnasium's loop; two threads
here and `AsyncVectorEnv` with two processes; peak memory of ours with 1 and 64 environments and of Python's loop. Each
is the best of three, in turns. EnvPool's one thread is beside them where ENVPOOL_PYTHON (or this interpreter) has it:
`pip install envpool` brings an older MuJoCo, so an environment of its own is best.
"""

import os
import pathlib
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TASKS = [
    "Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "InvertedDoublePendulum", "InvertedPendulum",
    "Pusher", "Reacher", "Swimmer", "Walker2d",
]


def python_loop(task, seconds):
    """Steps per second of `env.step` in a loop."""
    import gymnasium

    env = gymnasium.make(task)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(1000)]
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        _, _, terminated, truncated, _ = env.step(actions[n % 1000])
        if terminated or truncated:
            env.reset()
        n += 1
    return n / (time.perf_counter() - start)


def python_async(task, seconds):
    """Steps per second of two processes."""
    import gymnasium

    envs = gymnasium.make_vec(task, num_envs=2, vectorization_mode="async")
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(1000)]
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        envs.step(actions[n % 1000])
        n += 1
    rate = 2 * n / (time.perf_counter() - start)
    envs.close()
    return rate


def envpool_thread(task, seconds):
    """Steps per second of EnvPool, one thread that steps 16 environments, its best way on one core."""
    import envpool
    import numpy as np

    name = task if task in envpool.list_all_envs() else task.replace("-v5", "-v4")
    envs = envpool.make(name, env_type="gymnasium", num_envs=16, num_threads=1)
    envs.reset()
    space = envs.action_space
    actions = np.random.default_rng(0).uniform(space.low, space.high, (100, 16) + space.shape)
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        envs.step(actions[n % 100])
        n += 1
    return 16 * n / (time.perf_counter() - start)


def in_process(kind, task, seconds, python=sys.executable):
    """Rate and peak memory (MB) of one of the functions above, in a process of its own."""
    folder, call = str(ROOT / "envs/scripts"), f"mujoco_rate.tell({kind!r}, {task!r}, {seconds})"
    code = f"import sys; sys.path.insert(0, {folder!r}); import mujoco_rate; {call}"
    out = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return [float(x) for x in out.stdout.split()] if out.returncode == 0 else [float("nan")] * 2


def tell(kind, task, seconds):
    """Prints what `in_process` reads."""
    rate = globals()[kind](task, seconds)
    print(rate, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def ours(task, threads, n_envs, seconds):
    """Rate and peak memory of the example `mujoco_rate`."""
    program = ROOT / "target/release/examples/mujoco_rate"
    environment = {**os.environ, "EGN_PYTHON": sys.executable}
    out = subprocess.run([program, task, str(threads), str(n_envs), str(seconds)], capture_output=True, text=True,
                         check=True, env=environment)
    words = out.stdout.split()
    return float(words[3]), float(words[5])


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    tasks = [f"{task}-v5" for task in (sys.argv[2:] or TASKS)]
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "egn-envs", "--example", "mujoco_rate"], cwd=ROOT,
                   check=True)
    print("| task | 1 thread | Gymnasium | ratio | 2 threads | AsyncVectorEnv, 2 | ratio | MB, 1 and 64 | Python MB "
          "| EnvPool, 1 thread |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for task in tasks:
        best = [0.0] * 5
        for _ in range(3):
            one, memory = ours(task, 1, 1, seconds)
            loop, loop_memory = in_process("python_loop", task, seconds)
            two, _ = ours(task, 2, 1, seconds)
            vector, _ = in_process("python_async", task, seconds)
            pool, _ = in_process("envpool_thread", task, seconds, os.environ.get("ENVPOOL_PYTHON", sys.executable))
            best = [max(old, new) for old, new in zip(best, [one, loop, two, vector, pool])]
        many = ours(task, 1, 64, 0.5)[1]
        one, loop, two, vector, pool = best
        pool = f"{pool:,.0f}" if pool > 0 else "–"
        print(f"| {task} | {one:,.0f} | {loop:,.0f} | {one / loop:.2f} | {two:,.0f} | {vector:,.0f} | "
              f"{two / vector:.2f} | {memory:.0f}, {many:.0f} | {loop_memory:.0f} | {pool} |", flush=True)


if __name__ == "__main__":
    main()
