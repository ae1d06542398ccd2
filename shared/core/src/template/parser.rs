//! Reads the templates of a text.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::TemplateError;
use super::reference::{Reference, Root};
use crate::condition::lexer::{Lexer, is_word};
use crate::limits::SECRET_NAME_CHARS_MAX;

/// Filters of one template.
const FILTERS_MAX: usize = 8;

/// A part of a text.
#[derive(Debug)]
pub(super) enum Piece<'t> {
    /// What stands as it is.
    Text(Cow<'t, str>),
    /// What is filled in.
    Expression(Expression),
}

/// What is between `{{` and `}}`, unless it is a quoted text.
#[derive(Debug)]
pub(super) enum Expression {
    /// A path, and what becomes of its value. The reference has no pointer yet.
    Path(Reference, Vec<Filter>),
    /// A secret's name, and where the template is.
    Secret(String, Range<usize>),
}

/// What becomes of a value.
#[derive(Debug)]
pub(super) enum Filter {
    /// This, where it is null or missing.
    Default(Value),
    /// Its compact JSON.
    Json,
}

impl<'t> Piece<'t> {
    pub(super) fn expression(self) -> Option<Expression> {
        match self {
            Self::Text(_) => None,
            Self::Expression(expression) => Some(expression),
        }
    }
}

impl Expression {
    /// What it refers to, in the text at `pointer`.
    pub(super) fn reference(self, pointer: String) -> Option<Reference> {
        match self {
            Self::Path(reference, _) => Some(Reference { pointer, ..reference }),
            Self::Secret(name, span) => Some(Reference {
                text: format!("secret(\"{name}\")"),
                root: Root::Secret(name),
                path: Vec::new(),
                has_default: false,
                pointer,
                span,
            }),
        }
    }
}

/// Reads the whole of `text`.
pub(super) fn parse(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut lexer = Lexer::new(text, "event");
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(length) = text[at..].find("{{") {
        let open = at + length;
        if open > at {
            pieces.push(Piece::Text(text[at..open].into()));
        }
        lexer.skip_to(open + 2);
        let mut parser = Parser { text, lexer, open };
        pieces.push(parser.template()?);
        at = parser.lexer.here();
        lexer = parser.lexer;
    }
    if at < text.len() {
        pieces.push(Piece::Text(text[at..].into()));
    }
    Ok(pieces)
}

fn error(message: impl Into<String>, span: Range<usize>, help: impl Into<String>) -> TemplateError {
    let help = Some(help.into());
    TemplateError { message: message.into(), pointer: String::new(), span, help }
}

struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    /// Where the template begins.
    open: usize,
}

