//! Tables and reports in GitHub's Markdown.

use super::document::{Document, sentence};
use super::printed::{Entry, Number, Printed, Rank};
use super::table::Table;

/// Returns a report, with its plots and sample sheets as links to the files beside it.
pub(super) fn report(document: &Document) -> String {
    let mut parts =
        vec![format!("# {} (profile {})", escape(&document.title), escape(&document.profile))];
    if !document.question.is_empty() {
        parts.push(format!("**Question.** {}", escape(&document.question)));
    }
    parts.extend(document.summary.iter().map(|paragraph| escape(paragraph)));
    parts.extend(document.tables.iter().enumerate().map(|(i, t)| numbered_table(t, Some(i + 1))));
    for (i, figure) in document.figures.iter().enumerate() {
        let (alt, name) = (escape(&figure.title), &figure.name);
        parts.push(format!("![{alt}](plots/{name}.svg)"));
        parts.push(format!("**Figure {}.** {}", i + 1, escape(&figure.caption)));
        parts.extend(warnings(&figure.warnings()));
    }
    for sheet in &document.sheets {
        let (caption, name) = (escape(&sheet.caption), &sheet.name);
        parts.push(format!("![{caption}](samples/{name}.png)"));
        parts.push(format!("**Samples.** {caption}"));
    }
    if !document.notes.is_empty() {
        let notes: Vec<_> = document.notes.iter().map(|n| format!("- {}", escape(n))).collect();
        parts.push(format!("## Notes\n\n{}", notes.join("\n")));
    }
    parts.push(format!(
        "Experiment {}. How these numbers came about, with the resolved experiment file, keys, \
         seeds and versions, stands in [manifest.json](manifest.json) and \
         [index.html](index.html).",
        code(&document.experiment)
    ));
    parts.join("\n\n") + "\n"
}

/// Returns a table with its caption, warnings and notes.
pub(super) fn table(table: &Table) -> String {
    numbered_table(table, None) + "\n"
}

fn numbered_table(table: &Table, number: Option<usize>) -> String {
    let printed = Printed::new(table);
    let title = number.map_or("Table.".to_owned(), |number| format!("Table {number}."));
    let mut parts = vec![format!("**{title}** {}", escape(&table.caption)), grid(&printed)];
    parts.extend(warnings(&printed.warnings));
    if !printed.notes.is_empty() {
        let notes: Vec<_> = printed.notes.iter().map(|note| sentence(&escape(note))).collect();
        parts.push(notes.join(" "));
    }
    if !printed.protocols.is_empty() {
        let protocol = |(names, protocol): &(String, String)| {
            format!("- {}: {}", escape(names), code(protocol))
        };
        let lines: Vec<_> = printed.protocols.iter().map(protocol).collect();
        parts.push(format!("Protocols:\n\n{}", lines.join("\n")));
    }
    parts.join("\n\n")
}

fn warnings(warnings: &[String]) -> Option<String> {
    let lines: Vec<_> = warnings.iter().map(|w| format!("> - {}", sentence(&escape(w)))).collect();
    (!lines.is_empty()).then(|| format!("> [!WARNING]\n{}", lines.join("\n")))
}

/// The rows, padded so that they can be read without a viewer.
fn grid(printed: &Printed) -> String {
    let mut lines: Vec<Vec<String>> = vec![printed.headings.iter().map(|h| escape(h)).collect()];
    for row in &printed.rows {
        let labels = row.labels.iter().map(|label| escape(label));
        lines.push(labels.chain(row.entries.iter().map(entry)).collect());
    }
    let width = |i: usize| lines.iter().map(|l| l[i].chars().count()).max().unwrap_or(0).max(4);
    let widths: Vec<usize> = (0..printed.headings.len()).map(width).collect();
    let mut rows: Vec<String> = Vec::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(i, (cell, width))| {
            if printed.numeric[i] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        rows.push(format!("| {} |", cells.collect::<Vec<_>>().join(" | ")));
    }
    let rule = widths.iter().enumerate().map(|(i, width)| {
        let dashes = "-".repeat(width - 1);
        if printed.numeric[i] { format!("{dashes}:") } else { format!(":{dashes}") }
    });
    rows.insert(1, format!("| {} |", rule.collect::<Vec<_>>().join(" | ")));
    rows.join("\n")
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
        Rank::Best => format!("**{}**", number.value),
        // GitHub drops <u>, but shows <ins> underlined.
        Rank::Second => format!("<ins>{}</ins>", number.value),
        Rank::None => number.value.clone(),
    };
    if let Some(spread) = &number.spread {
        text += &format!(" ± {spread}");
    }
    if let Some((low, high)) = &number.interval {
        text += &format!(" [{low}, {high}]");
    }
    if let Some(n) = number.n {
        text += &format!(" (n = {n})");
    }
    if let Some(tag) = &number.tag {
        text += &format!(" ({})", escape(tag));
    }
    text
}

/// Returns text that Markdown prints as it is, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '#' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Returns text as code on one line.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn special_characters_are_text() {
        let text = r"a|b *c* _d_ `e` <f> [g](h) ~i~ $j$ k&l \m";
        let want = r"a\|b \*c\* \_d\_ \`e\` &lt;f&gt; \[g\](h) \~i\~ \$j\$ k&amp;l \\m";
        assert_eq!(escape(text), want);
        assert_eq!(escape("a\nb"), "a b");
    }

    #[test]
    fn every_row_has_the_same_number_of_cells() {
        for table in &sample::document().tables {
            let grid = grid(&Printed::new(table));
            let bars = |line: &str| {
                let masked = line.replace("\\|", "");
                masked.matches('|').count()
            };
            let counts: Vec<_> = grid.lines().map(bars).collect();
            let want = table.row_labels.len() + table.columns.len() + 1;
            assert_eq!(counts, vec![want; table.rows.len() + 2]);
        }
    }
}
