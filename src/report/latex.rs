//! Tables in LaTeX, with `booktabs`. The file is meant for `\input`.

use super::document::{Document, sentence};
use super::printed::{Entry, Number, Printed, Rank};
use super::table::Table;

/// Shrinks what is wider than the page, and only that.
const FIT: &str = r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%";

/// Characters that LaTeX does not print as they are, or only with some fonts.
const SPECIAL: [(char, &str); 54] = [
    ('\\', r"\textbackslash{}"),
    ('{', r"\{"),
    ('}', r"\}"),
    ('$', r"\$"),
    ('&', r"\&"),
    ('#', r"\#"),
    ('%', r"\%"),
    ('_', r"\_"),
    ('^', r"\textasciicircum{}"),
    ('~', r"\textasciitilde{}"),
    ('<', r"\textless{}"),
    ('>', r"\textgreater{}"),
    ('|', r"\textbar{}"),
    ('"', r"\textquotedbl{}"),
    ('\n', " "),
    ('\r', " "),
    ('\u{a0}', "~"),
    ('\u{202f}', r"\,"),
    ('–', "--"),
    ('—', "---"),
    ('“', "``"),
    ('”', "''"),
    ('‘', "`"),
    ('’', "'"),
    ('…', r"\ldots{}"),
    ('−', "$-$"),
    ('±', r"$\pm$"),
    ('×', r"$\times$"),
    ('·', r"$\cdot$"),
    ('≤', r"$\leq$"),
    ('≥', r"$\geq$"),
    ('≠', r"$\neq$"),
    ('≈', r"$\approx$"),
    ('∞', r"$\infty$"),
    ('√', r"$\surd$"),
    ('∑', r"$\sum$"),
    ('→', r"$\rightarrow$"),
    ('←', r"$\leftarrow$"),
    ('↑', r"$\uparrow$"),
    ('↓', r"$\downarrow$"),
    ('Δ', r"$\Delta$"),
    ('α', r"$\alpha$"),
    ('β', r"$\beta$"),
    ('γ', r"$\gamma$"),
    ('δ', r"$\delta$"),
    ('ε', r"$\varepsilon$"),
    ('η', r"$\eta$"),
    ('λ', r"$\lambda$"),
    ('μ', r"$\mu$"),
    ('π', r"$\pi$"),
    ('σ', r"$\sigma$"),
    ('τ', r"$\tau$"),
    ('²', r"$^2$"),
    ('³', r"$^3$"),
];

/// Returns all tables of a report in one file.
pub(super) fn tables(document: &Document) -> String {
    let mut text = format!(
        "% {} (profile {})\n\
         % Needs \\usepackage[T1]{{fontenc}} and \\usepackage{{booktabs,graphicx}}.\n",
        document.title.replace(['\n', '\r'], " "),
        document.profile.replace(['\n', '\r'], " ")
    );
    for table in &document.tables {
        text += "\n";
        text += &self::table(table);
    }
    text
}

/// Returns one table, floating, with its caption above and its notes below.
fn table(table: &Table) -> String {
    let printed = Printed::new(table);
    let letter = |numeric: &bool| if *numeric { 'r' } else { 'l' };
    let alignment: String = printed.numeric.iter().map(letter).collect();
    let mut lines = vec![
        r"\begin{table}[t]".to_owned(),
        r"  \centering".to_owned(),
        format!(r"  \caption{{{}}}", escape(&table.caption)),
        format!(r"  \label{{tab:{}}}", table.name),
        FIT.to_owned(),
        format!(r"  \begin{{tabular}}{{{alignment}}}"),
        r"    \toprule".to_owned(),
        row(printed.headings.iter().map(|heading| escape(heading))),
        r"    \midrule".to_owned(),
    ];
    for printed_row in &printed.rows {
        if printed_row.starts_group {
            lines.push(r"    \addlinespace".to_owned());
        }
        let labels = printed_row.labels.iter().map(|label| escape(label));
        lines.push(row(labels.chain(printed_row.entries.iter().map(entry))));
    }
    lines.push(r"    \bottomrule".to_owned());
    lines.push(r"  \end{tabular}}".to_owned());
    let notes = notes(&printed);
    if !notes.is_empty() {
        lines.push(r"  \par\smallskip".to_owned());
        lines.push(format!(r"  {{\footnotesize\raggedright {}\par}}", notes.join("\n  ")));
    }
    lines.push(r"\end{table}".to_owned());
    lines.join("\n") + "\n"
}

