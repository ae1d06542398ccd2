//! Conditions that no payload can make true.

use super::ast::{Comparison, Expr, Literal, Operand, Path, Segment, Test, TestKind};
use super::eval::literals;
use super::number::Number;

/// Says why `expr`, written as `text`, is true of nothing; `None` when it may be true, or when only
/// deeper reasoning could tell.
pub(super) fn never_holds(text: &str, expr: &Expr) -> Option<String> {
    match expr {
        Expr::Not(_) => None,
        Expr::Test(test) => {
            let is_empty = matches!(&test.kind, TestKind::In { list, .. } if list.is_empty());
            is_empty.then(|| format!("`{}`: the list is empty", &text[test.span.clone()]))
        }
        Expr::Any(parts) => {
            let reasons: Option<Vec<String>> =
                parts.iter().map(|part| never_holds(text, part)).collect();
            reasons.map(|reasons| reasons.join("; "))
        }
        Expr::All(_) => {
            let mut parts = Vec::new();
            flatten(expr, &mut parts);
            parts.iter().find_map(|part| never_holds(text, part)).or_else(|| clash(text, &parts))
        }
    }
}

/// The parts of nested `&&`s.
fn flatten<'a>(expr: &'a Expr, out: &mut Vec<&'a Expr>) {
    match expr {
        Expr::All(parts) => parts.iter().for_each(|part| flatten(part, out)),
        Expr::Any(_) | Expr::Not(_) | Expr::Test(_) => out.push(expr),
    }
}

/// What one test asks of one path.
struct Demand<'a> {
    subject: Option<&'a [Segment]>,
    asked: Asked<'a>,
    test: &'a Test,
}

enum Asked<'a> {
    Compare(Comparison, &'a Literal),
    OneOf(&'a [Literal]),
}

/// Two tests, or a test and the absence of its path, that exclude each other.
fn clash(text: &str, parts: &[&Expr]) -> Option<String> {
    let demands: Vec<Demand<'_>> = parts.iter().filter_map(|part| demand(part)).collect();
    let quote = |test: &Test| text[test.span.clone()].to_owned();
    for (i, first) in demands.iter().enumerate() {
        for second in &demands[i + 1..] {
            if first.subject == second.subject && excludes(&first.asked, &second.asked) {
                let (a, b) = (quote(first.test), quote(second.test));
                return Some(format!("`{a}` and `{b}` exclude each other"));
            }
        }
    }
    let absent = parts.iter().filter_map(|part| match part {
        Expr::Not(inner) => match &**inner {
            Expr::Test(test) => match &test.kind {
                TestKind::Exists(path) => Some((path, test)),
                TestKind::Compare { .. }
                | TestKind::In { .. }
                | TestKind::Contains { .. }
                | TestKind::Matches { .. } => None,
            },
            Expr::All(_) | Expr::Any(_) | Expr::Not(_) => None,
        },
        Expr::All(_) | Expr::Any(_) | Expr::Test(_) => None,
    });
    absent.into_iter().find_map(|(path, test)| {
        let needing = parts.iter().find_map(|part| match part {
            Expr::Test(other) if needs(other, path) => Some(other),
            Expr::Test(_) | Expr::All(_) | Expr::Any(_) | Expr::Not(_) => None,
        })?;
        Some(format!("`!{}` and `{}` exclude each other", quote(test), quote(needing)))
    })
}

/// Whether a test is unknown or false when nothing is at `absent`.
fn needs(test: &Test, absent: &Path) -> bool {
    let is_absent = |path: &Path| path.segments.starts_with(&absent.segments);
    match &test.kind {
        TestKind::Compare { left, right, .. } => [left, right]
            .into_iter()
            .any(|side| matches!(side, Operand::Path(path) if is_absent(path))),
        TestKind::In { path, .. }
        | TestKind::Contains { path, .. }
        | TestKind::Matches { path, .. }
        | TestKind::Exists(path) => is_absent(path),
    }
}

fn demand(expr: &Expr) -> Option<Demand<'_>> {
    let Expr::Test(test) = expr else { return None };
    let (operand, asked) = match &test.kind {
        TestKind::Compare { left, op, right: Operand::Literal(literal) } => {
            (left, Asked::Compare(*op, literal))
        }
        TestKind::Compare { left: Operand::Literal(literal), op, right } => {
            (right, Asked::Compare(op.mirrored(), literal))
        }
        TestKind::In { path, list } => {
            return Some(Demand { subject: Some(&path.segments), asked: Asked::OneOf(list), test });
        }
        TestKind::Compare { .. }
        | TestKind::Contains { .. }
        | TestKind::Matches { .. }
        | TestKind::Exists(_) => return None,
    };
    let subject = match operand {
        Operand::Path(path) => Some(path.segments.as_slice()),
        Operand::Payload | Operand::Literal(_) => None,
    };
    Some(Demand { subject, asked, test })
}

/// Whether no one value can satisfy both.
fn excludes(first: &Asked<'_>, second: &Asked<'_>) -> bool {
    match (first, second) {
        (Asked::OneOf(list), other) | (other, Asked::OneOf(list)) => {
            !list.iter().any(|value| satisfies(value, other))
        }
        (Asked::Compare(Comparison::Equal, value), _) => !satisfies(value, second),
        (_, Asked::Compare(Comparison::Equal, value)) => !satisfies(value, first),
        (Asked::Compare(a, left), Asked::Compare(b, right)) => apart(*a, left, *b, right),
    }
}

fn satisfies(value: &Literal, asked: &Asked<'_>) -> bool {
    match asked {
        Asked::Compare(op, literal) => literals(value, *op, literal) == Some(true),
        Asked::OneOf(list) => {
            list.iter().any(|literal| literals(value, Comparison::Equal, literal) == Some(true))
        }
    }
}

/// Whether two comparisons, neither an equality, leave no value between them.
fn apart(a: Comparison, left: &Literal, b: Comparison, right: &Literal) -> bool {
    match (left, right) {
        (Literal::Number(x), Literal::Number(y)) => empty_between(a, *x, b, *y),
        // `!= true` and `!= false` leave nothing that compares with a boolean.
        (Literal::Bool(x), Literal::Bool(y)) => x != y,
        (Literal::Null, _) | (_, Literal::Null) | (Literal::Text(_), Literal::Text(_)) => false,
        // No value is of two types.
        (Literal::Number(_) | Literal::Bool(_) | Literal::Text(_), _) => true,
    }
}

fn empty_between(a: Comparison, x: Number, b: Comparison, y: Number) -> bool {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    match (a, b) {
        (Greater | GreaterOrEqual, Less | LessOrEqual) => {
            let both_closed = a == GreaterOrEqual && b == LessOrEqual;
            x.order(y).is_gt() || (x.order(y).is_eq() && !both_closed)
        }
        (Less | LessOrEqual, Greater | GreaterOrEqual) => empty_between(b, y, a, x),
        _ => false,
    }
}
