"""Records Gymnasium's MuJoCo environments: python make_mujoco.py OUT_FOLDER SEED [ENV ...]

Needs: pip install "gymnasium[mujoco]==1.4.0" (mujoco and mujoco-core 4.0.0). See FORMAT.md. The files beside this
script are of seed 40; EGN_GOLDEN can name a folder with a folder `mujoco` of others, and of longer episodes.
"""
import json
import sys

import gymnasium as gym
import mujoco
import numpy as np

ALL = [
    "Ant-v5", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "HumanoidStandup-v5", "InvertedDoublePendulum-v5",
    "InvertedPendulum-v5", "Pusher-v5", "Reacher-v5", "Swimmer-v5", "Walker2d-v5",
]


def listed(x):
    return np.asarray(x, dtype=np.float64).ravel().tolist()


def episode(env, seed, n_steps, every):
    """One episode of random actions; observations are kept at every `every`-th step and at the last."""
    observation, _ = env.reset(seed=seed)
    data = env.unwrapped.data
    out = {
        "seed": seed,
        "reset": {"qpos": listed(data.qpos), "qvel": listed(data.qvel), "observation": listed(observation)},
        "actions": [], "rewards": [], "terminated": [], "truncated": [], "kept": [], "observations": [],
    }
    rng = np.random.default_rng(seed + 1)
    space = env.action_space
    for t in range(n_steps):
        action = rng.uniform(space.low, space.high).astype(space.dtype)
        observation, reward, terminated, truncated, _ = env.step(action)
        out["actions"].append([float(a) for a in action])
        out["rewards"].append(float(reward))
        out["terminated"].append(bool(terminated))
        out["truncated"].append(bool(truncated))
        last = terminated or truncated or t == n_steps - 1
        if t % every == 0 or last:
            out["kept"].append(t)
            out["observations"].append(listed(observation))
        if last:
            break
    return out


def main():
    folder, seed, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:] or ALL
    for name in names:
        env = gym.make(name)
        short = 6 if name.startswith("Humanoid") else 20
        episodes = [episode(env, seed + i, short, 1) for i in range(2)]
        # A long one: contacts, falls, and the time limit where nothing ends it before.
        episodes.append(episode(env, seed + 9, 1000 if "Swimmer" in name or "Pusher" in name else 250, 125))
        space = env.action_space
        record = {
            "schema": "egn-golden-mujoco/1", "env": name, "gymnasium": gym.__version__, "mujoco": mujoco.__version__,
            "numpy": np.__version__, "action_low": listed(space.low), "action_high": listed(space.high),
            "observation_size": int(np.prod(env.observation_space.shape)),
            "time_limit": env.spec.max_episode_steps, "reward_threshold": env.spec.reward_threshold,
            "episodes": episodes,
        }
        with open(f"{folder}/{name.lower()}.json", "w") as file:
            json.dump(record, file)
        print(name, [len(e["rewards"]) for e in episodes])


main()
