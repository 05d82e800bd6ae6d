"""One training loss of a tiny class-conditional pixel model, by diffusers' net and scheduler.

Run from this folder: python make.py. Weights, pictures and noise are numbers of ../../nets/formula.py.
The schedulers run their own code in float64: torch.float32 stands for float64 while they run.
"""

import sys

sys.path.insert(0, "../../nets")
sys.dont_write_bytecode = True

import json
import pathlib
from unittest import mock

import diffusers
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import compute_snr

from formula import fill, numbers, write_versions

torch.set_num_threads(1)

N, CLASSES, SIZE = 4, 3, 8
TIMESTEPS = [3, 180, 555, 990]
LABELS = [0, 2, 3, 1]  # 3 is "no class".
GAMMA = 5.0

# name: (betas, what the net predicts, whether errors are weighed by min-SNR)
CASES = {
    "noise": ("linear", "epsilon", False),
    "clean": ("scaled_linear", "sample", False),
    "velocity": ("squaredcos_cap_v2", "v_prediction", False),
    "noise-min-snr": ("linear", "epsilon", True),
    "velocity-min-snr": ("squaredcos_cap_v2", "v_prediction", True),
}
BETAS = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "squaredcos_cap_v2": (1e-4, 0.02)}


def net():
    return fill(UNet2DConditionModel(
        in_channels=1, out_channels=1, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), mid_block_type="UNetMidBlock2D",
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), attention_head_dim=4, norm_num_groups=4,
        cross_attention_dim=(None, None), num_class_embeds=CLASSES + 1,
    ))


def weights(scheduler, t, kind):
    """Hang et al. 2023, as Hugging Face's text-to-image training script computes them."""
    snr = compute_snr(scheduler, t)
    held = torch.stack([snr, GAMMA * torch.ones_like(snr)], dim=1).min(dim=1)[0]
    return held / (snr + 1 if kind == "v_prediction" else snr)


def loss(betas, kind, weighed):
    with mock.patch.object(torch, "float32", torch.float64):
        first, last = BETAS[betas]
        scheduler = DDPMScheduler(
            beta_schedule=betas, beta_start=first, beta_end=last, prediction_type=kind
        )
        x0, noise = (numbers(name, (N, 1, SIZE, SIZE)).double() for name in ("pictures", "noise"))
        t = torch.tensor(TIMESTEPS)
        seen = scheduler.add_noise(x0, noise, t)
        velocity = scheduler.get_velocity(x0, noise, t)
        target = dict(epsilon=noise, sample=x0, v_prediction=velocity)[kind]
        weight = weights(scheduler, t, kind) if weighed else torch.ones(N).double()
    model = net().double().eval()
    with torch.no_grad():
        output = model(seen, t, encoder_hidden_states=None, class_labels=torch.tensor(LABELS)).sample
    error = torch.nn.functional.mse_loss(output, target, reduction="none")
    return float((error.mean(dim=(1, 2, 3)) * weight).mean())


def main():
    cases = {name: loss(*case) for name, case in CASES.items()}
    golden = dict(n=N, classes=CLASSES, size=SIZE, timesteps=TIMESTEPS, labels=LABELS, losses=cases)
    pathlib.Path("losses.json").write_text(json.dumps(golden, indent=1) + "\n")
    write_versions(pathlib.Path("."), diffusers)


main()
