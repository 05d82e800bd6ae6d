//! How the numbers came about, as HTML: any JSON value becomes nested lists and tables.

use serde_json::{Map, Value};

use super::html::escape;

/// Returns a value as HTML. Objects become definition lists, lists of like objects become tables,
/// text of several lines (a TOML file) keeps its lines.
pub(super) fn html(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => escape(&value.to_string()),
        Value::String(text) if text.contains('\n') => {
            format!("<pre>{}</pre>", escape(text.trim_end()))
        }
        Value::String(text) => format!("<span class=\"value\">{}</span>", escape(text)),
        Value::Object(members) => definitions(members),
        Value::Array(items) => match headings(items) {
            Some(headings) => grid(&headings, items),
            None if items.iter().all(is_short) => {
                items.iter().map(html).collect::<Vec<_>>().join(", ")
            }
            None => {
                let lines = items.iter().map(|item| format!("<li>{}</li>", html(item)));
                format!("<ul>{}</ul>", lines.collect::<String>())
            }
        },
    }
}

fn definitions(members: &Map<String, Value>) -> String {
    let lines = members.iter().map(|(name, value)| {
        format!("<dt>{}</dt><dd>{}</dd>\n", escape(&name.replace(['_', '-'], " ")), html(value))
    });
    format!("<dl>\n{}</dl>", lines.collect::<String>())
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.contains('\n'),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Returns the headings of a list that is a table: flat objects with the same members.
fn headings(items: &[Value]) -> Option<Vec<&String>> {
    let first: Vec<&String> = items.first()?.as_object()?.keys().collect();
    let like = |item: &Value| {
        item.as_object().is_some_and(|members| {
            members.len() == first.len()
                && first.iter().all(|name| members.get(*name).is_some_and(is_short))
        })
    };
    items.iter().all(like).then_some(first)
}

fn grid(headings: &[&String], items: &[Value]) -> String {
    let head = headings
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escape(&name.replace(['_', '-'], " "))));
    let rows = items.iter().map(|item| {
        let cells = headings.iter().map(|name| {
            let value = &item[name.as_str()];
            let class = if value.is_number() { " class=\"number\"" } else { "" };
            format!("<td{class}>{}</td>", html(value))
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    });
    format!(
        "<div class=\"scroll\"><table class=\"facts\"><thead><tr>{}</tr>\
         </thead>\n<tbody>\n{}</tbody></table></div>",
        head.collect::<String>(),
        rows.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_follow_the_value() {
        let rows = [
            (json!("a<b"), "<span class=\"value\">a&lt;b</span>"),
            (json!("a\nb\n"), "<pre>a\nb</pre>"),
            (json!([1, 2]), "1, 2"),
            (json!({"wall_time": 3}), "<dl>\n<dt>wall time</dt><dd>3</dd>\n</dl>"),
            (json!([[1], [2]]), "<ul><li>1</li><li>2</li></ul>"),
        ];
        for (value, want) in rows {
            assert_eq!(html(&value), want);
        }
        let table =
            html(&json!([{"stage": "train", "seconds": 3}, {"stage": "draw", "seconds": 4}]));
        assert!(table.contains("<th scope=\"col\">stage</th>"));
        assert!(table.contains("<td class=\"number\">4</td>"));
    }
}
