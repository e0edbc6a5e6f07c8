//! The quotes in the sources, in the form that duvet reads:
//!
//! ```text
//! //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
//! //= type=test
//! //# A server MUST NOT mask any frames that it sends to the
//! //# client.
//! ```
//!
//! (Here the marks stand behind others, so these are none.) A quote ends where its lines end, or where the next one begins.

use super::text::collapse;

pub const RFC: &str = "https://www.rfc-editor.org/rfc/rfc6455#section-";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// From the root of the repository.
    pub file: String,
    pub line: usize,
    pub section: String,
    pub is_test: bool,
    /// In one line.
    pub text: String,
    /// What it stands above, or in.
    pub item: Option<Item>,
}

/// A function, a type, a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    pub is_test: bool,
}

/// Finds the quotes of a file, and those that cannot be read.
pub fn find(file: &str, source: &str) -> (Vec<Quote>, Vec<String>) {
    let lines: Vec<&str> = source.lines().collect();
    let (mut quotes, mut problems) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < lines.len() {
        let meta = run(&lines[at..], "//=");
        if meta.is_empty() {
            if lines[at].trim_start().starts_with("//#") {
                problems.push(format!(
                    "{file}:{}: a quote without its section: write `//= {RFC}…` above",
                    at + 1
                ));
                at += run(&lines[at..], "//#").len();
            }
            at += 1;
            continue;
        }
        let content = run(&lines[at + meta.len()..], "//#");
        let end = at + meta.len() + content.len();
        match read(&meta, &content) {
            Ok((section, is_test, text)) => {
                let item = item(&lines, at, end);
                quotes.push(Quote { file: file.to_owned(), line: at + 1, section, is_test, text, item });
            }
            Err(problem) => problems.push(format!("{file}:{}: {problem}", at + 1)),
        }
        at = end;
    }
    (quotes, problems)
}

/// The lines from here on that have a mark, without it.
fn run<'a>(lines: &[&'a str], mark: &str) -> Vec<&'a str> {
    lines.iter().map_while(|line| line.trim_start().strip_prefix(mark)).map(str::trim).collect()
}

fn read(meta: &[&str], content: &[&str]) -> Result<(String, bool, String), String> {
    let (mut section, mut is_test) = (None, false);
    for line in meta {
        if let Some(number) = line.strip_prefix(RFC) {
            if section.replace(number.to_owned()).is_some() {
                return Err("two sections for one quote: quote each on its own".to_owned());
            }
        } else if *line == "type=test" {
            is_test = true;
        } else {
            return Err(format!(
                "`//= {line}` is neither a section of the RFC (`//= {RFC}5.1`) nor `//= type=test`; \
                 what is not kept belongs into tests/rfc6455/deviations.md"
            ));
        }
    }
    let Some(section) = section else {
        return Err(format!("no section: begin with `//= {RFC}…`"));
    };
    let text = collapse(&content.join("\n"));
    if text.is_empty() {
        return Err("nothing is quoted: add the words behind `//# `".to_owned());
    }
    Ok((section, is_test, text))
}

/// What a quote on the lines `start..end` belongs to: the item right below, else the function around it.
fn item(lines: &[&str], start: usize, end: usize) -> Option<Item> {
    let below = lines[end..].iter().map(|line| line.trim());
    let (mut attributes, mut code) = (Vec::new(), "");
    for line in below {
        if line.starts_with("#[") {
            attributes.push(line);
        } else if !line.is_empty() && !line.starts_with("//") {
            code = line;
            break;
        }
    }
    if let Some(name) = name_of(code) {
        // Attributes may also stand above the quote.
        let is_test = attributes.into_iter().any(is_test_attribute) || is_test_above(lines, start);
        return Some(Item { name: name.to_owned(), is_test });
    }
    let indent = indent_of(lines[start]);
    let mut around = (0..start).rev().filter(|at| indent_of(lines[*at]) < indent);
    let at = around.find(|at| lines[*at].contains("fn ") && name_of(lines[*at].trim()).is_some())?;
    let name = name_of(lines[at].trim())?.to_owned();
    Some(Item { name, is_test: is_test_above(lines, at) })
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether the attributes and comments right above a line say that a test comes.
fn is_test_above(lines: &[&str], at: usize) -> bool {
    let above = lines[..at].iter().rev().map(|line| line.trim());
    above.take_while(|line| line.starts_with("#[") || line.starts_with("//")).any(is_test_attribute)
}

fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[test]") || line.starts_with("#[tokio::test")
}

