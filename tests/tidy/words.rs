//! A source as words and marks. Comments, strings and characters leave nothing.

/// A word, a number, or one mark. Comments, strings and characters leave nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// Cuts a source into words and marks; `::` is one mark.
pub(crate) fn cut(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let end = i + silent(&chars[i..]);
        if end > i {
            line += chars[i..end].iter().filter(|it| **it == '\n').count();
            i = end;
            continue;
        }
        let word = chars[i..].iter().take_while(|it| it.is_alphanumeric() || **it == '_').count();
        let length = match word {
            0 if chars[i..].starts_with(&[':', ':']) => 2,
            0 => 1,
            _ => word,
        };
        tokens.push(Token { text: chars[i..i + length].iter().collect(), line });
        i += length;
    }
    tokens
}

/// Returns the length of the blank, comment, string, character or lifetime that stands here.
fn silent(rest: &[char]) -> usize {
    let at = |i: usize| rest.get(i).copied().unwrap_or('\0');
    match at(0) {
        c if c.is_whitespace() => 1,
        '/' if at(1) == '/' => rest.iter().take_while(|it| **it != '\n').count(),
        '/' if at(1) == '*' => comment(rest),
        '"' => string(rest, 1),
        '\'' if at(1) == '\\' || at(2) == '\'' => character(rest),
        '\'' => 1 + rest[1..].iter().take_while(|it| it.is_alphanumeric() || **it == '_').count(),
        'r' | 'b' | 'c' => prefixed(rest),
        _ => 0,
    }
}

fn comment(rest: &[char]) -> usize {
    let (mut i, mut depth) = (0, 0);
    while i < rest.len() {
        match &rest[i..rest.len().min(i + 2)] {
            ['/', '*'] => (i, depth) = (i + 2, depth + 1),
            ['*', '/'] => (i, depth) = (i + 2, depth - 1),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

/// Returns the length of a string whose content starts at `from`.
fn string(rest: &[char], from: usize) -> usize {
    let mut i = from;
    while i < rest.len() && rest[i] != '"' {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    rest.len().min(i + 1)
}

fn character(rest: &[char]) -> usize {
    let start = if rest.get(1) == Some(&'\\') { 3 } else { 2 };
    let more = rest[start.min(rest.len())..].iter().take_while(|it| **it != '\'').count();
    rest.len().min(start + more + 1)
}

/// Returns the length of a string or byte with a prefix: `b".."`, `r#".."#`, `br".."`, `b'.'`.
fn prefixed(rest: &[char]) -> usize {
    let prefix = rest.iter().take_while(|it| "brc".contains(**it)).count();
    let hashes = rest[prefix..].iter().take_while(|it| **it == '#').count();
    let raw = rest[..prefix].contains(&'r');
    match rest.get(prefix + hashes) {
        Some('"') if raw && prefix <= 2 => {
            let close: Vec<char> = ['"'].into_iter().chain(vec!['#'; hashes]).collect();
            let open = prefix + hashes + 1;
            let ends = rest[open..].windows(close.len()).position(|it| it == close);
            ends.map_or(rest.len(), |it| open + it + close.len())
        }
        Some('"') if prefix == 1 && hashes == 0 => string(rest, 2),
        Some('\'') if rest[..prefix] == ['b'] && hashes == 0 => 1 + character(&rest[1..]),
        _ => 0,
    }
}
