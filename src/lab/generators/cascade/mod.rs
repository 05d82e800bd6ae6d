//! A cascade of diffusion models: small pictures from nothing but their class, then larger ones
//! from smaller ones.
//!
//! Ho et al. 2021 (arXiv:2106.15282); as Imagen (Saharia et al. 2022, arXiv:2205.11487) is built
//! and Azizi et al. 2023 (arXiv:2304.08466) use it: every stage has a net, a training, a schedule,
//! a guidance, a variance, a sampler of its own. A stage that enlarges sees the smaller picture
//! beside the noisy one, with noise on it whose level it is told ([`Enlarging`]).
// DIFFERS: Imagen's text enters every stage; here the class does, in the same way at every size.
// DIFFERS: Imagen's stages that enlarge have an Efficient U-Net; here all stages have one family.

mod artist;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Enlarging, Part, Pixel, PixelTraining};
use crate::lab::diffusion::Sampler;
use crate::lab::images::Filter;
use crate::terms::{Problem, nearest};

pub use artist::UpscalingArtist;

/// Diffusion models in a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Cascade {
    /// The model that draws the smallest pictures.
    pub base: CascadeStart,
    /// The models that enlarge, by name, in their order.
    pub stage: IndexMap<String, Upscaler>,
    /// Whose pictures classifiers learn from and metrics look at: `base` or a stage. Empty: the
    /// last stage. Stages after it are not trained.
    pub pictures: String,
    /// The kernel that brings these pictures to `data.size`, if they have another size. `box`
    /// repeats pixels where the factor is whole.
    pub resize: Filter,
    /// The address of the weights' and the pictures' randomness.
    pub seed: u64,
}

/// The model that draws the smallest pictures of a cascade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CascadeStart {
    /// Side of its pictures in pixels.
    #[schemars(range(min = 1))]
    pub size: usize,
    /// What decides its weights.
    pub training: PixelTraining,
    /// From noise to picture.
    pub sampler: Sampler,
    /// How far the class is exaggerated: `u + guidance * (c - u)`; 1 is off.
    #[schemars(range(min = 0.0))]
    pub guidance: f64,
    /// Whether every estimate of the clean picture is clamped to the range of pictures.
    pub clip: bool,
}

/// A model of a cascade that enlarges the pictures of the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Upscaler {
    /// Side of its pictures in pixels: a multiple of that of the model before.
    #[schemars(range(min = 1))]
    pub size: usize,
    /// What decides its weights.
    pub training: PixelTraining,
    /// How smaller pictures are shown to the net.
    pub enlarging: Enlarging,
    /// Which smaller pictures it enlarges.
    pub low: Low,
    /// The level of noise that is put on smaller pictures before they are enlarged, as a share of
    /// the schedule; 0 is none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise_level: f64,
    /// From noise to picture.
    pub sampler: Sampler,
    /// How far the class is exaggerated: `u + guidance * (c - u)`; 1 is off.
    #[schemars(range(min = 0.0))]
    pub guidance: f64,
    /// Whether every estimate of the clean picture is clamped to the range of pictures.
    pub clip: bool,
}

/// Which smaller pictures a stage enlarges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Low {
    /// Those that the model before has drawn.
    #[default]
    Drawn,
    /// Real training pictures of the same class, scaled down: what is lost is lost by this stage.
    Real,
}

impl Default for CascadeStart {
    fn default() -> Self {
        let Pixel { training, sampler, guidance, clip, .. } = Pixel::default();
        Self { size: 4, training, sampler, guidance, clip }
    }
}

impl Default for Upscaler {
    fn default() -> Self {
        let Pixel { training, sampler, clip, .. } = Pixel::default();
        Self {
            size: 8,
            training,
            enlarging: Enlarging::default(),
            low: Low::default(),
            noise_level: 0.0,
            sampler,
            // Azizi et al. 2023, section 4.3: off in the stages that enlarge.
            guidance: 1.0,
            clip,
        }
    }
}

impl CascadeStart {
    /// Returns the model as one on pixels.
    pub fn pixel(&self, seed: u64) -> Pixel {
        let Self { training, sampler, guidance, clip, .. } = self.clone();
        Pixel { training, sampler, guidance, clip, seed }
    }
}

