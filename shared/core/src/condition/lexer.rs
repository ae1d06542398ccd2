//! Cuts a condition's text into tokens.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use super::ConditionError;
use super::ast::{Comparison, Path, Segment};
use super::number::{self, Number};

/// A token and the bytes it was written in.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Kind<'a> {
    Path(Path),
    Number(Number),
    Text(String),
    /// The pattern, and whether it ignores case.
    Regex(String, bool),
    Word(&'a str),
    Compare(Comparison),
    And,
    Or,
    Not,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    Comma,
    End,
}

/// Cuts `text` into tokens; the last is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ConditionError> {
    let mut lexer = Lexer::new(text, "$");
    let mut out = Vec::new();
    loop {
        let token = lexer.token()?;
        let is_end = matches!(token.kind, Kind::End);
        out.push(token);
        if is_end {
            return Ok(out);
        }
    }
}

pub(super) fn error(
    message: impl Into<String>,
    span: Range<usize>,
    help: impl Into<Option<&'static str>>,
) -> ConditionError {
    ConditionError { message: message.into(), span, help: help.into().map(str::to_owned) }
}

/// Reads a text from its beginning to its end.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    /// What a path begins with, for the help.
    root: &'static str,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str, root: &'static str) -> Self {
        Self { text, chars: text.char_indices().peekable(), root }
    }

    /// Goes on at byte `at`, which is not before here.
    pub(crate) fn skip_to(&mut self, at: usize) {
        while self.here() < at && self.chars.next().is_some() {}
    }

    /// The byte at which the next character begins.
    pub(crate) fn here(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |&(at, _)| at)
    }

    pub(crate) fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|&(_, c)| c)
    }

    pub(crate) fn eat(&mut self, wanted: char) -> bool {
        self.chars.next_if(|&(_, c)| c == wanted).is_some()
    }

    pub(crate) fn eat_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let start = self.here();
        while self.chars.next_if(|&(_, c)| keep(c)).is_some() {}
        let text = self.text;
        &text[start..self.here()]
    }

    fn token(&mut self) -> Result<Token<'a>, ConditionError> {
        self.eat_while(char::is_whitespace);
        let start = self.here();
        let Some((_, c)) = self.chars.next() else {
            return Ok(Token { kind: Kind::End, span: start..start });
        };
        let kind = match c {
            '$' => Kind::Path(self.path(start)?),
            '"' | '\'' => Kind::Text(self.quoted(start, c)?),
            '/' => self.regex(start)?,
            '-' | '.' | '0'..='9' => Kind::Number(self.number(start)?),
            '(' => Kind::OpenParen,
            ')' => Kind::CloseParen,
            '[' => Kind::OpenBracket,
            ']' => Kind::CloseBracket,
            ',' => Kind::Comma,
            '=' | '!' | '<' | '>' | '&' | '|' => self.operator(start, c)?,
            c if is_word(c) => {
                self.eat_while(is_word);
                Kind::Word(&self.text[start..self.here()])
            }
            c => return Err(error(format!("unexpected `{c}`"), start..self.here(), None)),
        };
        Ok(Token { kind, span: start..self.here() })
    }

    fn operator(&mut self, start: usize, c: char) -> Result<Kind<'a>, ConditionError> {
        let twice = self.eat(if matches!(c, '&' | '|') { c } else { '=' });
        let kind = match (c, twice) {
            ('=', true) => Kind::Compare(Comparison::Equal),
            ('!', true) => Kind::Compare(Comparison::NotEqual),
            ('<', true) => Kind::Compare(Comparison::LessOrEqual),
            ('>', true) => Kind::Compare(Comparison::GreaterOrEqual),
            ('<', false) => Kind::Compare(Comparison::Less),
            ('>', false) => Kind::Compare(Comparison::Greater),
            ('!', false) => Kind::Not,
            ('&', true) => Kind::And,
            ('|', true) => Kind::Or,
            _ => {
                let help = match c {
                    '&' => "both must hold: `&&`",
                    '|' => "one must hold: `||`",
                    _ => "equality is `==`",
                };
                return Err(error(format!("unknown operator `{c}`"), start..start + 1, help));
            }
        };
        if matches!(kind, Kind::Compare(_)) && matches!(self.peek(), Some('=' | '<' | '>')) {
            self.eat_while(|c| matches!(c, '=' | '<' | '>'));
            let span = start..self.here();
            let message = format!("unknown operator `{}`", &self.text[span.clone()]);
            return Err(error(message, span, "the operators are `==`, `!=`, `<`, `<=`, `>`, `>=`"));
        }
        Ok(kind)
    }

    /// A number whose first character has been taken.
    fn number(&mut self, start: usize) -> Result<Number, ConditionError> {
        loop {
            let run = self.eat_while(|c| is_word(c) || c == '.');
            let signed = run.ends_with(['e', 'E']) && matches!(self.peek(), Some('+' | '-'));
            if !signed {
                break;
            }
            self.chars.next();
        }
        let span = start..self.here();
        let written = &self.text[span.clone()];
        let bad = |help| Err(error(format!("`{written}` is not a number"), span.clone(), help));
        if written.contains(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')) {
            return bad("write a number without unit or separator, or quote it as text");
        }
        let whole = written.strip_prefix('-').unwrap_or(written);
        if whole.starts_with('0') && whole[1..].starts_with(|c: char| c.is_ascii_digit()) {
            return bad("a number has no leading zeros and no separators; text is quoted");
        }
        let fraction = whole.split_once('.').map(|(_, digits)| digits);
        if !whole.starts_with(|c: char| c.is_ascii_digit())
            || fraction.is_some_and(|digits| !digits.starts_with(|c: char| c.is_ascii_digit()))
        {
            return bad("a number is written like `-12`, `0.5` or `1e3`");
        }
        if whole.bytes().all(|b| b.is_ascii_digit()) && !written.parse().is_ok_and(number::is_exact)
        {
            let message = format!("`{written}` is too large to be compared exactly");
            let help = "integers go from -9223372036854775808 to 18446744073709551615; a double is \
                        written like `1e20`";
            return Err(error(message, span.clone(), help));
        }
        match Number::of_text(written) {
            Some(number) => Ok(number),
            None => bad("a number is written like `-12`, `0.5` or `1e3`"),
        }
    }

    /// A quoted text whose opening quote has been taken.
    pub(crate) fn quoted(&mut self, start: usize, quote: char) -> Result<String, ConditionError> {
        let mut out = String::new();
        while let Some((at, c)) = self.chars.next() {
            match c {
                c if c == quote => return Ok(out),
                '\\' => out.push(self.escape(at)?),
                c => out.push(c),
            }
        }
        let help = "close it with the quote that it began with";
        Err(error("the text is not closed", start..self.text.len(), help))
    }

    /// The character of an escape whose backslash, at `start`, has been taken.
    fn escape(&mut self, start: usize) -> Result<char, ConditionError> {
        let Some((_, c)) = self.chars.next() else {
            return Err(error("the text is not closed", start..self.text.len(), None));
        };
        let plain = match c {
            '"' | '\'' | '\\' | '/' => c,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => return self.unicode(start),
            _ => {
                let help = "the escapes are `\\\"`, `\\'`, `\\\\`, `\\/`, `\\n`, `\\r`, `\\t`, `\\b`, \
                            `\\f` and `\\u0000`";
                return Err(error(format!("unknown escape `\\{c}`"), start..self.here(), help));
            }
        };
        Ok(plain)
    }

    fn unicode(&mut self, start: usize) -> Result<char, ConditionError> {
        let first = self.hex4(start)?;
        let bad = |end| error("not a Unicode character", start..end, None);
        if !(0xd800..0xdc00).contains(&first) {
            let end = self.here();
            return char::from_u32(first).ok_or_else(|| bad(end));
        }
        if !(self.eat('\\') && self.eat('u')) {
            return Err(bad(self.here()));
        }
        let second = self.hex4(start)?;
        let end = self.here();
        if !(0xdc00..0xe000).contains(&second) {
            return Err(bad(end));
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
            .ok_or_else(|| bad(end))
    }

    fn hex4(&mut self, start: usize) -> Result<u32, ConditionError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.chars.next_if(|(_, c)| c.is_ascii_hexdigit());
            let Some(digit) = digit.and_then(|(_, c)| c.to_digit(16)) else {
                let end = self.here();
                return Err(error("`\\u` takes four hexadecimal digits", start..end, None));
            };
            value = value * 16 + digit;
        }
        Ok(value)
    }

    /// A pattern whose opening slash has been taken.
    fn regex(&mut self, start: usize) -> Result<Kind<'a>, ConditionError> {
        let mut pattern = String::new();
        while let Some((_, c)) = self.chars.next() {
            match (c, self.peek()) {
                ('\\', Some('/')) => {
                    self.chars.next();
                    pattern.push('/');
                }
                ('\\', Some(next)) => {
                    self.chars.next();
                    pattern.extend(['\\', next]);
                }
                ('/', _) => {
                    let flags_at = self.here();
                    let flags = self.eat_while(is_word);
                    if !matches!(flags, "" | "i") {
                        let message = format!("unknown flag `{flags}`");
                        let span = flags_at..self.here();
                        return Err(error(message, span, "the one flag is `i`: ignore case"));
                    }
                    return Ok(Kind::Regex(pattern, flags == "i"));
                }
                (c, _) => pattern.push(c),
            }
        }
        let help = "close it with `/`; a slash within is `\\/`";
        Err(error("the pattern is not closed", start..self.text.len(), help))
    }

    /// A path whose `$` has been taken.
    fn path(&mut self, start: usize) -> Result<Path, ConditionError> {
        let segments = self.segments()?;
        Ok(Path { text: self.text[start..self.here()].into(), start, segments })
    }

    /// The segments of a path whose root has been taken.
    pub(crate) fn segments(&mut self) -> Result<Vec<Segment>, ConditionError> {
        let mut segments = Vec::new();
        loop {
            let at = self.here();
            match self.peek() {
                Some('.') => {
                    self.chars.next();
                    segments.push(self.name(at)?);
                }
                Some('[') => {
                    self.chars.next();
                    segments.push(self.bracket(at)?);
                }
                Some(c) if is_key(c) => {
                    let span = at..at + c.len_utf8();
                    return Err(self.path_error("expected `.` or `[` in the path", span));
                }
                Some(_) | None => return Ok(segments),
            }
        }
    }

    fn path_error(&self, message: &str, span: Range<usize>) -> ConditionError {
        let root = self.root;
        let help =
            format!("a path is written `{root}.key`, `{root}.list[0]` or `{root}[\"odd key\"]`");
        ConditionError { message: message.into(), span, help: Some(help) }
    }

    fn name(&mut self, dot: usize) -> Result<Segment, ConditionError> {
        let key = self.eat_while(is_key);
        if key.is_empty() {
            let span = dot..self.here().max(dot + 1);
            return Err(self.path_error("expected a key after `.`", span));
        }
        let index = if key == "0" || !key.starts_with('0') { position(key) } else { None };
        Ok(Segment::Name { key: key.into(), index })
    }

    fn bracket(&mut self, open: usize) -> Result<Segment, ConditionError> {
        let at = self.here();
        let segment = match self.peek() {
            Some(quote @ ('"' | '\'')) => {
                self.chars.next();
                Segment::Key(self.quoted(at, quote)?.into())
            }
            _ => {
                let inner = self.eat_while(|c| c != ']' && !c.is_whitespace());
                let Some(index) = position(inner) else {
                    let span = open..self.here();
                    let message = format!("`{inner}` is not a position or a quoted key");
                    let root = self.root;
                    let help = format!(
                        "positions count from 0: `{root}.list[0]`; keys are quoted: \
                         `{root}[\"odd key\"]`"
                    );
                    return Err(ConditionError { message, span, help: Some(help) });
                };
                Segment::Index(index)
            }
        };
        if !self.eat(']') {
            let end = self.here();
            return Err(error("expected `]` in the path", open..end, None));
        }
        Ok(segment)
    }
}

fn position(text: &str) -> Option<usize> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_key(c: char) -> bool {
    is_word(c) || c == '-'
}