/// The name of the item that a line of code declares.
fn name_of(code: &str) -> Option<&str> {
    let code = match code.strip_prefix("pub(") {
        Some(within) => within.split_once(')')?.1,
        None => code,
    };
    let mut words = code.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "pub" | "async" | "unsafe" | "static" => {}
            "const" if code.contains("const fn ") => {}
            "fn" | "struct" | "enum" | "const" | "mod" | "trait" | "type" | "impl" => {
                let name = words.next()?;
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                return (end > 0).then_some(&name[..end]);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(lines: &[&str]) -> String {
        lines.join("\n").replace("RFC#", "https://www.rfc-editor.org/rfc/rfc6455#section-")
    }

    fn only(lines: &[&str]) -> Quote {
        let (quotes, problems) = find("src/a.rs", &source(lines));
        assert!(problems.is_empty(), "{problems:?}");
        let [quote] = quotes.as_slice() else { panic!("one quote, not {quotes:?}") };
        quote.clone()
    }

    #[test]
    fn quote_over_lines_is_one_text_and_belongs_to_the_item_below() {
        let quote = only(&[
            "/// Words.",
            "//= RFC#5.1",
            "//# A client MUST",
            "//#   mask case-",
            "//# insensitively.",
            "#[inline]",
            "pub(crate) fn mask<T>(x: T) {}",
        ]);
        assert_eq!((quote.section.as_str(), quote.line, quote.is_test), ("5.1", 2, false));
        assert_eq!(quote.text, "A client MUST mask case-insensitively.");
        assert_eq!(quote.item, Some(Item { name: "mask".into(), is_test: false }));
    }

    #[test]
    fn quote_inside_a_function_belongs_to_it() {
        let lines = [
            "fn other() {",
            "}",
            "impl X {",
            "    fn outer() {",
            "        //= RFC#5.1",
            "        //# MUST",
            "        if x {",
        ];
        assert_eq!(only(&lines).item.map(|item| item.name), Some("outer".to_owned()));
        let lines = [
            "#[tokio::test(start_paused = true)]",
            "async fn outer() {",
            "    //= RFC#5.1",
            "    //= type=test",
            "    //# MUST",
            "    x();",
        ];
        assert_eq!(only(&lines).item, Some(Item { name: "outer".into(), is_test: true }));
    }

    #[test]
    fn quotes_that_follow_each_other_are_of_the_same_item() {
        let lines = [
            "//= RFC#5.1",
            "//= type=test",
            "//# a",
            "//= RFC#5.2",
            "//= type=test",
            "//# b",
            "#[test]",
            "fn both() {}",
        ];
        let (quotes, problems) = find("tests/a.rs", &source(&lines));
        assert!(problems.is_empty());
        let item = Some(Item { name: "both".into(), is_test: true });
        let found: Vec<_> = quotes.iter().map(|quote| (quote.text.as_str(), quote.item == item)).collect();
        assert_eq!(found, [("a", true), ("b", true)]);
    }

    #[test]
    fn items_of_all_kinds_have_names() {
        for (code, name) in [
            ("pub const fn f(", Some("f")),
            ("pub(crate) const MAX: usize = 1;", Some("MAX")),
            ("pub(crate) async fn f() {", Some("f")),
            ("pub(in crate::a) fn f() {", Some("f")),
            ("enum E {", Some("E")),
            ("struct S<'a> {", Some("S")),
            ("let x = fn_of(y);", None),
            ("", None),
        ] {
            assert_eq!(name_of(code), name, "{code}");
        }
    }

    #[test]
    fn fault_in_a_quote_is_told_with_its_line_and_the_remedy() {
        for (lines, line, remedy) in [
            (&["", "//# MUST"][..], "src/a.rs:2", "write `//= https"),
            (&["//= RFC#5.1", "fn f() {}"], "src/a.rs:1", "add the words"),
            (&["//= type=test", "//# MUST"], "src/a.rs:1", "begin with"),
            (&["//= RFC#5.1", "//= type=exception", "//# MUST"], "src/a.rs:1", "deviations.md"),
            (&["//= RFC#5.1", "//= RFC#5.2", "//# MUST"], "src/a.rs:1", "each on its own"),
            (&["//= https://example.com#section-1", "//# MUST"], "src/a.rs:1", "neither a section"),
        ] {
            let (quotes, problems) = find("src/a.rs", &source(lines));
            assert_eq!((quotes.len(), problems.len()), (0, 1), "{lines:?}");
            assert!(problems[0].starts_with(line) && problems[0].contains(remedy), "{}", problems[0]);
        }
    }
}
