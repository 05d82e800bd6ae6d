"""Golden data of VGG: torchvision's small models, and torch-fidelity's extractor of the whole one.

Weights are numbers of ../formula.py with gain 2; of what the whole net says, every so many-th number
is stored. Run in this folder (`pip install torch-fidelity torchvision`).
"""

import sys
import tempfile
from importlib.metadata import version

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import torch
import torchvision
from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16
from torchvision.models.vgg import cfgs, make_layers, vgg16, vgg16_bn

from formula import count, fill, listed, loss, numbers, write

GAIN = 2.0
STEP = 64
WIDTH = 16  # As many times narrower as the small nets are.


def small(batch_norm):
    """Returns torchvision's layers, narrower, with the classifier's shape and places."""
    torch.manual_seed(0)
    channels = [v if v == "M" else v // WIDTH for v in cfgs["D"]]
    net = torchvision.models.VGG(make_layers(channels, batch_norm), num_classes=5, init_weights=False)
    hidden = 4096 // WIDTH
    net.classifier[0] = torch.nn.Linear(512 // WIDTH * 49, hidden)
    net.classifier[3] = torch.nn.Linear(hidden, hidden)
    net.classifier[6] = torch.nn.Linear(hidden, 5)
    return fill(net, GAIN).eval()


def taps(net, x, kind):
    net, x = net.to(kind), x.to(kind)
    with torch.no_grad():
        features = net.classifier[:5](torch.flatten(net.avgpool(net.features(x)), 1))
        return {"features": features, "logits": net(x)}


cases = {}
for name, batch_norm in [("vgg-16-w4", False), ("vgg-16-bn-w4", True)]:
    for pixels in [32, 224]:
        net = small(batch_norm)
        x = numbers("pictures", (2, 3, pixels, pixels))
        exact, rounded = (taps(net, x, kind) for kind in (torch.float64, torch.float32))
        case = {part: listed(value) for part, value in exact.items()}
        lost = max(loss(exact[part], rounded[part]) for part in exact)
        shapes = {n: list(t.shape) for n, t in net.state_dict().items()}
        cases[f"{name}-{pixels}"] = {**case, "f32": lost, "shapes": shapes}

plain = fill(vgg16(weights=None, init_weights=False), GAIN)
levels = ((numbers("pictures", (1, 3, 224, 224)) + 1) * 128).floor().to(torch.uint8)


def fc2(kind):
    with tempfile.NamedTemporaryFile() as file:
        torch.save(plain.state_dict(), file.name)
        net = FeatureExtractorVGG16("golden", ["fc2_relu"], file.name).to(kind)
    net.feature_extractor_internal_dtype = kind  # Its own "float64" (0.4.0) is f32.
    with torch.no_grad():
        return net(levels)[0]


exact, rounded = fc2(torch.float64), fc2(torch.float32)
assert exact.shape == (1, 4096)
shapes = {n: list(t.shape) for n, t in plain.state_dict().items()}
lost = loss(exact.double(), rounded.double())
cases["vgg-16"] = {"fc2_relu": listed(exact[:, ::STEP]), "step": STEP, "f32": lost, "shapes": shapes}
write(__file__, cases, torchvision)
with open("versions.txt", "a") as file:
    file.write(f"torch-fidelity {version('torch-fidelity')}\n")
count(__file__, {"vgg-16": (1000, vgg16), "vgg-16-bn": (1000, vgg16_bn)})
