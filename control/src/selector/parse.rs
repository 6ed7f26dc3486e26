//! Reads selectors. Pure.

use super::{Condition, MAX_LABEL_BYTES, MAX_SELECTOR_BYTES, Requirement, belongs};
use crate::scan::{Misread, Scanner};
use std::collections::BTreeSet;

pub(super) fn selector(text: &str) -> Result<Vec<Requirement>, Misread> {
    let mut scanner = Scanner::new(text, "selector", MAX_SELECTOR_BYTES)?;
    let mut found = Vec::new();
    if !scanner.skip_blanks() {
        return Ok(found);
    }
    loop {
        found.push(requirement(&mut scanner)?);
        if !scanner.skip_blanks() {
            return Ok(found);
        }
        if !scanner.take(",") {
            return Err(scanner.unexpected("a comma must stand between two requirements"));
        }
    }
}

fn requirement(scanner: &mut Scanner<'_>) -> Result<Requirement, Misread> {
    scanner.skip_blanks();
    if scanner.take("!") {
        return Ok(Requirement { key: key(scanner)?, condition: Condition::Missing });
    }
    let key = key(scanner)?;
    scanner.skip_blanks();
    let condition = if scanner.take("!=") {
        Condition::IsNot(value(scanner)?)
    } else if scanner.take("==") || scanner.take("=") {
        Condition::Is(value(scanner)?)
    } else if scanner.take_word("in", belongs) {
        Condition::In(values(scanner)?)
    } else if scanner.take_word("notin", belongs) {
        Condition::NotIn(values(scanner)?)
    } else if scanner.rest().is_empty() || scanner.rest().starts_with(',') {
        Condition::Exists
    } else {
        return Err(scanner.unexpected("a key is followed by =, !=, in (…), notin (…), a comma or nothing"));
    };
    Ok(Requirement { key, condition })
}

fn key(scanner: &mut Scanner<'_>) -> Result<String, Misread> {
    scanner.skip_blanks();
    let before = scanner.clone();
    match word(scanner)? {
        "" => Err(before.unexpected("the key of a label belongs here; it has letters, digits, '-', '_', '.' and '/'")),
        key => Ok(key.to_owned()),
    }
}

/// May be empty: a label need not have a value.
fn value(scanner: &mut Scanner<'_>) -> Result<String, Misread> {
    scanner.skip_blanks();
    Ok(word(scanner)?.to_owned())
}

fn word<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, Misread> {
    let before = scanner.clone();
    let word = scanner.take_while(belongs);
    if word.len() > MAX_LABEL_BYTES {
        let reason = format!("a word of {} bytes; keys and values have at most {MAX_LABEL_BYTES}", word.len());
        return Err(before.misread(reason));
    }
    Ok(word)
}

fn values(scanner: &mut Scanner<'_>) -> Result<BTreeSet<String>, Misread> {
    scanner.skip_blanks();
    if !scanner.take("(") {
        return Err(scanner.unexpected("the values belong in parentheses, as in rack in (1,2)"));
    }
    scanner.skip_blanks();
    if scanner.rest().starts_with(')') {
        return Err(scanner.unexpected("at least one value belongs between the parentheses"));
    }
    let mut found = BTreeSet::new();
    loop {
        found.insert(value(scanner)?);
        scanner.skip_blanks();
        if scanner.take(")") {
            return Ok(found);
        }
        if !scanner.take(",") {
            return Err(scanner.unexpected("values are separated by commas and end with )"));
        }
    }
}
