//! What only tests see, taken out of a source.

use super::words::Token;

pub(crate) struct Split {
    /// What is compiled outside of tests.
    pub(crate) rest: Vec<Token>,
    /// Files that are modules of tests: `#[cfg(test)] mod tests;`.
    pub(crate) hidden: Vec<String>,
    /// How many lines the test items take.
    pub(crate) lines: usize,
    /// Whether the whole file is for tests: `#![cfg(test)]`.
    pub(crate) whole: bool,
}

/// Takes out the items under `#[cfg(test)]` and `#[test]`.
pub(crate) fn split(tokens: &[Token]) -> Split {
    let mut split = Split { rest: Vec::new(), hidden: Vec::new(), lines: 0, whole: false };
    let mut i = 0;
    while i < tokens.len() {
        let Some(end) = attribute(tokens, i).filter(|&end| for_tests(&tokens[i..end])) else {
            split.rest.push(tokens[i].clone());
            i += 1;
            continue;
        };
        if tokens[i + 1].is("!") {
            split.whole = true;
            i = end;
            continue;
        }
        let item = std::iter::successors(Some(end), |&i| attribute(tokens, i)).last();
        let item = item.unwrap_or(end);
        let end = item_end(tokens, item);
        let body = &tokens[item..end];
        if let Some(at) = body.iter().position(|it| it.is("mod")).filter(|&at| at <= 4)
            && body.get(at + 2).is_some_and(|it| it.is(";"))
        {
            split.hidden.push(body[at + 1].text.clone());
        }
        let last = tokens[end - 1].line;
        split.lines += last - tokens[i].line + 1;
        i = end;
    }
    split
}

/// Returns where the attribute that starts here ends: `#[...]` or `#![...]`.
pub(crate) fn attribute(tokens: &[Token], i: usize) -> Option<usize> {
    let open = i + if tokens.get(i + 1)?.is("!") { 2 } else { 1 };
    (tokens[i].is("#") && tokens.get(open)?.is("[")).then(|| group_end(tokens, open))
}

/// Says whether an attribute hides its item outside of tests.
fn for_tests(attribute: &[Token]) -> bool {
    let has = |name: &str| attribute.iter().any(|it| it.is(name));
    let named = attribute.iter().find(|it| !["#", "!", "["].contains(&it.text.as_str()));
    match named.map(|it| it.text.as_str()) {
        Some("test") => true,
        Some("cfg") => has("test") && !has("not") && !has("any"),
        _ => false,
    }
}

/// Returns the place behind the bracket that closes the one at `open`.
fn group_end(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// Returns the place behind the item, statement, field or variant that starts at `start`.
fn item_end(tokens: &[Token], start: usize) -> usize {
    let words =
        tokens[start..].iter().take_while(|it| !["{", ";", "=", ":"].iter().any(|m| it.is(m)));
    let flat = ["use", "const", "static", "type", "let"]; // These end at `;`, whatever they hold.
    let item = ["mod", "fn", "impl", "struct", "enum", "trait", "macro_rules", "extern", "union"];
    let words: Vec<&str> = words.map(|it| it.text.as_str()).collect();
    let has = |names: &[&str]| words.iter().any(|it| names.contains(it));
    let (braces, commas) = match (has(&item), has(&flat)) {
        (true, _) => (true, false),
        (false, true) => (false, false),
        (false, false) => (true, true),
    };
    let mut i = start;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            "{" if braces => return group_end(tokens, i),
            "(" | "[" | "{" => i = group_end(tokens, i),
            ";" => return i + 1,
            "," if commas => return i + 1,
            ")" | "]" | "}" => return i,
            _ => i += 1,
        }
    }
    i
}
