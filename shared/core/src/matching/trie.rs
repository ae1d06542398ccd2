//! Topic filters by level.

use std::collections::HashMap;

use super::index::Slot;
use crate::topic::{self, TopicFilter};

/// Filters, so that a topic meets only those that agree with it level by level.
///
/// Levels are interned, so a topic is hashed once however many branches it follows.
#[derive(Debug)]
pub(super) struct Trie {
    levels: HashMap<Box<str>, u32>,
    /// From a node, by a level's number, to a node.
    edges: HashMap<(u32, u32), u32>,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    has_edges: bool,
    plus: Option<u32>,
    /// Filters that end here.
    ends: Vec<Slot>,
    /// Filters that end in `#` after this level.
    rest: Vec<Slot>,
}

const ROOT: u32 = 0;

impl Default for Trie {
    fn default() -> Self {
        Self { levels: HashMap::new(), edges: HashMap::new(), nodes: vec![Node::default()] }
    }
}

impl Trie {
    /// Adds a filter.
    pub(super) fn insert(&mut self, filter: &TopicFilter, slot: Slot) {
        let mut at = ROOT;
        for level in filter.levels() {
            at = match level {
                "#" => {
                    self.nodes[at as usize].rest.push(slot);
                    return;
                }
                "+" => match self.nodes[at as usize].plus {
                    Some(next) => next,
                    None => {
                        let next = self.node();
                        self.nodes[at as usize].plus = Some(next);
                        next
                    }
                },
                level => self.literal(at, level),
            };
        }
        self.nodes[at as usize].ends.push(slot);
    }

    fn literal(&mut self, at: u32, level: &str) -> u32 {
        let fresh = count(self.levels.len());
        let level = match self.levels.get(level) {
            Some(&known) => known,
            None => {
                self.levels.insert(level.into(), fresh);
                fresh
            }
        };
        if let Some(&next) = self.edges.get(&(at, level)) {
            return next;
        }
        let next = self.node();
        self.nodes[at as usize].has_edges = true;
        self.edges.insert((at, level), next);
        next
    }

    fn node(&mut self) -> u32 {
        let next = count(self.nodes.len());
        self.nodes.push(Node::default());
        next
    }

    /// Adds the slots of all filters that match `topic` to `out`, in no order.
    ///
    /// The work is bounded by the topic's levels times the nodes that agree with it.
    pub(super) fn find(&self, topic: &str, out: &mut Vec<Slot>) {
        if self.nodes.len() == 1 && self.nodes[0].rest.is_empty()
            || topic::check_name(topic).is_err()
        {
            return;
        }
        // Source: MQTT 5.0, section 4.7.2: wildcards in front do not match `$SYS` and its like.
        let mut takes_wildcards = !topic.starts_with('$');
        let (mut here, mut next) = (vec![ROOT], Vec::new());
        for level in topic.split('/') {
            let level = self.levels.get(level).copied();
            for &at in &here {
                let node = &self.nodes[at as usize];
                if takes_wildcards {
                    out.extend_from_slice(&node.rest);
                    next.extend(node.plus);
                }
                if let Some(level) = level.filter(|_| node.has_edges) {
                    next.extend(self.edges.get(&(at, level)));
                }
            }
            takes_wildcards = true;
            here.clear();
            std::mem::swap(&mut here, &mut next);
            if here.is_empty() {
                return;
            }
        }
        for &at in &here {
            let node = &self.nodes[at as usize];
            out.extend_from_slice(&node.ends);
            out.extend_from_slice(&node.rest);
        }
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a catalog has fewer than 2^32 levels")
}