impl Upscaler {
    /// Returns the model as one on pixels.
    pub fn pixel(&self, seed: u64) -> Pixel {
        let Self { training, sampler, guidance, clip, .. } = self.clone();
        Pixel { training, sampler, guidance, clip, seed }
    }
}

/// What the first model of a cascade is called.
const BASE: &str = "base";

impl Cascade {
    /// Returns the stages that enlarge, up to the one whose pictures are used.
    pub fn used(&self) -> Vec<(&str, &Upscaler)> {
        let all = || self.stage.iter().map(|(name, stage)| (name.as_str(), stage));
        let last = match self.pictures.as_str() {
            "" => self.stage.len(),
            name => all().position(|(known, _)| known == name).map_or(0, |at| at + 1),
        };
        all().take(last).collect()
    }

    /// Returns the side of the pictures that are used.
    pub fn size(&self) -> usize {
        self.used().last().map_or(self.base.size, |(_, stage)| stage.size)
    }

    /// Returns the models that are trained, in their order.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let CascadeStart { size, training, .. } = &self.base;
        let path = format!("cascade.{BASE}");
        let mut parts = vec![Part { path, stage: None, size: *size, training, enlarging: None }];
        for (name, stage) in self.used() {
            let Upscaler { size, training, enlarging, low, .. } = stage;
            let below = parts.last().map_or(self.base.size, |part| part.size);
            if *low == Low::Real {
                parts.clear(); // What comes before real pictures are enlarged is not looked at.
            }
            parts.push(Part {
                path: format!("cascade.stage.{name}"),
                stage: Some(name),
                size: *size,
                training,
                enlarging: Some((*enlarging, below)),
            });
        }
        parts
    }

    /// Returns what the user asked for and cannot have; `source` names the place of the cascade.
    pub fn check(&self, source: &str) -> Vec<Problem> {
        let at = |path: &str| format!("{source}.{path}");
        let mut problems = checked(&self.base.training, &self.base.sampler, &at(BASE));
        let mut below = (BASE, self.base.size);
        for (name, stage) in &self.stage {
            let place = at(&format!("stage.{name}"));
            problems.extend(checked(&stage.training, &stage.sampler, &place));
            if stage.size <= below.1 || stage.size % below.1 != 0 {
                problems.push(Problem::new(
                    format!("{place}.size"),
                    format!("{} pixels, made from the {} of `{}`", stage.size, below.1, below.0),
                    format!("a multiple of {}: {}, {}, ...", below.1, 2 * below.1, 3 * below.1),
                ));
            }
            if stage.noise_level > stage.enlarging.noise_max {
                problems.push(Problem::new(
                    format!("{place}.noise-level"),
                    format!("noise of level {}", stage.noise_level),
                    format!("at most `enlarging.noise-max`, {}", stage.enlarging.noise_max),
                ));
            }
            if name == BASE {
                problems.push(Problem::new(
                    place,
                    "a stage that enlarges with the name of the first model",
                    "another name",
                ));
            }
            below = (name, stage.size);
        }
        problems.extend(self.unknown_pictures(at("pictures")));
        problems
    }

    fn unknown_pictures(&self, source: String) -> Option<Problem> {
        let above = self.stage.keys().map(String::as_str).filter(|name| *name != BASE);
        let known: Vec<&str> = std::iter::once(BASE).chain(above).collect();
        let name = self.pictures.as_str();
        if name.is_empty() || known.contains(&name) {
            return None;
        }
        let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let expected = format!("one of {}", listed.join(", "));
        let problem = Problem::new(source, format!("unknown stage `{name}`"), expected);
        Some(match nearest(name, known) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        })
    }
}

/// Returns what is wrong with one model.
fn checked(training: &PixelTraining, sampler: &Sampler, source: &str) -> Vec<Problem> {
    let mut problems = training.net.check(&format!("{source}.training.net"));
    problems.extend(sampler.problems(&training.schedule, &format!("{source}.sampler")));
    problems
}
