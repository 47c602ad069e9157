#!/usr/bin/env python3
"""Formulas of on-policy agents, as Stable-Baselines3 and torch compute them.

  pip install torch stable-baselines3 gymnasium
  python on_policy.py > on_policy.json

Versions are in the file. Advantages come from Stable-Baselines3's own rollout buffer, which keeps
float32; the rest is float64. A truncated step's reward gets gamma V(last observation) beforehand, as
`OnPolicyAlgorithm.collect_rollouts` does.
"""
import json

import gymnasium as gym
import numpy as np
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.distributions import CategoricalDistribution, DiagGaussianDistribution
from stable_baselines3.common.utils import explained_variance

torch.manual_seed(0)
rng = np.random.default_rng(0)
out = dict(versions=dict(torch=torch.__version__, sb3=sb3.__version__))

# Eight steps of one environment: one termination, one truncation, and the rollout's end in mid-episode.
n, gamma, gae_lambda = 8, 0.97, 0.9
outcomes = ["continues", "continues", "terminated", "continues", "truncated", "continues", "continues", "continues"]
rewards, values = rng.normal(size=n), rng.normal(size=n)
after_truncation, after_rollout = rng.normal(), rng.normal()
space = gym.spaces.Box(-1, 1, (1,))
buffer = RolloutBuffer(n, space, space, device="cpu", gae_lambda=gae_lambda, gamma=gamma, n_envs=1)
for t in range(n):
    bootstrapped = rewards[t] + (gamma * after_truncation if outcomes[t] == "truncated" else 0.0)
    starts = np.array([t == 0 or outcomes[t - 1] != "continues"])
    buffer.add(np.zeros((1, 1)), np.zeros((1, 1)), np.array([bootstrapped]), starts,
               torch.tensor([values[t]]), torch.zeros(1))
buffer.compute_returns_and_advantage(torch.tensor([after_rollout]), np.array([False]))
out["gae"] = dict(gamma=gamma, gae_lambda=gae_lambda, outcomes=outcomes, rewards=rewards.tolist(),
                  values=values.tolist(), after_truncation=after_truncation, after_rollout=after_rollout,
                  advantages=buffer.advantages[:, 0].tolist(), returns=buffer.returns[:, 0].tolist())

torch.set_default_dtype(torch.float64)


def numbers(tensor):
    return tensor.detach().reshape(-1).tolist()


def clipped_surrogate(log_prob, old_log_prob, advantages, clip):
    """The policy loss of `PPO.train`."""
    ratio = torch.exp(log_prob - old_log_prob)
    return -torch.min(advantages * ratio, advantages * torch.clamp(ratio, 1 - clip, 1 + clip)).mean()


b, clip, ent_coef = 6, 0.2, 0.05
advantages = torch.randn(b)
out["normalized"] = dict(values=numbers(advantages),
                         result=numbers((advantages - advantages.mean()) / (advantages.std() + 1e-8)))

logits = torch.randn(b, 3, requires_grad=True)
actions = torch.randint(3, (b,))
old_log_prob = CategoricalDistribution(3).proba_distribution(logits.detach()).log_prob(actions) + 0.3 * torch.randn(b)
distribution = CategoricalDistribution(3).proba_distribution(logits)
loss = clipped_surrogate(distribution.log_prob(actions), old_log_prob, advantages, clip) \
    - ent_coef * distribution.entropy().mean()
loss.backward()
out["categorical"] = dict(outputs=numbers(logits), actions=actions.tolist(), advantages=numbers(advantages),
                          old_log_probs=numbers(old_log_prob), clip=clip, entropy=ent_coef,
                          mean_entropy=distribution.entropy().mean().item(), loss=loss.item(),
                          gradient=numbers(logits.grad))

mean = torch.randn(b, 2)
log_std = 0.3 * torch.randn(2)
outputs = torch.cat([mean, log_std.expand(b, 2)], 1).requires_grad_()
actions = mean + torch.exp(log_std) * torch.randn(b, 2)
# Our rollouts hold float32 actions.
actions = actions.float().double()


def gaussian(outputs):
    distribution = DiagGaussianDistribution(2)
    distribution.distribution = torch.distributions.Normal(outputs[:, :2], outputs[:, 2:].exp())
    return distribution


old_log_prob = gaussian(outputs.detach()).log_prob(actions) + 0.3 * torch.randn(b)
distribution = gaussian(outputs)
loss = clipped_surrogate(distribution.log_prob(actions), old_log_prob, advantages, clip) \
    - ent_coef * distribution.entropy().mean()
loss.backward()
out["gaussian"] = dict(outputs=numbers(outputs), actions=numbers(actions), advantages=numbers(advantages),
                       old_log_probs=numbers(old_log_prob), clip=clip, entropy=ent_coef,
                       mean_entropy=distribution.entropy().mean().item(), loss=loss.item(),
                       gradient=numbers(outputs.grad))

values, old_values, targets = torch.randn(b, requires_grad=True), torch.randn(b), torch.randn(b)
clipped = old_values + torch.clamp(values - old_values, -0.5, 0.5)
# Ours has the half that Stable-Baselines3 puts into vf_coef.
loss = 0.5 * torch.nn.functional.mse_loss(targets, clipped)
loss.backward()
out["clipped_value"] = dict(values=numbers(values), old_values=numbers(old_values), targets=numbers(targets), clip=0.5,
                            loss=loss.item(), gradient=numbers(values.grad),
                            explained_variance=float(explained_variance(values.detach().numpy(), targets.numpy())))
print(json.dumps(out, indent=1))
