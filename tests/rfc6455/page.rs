//! RFC6455.md: each requirement with its code and its tests, and what is not kept, with the reason.

use std::fmt::Write as _;

use super::check::Trace;
use super::list::Requirement;
use super::quotes::Quote;

const HEAD: &str = "\
# RFC 6455, line by line

What sections 4, 5, 7, 8 and 10 of [RFC 6455](https://www.rfc-editor.org/rfc/rfc6455) demand of an endpoint, with the code that
keeps it and the tests that show it; and [what is not kept](#deviations), with the reasons. The page is made of the quotes in the
sources by `UPDATE=1 cargo test --no-default-features --test rfc6455`, and a test fails where it is stale.
";

pub fn render(traces: &[Trace<'_>], not_kept: &[Requirement]) -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for Trace { requirement, code, tests } in traces {
        if requirement.section != section {
            section = &requirement.section;
            let _ = write!(page, "\n## {section}\n\n| | requirement | code | test |\n|---|---|---|---|\n");
        }
        let (level, quote) = (&requirement.level, cell(&requirement.quote));
        let _ = writeln!(page, "| {level} | {quote} | {} | {} |", places(code), places(tests));
    }
    let mut part = "";
    for (at, requirement) in not_kept.iter().enumerate() {
        if requirement.part != part {
            part = &requirement.part;
            let _ = writeln!(page, "\n{part}");
        }
        let Requirement { section, level, quote, reason, .. } = requirement;
        let _ = writeln!(page, "\n> {} ({section}, {level})", escape(quote));
        // One reason for all that it is given for.
        if not_kept.get(at + 1).is_none_or(|next| next.reason != *reason || next.part != *part) {
            let _ = writeln!(page, "\n{reason}");
        }
    }
    page
}

/// Files, each once, with what is in them.
fn places(quotes: &[&Quote]) -> String {
    let mut files: Vec<(&str, Vec<String>)> = Vec::new();
    for quote in quotes {
        let name = quote.item.as_ref().map(|item| format!("`{}`", item.name));
        match files.iter_mut().find(|(file, _)| *file == quote.file) {
            Some((_, names)) => names.extend(name.filter(|name| !names.contains(name))),
            None => files.push((&quote.file, name.into_iter().collect())),
        }
    }
    let links = files.into_iter().map(|(file, names)| format!("[{file}]({file}) {}", names.join(", ")));
    links.map(|link| link.trim_end().to_owned()).collect::<Vec<_>>().join("; ")
}

/// Text without marks of Markdown.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '_' | '*' | '[' | ']' | '<' | '>' | '`' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn cell(text: &str) -> String {
    escape(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::quotes::Item;
    use super::*;

    fn requirement(section: &str, quote: &str, reason: &str) -> Requirement {
        Requirement {
            section: section.into(),
            level: "MUST".into(),
            quote: quote.into(),
            reason: reason.into(),
            part: "## Deviations\n\nNot kept.".into(),
            line: 1,
        }
    }

    fn quote(file: &str, name: &str) -> Quote {
        let item = Some(Item { name: name.into(), is_test: false });
        Quote { file: file.into(), line: 1, section: "5".into(), is_test: false, text: "x".into(), item }
    }

    #[test]
    fn page_has_a_table_for_each_section_and_one_reason_for_its_quotes() {
        let kept =
            [requirement("4.1", "|Host| MUST", ""), requirement("4.1", "b", ""), requirement("5", "c", "")];
        let (code, test) = (quote("src/a.rs", "f"), quote("tests/b.rs", "g"));
        let other = quote("src/a.rs", "h");
        let traces: Vec<_> = kept
            .iter()
            .map(|requirement| Trace { requirement, code: vec![&code, &other, &code], tests: vec![&test] })
            .collect();
        let not_kept =
            [requirement("4", "_d_", "Why."), requirement("4", "e", "Why."), requirement("4", "f", "So.")];
        let page = render(&traces, &not_kept);
        let body = page.strip_prefix(HEAD).expect("the page begins with its head");
        let places = "[src/a.rs](src/a.rs) `f`, `h` | [tests/b.rs](tests/b.rs) `g`";
        let table = "| | requirement | code | test |\n|---|---|---|---|\n";
        let expected = format!(
            "\n## 4.1\n\n{table}| MUST | \\|Host\\| MUST | {places} |\n| MUST | b | {places} |\n\
             \n## 5\n\n{table}| MUST | c | {places} |\n\
             \n## Deviations\n\nNot kept.\n\n> \\_d\\_ (4, MUST)\n\n> e (4, MUST)\n\nWhy.\n\n> f (4, MUST)\n\nSo.\n"
        );
        assert_eq!(body, expected);
    }
}
