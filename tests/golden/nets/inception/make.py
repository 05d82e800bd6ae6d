"""Golden data of the Inception of FID, computed by torch-fidelity and pytorch-fid.

Weights are numbers of ../formula.py with gain 2; of what comes out, every so many-th number is
stored. Torch-fidelity computes in f64, so that what remains of a comparison is the error of the
other side; `f32` is how much it loses itself in f32. That pytorch-fid says the same is asserted.
Run in this folder (`pip install torch-fidelity pytorch-fid torchvision`).
"""

import json
import pathlib
import sys
import tempfile
from importlib.metadata import version

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import pytorch_fid.inception as pytorch_fid
import torch
import torchvision
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from formula import fill, listed, loss, numbers, write

GAIN = 2.0
PICTURES = 2
STEPS = {"pool3": 32, "logits": 16, "logits_unbiased": 16, "spatial": 17, "d64": 1, "d192": 4, "d768": 12}

plain = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
weights = fill(plain, GAIN).state_dict()
# Squares of 23 x 23 pixels: noise of single pixels has the same means in every picture.
squares = ((numbers("pictures", (PICTURES, 3, 13, 13)) + 1) * 128).floor().to(torch.uint8)
# Of 299 x 299 pixels, so that torch-fidelity's resize is the identity; (x - 128) / 128 is exact.
levels = squares.repeat_interleave(23, 2).repeat_interleave(23, 3)


def taps(kind):
    names = FeatureExtractorInceptionV3.get_provided_features_list()
    with tempfile.NamedTemporaryFile() as file:
        torch.save(weights, file.name)
        net = FeatureExtractorInceptionV3("golden", list(names), file.name).to(kind)
    net.feature_extractor_internal_dtype = kind  # Its own "float64" (0.4.0) is f32.
    seen = {}
    layer = net.Mixed_6d.branch1x1  # TensorFlow's mixed_6/conv:0
    layer.register_forward_hook(lambda _module, _x, y: seen.update(spatial=y))
    with torch.no_grad():
        out = dict(zip(names, net(levels), strict=True))
    short = {"64": "d64", "192": "d192", "768": "d768", "2048": "pool3"}
    out = {short.get(name, name): value.double() for name, value in out.items()}
    # ADM's evaluator: `spatial[..., :7]` of maps whose channels run fastest, then flattened.
    out["spatial"] = seen["spatial"].double().permute(0, 2, 3, 1)[..., :7].flatten(1)
    return out


exact, rounded = taps(torch.float64), taps(torch.float32)
assert exact["spatial"].shape == (PICTURES, 2023)
assert exact["pool3"].ne(rounded["pool3"]).any()
lost = {name: loss(exact[name], rounded[name]) for name in exact}
for name, value in exact.items():
    spread = (value[0] - value[1]).abs().mean() / value.abs().mean()
    assert spread > 0.01, f"{name} hardly depends on the picture: {spread}"

# pytorch-fid: from 0 to 1, which it makes -1 to 1.
pytorch_fid.load_state_dict_from_url = lambda *_args, **_kwargs: weights
net = pytorch_fid.InceptionV3([0, 1, 2, 3], resize_input=False).double().eval()
with torch.no_grad():
    maps = net((levels.double() - 128) / 256 + 0.5)
for name, found in zip(["d64", "d192", "d768", "pool3"], maps, strict=True):
    torch.testing.assert_close(found.mean((2, 3)), exact[name], rtol=1e-6, atol=1e-6)

# Both as they stand, with their own resize and scaling, from a small picture.
small = ((numbers("small picture", (1, 3, 32, 40)) + 1) * 128).floor().to(torch.uint8)
with tempfile.NamedTemporaryFile() as file:
    torch.save(weights, file.name)
    names = ["2048", "logits_unbiased"]
    whole = FeatureExtractorInceptionV3("golden", names, file.name).double()
whole.feature_extractor_internal_dtype = torch.float64
net = pytorch_fid.InceptionV3([3]).double().eval()
with torch.no_grad():
    pool3, logits = whole(small)
    there = net(small.double() / 255)[0].mean((2, 3))
tools = {
    "torch-fidelity": {"pool3": listed(pool3[:, :: STEPS["pool3"]]), "logits": listed(logits[:, :: STEPS["logits"]])},
    "pytorch-fid": {"pool3": listed(there[:, :: STEPS["pool3"]])},
}

case = {name: listed(value[:, :: STEPS[name]]) for name, value in exact.items()}
write(__file__, {"inception": {**case, "steps": STEPS, "f32": lost}, **tools}, torchvision)
with open("versions.txt", "a") as file:
    file.writelines(f"{name} {version(name)}\n" for name in ("torch-fidelity", "pytorch-fid"))
names = {name: list(tensor.shape) for name, tensor in weights.items()}
pathlib.Path("names.json").write_text(json.dumps(names, indent=0) + "\n")
