"""Whole training loops of torch on given gradients: clipping, schedule, optimiser, average.

Run from this folder: python make.py. Writes cases.json and versions.txt. Each case is computed in f64,
and once more in f32, which tells how much of the answer single precision costs torch itself.
"""

import json
import math
import platform

import numpy as np
import timm
import torch
from timm.utils import ModelEmaV3
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, MultiStepLR, SequentialLR

STEPS = 20
SEEN = [1, 2, 5, 11, 20]
SHAPES = {"weight": (3, 4), "bias": (5,)}

rng = np.random.default_rng(20)
draw = lambda shape: rng.standard_normal(shape).astype(np.float32)
START = {name: draw(shape) for name, shape in SHAPES.items()}
# From 1e-7, far below Adam's epsilon of one case, to 100; a step may follow one a thousand times longer.
LENGTHS = 10.0 ** rng.uniform(-7, 2, STEPS)
GRADIENTS = [{name: draw(shape) * np.float32(length) for name, shape in SHAPES.items()} for length in LENGTHS]

COSINE = dict(peak=0.05, warmup=4, decay="cosine", floor=0.1)
STAIRS = dict(peak=0.1, warmup=3, decay="step", at=[0.35, 0.5, 0.8], factor=0.3)
FLAT = dict(peak=0.02, warmup=0, decay="constant")


def sgd(momentum, nesterov, weight_decay, decayed):
    return dict(sgd=dict(momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, decayed=decayed))


def adamw(beta1, beta2, epsilon, weight_decay, decayed):
    values = dict(beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay, decayed=decayed)
    return dict(adamw=values)


# name: (optimiser, schedule, limit of the norm, decay of the average)
CASES = {
    "sgd-plain": (sgd(0.0, False, 0.0, "weights"), FLAT, None, None),
    "sgd-momentum": (sgd(0.9, False, 0.3, "weights"), COSINE, None, None),
    "sgd-nesterov": (sgd(0.8, True, 0.2, "all"), STAIRS, None, 0.7),
    "sgd-clipped": (sgd(0.9, True, 5e-4, "weights"), COSINE, 1.5, 0.99),
    "adamw": (adamw(0.9, 0.999, 1e-8, 0.5, "weights"), COSINE, None, None),
    "adamw-all": (adamw(0.7, 0.95, 1e-3, 2.0, "all"), STAIRS, None, 0.5),
    "adamw-clipped": (adamw(0.9, 0.99, 1e-6, 0.1, "weights"), FLAT | dict(warmup=2), 0.5, 0.99),
}


class WarmEma(ModelEmaV3):
    """timm's average with the warm-up of TensorFlow's `ExponentialMovingAverage(num_updates=...)`."""

    def get_decay(self, step=None):
        return min(self.decay, (1 + step) / (10 + step))


def optimizer(model, spec):
    ((kind, of),) = spec.items()
    groups = [
        dict(params=[model.weight], weight_decay=of["weight_decay"]),
        dict(params=[model.bias], weight_decay=of["weight_decay"] if of["decayed"] == "all" else 0.0),
    ]
    if kind == "sgd":
        nesterov, momentum = of["nesterov"], of["momentum"]
        return torch.optim.SGD(groups, lr=0.0, momentum=momentum, nesterov=nesterov, foreach=False)
    betas = (of["beta1"], of["beta2"])
    return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=of["epsilon"], foreach=False)


def schedule(moved, of):
    for group in moved.param_groups:
        group["lr"] = of["peak"]
    warmup = of["warmup"]
    after = dict(
        cosine=lambda: CosineAnnealingLR(moved, STEPS - warmup, of["peak"] * of["floor"]),
        constant=lambda: ConstantLR(moved, 1.0),
        # Ours counts points of the whole run; SequentialLR counts from the end of the warm-up.
        step=lambda: MultiStepLR(moved, [math.ceil(at * STEPS) - warmup for at in of["at"]], of["factor"]),
    )[of["decay"]]
    if warmup == 0:
        return after()
    rise = LinearLR(moved, start_factor=1 / warmup, total_iters=warmup - 1)
    return SequentialLR(moved, [rise, after()], milestones=[warmup])


def run(kind, spec, rates, limit, decay):
    model = torch.nn.Module()
    for name, start in START.items():
        model.register_parameter(name, torch.nn.Parameter(torch.from_numpy(start.copy()).to(kind)))
    moved = optimizer(model, spec)
    timetable = schedule(moved, rates)
    ema = WarmEma(model, decay=decay, foreach=False) if decay else None
    trace = {"rates": [], "seen": []}
    for step in range(STEPS):
        trace["rates"].append(moved.param_groups[0]["lr"])
        for name, parameter in model.named_parameters():
            parameter.grad = torch.from_numpy(GRADIENTS[step][name].copy()).to(kind)
        if limit:
            torch.nn.utils.clip_grad_norm_(model.parameters(), limit, foreach=False)
        moved.step()
        timetable.step()
        if ema:
            ema.update(model, step=step + 1)
        if step + 1 in SEEN:
            shown = ema.module if ema else model
            values = [getattr(shown, name).detach().double().numpy().flatten() for name in SHAPES]
            trace["seen"].append(np.concatenate(values))
    return trace


def main():
    cases = {}
    for name, (spec, rates, limit, decay) in CASES.items():
        exact, single = (run(kind, spec, rates, limit, decay) for kind in (torch.float64, torch.float32))
        lost = max(np.abs(e - s).max() / np.abs(e).max() for e, s in zip(exact["seen"], single["seen"]))
        seen = [[float(f"{x:.12g}") for x in values] for values in exact["seen"]]
        case = dict(optimizer=spec, schedule=rates, clip_norm=limit, ema=decay, rates=exact["rates"])
        cases[name] = case | dict(seen=seen, lost=float(lost))
    listed = lambda values: {name: value.flatten().tolist() for name, value in values.items()}
    golden = dict(steps=STEPS, seen=SEEN, start=listed(START), gradients=[listed(g) for g in GRADIENTS])
    with open("cases.json", "w") as file:
        file.write(json.dumps(golden | dict(cases=cases)) + "\n")
    with open("versions.txt", "w") as file:
        file.write(f"python {platform.python_version()}\nnumpy {np.__version__}\n")
        file.write(f"torch {torch.__version__}\ntimm {timm.__version__}\n")


main()
