//! How the user's mistakes are shown: all of them, each with its line.

use std::fmt::Write as _;

use crate::terms::{Problem, Problems};

/// Returns all problems as text; `texts` are the files they stand in, by name.
pub(super) fn render(problems: &Problems, texts: &[(String, String)]) -> String {
    let mut out = String::new();
    for problem in &problems.0 {
        let text = texts.iter().find(|(name, _)| *name == problem.source).map(|(_, text)| text);
        one(&mut out, problem, text.map(String::as_str));
    }
    out
}

/// Returns how many there are, in words.
pub(super) fn count(problems: &Problems) -> String {
    match problems.0.len() {
        1 => "1 mistake".to_owned(),
        n => format!("{n} mistakes"),
    }
}

fn one(out: &mut String, problem: &Problem, text: Option<&str>) {
    let Problem { source, span, found, expected, hint } = problem;
    match text.zip(span.clone()) {
        None => {
            let _ = writeln!(out, "error: {source}: {found}, expected {expected}");
        }
        Some((text, span)) => {
            let start = span.start.min(text.len());
            let before = &text[..start];
            let line = before.matches('\n').count() + 1;
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let shown = text[line_start..].lines().next().unwrap_or_default();
            let column = text[line_start..start].chars().count();
            let end = span.end.clamp(start, line_start + shown.len());
            let width = text.get(start..end).map_or(1, |part| part.chars().count().max(1));
            let margin = " ".repeat(line.to_string().len());
            let _ = writeln!(
                out,
                "error: {source}:{line}:{}: {found}, expected {expected}",
                column + 1
            );
            let _ = writeln!(out, "  {line} | {shown}");
            let _ = writeln!(out, "  {margin} | {}{}", " ".repeat(column), "^".repeat(width));
        }
    }
    if let Some(hint) = hint {
        let _ = writeln!(out, "  hint: {hint}");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line() {
        let text = "a = 1\nguidence = 2\n".to_owned();
        let problem = Problem::new("x.toml", "unknown key `guidence`", "one of `guidance`")
            .at(Some(6..14))
            .hint("did you mean `guidance`?");
        let problems = problem.into();
        let shown = render(&problems, &[("x.toml".to_owned(), text)]);
        assert_eq!(
            shown,
            "error: x.toml:2:1: unknown key `guidence`, expected one of `guidance`\n  \
             2 | guidence = 2\n    | ^^^^^^^^\n  hint: did you mean `guidance`?\n\n"
        );
        assert_eq!(count(&problems), "1 mistake");
    }
}
