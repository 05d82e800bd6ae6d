//! The law of a declaration: what fresh pictures of its classes are drawn from.

use super::{Scene, Shapes};
use crate::lab::data::Source;
use crate::lab::data::subset::Subset;
use crate::terms::{ClassId, Seed};

/// The law of shapes as a subset narrows it: of each class, the classes of the law that it is made
/// of.
#[derive(Clone, Debug, PartialEq)]
pub struct Law {
    shapes: Shapes,
    members: Vec<Vec<ClassId>>,
}

impl Law {
    /// Returns the law of a declaration that has passed [`check`](crate::lab::data::check); `None`
    /// if nobody knows it, which is so for all data but shapes.
    pub fn of(source: &Source, subset: &Subset) -> Option<Self> {
        let Source::Shapes(shapes) = source else { return None };
        let known = shapes.classes();
        let kept = subset.kept(&known).expect("the subset was checked");
        let members = if subset.merge.is_empty() {
            kept.into_iter().map(|class| vec![class]).collect()
        } else {
            let find = |name: &String| known.find(name).expect("the subset was checked");
            subset.merge.values().map(|names| names.iter().map(find).collect()).collect()
        };
        Some(Self { shapes: shapes.clone(), members })
    }

    /// Returns the picture of a class of the data at an address, before it is drawn.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn scene(&self, class: ClassId, seed: Seed) -> Scene {
        let members = &self.members[class.index()];
        let member = match members[..] {
            [only] => only,
            _ => members[seed.child("member").stream().below(members.len())],
        };
        self.shapes.scene(member, seed)
    }

    /// Returns the same law with fewer modes ([`Shapes::with_modes`]).
    #[must_use]
    pub fn with_modes(&self, share: f64, seed: Seed) -> Self {
        Self { shapes: self.shapes.with_modes(share, seed), members: self.members.clone() }
    }
}
