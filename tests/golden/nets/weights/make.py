"""Files of weights as torch and safetensors write them, of a tiny net with numbers of ../formula.py."""

import pathlib
import sys

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import safetensors
import safetensors.torch
import torch
from torch import nn

from formula import fill, write_versions

torch.manual_seed(0)
here = pathlib.Path(__file__).resolve().parent


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.layers = nn.ModuleList([nn.Linear(4, 6), nn.Linear(6, 2, bias=False)])


net = fill(Tiny())
state = net.state_dict()
torch.save(state, here / "plain.pth")
torch.save(state, here / "legacy.pth", _use_new_zipfile_serialization=False)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
net.layers[0](torch.ones(1, 4)).sum().backward()
optimizer.step()
nested = {"epoch": 3, "state_dict": fill(net).state_dict(), "optimizer": optimizer.state_dict()}
torch.save(nested, here / "nested.pth")
for name, kind in [("f32", torch.float32), ("f64", torch.float64), ("f16", torch.float16), ("bf16", torch.bfloat16)]:
    cast = {k: v.to(kind) if v.is_floating_point() else v for k, v in fill(net).state_dict().items()}
    safetensors.torch.save_file(cast, here / f"{name}.safetensors", metadata={"format": "pt"})
write_versions(here, safetensors)
