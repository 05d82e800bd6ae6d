"""PyTorch's side of `just bench`: the rows of rows.rs with the same shapes and the same work.

Called by the benchmark with the name of a row. It says how many KiB of memory it began with and how
many parameters its net has; then, for every line with a number of seconds, it works that long and
says how many steps it made, the seconds by the clock and of all processors, and those of the
fastest step.
"""

import os
import sys
import time

import diffusers
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

CLASSES = 10
WARM = 2


def resident():
    """KiB of resident memory, where the system tells."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
    except OSError:
        return float("nan")


class Plain(nn.Module):
    """A block of ResNet-20: its shortcut has no parameters."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.new = stride, outputs - inputs

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        if self.stride != 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))
        return F.relu(out + x, inplace=True)


def resnet20():
    layers, inputs = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True)], 16
    for outputs in [16, 32, 64]:
        for block in range(3):
            layers.append(Plain(inputs, outputs, 2 if block == 0 and outputs > 16 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


def resnet18():
    net = torchvision.models.resnet18(num_classes=CLASSES)
    net.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    net.maxpool = nn.Identity()
    return net


def vgg():
    net = torchvision.models.vgg16_bn(num_classes=CLASSES)
    for place, layer in enumerate(net.classifier):
        if isinstance(layer, nn.Dropout):
            net.classifier[place] = nn.Identity()
    return net


class Inverted(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        wide = 6 * channels

        def unit(conv):
            return [conv, nn.BatchNorm2d(conv.out_channels)]

        self.body = nn.Sequential(
            *unit(nn.Conv2d(channels, wide, 1, bias=False)),
            nn.ReLU(True),
            *unit(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)),
            nn.ReLU(True),
            *unit(nn.Conv2d(wide, channels, 1, bias=False)),
        )
        self.adds = stride == 1

    def forward(self, x):
        return self.body(x) + x if self.adds else self.body(x)


class Blocks(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.blocks = nn.Sequential(*(Inverted(channels, stride) for stride in [1, 2, 1]))

    def forward(self, x):
        return self.blocks(x).mean((2, 3))[:, :CLASSES]


class Denoiser(nn.Module):
    """A UNet with the times and classes of a batch."""

    def __init__(self, channels, widths, attends):
        super().__init__()
        down, up = ["DownBlock2D"] * len(widths), ["UpBlock2D"] * len(widths)
        if attends:
            down[-1], up[0] = "AttnDownBlock2D", "AttnUpBlock2D"
        self.net = diffusers.UNet2DConditionModel(
            in_channels=channels,
            out_channels=channels,
            block_out_channels=widths,
            layers_per_block=1,
            down_block_types=down,
            mid_block_type="UNetMidBlock2D",
            up_block_types=up,
            attention_head_dim=32,
            norm_num_groups=8,
            cross_attention_dim=(None,) * len(widths),
            num_class_embeds=CLASSES + 1,
        )

    def forward(self, x):
        places = torch.arange(len(x))
        return self.net(x, places * 15, None, class_labels=places % CLASSES).sample


NETS = {
    "resnet-20": (resnet20, [64, 3, 32, 32]),
    "resnet-18": (resnet18, [64, 3, 32, 32]),
    "resnet-50": (lambda: torchvision.models.resnet50(num_classes=CLASSES), [8, 3, 224, 224]),
    "vit-s-16": (
        lambda: timm.create_model("vit_small_patch16_224", num_classes=CLASSES),
        [8, 3, 224, 224],
    ),
    "vit-ti-4": (
        lambda: timm.create_model(
            "vit_tiny_patch16_224", num_classes=CLASSES, img_size=32, patch_size=4
        ),
        [64, 3, 32, 32],
    ),
    "depthwise": (lambda: Blocks(32), [32, 32, 28, 28]),
    "vgg-16-bn": (vgg, [64, 3, 32, 32]),
    "unet-tiny": (lambda: Denoiser(1, [32, 64], False), [64, 1, 8, 8]),
    "unet-small": (lambda: Denoiser(3, [32, 64, 128], True), [64, 3, 32, 32]),
    "inception": (
        lambda: torchvision.models.inception_v3(
            num_classes=1008, aux_logits=False, init_weights=False
        ),
        [8, 3, 299, 299],
    ),
}


def classifier_step(net, x):
    optimizer = torch.optim.SGD(
        net.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    targets = torch.arange(len(x)) % CLASSES

    def step():
        loss = F.cross_entropy(net(x).float(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def diffusion_step(net, x):
    parameters = list(net.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    averages = [p.detach().clone() for p in parameters]

    def step():
        loss = F.mse_loss(net(x).float(), x)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 1e-3)
        return loss.item()

    return step


def forward_pass(net, x):
    def step():
        with torch.inference_mode():
            net(x)

    return step


def main():
    name, mode, *precision = sys.argv[1].split()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    start = resident()
    torch.manual_seed(0)
    build, shape = NETS[name]
    net, x = build(), torch.randn(shape)
    net.train(mode == "train")
    if precision:
        net.forward = torch.autocast("cpu", torch.bfloat16)(net.forward)
    kind = diffusion_step if name.startswith("unet") else classifier_step
    step = (kind if mode == "train" else forward_pass)(net, x)
    for _ in range(WARM):
        step()
    print(start, sum(p.numel() for p in net.parameters()), flush=True)
    for line in sys.stdin:
        step()  # The first step of a turn finds cold caches.
        steps, best, cpu = 0, float("inf"), time.process_time()
        wall = last = time.perf_counter()
        while steps == 0 or last - wall < float(line):
            step()
            now = time.perf_counter()
            steps, best, last = steps + 1, min(best, now - last), now
        print(steps, last - wall, time.process_time() - cpu, best, flush=True)


main()
