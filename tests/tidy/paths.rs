//! The paths into the crate that a source uses.

use super::words::Token;

/// Returns every path into the crate that a file uses outside of tests, with its line.
pub(crate) fn paths(tokens: &[Token], module: &[String]) -> Vec<(Vec<String>, usize)> {
    let mut found = Vec::new();
    let mut inner: Vec<(usize, String)> = Vec::new(); // Modules written in place, and their depth.
    let mut depth = 0;
    let mut i = 0;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            "{" => {
                depth += 1;
                if i > 1 && tokens[i - 2].is("mod") {
                    inner.push((depth, tokens[i - 1].text.clone()));
                }
            }
            "}" => {
                inner.pop_if(|it| it.0 == depth);
                depth -= 1;
            }
            "crate" | "ersatz" | "super" if tokens.get(i + 1).is_some_and(|it| it.is("::")) => {
                let here = module.iter().chain(inner.iter().map(|it| &it.1));
                let (start, next) = climb(tokens, i, here.cloned().collect());
                follow(tokens, next, start, &mut found);
                i = next; // A group's inner words are no roots; its braces are counted here.
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Returns the module that `crate::`, `ersatz::` or a chain of `super::` starts from, and where
/// the path goes on.
fn climb(tokens: &[Token], mut i: usize, mut module: Vec<String>) -> (Vec<String>, usize) {
    while tokens.get(i + 1).is_some_and(|it| it.is("::")) {
        match tokens[i].text.as_str() {
            "crate" | "ersatz" => module.clear(),
            "super" => drop(module.pop()),
            _ => break,
        }
        i += 2;
    }
    (module, i)
}

/// Collects the paths of a use tree below `prefix`; returns the place behind it.
fn follow(
    tokens: &[Token],
    mut i: usize,
    mut prefix: Vec<String>,
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    while let Some(token) = tokens.get(i) {
        let word = token.text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        match token.text.as_str() {
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|it| !it.is("}")) {
                    let next = follow(tokens, i, prefix.clone(), found);
                    i = next.max(i + 1);
                    if tokens.get(i).is_some_and(|it| it.is("as")) {
                        i += 2;
                    }
                    if tokens.get(i).is_some_and(|it| it.is(",")) {
                        i += 1;
                    }
                }
                return i + 1;
            }
            "self" => {}
            "*" => {
                i += 1;
                break;
            }
            _ if word => prefix.push(token.text.clone()),
            _ => break,
        }
        i += 1;
        if !tokens.get(i).is_some_and(|it| it.is("::")) {
            break;
        }
        i += 1;
    }
    found.push((prefix, tokens[i - 1].line));
    i
}
