"""Noise schedules of diffusers: tables, timesteps by spacing, Karras levels, level -> timestep.

Run from this folder: python make.py. Writes golden.json and versions.txt.
diffusers computes its tables in float32. For the table values we run its own code in float64, by
letting the names torch.float32 and numpy.float32 stand for float64 while it runs.
"""

import json
import platform
from unittest import mock

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

KINDS = {
    "linear": dict(beta_start=1e-4, beta_end=0.02, beta_schedule="linear"),
    "scaled-linear": dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
}
SPACINGS = ["leading", "linspace", "trailing"]
COUNTS = [2, 3, 5, 7, 10, 16, 20, 25, 30, 50, 64, 128]
PROBES = [0.001, 0.0123, 0.05, 0.4, 1.0, 3.7, 12.0, 150.0, 30000.0]


def wide():
    stack = mock.patch.object(torch, "float32", torch.float64)
    other = mock.patch.object(np, "float32", np.float64)
    return stack, other


golden = {"tables": {}, "timesteps": {}, "karras": {}}
shown = sorted(set([0, 1, 2, 5, 10, 50, 998, 999] + list(range(100, 1000, 100))))
for name, options in KINDS.items():
    a, b = wide()
    with a, b:
        s = EulerDiscreteScheduler(**options)
        ab = s.alphas_cumprod
        assert ab.dtype == torch.float64
        sigmas = np.array(((1 - ab) / ab) ** 0.5)
        log_sigmas = np.log(sigmas)
        golden["tables"][name] = {
            "t": shown,
            "beta": [s.betas[t].item() for t in shown],
            "alpha_bar": [ab[t].item() for t in shown],
            "sigma": [float(sigmas[t]) for t in shown],
            "probe_sigma": PROBES,
            "probe_timestep": [float(s._sigma_to_t(np.array(p), log_sigmas)) for p in PROBES],
        }
        k = EulerDiscreteScheduler(use_karras_sigmas=True, **options)
        k.set_timesteps(12)
        golden["karras"][name] = k.sigmas.tolist()

for spacing in SPACINGS:
    s = DDIMScheduler(timestep_spacing=spacing)
    rows = {}
    for n in COUNTS:
        s.set_timesteps(n)
        rows[str(n)] = s.timesteps.tolist()
    golden["timesteps"][spacing] = rows

json.dump(golden, open("golden.json", "w"))
with open("versions.txt", "w") as f:
    f.write(f"python {platform.python_version()}\nnumpy {np.__version__}\n")
    f.write(f"torch {torch.__version__}\ndiffusers {diffusers.__version__}\n")
