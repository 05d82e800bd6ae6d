//! Reading a configuration file and refusing, all at once, what this net does not compute.

use serde_json::{Map, Value};

use super::config::{
    ClassEmbedType, DownBlockType, MidBlockType, OneOrEach, UNetConfig, UpBlockType,
};
use crate::terms::{Problem, Problems};

/// Keys of `UNet2DConditionModel` that change what is computed, and the only values that are
/// computed here. Keys that change nothing with the supported blocks (`upcast_attention`,
/// `resnet_skip_time_act`, `cross_attention_norm`, ...) are absent: they are ignored, as are keys
/// that `diffusers` does not know.
const FIXED: [(&str, &[&str]); 17] = [
    ("_class_name", &["\"UNet2DConditionModel\""]),
    ("act_fn", &["\"silu\"", "\"swish\""]),
    ("addition_embed_type", &["null"]),
    ("attention_type", &["\"default\""]),
    ("class_embeddings_concat", &["false"]),
    ("dropout", &["0.0", "0"]),
    ("dual_cross_attention", &["false"]),
    ("encoder_hid_dim", &["null"]),
    ("encoder_hid_dim_type", &["null"]),
    ("mid_block_scale_factor", &["1", "1.0"]),
    ("num_attention_heads", &["null"]),
    ("only_cross_attention", &["false"]),
    ("reverse_transformer_layers_per_block", &["null"]),
    ("time_cond_proj_dim", &["null"]),
    ("time_embedding_act_fn", &["null"]),
    ("time_embedding_type", &["\"positional\""]),
    ("timestep_post_act", &["null"]),
];

