//! Filters of lists: what must be true of what is listed, for example `hashrate_1h.ratio<0.9 and state=UNREACHABLE`.
//!
//! ```text
//! expression = term, and between terms, or between those; not before one; parentheses around any
//! term       = FIELD = VALUE   also == != < <= > >=     a comparison
//!            | FIELD                                    a field that is true or false, being true
//!            | known(FIELD)                             there is a reading
//! VALUE      = 0.9   true   UNREACHABLE   "with blanks, \" or \\"
//! ```
//! `and` binds tighter than `or`. A reading that is not there matches no comparison, and neither does its opposite: what
//! is not known is neither below a limit nor above it. Pure: fields are described and looked up by the caller.

mod parse;
#[cfg(test)]
mod tests;

use crate::scan::Misread;
use std::cmp::Ordering;

/// Longest filter in bytes.
pub const MAX_FILTER_BYTES: usize = 2048;
/// Deepest nesting of parentheses and `not`.
const MAX_DEPTH: usize = 32;

/// A field that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// How it is written: small letters, digits, `_` and dots. One that ends in `.` stands for all that begin so.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers, which have an order.
    Number,
    /// Any text.
    Text,
    /// One of these texts; any other in a filter is a mistake.
    OneOf(&'static [&'static str]),
    /// True or false.
    Truth,
}

/// A reading of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Number`]; one that is not a number counts as not there.
    Number(f64),
    /// Of [`Kind::Text`] and [`Kind::OneOf`].
    Text(String),
    /// Of [`Kind::Truth`].
    Truth(bool),
}

/// What must be true; the default is true of everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter(Option<Expression>);

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Any(Vec<Expression>),
    All(Vec<Expression>),
    Not(Box<Expression>),
    Known(String),
    Compare { field: String, comparison: Comparison, literal: Value },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

impl Filter {
    /// Reads a filter over these fields; an empty text is true of everything.
    ///
    /// # Errors
    /// What is wrong and where; an unknown field is answered with all known ones.
    pub fn parse(text: &str, fields: &[Field]) -> Result<Self, Misread> {
        parse::filter(text, fields).map(Self)
    }

    /// Whether it is true of something with these readings. `lookup` gives `None` for a reading that is not there.
    #[must_use]
    pub fn matches(&self, lookup: impl Fn(&str) -> Option<Value>) -> bool {
        self.0.as_ref().is_none_or(|expression| expression.is_true(&lookup) == Some(true))
    }

    /// Whether it is true of everything, for it asks for nothing.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }
}

impl Expression {
    /// `None` = not known.
    fn is_true(&self, lookup: &dyn Fn(&str) -> Option<Value>) -> Option<bool> {
        match self {
            Self::Any(terms) => one_decides(terms, true, lookup),
            Self::All(terms) => one_decides(terms, false, lookup),
            Self::Not(term) => term.is_true(lookup).map(|is_true| !is_true),
            Self::Known(field) => Some(lookup(field).is_some_and(|value| !value.is_unreadable())),
            Self::Compare { field, comparison, literal } => {
                lookup(field).and_then(|value| value.compare(literal)).map(|order| comparison.holds(order))
            }
        }
    }
}

/// Of alternatives one that is true decides, of conditions one that is false; else one that is not known leaves it open.
fn one_decides(terms: &[Expression], decides: bool, lookup: &dyn Fn(&str) -> Option<Value>) -> Option<bool> {
    let mut all = Some(!decides);
    for term in terms {
        match term.is_true(lookup) {
            Some(is_true) if is_true == decides => return Some(decides),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

impl Value {
    fn is_unreadable(&self) -> bool {
        matches!(self, Self::Number(number) if number.is_nan())
    }

    /// `None` when one of them is not what the field should hold.
    fn compare(&self, literal: &Self) -> Option<Ordering> {
        match (self, literal) {
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Truth(a), Self::Truth(b)) => Some(a.cmp(b)),
            (Self::Number(_) | Self::Text(_) | Self::Truth(_), _) => None,
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::AtLeast => order.is_ge(),
            Self::More => order.is_gt(),
        }
    }
}
