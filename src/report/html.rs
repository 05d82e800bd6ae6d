//! A report as one HTML page that needs nothing else: style, plots and samples are inside.
//!
//! It has no script and loads nothing, follows the reader's choice of light or dark, and can be
//! read on a phone, on paper and by a screen reader.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::ImageReader;

use super::document::{Document, Sheet, sentence};
use super::figure::Figure;
use super::printed::{Entry, Number, Printed, Rank};
use super::provenance;
use super::table::Table;

const STYLE: &str = include_str!("../../assets/report/page.css");

/// How wide a sheet of small pictures is blown up, in pixels of the page, by a whole factor.
const SHEET_WIDTH: u32 = 720;

/// Returns the page.
pub(super) fn page(document: &Document) -> String {
    let title = escape(&document.title);
    let profile = escape(&document.profile);
    let mut body = format!(
        "<header>\n<p class=\"eyebrow\">Ersatz · {}</p>\n<h1>{title} <span class=\"profile\">\
         profile {profile}</span></h1>\n",
        escape(&document.experiment)
    );
    if !document.question.is_empty() {
        body += &format!("<p class=\"question\">{}</p>\n", escape(&document.question));
    }
    body += "</header>\n<main>\n";
    for paragraph in &document.summary {
        body += &format!("<p>{}</p>\n", escape(paragraph));
    }
    body += &section("Results", document.tables.iter().enumerate().map(|(i, t)| table(t, i + 1)));
    body += &section("Figures", document.figures.iter().enumerate().map(|(i, f)| figure(f, i + 1)));
    body += &section("Samples", document.sheets.iter().map(sheet));
    if !document.notes.is_empty() {
        let notes = document.notes.iter().map(|note| format!("<li>{}</li>\n", escape(note)));
        body += &section("Notes", [format!("<ul>\n{}</ul>\n", notes.collect::<String>())]);
    }
    if !document.provenance.is_null() {
        let facts = provenance::html(&document.provenance);
        let details = format!(
            "<details>\n<summary>Experiment file, keys, seeds, versions, machine, time</summary>\n\
             {facts}\n</details>\n"
        );
        body += &section("Provenance", [details]);
    }
    body += "</main>\n";
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} (profile {profile})</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n"
    )
}

fn section(title: &str, parts: impl IntoIterator<Item = String>) -> String {
    let content: String = parts.into_iter().collect();
    if content.is_empty() {
        return content;
    }
    format!("<section>\n<h2>{title}</h2>\n{content}</section>\n")
}

fn table(table: &Table, number: usize) -> String {
    let printed = Printed::new(table);
    let headings = printed.headings.iter().enumerate().map(|(i, heading)| {
        let class = if printed.numeric[i] { " class=\"number\"" } else { "" };
        format!("<th scope=\"col\"{class}>{}</th>", escape(heading))
    });
    let mut rows = String::new();
    for row in &printed.rows {
        let class = if row.starts_group { " class=\"group\"" } else { "" };
        let labels = row.labels.iter().map(|l| format!("<th scope=\"row\">{}</th>", escape(l)));
        let numeric = &printed.numeric[printed.label_columns..];
        let entries = row.entries.iter().zip(numeric).map(|(e, numeric)| entry(e, *numeric));
        let cells: String = labels.chain(entries).collect();
        rows += &format!("<tr{class}>{cells}</tr>\n");
    }
    let (name, caption) = (&table.name, escape(&table.caption));
    let headings: String = headings.collect();
    let notes = notes(&printed);
    // The caption stands outside of the table, so that a narrow table does not squeeze it.
    format!(
        "<figure class=\"table\" id=\"table-{name}\">\n<figcaption id=\"caption-{name}\"><b>Table \
         {number}.</b> {caption}</figcaption>\n<div class=\"scroll\" tabindex=\"0\">\n<table \
         aria-labelledby=\"caption-{name}\">\n<thead><tr>{headings}</tr></thead>\n<tbody>\n{rows}\
         </tbody>\n</table>\n</div>\n{notes}</figure>\n"
    )
}

fn notes(printed: &Printed) -> String {
    let mut text = warnings(&printed.warnings);
    let notes: Vec<_> = printed.notes.iter().map(|note| sentence(&escape(note))).collect();
    if !notes.is_empty() {
        text += &format!("<p class=\"notes\">{}</p>\n", notes.join(" "));
    }
    if !printed.protocols.is_empty() {
        let lines = printed.protocols.iter().map(|(names, protocol)| {
            format!("<li>{}: <code>{}</code></li>\n", escape(names), escape(protocol))
        });
        text += &format!(
            "<details class=\"notes\">\n<summary>Protocols</summary>\n<ul>\n{}</ul>\n</details>\n",
            lines.collect::<String>()
        );
    }
    text
}

