//! Reads a condition's tokens.
//!
//! ```text
//! any     = all { "||" all }
//! all     = one { "&&" one }
//! one     = "!" one | "(" any ")" | test
//! test    = operand cmp operand | cmp number | "exists" "(" path ")"
//!         | path "in" "[" [ literal { "," literal } ] "]"
//!         | path "contains" literal | path "matches" pattern
//! ```

use std::ops::Range;

use regex_lite::RegexBuilder;

use super::ConditionError;
use super::ast::{Comparison, Expr, Literal, Operand, Path, Test, TestKind};
use super::lexer::{Kind, Token, error, tokens};
use crate::limits::CONDITION_BYTES_MAX;

/// How deep parentheses and negations may nest.
const DEPTH_MAX: usize = 64;
/// Bytes of a compiled pattern: bounds the time that one match over a payload takes.
const PATTERN_BYTES_MAX: usize = 32 * 1024;
/// Groups in groups of a pattern.
const PATTERN_DEPTH_MAX: u32 = 32;

/// Reads a whole condition.
pub(super) fn parse(text: &str) -> Result<Expr, ConditionError> {
    if text.trim().is_empty() {
        return Err(error("empty condition", 0..text.len(), "leave the key out to match always"));
    }
    if text.len() > CONDITION_BYTES_MAX {
        let message = format!("the condition is longer than {CONDITION_BYTES_MAX} bytes");
        return Err(error(message, 0..text.len(), None));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0 };
    let expr = parser.any(0)?;
    if matches!(parser.peek(), Kind::End) { Ok(expr) } else { Err(parser.trailing()) }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Kind<'a> {
        &self.tokens[self.at].kind
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    /// Takes the next token; the end stays.
    fn next(&mut self) -> Token<'a> {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn eat(&mut self, wanted: fn(&Kind<'_>) -> bool) -> bool {
        let found = wanted(self.peek());
        if found {
            self.next();
        }
        found
    }

    /// The end of the last token taken.
    fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |last| self.tokens[last].span.end)
    }

    fn any(&mut self, depth: usize) -> Result<Expr, ConditionError> {
        let mut parts = vec![self.all(depth)?];
        while self.eat(|kind| matches!(kind, Kind::Or)) {
            parts.push(self.all(depth)?);
        }
        Ok(joined(parts, Expr::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Expr, ConditionError> {
        let mut parts = vec![self.one(depth)?];
        while self.eat(|kind| matches!(kind, Kind::And)) {
            parts.push(self.one(depth)?);
        }
        Ok(joined(parts, Expr::All))
    }

    fn one(&mut self, depth: usize) -> Result<Expr, ConditionError> {
        let span = self.span();
        if depth > DEPTH_MAX {
            return Err(error(format!("nested more than {DEPTH_MAX} deep"), span, None));
        }
        if self.eat(|kind| matches!(kind, Kind::Not)) {
            let takes_not =
                matches!(self.peek(), Kind::Not | Kind::OpenParen | Kind::Word("exists"));
            if !takes_not {
                let help = "write `!( ... )`, `!exists($.key)`, or the opposite comparison";
                return Err(error("`!` takes a condition in parentheses", span, help));
            }
            return Ok(Expr::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.eat(|kind| matches!(kind, Kind::OpenParen)) {
            let inner = self.any(depth + 1)?;
            if !self.eat(|kind| matches!(kind, Kind::CloseParen)) {
                if matches!(self.peek(), Kind::End) {
                    return Err(error("`(` is not closed", span, None));
                }
                return Err(self.trailing());
            }
            return Ok(inner);
        }
        let start = span.start;
        let kind = self.test()?;
        Ok(Expr::Test(Test { kind, span: start..self.end() }))
    }

    fn test(&mut self) -> Result<TestKind, ConditionError> {
        if let Kind::Compare(op) = *self.peek() {
            self.next();
            return self.direct(op);
        }
        if matches!(self.peek(), Kind::Word("exists")) {
            return self.exists();
        }
        let left_span = self.span();
        let left = self.operand()?;
        if let Kind::Compare(op) = *self.peek() {
            let op_span = self.span();
            self.next();
            let right = self.operand()?;
            return compare(left, op, right, left_span.start..self.end(), &op_span);
        }
        let Kind::Word(word @ ("in" | "contains" | "matches")) = *self.peek() else {
            return Err(self.not_a_test(&left, left_span));
        };
        let Operand::Path(path) = left else {
            let message = format!("`{word}` takes a path on its left");
            return Err(error(
                message,
                left_span,
                "write for example `$.tags contains \"urgent\"`",
            ));
        };
        self.next();
        match word {
            "in" => self.list(path),
            "contains" => Ok(TestKind::Contains { path, literal: self.literal()? }),
            _ => self.pattern(path),
        }
    }

    /// What follows the operator of a direct comparison.
    fn direct(&mut self, op: Comparison) -> Result<TestKind, ConditionError> {
        let span = self.span();
        match self.literal()? {
            literal @ Literal::Number(_) => Ok(TestKind::Compare {
                left: Operand::Payload,
                op,
                right: Operand::Literal(literal),
            }),
            Literal::Null | Literal::Bool(_) | Literal::Text(_) => {
                let help =
                    "name what to compare, as in `$.status == \"open\"`; `$` is the whole payload";
                Err(error("the whole payload is compared with a number", span, help))
            }
        }
    }

    fn exists(&mut self) -> Result<TestKind, ConditionError> {
        const HELP: &str = "write `exists($.key)`";
        self.next();
        if !self.eat(|kind| matches!(kind, Kind::OpenParen)) {
            return Err(error("expected `(` after `exists`", self.span(), HELP));
        }
        let token = self.next();
        let Kind::Path(path) = token.kind else {
            return Err(error("expected a path in `exists( .. )`", token.span, HELP));
        };
        if !self.eat(|kind| matches!(kind, Kind::CloseParen)) {
            return Err(error("expected `)` after the path", self.span(), HELP));
        }
        Ok(TestKind::Exists(path))
    }

    fn list(&mut self, path: Path) -> Result<TestKind, ConditionError> {
        let open = self.span();
        if !self.eat(|kind| matches!(kind, Kind::OpenBracket)) {
            return Err(error("expected `[` after `in`", open, "write `$.key in [\"a\", \"b\"]`"));
        }
        let mut list = Vec::new();
        while !self.eat(|kind| matches!(kind, Kind::CloseBracket)) {
            if matches!(self.peek(), Kind::End) {
                return Err(error("`[` is not closed", open, None));
            }
            list.push(self.literal()?);
            if !self.eat(|kind| matches!(kind, Kind::Comma))
                && !matches!(self.peek(), Kind::CloseBracket | Kind::End)
            {
                return Err(error("expected `,` or `]`", self.span(), None));
            }
        }
        Ok(TestKind::In { path, list })
    }

    fn pattern(&mut self, path: Path) -> Result<TestKind, ConditionError> {
        let token = self.next();
        let Kind::Regex(pattern, ignore_case) = token.kind else {
            let help = "write `$.key matches /pattern/`";
            return Err(error("expected a pattern after `matches`", token.span, help));
        };
        let regex = RegexBuilder::new(&pattern)
            .case_insensitive(ignore_case)
            .size_limit(PATTERN_BYTES_MAX)
            .nest_limit(PATTERN_DEPTH_MAX)
            .build()
            .map_err(|cause| error(format!("not a pattern: {cause}"), token.span, None))?;
        Ok(TestKind::Matches { path, regex })
    }

    fn operand(&mut self) -> Result<Operand, ConditionError> {
        if let Kind::Path(path) = self.peek() {
            let path = path.clone();
            self.next();
            return Ok(Operand::Path(path));
        }
        self.literal().map(Operand::Literal)
    }

    fn literal(&mut self) -> Result<Literal, ConditionError> {
        let token = self.next();
        match token.kind {
            Kind::Number(number) => Ok(Literal::Number(number)),
            Kind::Text(text) => Ok(Literal::Text(text.into())),
            Kind::Word("true") => Ok(Literal::Bool(true)),
            Kind::Word("false") => Ok(Literal::Bool(false)),
            Kind::Word("null") => Ok(Literal::Null),
            Kind::Word(word) => Err(bare_word(word, token.span)),
            Kind::End => {
                let message = "the condition ends where a value is expected";
                Err(error(message, token.span, None))
            }
            Kind::Path(_) => {
                let help = "only `==`, `!=`, `<`, `<=`, `>`, `>=` take a path on the right";
                Err(error("expected a literal value", token.span, help))
            }
            Kind::Regex(..) => {
                Err(error("expected a value", token.span, "patterns follow `matches`"))
            }
            Kind::Compare(_)
            | Kind::And
            | Kind::Or
            | Kind::Not
            | Kind::OpenParen
            | Kind::CloseParen
            | Kind::OpenBracket
            | Kind::CloseBracket
            | Kind::Comma => {
                let message =
                    format!("expected a value, found `{}`", &self.text[token.span.clone()]);
                Err(error(message, token.span, None))
            }
        }
    }

    /// The error for an operand that nothing is asked of.
    fn not_a_test(&self, left: &Operand, span: Range<usize>) -> ConditionError {
        match (left, self.peek()) {
            (_, Kind::Word(_) | Kind::Comma) => self.trailing(),
            (Operand::Path(path), _) => ConditionError {
                message: "a path alone is not a condition".into(),
                span,
                help: Some(format!("write `{0} == true` or `exists({0})`", path.text)),
            },
            (Operand::Payload | Operand::Literal(_), _) => {
                error("a value alone is not a condition", span, "compare it with a path")
            }
        }
    }

    /// The error for a token where the condition should have ended or been joined.
    fn trailing(&self) -> ConditionError {
        let span = self.span();
        let found = &self.text[span.clone()];
        match self.peek() {
            Kind::Word(word) if joining_help(word).is_some() => bare_word(word, span),
            Kind::Comma => {
                error("unexpected `,`", span, "write numbers without separators: `1000`")
            }
            Kind::Compare(_) => error("comparisons do not chain", span, "join two with `&&`"),
            Kind::CloseParen => error("`)` closes nothing", span, None),
            Kind::End => error("the condition is not complete", span, None),
            Kind::Path(_)
            | Kind::Number(_)
            | Kind::Text(_)
            | Kind::Regex(..)
            | Kind::Word(_)
            | Kind::And
            | Kind::Or
            | Kind::Not
            | Kind::OpenParen
            | Kind::OpenBracket
            | Kind::CloseBracket => {
                let help = "join tests with `&&` or `||`; text is quoted";
                error(format!("unexpected `{found}`"), span, help)
            }
        }
    }
}

fn joined(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() > 1 {
        return join(parts);
    }
    parts.pop().expect("there is always a first part")
}

/// What to write in place of a word that other languages join tests with.
fn joining_help(word: &str) -> Option<&'static str> {
    let joins = [("and", "write `&&`"), ("or", "write `||`"), ("not", "write `!( ... )`")];
    joins.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, help)| help)
}

fn bare_word(word: &str, span: Range<usize>) -> ConditionError {
    let help = match (joining_help(word), word.to_lowercase().as_str()) {
        (Some(help), _) => help.to_owned(),
        (None, lower @ ("true" | "false" | "null")) => format!("write `{lower}`"),
        (None, "none" | "nil" | "undefined") => "write `null`, or `!exists($.key)`".to_owned(),
        (None, _) => format!("quote it: `\"{word}\"`"),
    };
    ConditionError { message: format!("unknown word `{word}`"), span, help: Some(help) }
}

/// A comparison whose sides can have the same type.
fn compare(
    left: Operand,
    op: Comparison,
    right: Operand,
    span: Range<usize>,
    op_span: &Range<usize>,
) -> Result<TestKind, ConditionError> {
    if matches!((&left, &right), (Operand::Literal(_), Operand::Literal(_))) {
        let help = "compare a path, as in `$.value > 85`";
        return Err(error("both sides are literal values", span, help));
    }
    let unordered = [&left, &right].into_iter().find_map(|side| match side {
        Operand::Literal(Literal::Bool(_)) => Some("a boolean"),
        Operand::Literal(Literal::Null) => Some("null"),
        Operand::Literal(Literal::Number(_) | Literal::Text(_))
        | Operand::Path(_)
        | Operand::Payload => None,
    });
    if let Some(what) = unordered.filter(|_| op.is_ordering()) {
        let message = format!("`{op}` does not compare with {what}");
        return Err(error(message, op_span.clone(), "booleans and null take `==` and `!=`"));
    }
    Ok(TestKind::Compare { left, op, right })
}
