//! What a condition reads.

use super::ast::{Expr, Operand, Path, Segment, TestKind};

/// One path of a condition.
#[derive(Debug, Clone, Copy)]
pub struct PathRef<'c>(pub(super) &'c Path);

impl<'c> PathRef<'c> {
    /// As it is written, such as `$.steps.2.output`.
    pub fn text(self) -> &'c str {
        &self.0.text
    }

    /// Its keys up to the first position in brackets.
    pub fn keys(self) -> Vec<&'c str> {
        let key = |segment: &'c Segment| match segment {
            Segment::Name { key, .. } | Segment::Key(key) => Some(&**key),
            Segment::Index(_) => None,
        };
        self.0.segments.iter().map_while(key).collect()
    }
}

/// Adds the paths of `expr` to `found`.
pub(super) fn collect<'c>(expr: &'c Expr, found: &mut Vec<&'c Path>) {
    expr.each_test(&mut |test| match &test.kind {
        TestKind::Compare { left, right, .. } => {
            found.extend([left, right].into_iter().filter_map(|side| match side {
                Operand::Path(path) => Some(path),
                Operand::Payload | Operand::Literal(_) => None,
            }));
        }
        TestKind::In { path, .. }
        | TestKind::Contains { path, .. }
        | TestKind::Matches { path, .. }
        | TestKind::Exists(path) => found.push(path),
    });
}

/// Whether a test of `expr` compares the payload itself.
pub(super) fn reads_payload(expr: &Expr) -> bool {
    let mut found = false;
    expr.each_test(&mut |test| {
        if let TestKind::Compare { left, right, .. } = &test.kind {
            found |= [left, right].into_iter().any(|side| matches!(side, Operand::Payload));
        }
    });
    found
}
