//! What the tensors of a DINOv2 are called in files.

use crate::nets::weights::{State, Stored};

/// Names inside and outside of a layer: ours, which are the hub's, and those of Hugging Face.
const OUTER: [(&str, &str); 6] = [
    ("cls_token", "embeddings.cls_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight"),
    ("patch_embed.proj.bias", "embeddings.patch_embeddings.projection.bias"),
    ("norm.weight", "layernorm.weight"),
    ("norm.bias", "layernorm.bias"),
];

/// The same inside of a layer; what is not here has the same name in both.
const INNER: [(&str, &str); 4] = [
    ("attn.proj.weight", "attention.output.dense.weight"),
    ("attn.proj.bias", "attention.output.dense.bias"),
    ("ls1.gamma", "layer_scale1.lambda1"),
    ("ls2.gamma", "layer_scale2.lambda1"),
];

/// Returns the way a file names its tensors: that of Hugging Face's `Dinov2Model` where the file
/// has its class token, else that of the hub.
pub(super) fn naming(file: &State) -> fn(&str) -> Stored {
    if file.contains_key(OUTER[0].1) { huggingface } else { |name| Stored::As(name.to_owned()) }
}

/// Holds for the token that stands for masked patches in training, under both names.
pub(super) fn is_mask_token(name: &str) -> bool {
    matches!(name, "mask_token" | "embeddings.mask_token")
}

fn huggingface(name: &str) -> Stored {
    let other = |table: &[(&str, &str)], name: &str| {
        let row = table.iter().find(|row| row.0 == name);
        row.map_or(name, |row| row.1).to_owned()
    };
    let Some((layer, part)) = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'))
    else {
        return Stored::As(other(&OUTER, name));
    };
    let layer = format!("encoder.layer.{layer}");
    match part.strip_prefix("attn.qkv.") {
        Some(kind) => Stored::Joined(
            ["query", "key", "value"].map(|q| format!("{layer}.attention.attention.{q}.{kind}")),
        ),
        None => Stored::As(format!("{layer}.{}", other(&INNER, part))),
    }
}