fn row(cells: impl Iterator<Item = String>) -> String {
    format!(r"    {} \\", cells.map(protect).collect::<Vec<_>>().join(" & "))
}

/// After `\\` or `\midrule`, LaTeX would take a leading bracket or star for an argument.
fn protect(cell: String) -> String {
    if cell.starts_with(['[', '*']) { format!("{{}}{cell}") } else { cell }
}

fn notes(printed: &Printed) -> Vec<String> {
    let warnings = printed.warnings.iter();
    let warnings = warnings.map(|w| format!(r"\textbf{{Warning:}} {}", sentence(&escape(w))));
    let notes = printed.notes.iter().map(|note| sentence(&escape(note)));
    let protocol = |(names, protocol): &(String, String)| {
        format!(r"Protocol of {}: \texttt{{{}}}.", escape(names), breakable(&escape(protocol)))
    };
    warnings.chain(notes).chain(printed.protocols.iter().map(protocol)).collect()
}

/// A protocol is one long word; it may break behind its parts.
fn breakable(escaped: &str) -> String {
    escaped.replace(';', r";\allowbreak{}")
}

fn entry(entry: &Entry) -> String {
    match entry {
        Entry::Empty => String::new(),
        Entry::Text(text) => escape(text),
        Entry::Number(number) => number_text(number),
    }
}

fn number_text(number: &Number) -> String {
    let mut text = match number.rank {
        Rank::Best => format!(r"\textbf{{{}}}", digits(&number.value)),
        Rank::Second => format!(r"\underline{{{}}}", digits(&number.value)),
        Rank::None => digits(&number.value),
    };
    if let Some(spread) = &number.spread {
        text += &format!(r" $\pm$ {}", digits(spread));
    }
    if let Some((low, high)) = &number.interval {
        text += &format!(r" {{\footnotesize [{}, {}]}}", digits(low), digits(high));
    }
    if let Some(n) = number.n {
        text += &format!(r" {{\footnotesize ($n = {n}$)}}");
    }
    if let Some(tag) = &number.tag {
        text += &format!(r"\textsuperscript{{{}}}", escape(tag));
    }
    text
}

/// A hyphen before a number is a minus.
fn digits(value: &str) -> String {
    escape(value).replace('-', "$-$").replace('+', "$+$")
}

/// Returns text that LaTeX prints as it is, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match SPECIAL.iter().find(|(special, _)| *special == c) {
            Some((_, command)) => escaped += command,
            None => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn special_characters_are_text() {
        let want =
            r"50\% of a\_b \& c\$ \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{}";
        assert_eq!(escape(r"50% of a_b & c$ #1 {x} ~ ^ \"), want);
        assert_eq!(escape("FID ↓ ×2"), r"FID $\downarrow$ $\times$2");
        assert_eq!(protect("[a]".into()), "{}[a]");
    }

    /// Braces, environments and mathematics that open also close.
    #[test]
    fn everything_that_opens_closes() {
        let text = tables(&sample::document());
        let bare = text.replace(r"\\", "").replace(r"\{", "").replace(r"\}", "").replace(r"\$", "");
        let mut depth = 0_i32;
        for c in bare.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            assert!(depth >= 0, "a brace closes that never opened");
        }
        assert_eq!(depth, 0);
        assert_eq!(bare.matches('$').count() % 2, 0);
        assert_eq!(bare.matches(r"\begin{").count(), bare.matches(r"\end{").count());
        assert!(bare.is_ascii(), "the sample must compile with any TeX");
    }

    #[test]
    fn every_row_has_one_cell_for_each_column() {
        let document = sample::document();
        for table in &document.tables {
            let text = super::table(table);
            let rows = text.lines().filter(|line| line.ends_with(r"\\"));
            for row in rows {
                let ampersands = row.replace(r"\&", "").matches('&').count();
                assert_eq!(ampersands + 1, table.row_labels.len() + table.columns.len(), "{row}");
            }
        }
    }
}