fn warnings(warnings: &[String]) -> String {
    let lines = warnings.iter().map(|warning| {
        format!("<p class=\"warning\"><b>Warning:</b> {}</p>\n", sentence(&escape(warning)))
    });
    lines.collect()
}

fn entry(entry: &Entry, numeric: bool) -> String {
    match entry {
        Entry::Empty => "<td></td>".to_owned(),
        Entry::Text(text) if numeric => format!("<td class=\"number\">{}</td>", escape(text)),
        Entry::Text(text) => format!("<td>{}</td>", escape(text)),
        Entry::Number(number) => {
            let class = if number.tag.is_some() { "number published" } else { "number" };
            format!("<td class=\"{class}\">{}</td>", number_text(number))
        }
    }
}

fn number_text(number: &Number) -> String {
    let value = digits(&number.value);
    let mut text = match number.rank {
        Rank::Best => format!("<b>{value}</b>"),
        Rank::Second => format!("<u>{value}</u>"),
        Rank::None => value,
    };
    if let Some(spread) = &number.spread {
        text += &format!(" <small>± {}</small>", digits(spread));
    }
    if let Some((low, high)) = &number.interval {
        text += &format!(" <small>[{}, {}]</small>", digits(low), digits(high));
    }
    if let Some(n) = number.n {
        text += &format!(" <small>(n = {n})</small>");
    }
    if let Some(tag) = &number.tag {
        text += &format!("<sup>{}</sup>", escape(tag));
    }
    text
}

/// A hyphen before a number is a minus.
fn digits(value: &str) -> String {
    escape(value).replace('-', "−")
}

fn figure(figure: &Figure, number: usize) -> String {
    let alt = format!("{}: {}", figure.title, figure.caption);
    let drawing = format!("<svg role=\"img\" aria-label=\"{}\" ", escape(&alt));
    let svg = figure.svg();
    // Inside HTML the name space is known.
    let svg =
        svg.replacen("<svg ", &drawing, 1).replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
    format!(
        "<figure class=\"plot\" id=\"figure-{}\">\n<div class=\"scroll\" tabindex=\"0\">\n{svg}\
         </div>\n<figcaption><b>Figure {number}.</b> {}\
         </figcaption>\n{}</figure>\n",
        figure.name,
        escape(&figure.caption),
        warnings(&figure.warnings())
    )
}

/// # Panics
/// If the sheet is no picture: we wrote it ourselves.
fn sheet(sheet: &Sheet) -> String {
    let reader = ImageReader::new(std::io::Cursor::new(&sheet.png)).with_guessed_format();
    let (width, height) = reader
        .expect("reading from memory does not fail")
        .into_dimensions()
        .expect("a sheet is a PNG file of ours");
    let scale = (SHEET_WIDTH / width).max(1);
    let caption = escape(&sheet.caption);
    format!(
        "<figure class=\"sheet\" id=\"samples-{}\">\n<img alt=\"{caption}\" width=\"{}\" \
         height=\"{}\" src=\"data:image/png;base64,{}\">\n\
         <figcaption>{caption}</figcaption>\n</figure>\n",
        sheet.name,
        width * scale,
        height * scale,
        STANDARD.encode(&sheet.png)
    )
}

/// Returns text that HTML prints as it is, inside elements and attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(c),
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
        assert_eq!(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
        let page = page(&sample::document());
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;"), "the sample has a hostile caption");
    }

    #[test]
    fn loads_nothing() {
        let page = page(&sample::document());
        for attribute in ["src=\"", "href=\"", "url(", "@import", "srcset=\""] {
            for (at, _) in page.match_indices(attribute) {
                let value = &page[at + attribute.len()..];
                assert!(value.starts_with("data:image/png;base64,"), "{attribute}{}", &value[..40]);
            }
        }
        assert!(!page.contains("http:") && !page.contains("https:"));
    }

    /// Every element that opens closes in order; so no text of ours broke out of its place.
    #[test]
    fn elements_nest() {
        let page = page(&sample::document());
        let void = ["meta", "img", "!DOCTYPE"];
        let mut open: Vec<&str> = Vec::new();
        let mut rest = page.as_str();
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            let end = rest.find('>').expect("a tag ends");
            let tag = &rest[..end];
            let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
            if let Some(closing) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closing));
            } else if !tag.ends_with('/') && !void.contains(&name) {
                open.push(name);
            }
            rest = &rest[end + 1..];
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn pictures_and_plots_have_words() {
        let document = sample::document();
        let page = page(&document);
        assert_eq!(page.matches("<img ").count(), page.matches("<img alt=\"").count());
        assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), document.figures.len());
        let tables = page.matches("<table aria-labelledby=\"caption-").count();
        assert_eq!(tables, document.tables.len());
    }
}
