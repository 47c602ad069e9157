#!/usr/bin/env python3
"""Three environments of two observation entries through Stable-Baselines3's VecNormalize, step by step.

  pip install stable-baselines3 gymnasium
  python normalize.py > normalize.json

Versions are in the file. Clips are lower than the defaults, so that some entries meet them.
"""
import json
import sys

import gymnasium as gym
import numpy as np
import stable_baselines3 as sb3
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

N_ENVS, N_STEPS, CLIP_OBSERVATION, CLIP_REWARD, GAMMA = 3, 40, 2.5, 1.5, 0.95
draws = np.random.default_rng(0)


class Recorded(gym.Env):
    """Observations of unlike scales, rewards with a rare large one, episodes of random length."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def see(self):
        return np.array([50 + 3 * draws.standard_normal(), 1e-3 * draws.standard_t(2)], np.float32)

    def reset(self, *, seed=None, options=None):
        return self.see(), {}

    def step(self, action):
        reward = -1.0 + 0.3 * draws.standard_normal() + (40.0 if draws.random() < 0.05 else 0.0)
        end = draws.random()
        return self.see(), reward, bool(end < 0.1), bool(0.1 <= end < 0.15), {}


env = VecNormalize(
    DummyVecEnv([Recorded] * N_ENVS), clip_obs=CLIP_OBSERVATION, clip_reward=CLIP_REWARD, gamma=GAMMA
)
env.reset()
first = env.get_original_obs()
steps = []
for _ in range(N_STEPS):
    observations, rewards, ended, _ = env.step([0] * N_ENVS)
    steps.append(
        dict(
            observations=env.get_original_obs().reshape(-1).tolist(),
            rewards=env.get_original_reward().astype(float).tolist(),
            ended=ended.tolist(),
            normalized_observations=observations.astype(float).reshape(-1).tolist(),
            normalized_rewards=rewards.astype(float).tolist(),
        )
    )
json.dump(
    dict(
        versions=dict(sb3=sb3.__version__, gymnasium=gym.__version__, numpy=np.__version__),
        gamma=GAMMA,
        clip_observation=CLIP_OBSERVATION,
        clip_reward=CLIP_REWARD,
        first_observations=first.reshape(-1).tolist(),
        steps=steps,
        mean=env.obs_rms.mean.tolist(),
        variance=env.obs_rms.var.tolist(),
        reward_variance=float(env.ret_rms.var),
    ),
    sys.stdout,
)
