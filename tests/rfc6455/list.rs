//! Lists of requirements: `requirements.md` has those that are kept, `deviations.md` the others, with the reason.
//!
//! ```text
//! ### 5.1 MUST
//!
//! > a client MUST mask all frames that it sends to the server
//!
//! The reason, for all quotes under this heading.
//! ```

use super::text::{collapse, demands, is_section};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub section: String,
    /// `MUST`, or what the heading says for a quote that has no such word itself.
    pub level: String,
    /// In one line.
    pub quote: String,
    /// Why it is not kept, or by whom; empty in the list of those that are.
    pub reason: String,
    /// The heading above, with what stands below it: `Deviations`.
    pub part: String,
    /// Where in its file.
    pub line: usize,
}

/// Reads a list. What is wrong with it comes in place of it.
pub fn parse(file: &str, text: &str) -> Result<Vec<Requirement>, Vec<String>> {
    let mut list = Vec::new();
    let mut problems = Vec::new();
    let mut part = String::new();
    // An entry is what stands from one heading to the next.
    for (line, entry) in entries(text) {
        let mut lines = entry.lines();
        let heading = lines.next().unwrap_or("");
        let Some(heading) = heading.strip_prefix("### ") else {
            if heading.starts_with("## ") {
                entry.trim_end().clone_into(&mut part);
            }
            continue;
        };
        let (section, level) = heading.split_once(' ').unwrap_or((heading, ""));
        if !is_section(section) || level.is_empty() {
            problems.push(format!(
                "{file}:{line}: the heading is `{heading}`: write a section and a level, as `### 5.1 MUST`"
            ));
            continue;
        }
        let (quotes, reason) = quotes_and_reason(lines);
        if quotes.is_empty() {
            problems.push(format!(
                "{file}:{line}: nothing is quoted under `{heading}`: quote the RFC behind `> `"
            ));
        }
        list.extend(quotes.into_iter().map(|(below, quote)| Requirement {
            section: section.to_owned(),
            level: level.to_owned(),
            quote,
            reason: reason.clone(),
            part: part.clone(),
            line: line + 1 + below,
        }));
    }
    problems.extend(list.iter().filter_map(|requirement| wrong_level(file, requirement)));
    if problems.is_empty() { Ok(list) } else { Err(problems) }
}

/// The text from each heading to the next, and the number of the heading's line.
fn entries(text: &str) -> Vec<(usize, String)> {
    let mut entries: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match entries.last_mut() {
            Some((_, entry)) if !line.starts_with('#') => {
                entry.push('\n');
                entry.push_str(line);
            }
            _ => entries.push((number, line.to_owned())),
        }
    }
    entries
}

/// The quotes, each with the number of its first line, and the other paragraphs.
fn quotes_and_reason<'a>(lines: impl Iterator<Item = &'a str>) -> (Vec<(usize, String)>, String) {
    let (mut quotes, mut reason) = (Vec::<(usize, String)>::new(), String::new());
    let mut in_quote = false;
    for (number, line) in lines.enumerate() {
        let quoted = line.strip_prefix('>');
        match (quoted, quotes.last_mut()) {
            (Some(more), Some((_, quote))) if in_quote => {
                quote.push('\n');
                quote.push_str(more);
            }
            (Some(first), _) => quotes.push((number, first.to_owned())),
            (None, _) => {
                reason.push('\n');
                reason.push_str(line);
            }
        }
        in_quote = quoted.is_some();
    }
    for (_, quote) in &mut quotes {
        *quote = collapse(quote);
    }
    (quotes, collapse(&reason))
}

/// A level that is not what the quote says.
fn wrong_level(file: &str, requirement: &Requirement) -> Option<String> {
    let Requirement { section, level, quote, line, .. } = requirement;
    let mut said: Vec<&str> = demands(quote).into_iter().map(|(_, word)| word).collect();
    said.dedup();
    let said = said.join(", ");
    (!said.is_empty() && said != *level).then(|| {
        format!(
            "{file}:{line}: the level is {level}, and the quote says {said}: write `### {section} {said}`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
# List

Words.

## Kept

### 5.1 MUST

> a client MUST mask all
> frames

### 5.5.3 must

> a Pong must be
> the same

> and another

Because it
is so.
";

    #[test]
    fn list_has_section_level_quote_reason_and_line() {
        let list = parse("a.md", LIST).expect("a list without fault");
        let of = |section: &str, level: &str, quote: &str, reason: &str, line| Requirement {
            section: section.into(),
            level: level.into(),
            quote: quote.into(),
            reason: reason.into(),
            part: "## Kept".into(),
            line,
        };
        let expected = [
            of("5.1", "MUST", "a client MUST mask all frames", "", 9),
            of("5.5.3", "must", "a Pong must be the same", "Because it is so.", 14),
            of("5.5.3", "must", "and another", "Because it is so.", 17),
        ];
        assert_eq!(list, expected);
    }

    #[test]
    fn fault_in_a_list_is_told_with_its_line_and_the_remedy() {
        for (list, line, remedy) in [
            ("\n### MUST\n\n> x", "a.md:2", "write a section and a level"),
            ("### 5.1\n\n> x", "a.md:1", "write a section and a level"),
            ("### 5.1 MUST\n\nNothing.", "a.md:1", "quote the RFC"),
            ("### 5.1 MUST\n\n> x MUST NOT y", "a.md:3", "write `### 5.1 MUST NOT`"),
            ("### 5.1 MUST\n\n> x MUST y and SHOULD z", "a.md:3", "write `### 5.1 MUST, SHOULD`"),
        ] {
            let problems = parse("a.md", list).expect_err("a list at fault");
            assert_eq!(problems.len(), 1, "{list}");
            assert!(problems[0].starts_with(line) && problems[0].contains(remedy), "{}", problems[0]);
        }
    }
}
