//! What must hold between the lists, the quotes and the text. Each problem says where, what came, and what to do.

use super::list::Requirement;
use super::quotes::Quote;
use super::text::{demands, is_covered, says, sentence};

pub const KEPT: &str = "tests/rfc6455/requirements.md";
pub const NOT_KEPT: &str = "tests/rfc6455/deviations.md";

/// The requirements, each with its quotes in code and in tests.
#[derive(Debug)]
pub struct Trace<'a> {
    pub requirement: &'a Requirement,
    pub code: Vec<&'a Quote>,
    pub tests: Vec<&'a Quote>,
}

/// Brings requirements and quotes together.
pub fn trace<'a>(
    kept: &'a [Requirement],
    not_kept: &[Requirement],
    quotes: &'a [Quote],
) -> (Vec<Trace<'a>>, Vec<String>) {
    let mut traces: Vec<_> =
        kept.iter().map(|requirement| Trace { requirement, code: Vec::new(), tests: Vec::new() }).collect();
    let mut problems = Vec::new();
    for quote in quotes {
        if let Some(problem) = misplaced(quote) {
            problems.push(problem);
        }
        let cited: Vec<usize> = (0..kept.len()).filter(|at| cites(quote, &kept[*at])).collect();
        let deviation = not_kept.iter().find(|requirement| cites(quote, requirement));
        let Quote { file, line, section, text, .. } = quote;
        match (cited.as_slice(), deviation) {
            (_, Some(Requirement { line: at, .. })) => problems.push(format!(
                "{file}:{line}: cites \"{text}\" ({section}) as kept, and {NOT_KEPT}:{at} says why it is not: remove one of them"
            )),
            ([at], None) if quote.is_test => traces[*at].tests.push(quote),
            ([at], None) => traces[*at].code.push(quote),
            ([], None) => problems.push(format!(
                "{file}:{line}: \"{text}\" is no requirement of section {section} in {KEPT}: quote one of it, with the word that \
                 demands; or add it there"
            )),
            (several, None) => problems.push(format!(
                "{file}:{line}: \"{text}\" may be any of {} requirements of section {section}: quote more of the one that is meant",
                several.len()
            )),
        }
    }
    for Trace { requirement, code, tests } in &traces {
        let Requirement { section, quote, line, .. } = requirement;
        if code.is_empty() {
            problems.push(format!(
                "{KEPT}:{line}: no code cites \"{quote}\" ({section}): quote it above the code that keeps it, or move it to {NOT_KEPT}"
            ));
        }
        if tests.is_empty() {
            problems.push(format!(
                "{KEPT}:{line}: no test cites \"{quote}\" ({section}): quote it with `//= type=test` above a test that fails without it"
            ));
        }
    }
    (traces, problems)
}

/// Whether a quote is of this requirement: all of it, or the part with the word that demands.
fn cites(quote: &Quote, requirement: &Requirement) -> bool {
    let Requirement { section, level, quote: whole, .. } = requirement;
    let demands = || level.split(", ").any(|level| says(&quote.text, level));
    quote.section == *section && (quote.text == *whole || whole.contains(&quote.text) && demands())
}

/// Code belongs to `src`, and tests are functions with the attribute.
fn misplaced(quote: &Quote) -> Option<String> {
    let Quote { file, line, .. } = quote;
    if !quote.is_test {
        return file
            .starts_with("tests/")
            .then(|| format!("{file}:{line}: a quote in tests: add `//= type=test`"));
    }
    match &quote.item {
        Some(item) if item.is_test => None,
        Some(item) => Some(format!(
            "{file}:{line}: `{}` has a quote of a test, and is none: move it above the test's attribute, or into the test",
            item.name
        )),
        None => Some(format!("{file}:{line}: a quote of a test, and no test follows: move it above one")),
    }
}

/// Deviations need a reason, and no two entries may say the same.
pub fn lists(kept: &[Requirement], not_kept: &[Requirement]) -> Vec<String> {
    let mut problems = Vec::new();
    for requirement in not_kept.iter().filter(|requirement| requirement.reason.is_empty()) {
        problems
            .push(format!("{NOT_KEPT}:{}: no reason is given: write it below the quote", requirement.line));
    }
    for requirement in kept.iter().filter(|requirement| !requirement.reason.is_empty()) {
        problems.push(format!(
            "{KEPT}:{}: \"{}\" has a remark: what is kept needs none, what is not belongs into {NOT_KEPT}",
            requirement.line, requirement.reason
        ));
    }
    let all: Vec<_> =
        kept.iter().map(|one| (KEPT, one)).chain(not_kept.iter().map(|one| (NOT_KEPT, one))).collect();
    for (at, (file, one)) in all.iter().enumerate() {
        let twin = all[..at].iter().find(|(_, other)| {
            one.section == other.section
                && (one.quote.contains(&other.quote) || other.quote.contains(&one.quote))
        });
        if let Some((of, other)) = twin {
            problems.push(format!("{file}:{}: is also at {of}:{}: keep one", one.line, other.line));
        }
    }
    problems
}

/// Each entry stands in the text, and each demand of the text in an entry.
pub fn against_text(
    kept: &[Requirement],
    not_kept: &[Requirement],
    sections: &[(String, String)],
) -> Vec<String> {
    let mut problems = Vec::new();
    for (file, requirement) in
        kept.iter().map(|one| (KEPT, one)).chain(not_kept.iter().map(|one| (NOT_KEPT, one)))
    {
        let Requirement { section, quote, line, .. } = requirement;
        let stands = sections.iter().any(|(number, text)| number == section && text.contains(quote));
        if !stands {
            problems.push(format!(
                "{file}:{line}: \"{quote}\" is not in section {section} of the RFC: quote it word for word, and from that section"
            ));
        }
    }
    for (section, text) in sections.iter().filter(|(section, _)| is_covered(section)) {
        let listed: Vec<_> = kept
            .iter()
            .chain(not_kept)
            .filter(|requirement| requirement.section == *section)
            .flat_map(|requirement| text.match_indices(&requirement.quote))
            .map(|(start, quote)| start..start + quote.len())
            .collect();
        for (at, word) in demands(text) {
            if !listed.iter().any(|range| range.contains(&at)) {
                problems.push(format!(
                    "section {section} of the RFC demands ({word}) what is in neither list: \"{}\": add it to {KEPT}, or with a reason \
                     to {NOT_KEPT}",
                    sentence(text, at)
                ));
            }
        }
    }
    problems
}
