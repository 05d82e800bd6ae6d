"""One training loss of a tiny model that enlarges, by diffusers' net and scheduler.

Run from this folder: python make.py. Weights, pictures and noise are numbers of ../../nets/formula.py.
The net is diffusers' with two changes: it sees a second picture behind the noisy one in the channels,
and beside the class a number that is embedded as the timestep is. Smaller pictures are enlarged by
Pillow. The scheduler runs its own code in float64: torch.float32 stands for float64 while it runs.
"""

import sys

sys.path.insert(0, "../../nets")
sys.dont_write_bytecode = True

import json
import pathlib
from unittest import mock

import diffusers
import numpy as np
import PIL
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.embeddings import TimestepEmbedding
from PIL import Image

from formula import fill, numbers, write_versions

torch.set_num_threads(1)

N, CLASSES, SMALL, SIZE = 4, 3, 4, 8
TIMESTEPS = [3, 180, 555, 990]
LABELS = [0, 2, 3, 1]  # 3 is "no class".
LEVELS = [0.0, 0.25, 0.6, 1.0]  # Shares of the schedule; 0 is no noise.
TOLD = 1000.0  # What the net is told at level 1.

# name: (betas, what the net predicts, Pillow's filter)
CASES = {
    "noise": ("linear", "epsilon", Image.Resampling.BICUBIC),
    "velocity": ("squaredcos_cap_v2", "v_prediction", Image.Resampling.BILINEAR),
}


class Enlarging(UNet2DConditionModel):
    def get_class_embed(self, sample, class_labels):
        labels, levels = class_labels
        told = self.time_proj(levels).to(sample.dtype)
        return super().get_class_embed(sample, labels) + self.level_embedding(told)


def net():
    model = Enlarging(
        in_channels=2, out_channels=1, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), mid_block_type="UNetMidBlock2D",
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), attention_head_dim=4, norm_num_groups=4,
        cross_attention_dim=(None, None), num_class_embeds=CLASSES + 1,
    )
    model.level_embedding = TimestepEmbedding(8, 32)
    return fill(model)


def enlarged(kernel):
    """Smaller pictures at the size of the larger ones, in [-1, 1]."""
    levels = ((numbers("small", (N, SMALL, SMALL)) + 1.0) * 127.5).numpy().astype(np.uint8)
    large = [np.asarray(Image.fromarray(x).convert("RGB").resize((SIZE, SIZE), kernel)) for x in levels]
    return torch.from_numpy(np.stack(large)[:, None, :, :, 0]).double() / 127.5 - 1.0


def loss(betas, kind, kernel):
    low, low_noise = enlarged(kernel), numbers("low noise", (N, 1, SIZE, SIZE)).double()
    x0, noise = (numbers(name, (N, 1, SIZE, SIZE)).double() for name in ("pictures", "noise"))
    t = torch.tensor(TIMESTEPS)
    with mock.patch.object(torch, "float32", torch.float64):
        scheduler = DDPMScheduler(
            beta_schedule=betas, beta_start=1e-4, beta_end=0.02, prediction_type=kind
        )
        last = scheduler.config.num_train_timesteps - 1
        at = torch.tensor([round(level * last) for level in LEVELS])
        shown = scheduler.add_noise(low, low_noise, at)
        shown = torch.where((torch.tensor(LEVELS) > 0)[:, None, None, None], shown, low)
        seen = torch.cat([scheduler.add_noise(x0, noise, t), shown], dim=1)
        target = dict(epsilon=noise, v_prediction=scheduler.get_velocity(x0, noise, t))[kind]
    model = net().double().eval()
    told = (torch.tensor(LABELS), TOLD * torch.tensor(LEVELS).double())
    with torch.no_grad():
        output = model(seen, t, encoder_hidden_states=None, class_labels=told).sample
    return float(torch.nn.functional.mse_loss(output, target))


def main():
    cases = {name: loss(*case) for name, case in CASES.items()}
    golden = dict(
        n=N, classes=CLASSES, small=SMALL, size=SIZE, timesteps=TIMESTEPS, labels=LABELS,
        levels=LEVELS, losses=cases,
    )
    pathlib.Path("losses.json").write_text(json.dumps(golden, indent=1) + "\n")
    write_versions(pathlib.Path("."), diffusers, PIL)


main()
