//! What a picture shows: a class by number, and the names of all classes in order.

use serde::{Deserialize, Serialize};

/// The number of a class, counted from 0 in the order of its [`ClassNames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u32);

impl ClassId {
    /// Returns the class as a position in a table of classes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The names of all classes of a data set; a name's position is its [`ClassId`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassNames(Vec<String>);

impl ClassNames {
    /// Collects names in class order.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Returns the number of classes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no class at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the name of a class.
    ///
    /// # Panics
    /// If the class does not belong to these names.
    pub fn name(&self, class: ClassId) -> &str {
        &self.0[class.index()]
    }

    /// Returns the class of a name.
    pub fn find(&self, name: &str) -> Option<ClassId> {
        let position = self.0.iter().position(|known| known == name)?;
        Some(ClassId(u32::try_from(position).expect("class counts fit in u32")))
    }

    /// Iterates over the names in class order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Iterates over all classes in order.
    pub fn ids(&self) -> impl Iterator<Item = ClassId> + use<> {
        (0..u32::try_from(self.0.len()).expect("class counts fit in u32")).map(ClassId)
    }
}
