#!/usr/bin/env python3
"""Optimizers that know which parameter is which matrix, on one small network, step by step, in float64.

  TORCHDYNAMO_DISABLE=1 python layered.py > layered.json

A perceptron (4 inputs, 5 and 4 hidden units, tanh, 3 outputs) on squared error,
L = 1/(2b) sum_i sum_c (f_ic - y_ic)^2, 25 steps on the same batch. Each run gives our settings, and the parameters
after every step: of each layer its weight (n_in, n_out) row-major, then its bias. `max_grad_norm` is
torch.nn.utils.clip_grad_norm_ before the step.

| run | package | what is changed in it |
|---|---|---|
| muon | muon-optimizer 0.1.0, SingleDeviceMuonWithAuxAdam | Tensor.bfloat16 does nothing |
| soap | pytorch_optimizer 4.1.0, SOAP | its bases are float64, not float32 |
| kron | kron-torch 0.3.3, Kron | factors and solves are float64; probes and draws are those of our seed 0 |

SOAP's first step moves nothing. The last weight is Muon's head and goes to its AdamW.
"""
import json
import math

import kron_torch
import muon
import torch
from pytorch_optimizer.optimizer import soap

torch.manual_seed(0)
WIDTHS = [4, 5, 4, 3]
torch.set_default_dtype(torch.float64)
x, y = torch.randn(8, WIDTHS[0]), torch.randn(8, WIDTHS[-1])
starts = [torch.randn(n_out, n_in + 1) for n_in, n_out in zip(WIDTHS, WIDTHS[1:])]
torch.Tensor.bfloat16 = lambda self: self


class DoubleTorch:
    """torch whose float32 is float64."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


soap.torch = DoubleTorch()


def make_muon(layers, s):
    hidden = [layer.weight for layer in layers[:-1]]
    others = [layers[-1].weight] + [layer.bias for layer in layers]
    return muon.SingleDeviceMuonWithAuxAdam([
        dict(params=hidden, use_muon=True, lr=s["lr"], momentum=s["momentum"], weight_decay=s["weight_decay"]),
        dict(params=others, use_muon=False, lr=s["adam_lr"], betas=(s["beta1"], s["beta2"]), eps=s["eps"],
             weight_decay=s["weight_decay"]),
    ])


def make_soap(layers, s):
    params = [p for layer in layers for p in (layer.weight, layer.bias)]
    return soap.SOAP(params, lr=s["lr"], betas=(s["beta1"], s["beta2"]), eps=s["eps"], weight_decay=s["weight_decay"],
                     precondition_frequency=s["precondition_frequency"],
                     max_precondition_dim=s["max_precondition_dim"])


class Draws:
    """The numbers of our streams: SplitMix64 of a seed, and Box and Muller's of those."""

    def __init__(self, seed):
        self.state = seed

    def random(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return ((z ^ (z >> 31)) >> 11) * 0.5**53

    def normal(self):
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return radius * math.cos(2.0 * math.pi * self.random())

    def randn_like(self, x):
        """A weight of ours is (n_in, n_out)."""
        values = torch.tensor([self.normal() for _ in range(x.numel())])
        return values.reshape(x.mT.shape).mT.contiguous() if x.dim() == 2 else values


def make_kron(layers, s):
    params = [p for layer in layers for p in (layer.weight, layer.bias)]
    schedule = kron_torch.precond_update_prob_schedule(min_prob=s["min_update_probability"], decay=s["update_decay"],
                                                       flat_start=s["update_flat_steps"])
    optimizer = kron_torch.Kron(params, lr=s["lr"], b1=s["momentum"], weight_decay=s["weight_decay"],
                                preconditioner_update_probability=schedule, precond_lr=s["precond_lr"],
                                max_size_triangular=s["max_size_triangular"], precond_dtype=torch.float64)
    draws = Draws(0)
    kron_torch.kron.print = lambda *_: None
    torch.randn_like = draws.randn_like
    torch.Tensor.float = torch.Tensor.double

    class Balance:
        def random(self):
            return 0.0 if draws.random() < s["balance_probability"] else 1.0

    optimizer.rng = Balance()
    return optimizer


RUNS = [
    ("muon", make_muon, dict(lr=0.02, momentum=0.95, weight_decay=0.0, adam_lr=3e-3, beta1=0.9, beta2=0.95, eps=1e-10)),
    ("muon", make_muon, dict(lr=0.05, momentum=0.5, weight_decay=0.3, adam_lr=0.02, beta1=0.5, beta2=0.9, eps=1e-3,
                             max_grad_norm=0.5)),
    ("soap", make_soap, dict(lr=0.01, beta1=0.95, beta2=0.95, eps=1e-8, weight_decay=0.01, precondition_frequency=10,
                             max_precondition_dim=10000)),
    ("soap", make_soap, dict(lr=0.03, beta1=0.9, beta2=0.8, eps=1e-3, weight_decay=0.3, precondition_frequency=1,
                             max_precondition_dim=10000, max_grad_norm=0.5)),
    ("soap", make_soap, dict(lr=0.03, beta1=0.9, beta2=0.8, eps=1e-3, weight_decay=0.0, precondition_frequency=3,
                             max_precondition_dim=4)),
    ("kron", make_kron, dict(lr=0.01, momentum=0.9, weight_decay=0.0, precond_lr=0.1, min_update_probability=1.0,
                             update_decay=0.0, update_flat_steps=0, balance_probability=0.0,
                             max_size_triangular=8192)),
    ("kron", make_kron, dict(lr=0.03, momentum=0.5, weight_decay=0.3, precond_lr=0.2, min_update_probability=0.3,
                             update_decay=0.1, update_flat_steps=10, balance_probability=0.5,
                             max_size_triangular=4, max_grad_norm=0.5)),
]

runs = []
for name, make, settings in RUNS:
    layers = [torch.nn.Linear(n_in, n_out) for n_in, n_out in zip(WIDTHS, WIDTHS[1:])]
    with torch.no_grad():
        for layer, start in zip(layers, starts):
            layer.weight.copy_(start[:, 1:])
            layer.bias.copy_(start[:, 0])
    params = [p for layer in layers for p in (layer.weight, layer.bias)]

    def theta():
        return [v for layer in layers for v in layer.weight.T.flatten().tolist() + layer.bias.tolist()]

    start = theta()
    optimizer = make(layers, settings)
    steps = []
    for _ in range(25):
        optimizer.zero_grad()
        values = x
        for i, layer in enumerate(layers):
            values = layer(values) if i + 1 == len(layers) else torch.tanh(layer(values))
        loss = 0.5 * ((values - y) ** 2).sum() / len(x)
        loss.backward()
        if "max_grad_norm" in settings:
            torch.nn.utils.clip_grad_norm_(params, settings["max_grad_norm"])
        optimizer.step()
        steps.append(theta())
    is_near = settings.get("eps", 1.0) > 1e-6 or name == "muon"
    runs.append(dict(optimizer={name: settings}, is_near_in_single=is_near, steps=steps))

print(json.dumps(dict(torch=torch.__version__, widths=WIDTHS, x=x.flatten().tolist(), y=y.flatten().tolist(),
                      start=start, runs=runs)))
