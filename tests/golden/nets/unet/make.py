"""Golden data for nets/unet: UNet2DConditionModel of diffusers at tiny sizes.

Run from this folder. Weights and inputs are numbers of ../formula.py; only `saved/` holds a
checkpoint as diffusers writes it.
"""

import sys

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import json
import pathlib

import diffusers
import torch
from diffusers import UNet2DConditionModel

from formula import fill, numbers, write_versions

torch.set_num_threads(1)

BASE = dict(
    in_channels=3, out_channels=3, norm_num_groups=4, block_out_channels=(8, 16),
    layers_per_block=1, cross_attention_dim=12, attention_head_dim=2,
)
PLAIN = dict(
    down_block_types=("DownBlock2D", "DownBlock2D"), mid_block_type="UNetMidBlock2D",
    up_block_types=("UpBlock2D", "UpBlock2D"),
)
ALONE = dict(
    down_block_types=("DownBlock2D", "AttnDownBlock2D"), mid_block_type="UNetMidBlock2DCrossAttn",
    up_block_types=("AttnUpBlock2D", "UpBlock2D"), cross_attention_dim=(None, None),
)
TEXT = dict(
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    mid_block_type="UNetMidBlock2DCrossAttn", up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
)
THREE = dict(
    block_out_channels=(8, 16, 16),
    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
)

# name: (configuration, sizes [n, h, w], timesteps, labels)
CASES = {
    "plain": (PLAIN | dict(layers_per_block=2), (2, 8, 8), (3.0, 981.0), None),
    "plain-odd": (PLAIN, (1, 7, 9), (1.0,), None),
    "classes": (
        ALONE | dict(num_class_embeds=5, attention_head_dim=(4, 8)),
        (2, 8, 8), (0.0, 441.0), (4, 1),
    ),
    "text": (TEXT, (2, 8, 8), (17.5, 999.0), None),
    "text-linear": (
        THREE | dict(
            use_linear_projection=True, attention_head_dim=(2, 4, 8), mid_block_type=None,
            transformer_layers_per_block=(2, 1, 1), layers_per_block=(1, 2, 1),
        ),
        (2, 8, 8), (500.0, 20.0), None,
    ),
    "text-odd": (THREE, (2, 10, 7), (250.0, 0.25), None),
    "timestep-class": (
        PLAIN | dict(
            class_embed_type="timestep", resnet_time_scale_shift="scale_shift",
            center_input_sample=True, flip_sin_to_cos=False, freq_shift=1, downsample_padding=0,
            conv_in_kernel=5, conv_out_kernel=1, time_embedding_dim=20, norm_eps=1e-3,
        ),
        (2, 8, 8), (33.0, 800.0), (7, 123),
    ),
    "identity-class": (PLAIN | dict(class_embed_type="identity"), (2, 6, 6), (5.0, 6.0), None),
}


def inputs(model, sizes, timesteps, labels):
    config = model.config
    n, h, w = sizes
    sample = numbers("sample", (n, config.in_channels, h, w)) * 2.0
    context, classes = None, None
    if any("CrossAttn" in name for name in config.down_block_types):
        context = numbers("context", (n, 5, 12)) * 2.0
    if labels is not None:
        classes = torch.tensor(labels)
    if config.class_embed_type == "identity":
        classes = numbers("class_vectors", (n, 4 * config.block_out_channels[0]))
    return dict(
        sample=sample, timestep=torch.tensor(timesteps), encoder_hidden_states=context,
        class_labels=classes,
    )


def gradients(model, arguments):
    output = model(**arguments).sample
    target = numbers("target", tuple(output.shape))
    loss = (output - target).square().mean()
    loss.backward()
    found = {}
    for name, parameter in model.named_parameters():
        direction = numbers("direction " + name, tuple(parameter.shape)).double()
        gradient = parameter.grad.double()
        found[name] = [float(gradient.norm()), float((gradient * direction).sum())]
    return dict(loss=float(loss.detach()), norm_and_probe=found)


def run(model, sizes, timesteps, labels):
    arguments = inputs(model, sizes, timesteps, labels)
    with torch.no_grad():
        output = model(**arguments).sample
    n, h, w = sizes
    return dict(
        n=n, h=h, w=w, timesteps=list(timesteps), labels=labels,
        output=[float(x) for x in output.flatten()],
    )


def main():
    here = pathlib.Path(".")
    cases, backward = {}, {}
    for name, (changes, *rest) in CASES.items():
        config = BASE | changes
        model = fill(UNet2DConditionModel(**config).eval())
        cases[name] = dict(config=json.loads(model.to_json_string()), **run(model, *rest))
        if name in ("text", "classes"):
            backward[name] = gradients(model, inputs(model, *rest))
    write(here / "forward.json", cases)
    write(here / "backward.json", backward)

    torch.manual_seed(7)
    saved = UNet2DConditionModel(**(BASE | TEXT | dict(block_out_channels=(4, 8)))).eval()
    saved.save_pretrained(here / "saved")
    write(here / "saved" / "forward.json", run(saved, (1, 4, 4), (7.0,), None))

    # Stable Diffusion 1.5 with a tenth of its channels, for the names and shapes.
    tenth = dict(block_out_channels=(32, 64, 128, 128), cross_attention_dim=76, sample_size=64)
    names = UNet2DConditionModel(**tenth).state_dict()
    lines = [f"{name} {list(value.shape)}" for name, value in sorted(names.items())]
    (here / "sd15-tenth.txt").write_text("\n".join(lines) + "\n")

    write_versions(here, diffusers)


def write(path, value):
    path.write_text(json.dumps(value) + "\n")


main()
