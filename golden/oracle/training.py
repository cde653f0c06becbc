"""Optimisers, clipping, schedules and mixed precision by torch."""
import math

import numpy
import torch

from layers import normal
from vector_file import exact


def trace(optimizer, parameter, gradients):
    """The parameter after each step."""
    after = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        after.append(parameter.detach().clone())
    return torch.stack(after)


def optimizers(cases, g):
    for n, steps, lr, momentum, decay in [(30, 5, 0.1, 0.9, 1e-4), (20, 3, 1.0, 0.0, 0.0),
                                          (7, 8, 0.01, 0.99, 0.1), (1, 1, 0.5, 0.5, 0.01)]:
        start, gradients = normal(g, n), normal(g, steps, n)
        parameter = start.clone().requires_grad_(True)
        out = trace(torch.optim.SGD([parameter], lr, momentum, weight_decay=decay), parameter,
                    gradients)
        cases.add("sgd", {"lr": lr, "momentum": momentum, "weight_decay": decay, "steps": steps},
                  {"in.param": start, "in.grads": gradients, "out.params": out})
    for n, steps, lr, betas, eps, decay in [(30, 6, 1e-3, (0.9, 0.999), 1e-8, 0.01),
                                            (12, 4, 0.05, (0.5, 0.9), 1e-3, 0.0),
                                            (9, 10, 1e-2, (0.0, 0.5), 1e-8, 0.5)]:
        start, gradients = normal(g, n), normal(g, steps, n, scale=3.0)
        gradients[:, 0] = 0.0  # a weight that nothing pulls at
        parameter = start.clone().requires_grad_(True)
        out = trace(torch.optim.AdamW([parameter], lr, betas, eps, decay), parameter, gradients)
        cases.add("adamw", {"lr": lr, "beta1": betas[0], "beta2": betas[1], "eps": eps,
                            "weight_decay": decay, "steps": steps},
                  {"in.param": start, "in.grads": gradients, "out.params": out})


def clipping(cases, g):
    for sizes, scale, largest in [([3, 40], 5.0, 1.0), ([1, 1, 1, 200, 9], 0.01, 10.0), ([5], 0.0, 10.0),
                                  ([1000, 2000], 1e4, 10.0), ([64], 1e-20, 1.0)]:
        gradients = [normal(g, n, scale=scale) for n in sizes]
        leaves = [torch.zeros(n, dtype=torch.float64, requires_grad=True) for n in sizes]
        for leaf, gradient in zip(leaves, gradients):
            leaf.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_(leaves, largest)
        tensors = {f"in.g{i}": x for i, x in enumerate(gradients)}
        tensors.update({f"out.g{i}": x.grad for i, x in enumerate(leaves)})
        cases.add("clip_grad_norm", {"max_norm": largest, "eps": 1e-6},
                  {**tensors, "out.norm": norm.reshape(1)})


def schedules(cases):
    """Linear warm-up times what follows it, as torch.optim.lr_scheduler has them."""
    for lr, steps, warmup, factor, decay, milestones, gamma in [
        (0.02, 40, 5, 0.1, "none", [], 0.1), (0.3, 60, 10, 0.001, "multi_step", [0.5, 0.75], 0.1),
        (0.01, 50, 0, 0.1, "cosine", [], 0.1), (1.0, 33, 8, 0.25, "cosine", [], 0.5),
        (0.1, 10, 10, 0.0, "multi_step", [0.9], 0.5), (0.1, 3, 0, 1.0, "multi_step", [0.0, 1.0], 0.3),
    ]:
        parameter = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([parameter], lr)
        reached = [round(m * steps) for m in milestones]

        def after_warmup(t):
            if decay == "multi_step":
                return gamma ** sum(t >= m for m in reached)
            if decay == "cosine":
                share = min(max(t - warmup, 0) / max(steps - warmup, 1), 1.0)
                return 0.5 * (1.0 + math.cos(math.pi * share))
            return 1.0

        def scale(t):
            share = t / warmup if warmup else 1.0
            return (factor * (1 - share) + share if t < warmup else 1.0) * after_warmup(t)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, scale)
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        cases.add("learning_rate", {"lr": lr, "steps": steps, "warmup_steps": warmup,
                                    "warmup_factor": factor, "decay": decay, "gamma": gamma,
                                    "milestones": milestones}, {"out.lr": numpy.array(rates)})


def precision(cases, g):
    """torch.cuda.amp.GradScaler's rule, written out: it has no CPU implementation."""
    for init, growth, backoff, interval, share, n in [(1024.0, 2.0, 0.5, 4, 0.2, 50),
                                                      (1.0, 4.0, 0.25, 1, 0.5, 30),
                                                      (65536.0, 2.0, 0.5, 3, 0.0, 20)]:
        overflow = torch.rand(n, generator=g) < share
        scale, clean, scales = init, 0, []
        for found in overflow.tolist():
            clean = 0 if found else clean + 1
            if found:
                scale *= backoff
            elif clean == interval:
                scale, clean = scale * growth, 0
            scales.append(scale)
        cases.add("loss_scaler", {"init": init, "growth": growth, "backoff": backoff,
                                  "interval": interval},
                  {"in.found_inf": overflow, "out.scale": numpy.array(scales)})

    # All upper halves with the low half below, at and above a tie; then random bits.
    upper = torch.arange(0, 65536, 97, dtype=torch.int64)
    low = torch.tensor([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
    bits = ((upper[:, None] << 16) | low[None, :]).reshape(-1)
    bits = torch.where(bits >= 2 ** 31, bits - 2 ** 32, bits).to(torch.int32)
    draw = torch.randint(-2 ** 31, 2 ** 31, (500,), generator=g).to(torch.int32)
    special = torch.tensor([float("inf"), -float("inf"), float("nan"), 0.0, -0.0, 1e-45, -1e-40,
                            3.4028234e38, 3.3895314e38, 3.3961775e38], dtype=torch.float32)
    for x in (bits.view(torch.float32), draw.view(torch.float32), special):
        y = x.to(torch.bfloat16).to(torch.float32)
        cases.add("round_bf16", {}, {"in.x": x, "out.y": y})


def generate(cases):
    g = torch.Generator().manual_seed(23)
    optimizers(cases, g)
    clipping(cases, g)
    schedules(cases)
    precision(cases, g)
