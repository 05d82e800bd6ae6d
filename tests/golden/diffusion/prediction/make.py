"""Noisy samples, velocities and clean pictures as diffusers defines them, and its loss weights' SNR.

Run from this folder: python make.py. Writes golden.json and versions.txt.
The schedulers run their own code in float64: torch.float32 stands for float64 while they run.
"""

import json
import platform
from unittest import mock

import diffusers
import numpy as np
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

TIMESTEPS = [0, 37, 250, 640, 999]
rng = np.random.default_rng(7)
n = len(TIMESTEPS)
x0 = torch.from_numpy(rng.uniform(-1, 1, (n, 1, 2, 2)).astype(np.float32).astype(np.float64))
noise = torch.from_numpy(rng.standard_normal((n, 1, 2, 2)).astype(np.float32).astype(np.float64))
output = torch.from_numpy(rng.standard_normal((n, 1, 2, 2)).astype(np.float32).astype(np.float64))
t = torch.tensor(TIMESTEPS)

golden = {"timesteps": TIMESTEPS, "x0": x0.flatten().tolist(), "noise": noise.flatten().tolist()}
golden["output"] = output.flatten().tolist()
with mock.patch.object(torch, "float32", torch.float64):
    s = DDPMScheduler()
    scaled = s.add_noise(x0, noise, t)
    golden["scaled"] = scaled.flatten().tolist()
    golden["velocity"] = s.get_velocity(x0, noise, t).flatten().tolist()
    golden["snr"] = compute_snr(s, t).tolist()
    golden["clean"] = {}
    for kind in ["epsilon", "sample", "v_prediction"]:
        s = DDPMScheduler(prediction_type=kind, clip_sample=False)
        parts = [
            s.step(output[i : i + 1], t[i].item(), scaled[i : i + 1]).pred_original_sample
            for i in range(n)
        ]
        golden["clean"][kind] = torch.cat(parts).flatten().tolist()

json.dump(golden, open("golden.json", "w"))
with open("versions.txt", "w") as f:
    f.write(f"python {platform.python_version()}\nnumpy {np.__version__}\n")
    f.write(f"torch {torch.__version__}\ndiffusers {diffusers.__version__}\n")
