"""Golden data of residual networks: torchvision's own, and the paper's nets for CIFAR written here.

Weights are numbers of ../formula.py; only what comes out is stored.
"""

import sys

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from formula import count, measure, numbers, write

torch.manual_seed(0)


class Narrow(ResNet):
    """torchvision's net with a base width, a number of input channels, and a stem for small pictures."""

    def __init__(self, block, layers, width, channels, classes, cifar):
        self.base = width
        super().__init__(block, layers, num_classes=classes)
        kernel, stride, padding = (3, 1, 1) if cifar else (7, 2, 3)
        self.conv1 = nn.Conv2d(channels, width, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if cifar else self.maxpool
        self.fc = nn.Linear(8 * width * block.expansion, classes)

    def _make_layer(self, block, planes, *rest, **named):
        if planes == 64:
            self.inplanes = self.base
        return super()._make_layer(block, planes * self.base // 64, *rest, **named)


class Shortcut(nn.Module):
    """Option A of He et al. 2016, section 3.3: identity, zeros for the new channels, stride 2."""

    def __init__(self, new):
        super().__init__()
        self.new = new

    def forward(self, x):
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new))


class CifarResNet(nn.Module):
    """He et al. 2016, section 4.2: a 3x3 convolution, three stages of n basic blocks with w, 2w, 4w
    channels on maps of full, half and quarter size, average pooling, a linear layer."""

    def __init__(self, n, width, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for stage in range(3):
            planes = width << stage
            before = planes if stage == 0 else planes // 2
            first = BasicBlock(before, planes, stride=1 if stage == 0 else 2)
            if stage > 0:
                first.downsample = Shortcut(planes - before)
            rest = [BasicBlock(planes, planes) for _ in range(n - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(first, *rest))
        self.fc = nn.Linear(4 * width, classes)

    def maps(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.layer3(self.layer2(self.layer1(x)))

    def forward(self, x):
        return self.fc(self.maps(x).mean((2, 3)))


def features(net, x):
    if isinstance(net, CifarResNet):
        return net.maps(x).mean((2, 3))
    head, net.fc = net.fc, nn.Identity()
    out = net(x)
    net.fc = head
    return out


def case(net, n, channels, pixels, train=True):
    x = numbers("pictures", (n, channels, pixels, pixels))
    return {"input": [n, channels, pixels, pixels], **measure(net, features, x, train)}


write(
    __file__,
    {
        "resnet-10-w4": case(Narrow(BasicBlock, [1] * 4, 4, 3, 5, False), 4, 3, 64),
        "resnet-10-cifar-w4": case(Narrow(BasicBlock, [1] * 4, 4, 1, 5, True), 4, 1, 16),
        "resnet-50-cifar-w2": case(Narrow(Bottleneck, [3, 4, 6, 3], 2, 3, 5, True), 4, 3, 16),
        "resnet-20-w4": case(CifarResNet(3, 4, 3, 10), 4, 3, 16),
        "resnet-50": case(torchvision.models.resnet50(weights=None, num_classes=10), 2, 3, 64, False),
    },
    torchvision,
)

imagenet = {f"resnet-{n}": getattr(torchvision.models, f"resnet{n}") for n in (18, 34, 50, 101, 152)}
count(
    __file__,
    {
        **{name: (1000, lambda net=net: net(weights=None)) for name, net in imagenet.items()},
        **{f"resnet-{6 * n + 2}": (10, lambda n=n: CifarResNet(n, 16, 3, 10)) for n in (3, 5, 7, 9)},
    },
)
