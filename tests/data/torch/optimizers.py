#!/usr/bin/env python3
"""First-order optimizers of torch on one small problem, step by step, in float64.

  python optimizers.py > optimizers.json

A linear network (3 inputs, 2 outputs, weight (3, 2) row-major, then the bias) on squared error,
L = 1/(2b) sum_i sum_c (f_ic - y_ic)^2, 12 steps on the same batch. Each run gives its settings and the
parameters after every step. `clip` is torch.nn.utils.clip_grad_norm_ before the step. Lion is lion-pytorch's
(pip install lion-pytorch==0.2.5), without its `decoupled_weight_decay`, which would divide the decay by lr.

Schedule-Free AdamW is schedulefree's (pip install schedulefree==1.4.1), in training mode: theta is y.

Lion's runs were recorded later, with the torch that they name, and put beside the others: under it x, y, start
and eight of the ten older runs are the same, the other two up to 3e-16. Schedule-Free
AdamW's were recorded later still, and all fourteen older runs came out the same.
"""
import json
import lion_pytorch
import schedulefree
import torch

torch.manual_seed(0)
x = torch.randn(6, 3, dtype=torch.float64)
y = torch.randn(6, 2, dtype=torch.float64)
start = torch.randn(8, dtype=torch.float64)

RUNS = [
    ("sgd", dict(lr=0.1), None),
    ("sgd", dict(lr=0.1, momentum=0.9), None),
    ("sgd", dict(lr=0.1, momentum=0.9, nesterov=True), None),
    ("sgd", dict(lr=0.1, momentum=0.9), 0.5),
    ("adam", dict(lr=0.05), None),
    ("adam", dict(lr=0.05, betas=(0.5, 0.9), eps=1e-3), 0.5),
    ("adamw", dict(lr=0.05), None),
    ("adamw", dict(lr=0.05, weight_decay=0.3, betas=(0.5, 0.9)), 0.5),
    ("rmsprop", dict(lr=0.05), None),
    ("rmsprop", dict(lr=0.05, alpha=0.9, eps=1e-3, momentum=0.5), 0.5),
    ("lion", dict(lr=0.05), None),
    ("lion", dict(lr=0.05, betas=(0.5, 0.9)), 0.5),
    ("lion", dict(lr=0.05, weight_decay=0.3), None),
    ("lion", dict(lr=0.01, weight_decay=0.3, betas=(0.95, 0.98)), 0.5),
    ("schedule-free", dict(lr=0.05), None),
    ("schedule-free", dict(lr=0.1, weight_decay=0.3, betas=(0.5, 0.9), warmup_steps=5), 0.5),
]
MAKE = dict(sgd=torch.optim.SGD, adam=torch.optim.Adam, adamw=torch.optim.AdamW, rmsprop=torch.optim.RMSprop,
            **{"lion": lion_pytorch.Lion, "schedule-free": schedulefree.AdamWScheduleFree})

runs = []
for name, settings, clip in RUNS:
    theta = start.clone().requires_grad_(True)
    optimizer = MAKE[name]([theta], **settings)
    if name == "schedule-free":
        optimizer.train()
    steps = []
    for _ in range(12):
        optimizer.zero_grad()
        outputs = x @ theta[:6].reshape(3, 2) + theta[6:]
        loss = 0.5 * ((outputs - y) ** 2).sum() / len(x)
        loss.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([theta], clip)
        optimizer.step()
        steps.append(theta.detach().tolist())
    runs.append(dict(optimizer=name, settings=settings, clip=clip, steps=steps))

print(json.dumps(dict(torch=torch.__version__, x=x.flatten().tolist(), y=y.flatten().tolist(),
                      start=start.tolist(), runs=runs)))
