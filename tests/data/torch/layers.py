#!/usr/bin/env python3
"""Activations and layers of torch in float64.

  python layers.py > layers.json

Each case has a network as this program writes it, its activation, its parameters in the order of the layers
(a weight as (inputs, outputs) row-major, then the bias; of a normalization, `64n`, the scale, then the shift)
and inputs x, and what torch 2.15.0 makes of them: the outputs, and the gradients of half the sum of their
squares by the parameters and by x.

The first cases are the activations themselves, between weights of 1 without bias.
"""
import json
import torch
from torch.nn import functional as F

ACTIVATIONS = dict(tanh=torch.tanh, relu=F.relu, silu=F.silu, gelu=F.gelu, elu=F.elu)


class Params:
    """Parameters of one layer after the other."""

    def __init__(self, given):
        self.given, self.drawn = given, []

    def take(self, n, scale=1.0, shift=0.0):
        if self.given is None:
            part = (shift + scale * torch.randn(n, dtype=torch.float64)).requires_grad_(True)
        else:
            part = self.given[len(self.drawn)]
        self.drawn.append(part)
        return part

    def dense(self, x, n_outputs):
        n = x.shape[1]
        weight = self.take(n * n_outputs, n ** -0.5).reshape(n, n_outputs)
        return F.linear(x, weight.T, self.take(n_outputs, 0.5))

    def normalize(self, x):
        n = x.shape[1]
        return F.layer_norm(x, (n,), self.take(n, 0.5, 1.0), self.take(n, 0.5))


def outputs(network, activation, params, x):
    act = ACTIVATIONS[activation]
    n_inputs, *hidden, n_outputs = network.split("-")
    assert x.shape[1] == int(n_inputs)
    for part in hidden:
        if part.endswith("r"):
            inner = act(params.dense(params.normalize(x), int(part.removesuffix("r"))))
            x = x + params.dense(inner, x.shape[1])
        elif part.endswith("n"):
            x = act(params.normalize(params.dense(x, int(part.removesuffix("n")))))
        else:
            x = act(params.dense(x, int(part)))
    return params.dense(x, int(n_outputs))


def case(network, activation, x, given=None):
    params, x = Params(given), x.clone().requires_grad_(True)
    f = outputs(network, activation, params, x)
    *by_params, by_x = torch.autograd.grad(0.5 * (f * f).sum(), [*params.drawn, x])
    flat = lambda parts: torch.cat([part.detach().flatten() for part in parts]).tolist()
    return dict(network=network, activation=activation, params=flat(params.drawn), x=flat([x]), outputs=flat([f]),
                gradient=flat(by_params), input_gradient=flat([by_x]))


torch.manual_seed(0)
line = torch.cat([torch.linspace(-6, 6, 49, dtype=torch.float64), torch.tensor([-30.0, -12.0, 1e-9, 30.0])])[:, None]
units = [torch.tensor([number], dtype=torch.float64, requires_grad=True) for number in (1.0, 0.0, 1.0, 0.0)]
cases = [case("1-1-1", activation, line, units) for activation in ACTIVATIONS]
for network in ["3-8-5-2", "3-8n-5n-2", "3-37n-2", "3-8-16r-6r-2", "3-5n-8r-2"]:
    for activation in ["gelu"] if "37" in network else ACTIVATIONS:
        cases.append(case(network, activation, torch.randn(5, 3, dtype=torch.float64)))
print(json.dumps(dict(torch=torch.__version__, cases=cases)))