impl UNetConfig {
    /// Reads the `config.json` of a `UNet2DConditionModel`; `source` names the file in messages.
    ///
    /// # Errors
    /// If the text is no JSON object, if a key has a value that is not understood or asks for
    /// something that is not computed here, or if the configuration contradicts itself.
    pub fn from_json(source: &str, json: &str) -> Result<Self, Problems> {
        let map: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| Problem::new(source, error.to_string(), "a JSON object"))?;
        let mut problems = unsupported(source, &map);
        problems.extend(map.iter().filter_map(|(key, value)| misread(source, key, value)));
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let config: Self = serde_json::from_value(Value::Object(map))
            .expect("a file whose keys can be read one by one can be read as a whole");
        config.check(source)?;
        Ok(config)
    }

    /// Checks that the configuration describes a net.
    ///
    /// # Errors
    /// If keys contradict each other, all contradictions together.
    pub fn check(&self, source: &str) -> Result<(), Problems> {
        let mut problems = self.check_lengths(source);
        if problems.is_empty() {
            problems = (0..self.levels()).flat_map(|i| self.check_level(source, i)).collect();
            let contexts = self.contexts();
            if contexts.iter().any(|features| *features != contexts[0]) {
                let found = format!("`cross_attention_dim` {contexts:?}");
                problems.push(Problem::new(source, found, "one number: there is one context"));
            }
        }
        if self.class_embed_type == Some(ClassEmbedType::Identity)
            && self.num_class_embeds.is_some()
        {
            problems.push(Problem::new(
                source,
                "`num_class_embeds` beside `class_embed_type` `identity`",
                "one of the two",
            ));
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    fn check_lengths(&self, source: &str) -> Vec<Problem> {
        let levels = self.levels();
        let lengths = [
            ("down_block_types", Some(self.down_block_types.len())),
            ("up_block_types", Some(self.up_block_types.len())),
            ("layers_per_block", length(&self.layers_per_block)),
            ("cross_attention_dim", length(&self.cross_attention_dim)),
            ("transformer_layers_per_block", length(&self.transformer_layers_per_block)),
            ("attention_head_dim", length(&self.attention_head_dim)),
        ];
        let mut problems: Vec<Problem> = lengths
            .into_iter()
            .filter_map(|(key, length)| length.filter(|n| *n != levels).map(|n| (key, n)))
            .map(|(key, n)| {
                let expected = format!("{levels}, as in `block_out_channels`");
                Problem::new(source, format!("`{key}` with {n} entries"), expected)
            })
            .collect();
        let counts = [
            ("block_out_channels", self.block_out_channels.iter().copied().min().unwrap_or(0)),
            ("layers_per_block", smallest(&self.layers_per_block)),
            ("transformer_layers_per_block", smallest(&self.transformer_layers_per_block)),
            ("attention_head_dim", smallest(&self.attention_head_dim)),
            ("norm_num_groups", self.norm_num_groups),
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("conv_in_kernel", self.conv_in_kernel % 2),
            ("conv_out_kernel", self.conv_out_kernel % 2),
        ];
        problems.extend(counts.into_iter().filter(|(_, n)| *n == 0).map(|(key, _)| {
            let odd = key.ends_with("kernel");
            let (found, expected) =
                if odd { ("even", "an odd number") } else { ("0 or empty", "at least 1") };
            Problem::new(source, format!("`{key}` is {found}"), expected)
        }));
        problems
    }

    fn check_level(&self, source: &str, level: usize) -> Vec<Problem> {
        let channels = self.block_out_channels[level];
        let mut problems = Vec::new();
        let mut divides = |key: &str, divisor: usize| {
            if !channels.is_multiple_of(divisor) {
                problems.push(Problem::new(
                    source,
                    format!("`{key}` {divisor} at level {level}"),
                    format!("a divisor of its {channels} channels"),
                ));
            }
        };
        divides("norm_num_groups", self.norm_num_groups);
        let last = self.levels() - 1;
        let (down, up) = (self.down_block_types[level], self.up_block_types[last - level]);
        let bottom =
            level == last && self.mid_block_type == Some(MidBlockType::UNetMidBlock2DCrossAttn);
        let crossing =
            down == DownBlockType::CrossAttnDownBlock2D || up == UpBlockType::CrossAttnUpBlock2D;
        if crossing || bottom || down == DownBlockType::AttnDownBlock2D {
            divides("attention_head_dim", self.attention_head_dim.at(level));
        }
        if up == UpBlockType::AttnUpBlock2D {
            divides("attention_head_dim", self.attention_head_dim.at(last - level));
        }
        if crossing && self.cross_attention_dim.at(level).is_none() {
            let found = format!("a block with cross-attention at level {level}");
            problems.push(
                Problem::new(source, found, "a number as its `cross_attention_dim`").hint(
                    "blocks that look only at the picture are `AttnDownBlock2D`, `AttnUpBlock2D`",
                ),
            );
        }
        problems
    }
}

fn unsupported(source: &str, map: &Map<String, Value>) -> Vec<Problem> {
    let accepts = |accepted: &[&str], value: &Value| {
        let plain = |value: &Value| accepted.contains(&value.to_string().as_str());
        plain(value) || value.as_array().is_some_and(|each| each.iter().all(plain))
    };
    FIXED
        .iter()
        .filter_map(|(key, accepted)| map.get(*key).map(|value| (key, accepted, value)))
        .filter(|(_, accepted, value)| !accepts(accepted, value))
        .map(|(key, accepted, value)| {
            let found = format!("`{key}` is `{value}`, which is not computed");
            Problem::new(source, found, format!("`{}`", accepted.join("` or `")))
        })
        .collect()
}

/// Reads one key by itself, so that a message can name it.
fn misread(source: &str, key: &str, value: &Value) -> Option<Problem> {
    let alone = Map::from_iter([(key.to_owned(), value.clone())]);
    let error = serde_json::from_value::<UNetConfig>(Value::Object(alone)).err()?;
    let expected = format!("a value that is computed here ({error})");
    Some(Problem::new(source, format!("`{key}` is `{value}`"), expected))
}

fn length<T>(values: &OneOrEach<T>) -> Option<usize> {
    match values {
        OneOrEach::One(_) => None,
        OneOrEach::Each(values) => Some(values.len()),
    }
}

fn smallest(values: &OneOrEach<usize>) -> usize {
    values.given().iter().copied().min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configuration file of Stable Diffusion 1.5, in the words of the release of its time.
    const SD15: &str = r#"{
        "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu",
        "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280],
        "center_input_sample": false, "cross_attention_dim": 768,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                             "CrossAttnDownBlock2D", "DownBlock2D"],
        "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
        "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05,
        "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D",
                           "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]
    }"#;

    #[test]
    fn stable_diffusion_is_the_default_with_a_smaller_context() {
        let want = UNetConfig {
            cross_attention_dim: OneOrEach::One(Some(768)),
            sample_size: Some(OneOrEach::One(64)),
            ..UNetConfig::default()
        };
        assert_eq!(UNetConfig::from_json("sd", SD15), Ok(want.clone()));
        let written = serde_json::to_string(&want).unwrap();
        assert_eq!(UNetConfig::from_json("sd", &written), Ok(want));
    }

    #[test]
    fn keys_that_change_nothing_are_ignored() {
        let json = r#"{"upcast_attention": true, "resnet_skip_time_act": true, "house": "blue",
                       "only_cross_attention": [false, false, false, false]}"#;
        assert_eq!(UNetConfig::from_json("file", json), Ok(UNetConfig::default()));
    }

    fn messages(json: &str) -> Vec<String> {
        let Err(Problems(problems)) = UNetConfig::from_json("config.json", json) else {
            panic!("accepted: {json}");
        };
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name_and_all_at_once() {
        let found = messages(
            r#"{"act_fn": "gelu", "addition_embed_type": "text_time", "dropout": 0.1,
                "only_cross_attention": [false, true, false, false],
                "class_embed_type": "projection", "layers_per_block": "two",
                "norm_num_groups": null,
                "mid_block_type": "UNetMidBlock2DSimpleCrossAttn"}"#,
        );
        let keys = [
            "act_fn",
            "addition_embed_type",
            "class_embed_type",
            "dropout",
            "layers_per_block",
            "mid_block_type",
            "norm_num_groups",
            "only_cross_attention",
        ];
        assert_eq!(found.len(), keys.len(), "{found:#?}");
        for key in keys {
            assert!(found.iter().any(|it| it.contains(&format!("`{key}`"))), "{key}: {found:#?}");
        }
        let act = "config.json: `act_fn` is `\"gelu\"`, which is not computed, \
                   expected `\"silu\"` or `\"swish\"`";
        assert!(found.contains(&act.to_owned()), "{found:#?}");
    }

    #[test]
    fn every_fixed_key_accepts_what_it_says_and_nothing_else() {
        for (key, accepted) in FIXED {
            for value in accepted {
                assert!(UNetConfig::from_json("file", &format!("{{\"{key}\": {value}}}")).is_ok());
            }
            assert_eq!(messages(&format!("{{\"{key}\": \"other\"}}")).len(), 1, "{key}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for (json, want) in [
            ("[]", "expected a JSON object"),
            (r#"{"block_out_channels": []}"#, "`block_out_channels` is 0 or empty"),
            (
                r#"{"block_out_channels": [320, 640]}"#,
                "`down_block_types` with 4 entries, expected 2",
            ),
            (
                r#"{"attention_head_dim": [8, 8]}"#,
                "`attention_head_dim` with 2 entries, expected 4",
            ),
            (r#"{"layers_per_block": [2, 2, 0, 2]}"#, "`layers_per_block` is 0 or empty"),
            (r#"{"norm_num_groups": 24}"#, "`norm_num_groups` 24 at level 0"),
            (r#"{"attention_head_dim": 7}"#, "`attention_head_dim` 7 at level 0"),
            (r#"{"conv_in_kernel": 4}"#, "`conv_in_kernel` is even"),
            (r#"{"cross_attention_dim": null}"#, "a block with cross-attention at level 0"),
            (r#"{"cross_attention_dim": [8, 8, 8, 4]}"#, "there is one context"),
            (
                r#"{"class_embed_type": "identity", "num_class_embeds": 3}"#,
                "`num_class_embeds` beside `class_embed_type`",
            ),
        ] {
            let found = messages(json);
            assert!(found.iter().any(|it| it.contains(want)), "{json}: {found:#?}");
        }
    }
}
