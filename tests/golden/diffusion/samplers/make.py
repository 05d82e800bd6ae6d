"""Pictures that diffusers' schedulers draw with an exact denoiser, from stored noise.

Run from this folder: python make.py. Writes golden.json and versions.txt.
The data law is a mixture of three Gaussians over whole pictures, so the clean picture expected from
a noisy one is known in closed form. The schedulers run their own code in float64: the names
torch.float32 and numpy.float32 stand for float64 while they run.
"""

import json
import platform
from unittest import mock

import diffusers
import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)

SHAPE = (3, 2, 2, 2)  # n, c, h, w
MOST_STEPS = 12
rng = np.random.default_rng(20240611)
centres = rng.uniform(-0.9, 0.9, size=(3,) + SHAPE[1:]).round(3)
shares = np.array([0.5, 0.3, 0.2])
spread = 0.3
start = rng.standard_normal(SHAPE).astype(np.float32).astype(np.float64)
steps = rng.standard_normal((MOST_STEPS,) + SHAPE).astype(np.float32).astype(np.float64)


def clean(x, sigma):
    """Returns E[x0 | x0 + sigma * eps = x]."""
    total = spread**2 + sigma**2
    gaps = x[:, None] - centres[None]  # [n, 3, c, h, w]
    logs = np.log(shares) - (gaps**2).sum(axis=(2, 3, 4)) / (2 * total)
    w = np.exp(logs - logs.max(axis=1, keepdims=True))
    w = (w / w.sum(axis=1, keepdims=True))[:, :, None, None, None]
    return (w * (centres[None] + gaps * spread**2 / total)).sum(axis=1)


def denoise(x, sigma):
    return torch.from_numpy(clean(np.array(x), float(sigma)))


def variance_preserving(s, n, logvar=None, timesteps=None, **step_options):
    """Runs a scheduler whose samples are x / sqrt(1 + sigma^2)."""
    s.set_timesteps(**({"num_inference_steps": n} if timesteps is None else {"timesteps": timesteps}))
    if isinstance(s, DPMSolverMultistepScheduler):
        sigmas = [float(v) for v in s.sigmas[:-1]]
    else:
        sigmas = [float(((1 - s.alphas_cumprod[t]) / s.alphas_cumprod[t]) ** 0.5) for t in s.timesteps]
    sample = torch.from_numpy(start) * sigmas[0] / (1 + sigmas[0] ** 2) ** 0.5
    for i, t in enumerate(s.timesteps):
        x = sample * (1 + sigmas[i] ** 2) ** 0.5
        d = denoise(x, sigmas[i])
        output = d if s.config.prediction_type == "sample" else (x - d) / sigmas[i]
        if logvar is not None:  # learned_range takes the mixing coefficient from the network, as 2 v - 1.
            output = torch.cat([output, torch.full_like(output, 2 * logvar - 1)], dim=1)
        if isinstance(s, DDIMScheduler):
            step_options["variance_noise"] = torch.from_numpy(steps[i]) if step_options.get("eta") else None
        if isinstance(s, DDPMScheduler):
            draw = lambda *a, i=i, **k: torch.from_numpy(steps[i])
            with mock.patch("diffusers.schedulers.scheduling_ddpm.randn_tensor", draw):
                sample = s.step(output, t, sample, **step_options).prev_sample
        else:
            sample = s.step(output, t, sample, **step_options).prev_sample
    return {"sigmas": sigmas + [0.0], "picture": sample.flatten().tolist()}


def variance_exploding(s, n):
    """Runs a scheduler whose samples are x itself."""
    s.set_timesteps(n)
    levels = s.sigmas.tolist()
    x = torch.from_numpy(start) * levels[0]
    for i, t in enumerate(s.timesteps):
        s.scale_model_input(x, t)
        x = s.step(denoise(x, levels[i]), t, x).prev_sample
    # Heun's list names inner levels twice, once per network call.
    kept = [v for i, v in enumerate(levels) if i == 0 or v != levels[i - 1]]
    return {"sigmas": kept, "picture": x.flatten().tolist()}


linear = dict(beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
scaled = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
cosine = dict(beta_schedule="squaredcos_cap_v2")
free = dict(clip_sample=False)
second = dict(
    algorithm_type="dpmsolver++",
    solver_order=2,
    solver_type="midpoint",
    lower_order_final=True,
    euler_at_final=True,
    final_sigmas_type="zero",
)
runs = {
    "ddpm-small": lambda: variance_preserving(
        DDPMScheduler(variance_type="fixed_small", **linear, **free), 10
    ),
    "ddpm-large": lambda: variance_preserving(
        DDPMScheduler(variance_type="fixed_large", **linear, **free), 10
    ),
    "ddpm-mixed": lambda: variance_preserving(
        DDPMScheduler(variance_type="learned_range", timestep_spacing="linspace", **cosine, **free),
        12,
        logvar=0.3,
    ),
    "ddpm-clipped": lambda: variance_preserving(
        DDPMScheduler(variance_type="fixed_small", clip_sample=True, clip_sample_range=0.5, **linear),
        10,
    ),
    "ddim": lambda: variance_preserving(DDIMScheduler(**scaled, **free), 10),
    "ddim-trailing": lambda: variance_preserving(
        DDIMScheduler(timestep_spacing="trailing", **linear, **free), 10
    ),
    "ddim-noisy": lambda: variance_preserving(DDIMScheduler(**linear, **free), 10, eta=0.7),
    "ddim-clipped": lambda: variance_preserving(
        DDIMScheduler(prediction_type="sample", clip_sample=True, clip_sample_range=0.5, **linear),
        10,
        use_clipped_model_output=True,
    ),
    "euler": lambda: variance_exploding(EulerDiscreteScheduler(prediction_type="sample", **linear), 10),
    "euler-karras": lambda: variance_exploding(
        EulerDiscreteScheduler(prediction_type="sample", use_karras_sigmas=True, **scaled), 12
    ),
    "heun": lambda: variance_exploding(HeunDiscreteScheduler(prediction_type="sample", **linear), 10),
    "heun-karras": lambda: variance_exploding(
        HeunDiscreteScheduler(prediction_type="sample", use_karras_sigmas=True, **scaled), 12
    ),
    "dpmpp-2m-karras": lambda: variance_preserving(
        DPMSolverMultistepScheduler(use_karras_sigmas=True, **scaled, **second), 12
    ),
    "dpmpp-2m-linspace": lambda: variance_preserving(
        DPMSolverMultistepScheduler(**linear, **second), None, timesteps=list(range(999, -1, -111))
    ),
}

golden = {
    "shape": SHAPE,
    "shares": shares.tolist(),
    "spread": spread,
    "centres": centres.reshape(3, -1).tolist(),
    "start": start.flatten().tolist(),
    "steps": steps.reshape(MOST_STEPS, -1).tolist(),
    "runs": {},
}
with mock.patch.object(torch, "float32", torch.float64), mock.patch.object(np, "float32", np.float64):
    for name, run in runs.items():
        golden["runs"][name] = run()

json.dump(golden, open("golden.json", "w"))
with open("versions.txt", "w") as f:
    f.write(f"python {platform.python_version()}\nnumpy {np.__version__}\n")
    f.write(f"torch {torch.__version__}\ndiffusers {diffusers.__version__}\n")
