//! What a step's condition refers to.

use super::ast::{Expr, Operand, Path, Test, TestKind};
use crate::template::{Reference, TemplateError};

/// The references of `expr`, which was written as `text`.
pub(super) fn references(text: &str, expr: &Expr) -> Vec<Result<Reference, TemplateError>> {
    let mut out = Vec::new();
    expr.each_test(&mut |test| match &test.kind {
        TestKind::Compare { left, right, .. } => {
            out.extend([left, right].into_iter().filter_map(|side| operand(text, test, side)));
        }
        TestKind::In { path, .. }
        | TestKind::Contains { path, .. }
        | TestKind::Matches { path, .. } => out.push(of(path, false)),
        TestKind::Exists(path) => out.push(of(path, true)),
    });
    out
}

fn operand(text: &str, test: &Test, operand: &Operand) -> Option<Result<Reference, TemplateError>> {
    match operand {
        Operand::Literal(_) => None,
        Operand::Path(path) => Some(of(path, false)),
        Operand::Payload => Some(Err(TemplateError {
            message: "the condition of a step says what it compares".into(),
            pointer: String::new(),
            span: test.span.clone(),
            help: Some(format!("write `$.event {}`", &text[test.span.clone()])),
        })),
    }
}

/// The reference of a path; `asked` where its absence is what the test is about.
fn of(path: &Path, asked: bool) -> Result<Reference, TemplateError> {
    let span = path.start..path.start + path.text.len();
    Reference::read(&path.segments, &path.text, span, asked)
}
