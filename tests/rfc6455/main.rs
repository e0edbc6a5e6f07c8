//! RFC 6455, line by line: what it demands is quoted beside the code that keeps it and beside a test that shows it. What is not
//! kept has a reason in `deviations.md`. `UPDATE=1 cargo test --no-default-features --test rfc6455` renews
//! the page, RFC6455.md.
//!
//! The lists of requirements are in the repository. Where the text of the RFC lies beside it, they are checked against that; elsewhere
//! against the digest that they had then.

// A test binary exports nothing and may panic.
#![allow(unreachable_pub)]

mod check;
mod checking;
mod list;
mod page;
mod quotes;
mod sources;
mod text;

use std::io::Write as _;

use list::Requirement;
use sources::Sources;

/// How often sections 4, 5, 7, 8 and 10 demand something. The RFC does not change any more.
const DEMANDS: usize = 133;

/// The digest of the lists when they were last checked against the text.
const DIGEST: u64 = 0xfc19_c835_f8cc_dbae;

/// Of section and words of each requirement: FNV-1a.
fn digest<'a>(lists: impl Iterator<Item = &'a Requirement>) -> u64 {
    let octets = lists.flat_map(|one| [one.section.as_bytes(), b" ", one.quote.as_bytes(), b"\n"]).flatten();
    octets
        .fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}

/// What of the repository is read.
struct Repository {
    sources: Sources,
    kept: Vec<Requirement>,
    not_kept: Vec<Requirement>,
}

impl Repository {
    fn read() -> Self {
        let sources = Sources::of_the_repository();
        let list = |file| {
            let text = sources.read(file).expect("a list of requirements");
            list::parse(file, &text).unwrap_or_else(|problems| panic!("{}", problems.join("\n")))
        };
        let (kept, not_kept) = (list(check::KEPT), list(check::NOT_KEPT));
        Repository { sources, kept, not_kept }
    }
}

/// Fails with all problems, if there are any.
#[track_caller]
fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n\n{}\n", problems.len(), problems.join("\n"));
}

/// Says what a test was able to check, also where its output is captured.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "rfc6455: {line}");
}

#[test]
fn every_requirement_is_cited_by_code_and_by_a_test_or_has_a_reason() {
    let Repository { sources, kept, not_kept } = Repository::read();
    let (quotes, mut problems) = sources.quotes();
    let (_, untraced) = check::trace(&kept, &not_kept, &quotes);
    problems.extend(untraced);
    problems.extend(check::lists(&kept, &not_kept));
    say(&format!("{} requirements kept, {} not; {} quotes", kept.len(), not_kept.len(), quotes.len()));
    report(&problems);
}

#[test]
fn every_demand_of_the_text_is_in_a_list_and_every_list_in_the_text() {
    let Repository { sources, kept, not_kept } = Repository::read();
    let listed: usize = kept.iter().chain(&not_kept).map(|one| text::demands(&one.quote).len()).sum();
    assert_eq!(
        listed, DEMANDS,
        "the lists hold {listed} demands, and the RFC {DEMANDS}: see what was lost or doubled"
    );
    let digest = digest(kept.iter().chain(&not_kept));
    let Some(text) = sources.read(sources::TEXT) else {
        say(&format!("the text is not at {}, so the lists are checked against their digest", sources::TEXT));
        assert_eq!(
            digest,
            DIGEST,
            "the lists have changed: check them against the text at {}",
            sources::TEXT
        );
        return;
    };
    let sections = text::sections(&text);
    let demands = sections.iter().filter(|(section, _)| text::is_covered(section));
    let demands: usize = demands.map(|(_, text)| text::demands(text).len()).sum();
    say(&format!("the lists are checked against the text at {}: it demands {demands} times", sources::TEXT));
    assert_eq!(demands, DEMANDS, "{} is not the whole of RFC 6455: put its text there", sources::TEXT);
    report(&check::against_text(&kept, &not_kept, &sections));
    assert_eq!(digest, DIGEST, "the lists are as the text has them: let DIGEST be {digest:#x}");
}

#[test]
fn page_says_what_the_sources_say() {
    let Repository { sources, kept, not_kept } = Repository::read();
    let (quotes, _) = sources.quotes();
    let (traces, _) = check::trace(&kept, &not_kept, &quotes);
    let page = page::render(&traces, &not_kept);
    if std::env::var_os("UPDATE").is_some() {
        sources.write(sources::PAGE, &page);
    }
    let found = sources.read(sources::PAGE).unwrap_or_default();
    let differs = (1..).zip(page.lines().zip(found.lines())).find(|(_, (new, old))| new != old);
    assert!(
        page == found,
        "{} is stale{}: run `UPDATE=1 cargo test --no-default-features --test rfc6455`",
        sources::PAGE,
        differs.map_or(String::new(), |(line, (new, old))| format!(
            ", line {line} says\n{old}\nin place of\n{new}\n"
        ))
    );
}
