"""Numbers that both sides of a golden test compute by themselves, so that no weights are stored.

Number i of the tensor `name` is the output of SplitMix64 (Steele et al. 2014) at i, started from the
FNV-1a hash of the name, as a multiple of 2^-23 in [-1, 1). Every step is exact in integers and in f32.
"""

import json
import pathlib
import platform

import numpy as np
import torch
from safetensors.torch import load_file, save_file


def numbers(name, shape):
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = ((start ^ byte) * 0x100000001B3) % 2**64
    count = int(np.prod(shape, dtype=np.int64))
    with np.errstate(over="ignore"):
        z = np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    values = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1.0)
    return torch.from_numpy(values.reshape(shape))


def law(name, shape, gain=1.0):
    """Returns offset and scale of the numbers of a tensor, so that activations keep their size.

    `gain` is the variance of a matrix times its fan-in: 2 where ReLU follows many layers deep (He et
    al. 2015, arXiv:1502.01852, Eq. 10), so that inputs do not fade beside the biases.
    """
    part = name.rsplit(".", 1)[-1]
    if part == "running_var":
        return 1.0, 0.5
    if len(shape) == 1 and part in ("weight", "gamma", "lambda1"):
        return 1.0, 0.25
    if len(shape) == 1 or part in ("cls_token", "pos_embed", "position_embeddings"):
        return 0.0, 0.25
    fan_in = int(np.prod(shape[1:]))
    return 0.0, float(np.float32((3.0 * gain / fan_in) ** 0.5))  # Variance gain / fan_in.


def weight(name, shape, gain=1.0):
    """Returns the numbers of the weight `name`."""
    offset, scale = law(name, tuple(shape), gain)
    filled = np.float32(offset) + np.float32(scale) * numbers(name, tuple(shape))
    return filled.to(torch.float32)


def fill(net, gain=1.0):
    """Replaces all weights of a net by numbers of the formula."""
    state = net.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = weight(name, tensor.shape, gain)
    net.load_state_dict(state)
    return net


def reload(net, folder):
    """Saves a net of transformers, replaces the numbers in the file by those of the formula, and loads
    it again. Returns the net and the shapes in the file by the names they have there."""
    net.save_pretrained(folder)
    path = pathlib.Path(folder) / "model.safetensors"
    shapes = {name: list(tensor.shape) for name, tensor in load_file(path).items()}
    state = {name: weight(name, shape) for name, shape in shapes.items()}
    save_file(state, path, metadata={"format": "pt"})
    loaded, report = type(net).from_pretrained(folder, output_loading_info=True)
    assert not any(report[part] for part in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return loaded.eval(), shapes


def forward(net, x):
    """Returns the output in f64, and torch's own error in f32 as a share of the largest number."""
    with torch.no_grad():
        exact = net.double()(x.double())
        rounded = net.float()(x)
    return {"output": listed(exact), "f32": loss(exact, rounded)}


def measure(net, features, x, train):
    """Returns logits and features in evaluation and, with `train`, what one training pass does.

    All in f64, so that what remains of a comparison is the error of the other side. `f32` is how much
    torch itself loses when it does the same in f32: the measure for that error.
    """
    exact, rounded = (run(net, features, x, train, kind) for kind in (torch.float64, torch.float32))
    losses = {part: loss(exact[part], rounded[part]) for part in exact}
    backward = losses.pop("gradients", 0.0)
    out = {part: plain(value) for part, value in exact.items()}
    return {**out, "f32": {"forward": max(losses.values()), "backward": backward}}


def run(net, features, x, train, kind):
    net, x = fill(net).to(kind), x.to(kind)
    net.zero_grad()
    net.eval()
    with torch.no_grad():
        out = {"features": features(net, x), "logits": net(x)}
    if not train:
        return out
    net.train()
    logits = net(x)
    cost = torch.nn.functional.cross_entropy(logits, torch.arange(len(x)) % logits.shape[1])
    cost.backward()
    gradients = {name: p.grad.clone() for name, p in net.named_parameters()}
    statistics = {n: b.clone() for n, b in net.named_buffers() if b.is_floating_point()}
    training = {"train_logits": logits.detach(), "loss": cost.detach()}
    return {**out, **training, "gradients": gradients, "statistics": statistics}


def loss(exact, rounded):
    """Returns the error as a share of the largest number or, of gradients, of the norm."""
    if not isinstance(exact, dict):
        return ((exact - rounded.double()).abs().max() / exact.abs().max()).item()
    errors = [(g - rounded[name].double()).norm() / g.norm() for name, g in exact.items()]
    return max((error.item() for error in errors), default=0.0)


def plain(value):
    """Returns tensors as numbers; of gradients, the norm and the share along a fixed direction."""
    if not isinstance(value, dict):
        return listed(value)
    if all("running_" in name for name in value):
        return {name: listed(tensor) for name, tensor in value.items()}
    pairs = {}
    for name, g in value.items():
        direction = numbers("direction " + name, tuple(g.shape)).double()
        pairs[name] = [g.norm().item(), (g * direction).sum().item()]
    return pairs


def count(folder, nets):
    """Writes the numbers of classes and of trainable numbers of nets."""
    rows = {}
    for name, (classes, build) in nets.items():
        with torch.device("meta"):
            rows[name] = [classes, sum(p.numel() for p in build().parameters())]
    path = pathlib.Path(folder).resolve().parent / "parameters.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")


def listed(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def write(folder, cases, *modules):
    folder = pathlib.Path(folder).resolve().parent
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    (folder / "cases.json").write_text("{\n" + text + "\n}\n")
    write_versions(folder, *modules)


def write_versions(folder, *modules):
    lines = [f"python {platform.python_version()}", f"numpy {np.__version__}"]
    lines += [f"{module.__name__} {module.__version__}" for module in (torch, *modules)]
    (folder / "versions.txt").write_text("\n".join(lines) + "\n")