impl<'t> Parser<'t> {
    /// What follows `{{`, with its `}}`.
    fn template(&mut self) -> Result<Piece<'t>, TemplateError> {
        self.blank();
        let start = self.lexer.here();
        let piece = match self.lexer.peek() {
            Some(quote @ ('"' | '\'')) => {
                self.lexer.eat(quote);
                Piece::Text(self.lexer.quoted(start, quote)?.into())
            }
            Some(c) if is_word(c) => self.expression(start)?,
            Some('}') => {
                let span = self.open..start;
                return Err(error("empty template", span, "name a value: `{{ event.key }}`"));
            }
            Some('$') => {
                let help = "leave the `$` out: `{{ event.key }}`";
                return Err(error("a template's path has no `$`", start..start + 1, help));
            }
            None => return Err(self.not_closed()),
            Some(_) => return Err(self.unexpected("")),
        };
        let span = self.open..self.lexer.here();
        let filters = self.filters()?;
        self.close()?;
        match piece {
            Piece::Expression(Expression::Path(reference, _)) => {
                let has_default = filters.iter().any(|filter| matches!(filter, Filter::Default(_)));
                let reference = Reference { has_default, ..reference };
                Ok(Piece::Expression(Expression::Path(reference, filters)))
            }
            Piece::Text(_) | Piece::Expression(Expression::Secret(..)) if !filters.is_empty() => {
                Err(error("only a path takes filters", span, "leave them out"))
            }
            other @ (Piece::Text(_) | Piece::Expression(Expression::Secret(..))) => Ok(other),
        }
    }

    /// A path or a secret, whose first character is at `start`.
    fn expression(&mut self, start: usize) -> Result<Piece<'t>, TemplateError> {
        let word = self.lexer.eat_while(is_word);
        if word == "secret" && self.after_blank() == Some('(') {
            let name = self.secret()?;
            return Ok(Piece::Expression(Expression::Secret(name, start..self.lexer.here())));
        }
        let segments = self.lexer.segments()?;
        let span = start..self.lexer.here();
        let reference = Reference::read_rooted(word, &segments, self.text, span)?;
        Ok(Piece::Expression(Expression::Path(reference, Vec::new())))
    }

    /// The name in `("name")`.
    fn secret(&mut self) -> Result<String, TemplateError> {
        const HELP: &str = "write `{{ secret(\"name\") }}`";
        self.blank();
        self.lexer.eat('(');
        self.blank();
        let start = self.lexer.here();
        let Some(quote @ ('"' | '\'')) = self.lexer.peek() else {
            let end = self.char_end();
            return Err(error("expected a secret's name in quotes", start..end, HELP));
        };
        self.lexer.eat(quote);
        let name = self.lexer.quoted(start, quote)?;
        let span = start..self.lexer.here();
        self.blank();
        if !self.lexer.eat(')') {
            let span = self.lexer.here()..self.char_end();
            return Err(error("expected `)` after the secret's name", span, HELP));
        }
        if !is_secret_name(&name) {
            let help = format!(
                "a name has 1 to {SECRET_NAME_CHARS_MAX} letters, digits, `_` and `-`, and begins \
                 with a letter"
            );
            return Err(error("not the name of a secret", span, help));
        }
        Ok(name)
    }

    fn filters(&mut self) -> Result<Vec<Filter>, TemplateError> {
        let mut filters = Vec::new();
        while self.after_blank() == Some('|') {
            self.blank();
            self.lexer.eat('|');
            self.blank();
            let start = self.lexer.here();
            let name = self.lexer.eat_while(is_word);
            let span = start..self.lexer.here();
            filters.push(match name {
                "json" => Filter::Json,
                "default" => Filter::Default(self.default_value()?),
                _ => {
                    let help = "the filters are `default(\"none\")` and `json`";
                    let (message, span) = match name {
                        "" => ("expected a filter after `|`".to_owned(), start..self.char_end()),
                        name => (format!("unknown filter `{name}`"), span),
                    };
                    return Err(error(message, span, help));
                }
            });
            if filters.len() > FILTERS_MAX {
                let help = format!("at most {FILTERS_MAX} follow each other");
                return Err(error("too many filters", span, help));
            }
        }
        Ok(filters)
    }

    /// The value in `( .. )`.
    fn default_value(&mut self) -> Result<Value, TemplateError> {
        const HELP: &str = "write `default(\"none\")`, with any JSON value; text is quoted";
        self.blank();
        if !self.lexer.eat('(') {
            let span = self.lexer.here()..self.char_end();
            return Err(error("expected `(` after `default`", span, HELP));
        }
        self.blank();
        let start = self.lexer.here();
        let value = if self.lexer.eat('\'') {
            Value::String(self.lexer.quoted(start, '\'')?)
        } else {
            let rest = &self.text[start..];
            let mut json = serde_json::Deserializer::from_str(rest);
            let not_json = |_: serde_json::Error| {
                let end = rest.find([')', '}']).map_or(self.text.len(), |length| start + length);
                error("the default is not a JSON value", start..end, HELP)
            };
            // The raw value tells where the literal ends; a default may hold `}}` itself.
            let raw = <&RawValue>::deserialize(&mut json).map_err(not_json)?.get();
            let value = serde_json::from_str(raw).map_err(not_json)?;
            self.lexer.skip_to(start + raw.len());
            value
        };
        self.blank();
        if self.lexer.eat(')') {
            return Ok(value);
        }
        let span = self.lexer.here()..self.char_end();
        Err(error("expected `)` after the default", span, HELP))
    }

    fn close(&mut self) -> Result<(), TemplateError> {
        self.blank();
        if self.lexer.peek().is_none() {
            return Err(self.not_closed());
        }
        if self.lexer.eat('}') && self.lexer.eat('}') {
            return Ok(());
        }
        Err(self.unexpected(" in the template"))
    }

    fn blank(&mut self) {
        self.lexer.eat_while(char::is_whitespace);
    }

    /// The next character that is not blank; nothing is taken.
    fn after_blank(&mut self) -> Option<char> {
        let here = self.lexer.here();
        self.text[here..].trim_start().chars().next()
    }

    /// The end of the next character.
    fn char_end(&mut self) -> usize {
        self.lexer.here() + self.lexer.peek().map_or(0, char::len_utf8)
    }

    fn not_closed(&self) -> TemplateError {
        let help = "close it with `}}`; a literal `{{` is written `{{ \"{{\" }}`";
        error("the template is not closed", self.open..self.text.len(), help)
    }

    fn unexpected(&mut self, place: &str) -> TemplateError {
        let span = self.lexer.here()..self.char_end();
        let Some(found) = self.lexer.peek() else { return self.not_closed() };
        let help = "write `{{ event.key }}`, `{{ steps.1.output.key }}` or \
                    `{{ event.key | default(\"none\") }}`; a literal `{{` is written `{{ \"{{\" }}`";
        error(format!("unexpected `{found}`{place}"), span, help)
    }
}

/// Whether `name` can name a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    name.len() <= SECRET_NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}
