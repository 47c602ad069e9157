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

SOAP's first step moves nothing. The last weight is Muon's head and goes to its AdamW.
"""
import json
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
    is_near = name == "muon" or settings["eps"] > 1e-6
    runs.append(dict(optimizer={name: settings}, is_near_in_single=is_near, steps=steps))

print(json.dumps(dict(torch=torch.__version__, widths=WIDTHS, x=x.flatten().tolist(), y=y.flatten().tolist(),
                      start=start, runs=runs)))
