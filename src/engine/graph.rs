//! Stages and what they are made from.
//!
//! A node can only name inputs that were added before it, so the order of adding is a topological
//! order and there are no cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::stage::Stage;
use super::store::Origin;
use crate::terms::Key;

/// A node of a [`Graph`]; a lower one was added earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(usize);

/// A stage with its inputs.
pub struct Node {
    stage: Arc<dyn Stage>,
    key: Key,
    origin: Origin,
    inputs: BTreeMap<String, NodeId>,
}

impl Node {
    /// Returns the stage.
    pub fn stage(&self) -> &dyn Stage {
        &*self.stage
    }

    /// Returns the key of the entry the stage makes.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Returns all that decides the key.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns what people call it.
    pub fn label(&self) -> &str {
        &self.origin.label
    }

    /// Returns its inputs by name.
    pub fn inputs(&self) -> &BTreeMap<String, NodeId> {
        &self.inputs
    }
}

/// Stages and what they are made from.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
    by_key: BTreeMap<Key, NodeId>,
}

impl Graph {
    /// Adds a stage with its named inputs; one that is already there is returned.
    ///
    /// # Panics
    /// If two inputs have the same name, or an input is not of this graph.
    pub fn add(&mut self, stage: Arc<dyn Stage>, inputs: &[(&str, NodeId)]) -> NodeId {
        let by_name: BTreeMap<_, _> =
            inputs.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect();
        assert_eq!(by_name.len(), inputs.len(), "every input has its own name");
        let origin = Origin {
            kind: stage.kind().to_owned(),
            version: stage.version(),
            label: stage.label(),
            spec: stage.spec(),
            inputs: by_name.iter().map(|(n, id)| (n.clone(), self.node(*id).key)).collect(),
            estimate: stage.estimate(),
        };
        let key = origin.key();
        *self.by_key.entry(key).or_insert_with(|| {
            self.nodes.push(Node { stage, key, origin, inputs: by_name });
            NodeId(self.nodes.len() - 1)
        })
    }

    /// Returns a node.
    ///
    /// # Panics
    /// If it is not of this graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Returns the node of a key.
    pub fn find(&self, key: Key) -> Option<NodeId> {
        self.by_key.get(&key).copied()
    }

    /// Iterates over all nodes, inputs before what is made from them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i), node))
    }

    /// Returns which nodes the targets need: those that must run, and those whose entries they
    /// start from. `exists` is asked at most once for each; a node whose entry exists needs none of
    /// its inputs, so the ancestors of a cached result are never looked at.
    ///
    /// # Errors
    /// The first error of `exists`.
    pub fn needed<E>(
        &self,
        targets: &[NodeId],
        mut exists: impl FnMut(NodeId, &Node) -> Result<bool, E>,
    ) -> Result<Needed, E> {
        let mut needed = Needed::default();
        let mut open: Vec<NodeId> = targets.to_vec();
        while let Some(id) = open.pop() {
            if needed.run.contains(&id) || needed.cached.contains(&id) {
                continue;
            }
            let node = self.node(id);
            if exists(id, node)? {
                needed.cached.insert(id);
            } else {
                needed.run.insert(id);
                open.extend(node.inputs.values());
            }
        }
        Ok(needed)
    }
}

/// What some targets need; in both sets inputs come before what is made from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Nodes that must run.
    pub run: BTreeSet<NodeId>,
    /// Nodes whose entries exist and are targets or inputs of those that run.
    pub cached: BTreeSet<NodeId>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::testing::Fake;

    fn add(graph: &mut Graph, kind: &'static str, inputs: &[(&str, NodeId)]) -> NodeId {
        graph.add(Arc::new(Fake::new(kind, json!({"steps": 50, "eta": 0.5}))), inputs)
    }

    #[test]
    fn keys_are_stable() {
        // Pinned: a change here makes every store ever filled worthless.
        let mut graph = Graph::default();
        let data = add(&mut graph, "data", &[]);
        let sample = add(&mut graph, "sample", &[("data", data)]);
        let keys = [data, sample].map(|id| graph.node(id).key().hex());
        assert_eq!(
            keys,
            [
                "ed01c4eb2e51e76aa3f4a58bfef05cf1537603367485b33dbc63c4634b489087",
                "80a7ee3a8adea65ffad88a4d9861104387f3a9ddf914eb4dfeaa0bcd575781ef",
            ]
        );
    }

    #[test]
    fn equal_stages_are_one_node_and_the_order_of_inputs_does_not_matter() {
        let mut graph = Graph::default();
        let a = add(&mut graph, "a", &[]);
        let b = add(&mut graph, "b", &[]);
        assert_eq!(add(&mut graph, "a", &[]), a);
        let both = add(&mut graph, "c", &[("a", a), ("b", b)]);
        assert_eq!(add(&mut graph, "c", &[("b", b), ("a", a)]), both);
        assert_ne!(add(&mut graph, "c", &[("b", a), ("a", b)]), both);
        assert_eq!(graph.find(graph.node(both).key()), Some(both));
        assert_eq!(graph.iter().len(), 4);
    }

    #[test]
    fn a_cached_node_never_asks_for_its_ancestors() {
        let mut graph = Graph::default();
        let data = add(&mut graph, "data", &[]);
        let generator = add(&mut graph, "generator", &[("data", data)]);
        let pictures = add(&mut graph, "pictures", &[("generator", generator)]);
        let score = add(&mut graph, "score", &[("pictures", pictures), ("data", data)]);
        let mut asked = Vec::new();
        let needed = graph.needed::<()>(&[score], |id, _| {
            asked.push(id);
            Ok(id == pictures || id == data)
        });
        let want = Needed { run: [score].into(), cached: [data, pictures].into() };
        assert_eq!(needed, Ok(want));
        asked.sort();
        assert_eq!(asked, [data, pictures, score]);
    }
}
