#!/usr/bin/env python3
"""Formulas of off-policy agents, as Stable-Baselines3, sb3-contrib and torch compute them, in float64.

  pip install torch stable-baselines3 sb3-contrib gymnasium
  python off_policy.py > off_policy.json

Versions are in the file. Squashed Gaussians are torch's own TransformedDistribution, since
Stable-Baselines3 adds 1e-6 under the logarithm; its value is given beside it.
"""
import json

import numpy as np
import sb3_contrib
import stable_baselines3 as sb3
import torch
from sb3_contrib.common.utils import quantile_huber_loss
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.utils import polyak_update
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
out = dict(versions=dict(torch=torch.__version__, sb3=sb3.__version__, sb3_contrib=sb3_contrib.__version__))


def numbers(tensor):
    return tensor.detach().reshape(-1).tolist()


# Quantile Huber loss: 3 samples, 2 actions of 4 quantiles, 5 target samples.
outputs = (2 * torch.randn(3, 2, 4)).requires_grad_()
actions = torch.tensor([1, 0, 1])
targets = 2 * torch.randn(3, 5)
loss = quantile_huber_loss(outputs[torch.arange(3), actions], targets, sum_over_quantiles=True)
loss.backward()
out["quantile_huber"] = dict(outputs=numbers(outputs), actions=actions.tolist(), targets=numbers(targets),
                             n_quantiles=4, loss=loss.item(), gradient=numbers(outputs.grad))

# Squashed Gaussian: 4 samples of 2 entries; actor loss of SAC with Q = min of two given functions.
outputs = torch.randn(4, 4).requires_grad_()
epsilon = torch.randn(4, 2)
alpha = 0.3
mean, log_std = outputs.chunk(2, dim=1)
u = mean + log_std.exp() * epsilon
action = torch.tanh(u)
squashed = TransformedDistribution(Independent(Normal(mean, log_std.exp()), 1), [TanhTransform(cache_size=1)])
log_prob = squashed.base_dist.log_prob(u) - TanhTransform().log_abs_det_jacobian(u, action).sum(1)
slope = torch.tensor([1.5, -0.7])
q = torch.min((slope * action).sum(1) - (action ** 2).sum(1), 0.2 + action.sum(1))
by_action = torch.autograd.grad(q.sum(), action, retain_graph=True)[0]
loss = (alpha * log_prob - q).mean()
loss.backward()
theirs = SquashedDiagGaussianDistribution(2)
theirs.distribution = Normal(mean, log_std.exp())
out["squashed"] = dict(
    outputs=numbers(outputs), epsilon=numbers(epsilon), alpha=alpha, actions=numbers(action),
    log_probs=numbers(log_prob), sb3_log_probs=numbers(theirs.log_prob(action, u)), q=numbers(q),
    slopes=numbers(by_action), loss=loss.item(), gradient=numbers(outputs.grad))

# SAC's temperature: ten steps of Adam on log alpha for given log probabilities.
log_alpha = torch.zeros(1, requires_grad=True)
optimizer = torch.optim.Adam([log_alpha], lr=3e-2)
batches = [(torch.randn(3) - 0.5).tolist() for _ in range(10)]
alphas = []
for batch in batches:
    loss = -(log_alpha * (torch.tensor(batch) - 2.0)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    alphas.append(log_alpha.exp().item())
out["temperature"] = dict(lr=3e-2, target_entropy=-2.0, log_probs=batches, alphas=alphas)

# TD3's actor: -mean Q(s, tanh u).
u = torch.randn(3, 2).requires_grad_()
action = torch.tanh(u)
q = (slope * action).sum(1) - (action ** 2).sum(1)
by_action = torch.autograd.grad(q.sum(), action, retain_graph=True)[0]
(-q.mean()).backward()
out["deterministic"] = dict(outputs=numbers(u), slopes=numbers(by_action), gradient=numbers(u.grad))

# Polyak averaging, three updates.
online, target = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
before = numbers(torch.cat([p.reshape(-1) for p in target.parameters()]))
for _ in range(3):
    polyak_update(online.parameters(), target.parameters(), 0.1)
out["polyak"] = dict(tau=0.1, n=3, online=numbers(torch.cat([p.reshape(-1) for p in online.parameters()])),
                     before=before, after=numbers(torch.cat([p.reshape(-1) for p in target.parameters()])))
print(json.dumps(out, indent=1))
