"""Golden data of CLIP's image tower.

Files of transformers (`CLIPVisionModelWithProjection` and the whole `CLIPModel`) are run by
transformers, state dicts of openai by the copy of openai's code in torch-fidelity. Weights are
numbers of ../formula.py.
"""

import sys
import tempfile

sys.path.insert(0, "..")
sys.dont_write_bytecode = True

import torch
import torch_fidelity
import transformers
from torch_fidelity.feature_extractor_clip import VisionTransformer
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig
from transformers import CLIPVisionModelWithProjection

from formula import count, forward, numbers, reload, weight, write

transformers.logging.set_verbosity_error()


def sizes(features, heads, depth, patch, pixels, outputs):
    names = ("features", "heads", "depth", "patch", "pixels", "outputs")
    return dict(zip(names, (features, heads, depth, patch, pixels, outputs)))


def pictures(n, size):
    return numbers("pictures", (n, 3, size["pixels"], size["pixels"]))


def config(size):
    return CLIPVisionConfig(
        hidden_size=size["features"],
        intermediate_size=4 * size["features"],
        num_hidden_layers=size["depth"],
        num_attention_heads=size["heads"],
        patch_size=size["patch"],
        image_size=size["pixels"],
        projection_dim=size["outputs"],
    )


class Features(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        if isinstance(self.net, CLIPModel):
            return self.net.visual_projection(self.net.vision_model(x).pooler_output)
        return self.net(pixel_values=x).image_embeds


def huggingface(size, n, whole=False):
    if whole:
        text = CLIPTextConfig(
            vocab_size=11,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=5,
        )
        both = CLIPConfig(
            text_config=text.to_dict(),
            vision_config=config(size).to_dict(),
            projection_dim=size["outputs"],
        )
        net = CLIPModel(both)
    else:
        net = CLIPVisionModelWithProjection(config(size))
    with tempfile.TemporaryDirectory() as folder:
        net, shapes = reload(net, folder)
    tokens = (size["pixels"] // size["patch"]) ** 2 + 1
    if whole:  # A buffer that files written before transformers 4.31 hold.
        shapes["vision_model.embeddings.position_ids"] = [1, tokens]
    return {**size, "input": [n], **forward(Features(net), pictures(n, size)), "shapes": shapes}


def openai(size, n):
    net = VisionTransformer(
        size["pixels"], size["patch"], size["features"], size["depth"], size["heads"], size["outputs"]
    ).eval()
    shapes = {"visual." + name: list(v.shape) for name, v in net.state_dict().items()}
    state = {name: weight(name, shape) for name, shape in shapes.items()}
    net.load_state_dict({name.removeprefix("visual."): v for name, v in state.items()})
    # What else a state dict of openai holds.
    d = size["outputs"]
    shapes |= {
        "positional_embedding": [5, 8],
        "text_projection": [8, d],
        "logit_scale": [],
        "token_embedding.weight": [11, 8],
        "ln_final.weight": [8],
        "ln_final.bias": [8],
        "transformer.resblocks.0.ln_1.weight": [8],
        "input_resolution": [],
        "context_length": [],
        "vocab_size": [],
    }
    return {**size, "input": [n], **forward(net, pictures(n, size)), "shapes": shapes}


torch.manual_seed(0)
a, b = sizes(24, 3, 2, 4, 16, 10), sizes(16, 2, 3, 8, 32, 6)
write(
    __file__,
    {
        "huggingface-16": huggingface(a, 3),
        "huggingface-whole-32": huggingface(b, 2, whole=True),
        "openai-16": openai(a, 3),
        "openai-32": openai(b, 2),
    },
    transformers,
)
with open("versions.txt", "a") as file:
    file.write(f"torch_fidelity {torch_fidelity.__version__}\n")

count(
    __file__,
    {
        name: (size["outputs"], lambda size=size: CLIPVisionModelWithProjection(config(size)))
        for name, size in {
            "clip-b32": sizes(768, 12, 12, 32, 224, 512),
            "clip-l14": sizes(1024, 16, 24, 14, 224, 768),
        }.items()
    },
)
