//! Reads filters. Pure.

use super::{Comparison, Expression, Field, Kind, MAX_DEPTH, MAX_FILTER_BYTES, Value};
use crate::scan::{Misread, Scanner};

/// Longest first where one begins like another.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("!=", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
];
/// Words of the language, which no value is written as without quotes.
const RESERVED: [&str; 3] = ["and", "or", "not"];

pub(super) fn filter(text: &str, fields: &[Field]) -> Result<Option<Expression>, Misread> {
    let mut parser = Parser { scanner: Scanner::new(text, "filter", MAX_FILTER_BYTES)?, fields, depth: 0 };
    if !parser.scanner.skip_blanks() {
        return Ok(None);
    }
    let expression = parser.any()?;
    if parser.scanner.skip_blanks() {
        return Err(parser.scanner.unexpected("`and` or `or` must stand between two conditions"));
    }
    Ok(Some(expression))
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    fields: &'a [Field],
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Expression, Misread> {
        let mut terms = vec![self.all()?];
        while self.take_word("or") {
            terms.push(self.all()?);
        }
        Ok(joined(terms, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, Misread> {
        let mut terms = vec![self.negated()?];
        while self.take_word("and") {
            terms.push(self.negated()?);
        }
        Ok(joined(terms, Expression::All))
    }

    fn negated(&mut self) -> Result<Expression, Misread> {
        if self.take_word("not") {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.negated()?))));
        }
        self.scanner.skip_blanks();
        if self.scanner.take("(") {
            return self.deeper(|parser| {
                let inner = parser.any()?;
                parser.close()?;
                Ok(inner)
            });
        }
        self.term()
    }

    /// Bounds the stack that a filter can take.
    fn deeper(&mut self, inner: impl FnOnce(&mut Self) -> Result<Expression, Misread>) -> Result<Expression, Misread> {
        if self.depth == MAX_DEPTH {
            return Err(self.scanner.misread(format!("nested too deeply; use at most {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let expression = inner(self);
        self.depth -= 1;
        expression
    }

    fn term(&mut self) -> Result<Expression, Misread> {
        self.scanner.skip_blanks();
        let begin = self.scanner.clone();
        let name = self.scanner.take_while(in_field);
        self.scanner.skip_blanks();
        if name == "known" && self.scanner.take("(") {
            let (field, _) = self.field()?;
            self.close()?;
            return Ok(Expression::Known(field));
        }
        self.scanner = begin;
        let (field, kind) = self.field()?;
        self.scanner.skip_blanks();
        let place = self.scanner.clone();
        let Some((sign, comparison)) = COMPARISONS.into_iter().find(|(sign, _)| self.scanner.take(sign)) else {
            return match kind {
                Kind::Truth => {
                    Ok(Expression::Compare { field, comparison: Comparison::Equal, literal: Value::Truth(true) })
                }
                Kind::Number | Kind::Text | Kind::OneOf(_) => {
                    Err(place.unexpected(&format!("`{field}` must be compared, with = != < <= > or >=")))
                }
            };
        };
        let has_order = matches!(kind, Kind::Number);
        if !has_order && !matches!(comparison, Comparison::Equal | Comparison::Unequal) {
            return Err(place.misread(format!("`{field}` has no order for `{sign}`; use = or !=")));
        }
        let literal = self.literal(&field, kind)?;
        Ok(Expression::Compare { field, comparison, literal })
    }

    fn field(&mut self) -> Result<(String, Kind), Misread> {
        self.scanner.skip_blanks();
        let place = self.scanner.clone();
        let name = self.scanner.take_while(in_field);
        if name.is_empty() {
            return Err(place.unexpected(&format!("a field belongs here; known are {}", self.known())));
        }
        let is_meant = |field: &&Field| match field.name.strip_suffix('.') {
            Some(_) => name.strip_prefix(field.name).is_some_and(|rest| !rest.is_empty()),
            None => name == field.name,
        };
        match self.fields.iter().find(is_meant) {
            Some(field) => Ok((name.to_owned(), field.kind)),
            None => Err(place.misread(format!("there is no field `{name}`; known are {}", self.known()))),
        }
    }

    fn known(&self) -> String {
        let shown =
            |field: &Field| if field.name.ends_with('.') { format!("{}*", field.name) } else { field.name.into() };
        self.fields.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    fn literal(&mut self, field: &str, kind: Kind) -> Result<Value, Misread> {
        self.scanner.skip_blanks();
        let place = self.scanner.clone();
        let is_quoted = self.scanner.rest().starts_with('"');
        let text = if is_quoted { self.quoted()? } else { self.scanner.take_while(in_value).to_owned() };
        if !is_quoted && (text.is_empty() || RESERVED.contains(&text.as_str())) {
            return Err(place.unexpected(
                "a value belongs here; one with other characters than a-z, 0-9 and -_./:+ goes in \"quotes\"",
            ));
        }
        match kind {
            Kind::Text => Ok(Value::Text(text)),
            Kind::OneOf(known) if known.contains(&text.as_str()) => Ok(Value::Text(text)),
            Kind::OneOf(known) => {
                Err(place.misread(format!("`{field}` is never that; it is one of {}", known.join(", "))))
            }
            Kind::Truth => match text.as_str() {
                "true" => Ok(Value::Truth(true)),
                "false" => Ok(Value::Truth(false)),
                _ => Err(place.misread(format!("`{field}` is true or false, nothing else"))),
            },
            Kind::Number => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Number(number)),
                _ => Err(place.misread(format!("`{field}` is a number; write one such as 0.9 or 1e12"))),
            },
        }
    }

    fn quoted(&mut self) -> Result<String, Misread> {
        let begin = self.scanner.clone();
        self.scanner.take("\"");
        let mut text = String::new();
        loop {
            text.push_str(self.scanner.take_while(|c| c != '"' && c != '\\'));
            if self.scanner.take("\"") {
                return Ok(text);
            } else if self.scanner.take("\\\"") {
                text.push('"');
            } else if self.scanner.take("\\\\") {
                text.push('\\');
            } else if self.scanner.rest().is_empty() {
                return Err(begin.misread("a quote that is never closed; end the value with \""));
            } else {
                return Err(self.scanner.misread("a backslash stands before \" or another backslash only"));
            }
        }
    }

    fn close(&mut self) -> Result<(), Misread> {
        self.scanner.skip_blanks();
        if self.scanner.take(")") { Ok(()) } else { Err(self.scanner.unexpected("a ) belongs here")) }
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.scanner.skip_blanks();
        self.scanner.take_word(word, in_field)
    }
}

/// A lone term stays as it is.
fn joined(mut terms: Vec<Expression>, join: impl FnOnce(Vec<Expression>) -> Expression) -> Expression {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        last => join(terms.into_iter().chain(last).collect()),
    }
}

fn in_field(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-' | '/')
}

fn in_value(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '/' | ':' | '+')
}
