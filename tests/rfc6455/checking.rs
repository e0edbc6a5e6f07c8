//! That the check finds what is wrong, over lists and quotes made up for it.

use super::check::{against_text, lists, trace};
use super::list::Requirement;
use super::quotes::{Item, Quote};

const MASK: &str = "a client MUST mask all frames that it sends";
const FAIL: &str = "A client MUST close a connection if it detects a masked frame.";

fn requirement(section: &str, level: &str, quote: &str) -> Requirement {
    Requirement {
        section: section.into(),
        level: level.into(),
        quote: quote.into(),
        reason: String::new(),
        part: "## Deviations".into(),
        line: 7,
    }
}

fn deviation(section: &str, quote: &str) -> Requirement {
    Requirement { reason: "So.".into(), ..requirement(section, "MUST", quote) }
}

fn quote(section: &str, text: &str, is_test: bool) -> Quote {
    let file = if is_test { "tests/a.rs" } else { "src/a.rs" };
    let item = Some(Item { name: "f".into(), is_test });
    Quote { file: file.into(), line: 3, section: section.into(), is_test, text: text.into(), item }
}

fn both(section: &str, text: &str) -> [Quote; 2] {
    [quote(section, text, false), quote(section, text, true)]
}

/// The only problem, which says where, what, and what to do.
#[track_caller]
fn assert_only(problems: &[String], place: &str, remedy: &str) {
    let [problem] = problems else { panic!("one problem, not {problems:#?}") };
    assert!(problem.starts_with(place), "{problem}");
    assert!(problem.contains(remedy), "{problem}");
}

#[test]
fn requirement_with_code_and_test_is_without_fault() {
    let kept = [requirement("5.1", "MUST", MASK), requirement("5.1", "MUST", FAIL)];
    let quotes = [both("5.1", MASK), both("5.1", "A client MUST close a connection")].concat();
    let (traces, problems) = trace(&kept, &[], &quotes);
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(traces.iter().all(|trace| trace.code.len() == 1 && trace.tests.len() == 1));
}

#[test]
fn requirement_without_code_or_test_is_found() {
    let kept = [requirement("5.1", "MUST", MASK)];
    let (code, test) = (quote("5.1", MASK, false), quote("5.1", MASK, true));
    assert_only(&trace(&kept, &[], &[test]).1, "tests/rfc6455/requirements.md:7: no code", "quote it above");
    assert_only(&trace(&kept, &[], &[code]).1, "tests/rfc6455/requirements.md:7: no test", "`//= type=test`");
    assert_eq!(trace(&kept, &[], &[]).1.len(), 2);
}

#[test]
fn quote_with_a_word_changed_or_of_another_section_is_found() {
    let kept = [requirement("5.1", "MUST", MASK)];
    for (section, text) in
        [("5.1", "a client MUST mask any frames"), ("5.2", MASK), ("5.1", "mask all frames")]
    {
        let quotes = [&both("5.1", MASK)[..], &[quote(section, text, false)]].concat();
        assert_only(&trace(&kept, &[], &quotes).1, "src/a.rs:3", "quote one of it");
    }
}

#[test]
fn quote_that_fits_several_requirements_is_found() {
    let kept =
        [requirement("5.1", "MUST", "The a MUST be 1."), requirement("5.1", "MUST", "The b MUST be 1.")];
    let quotes = [
        &both("5.1", "The a MUST be 1.")[..],
        &both("5.1", "The b MUST"),
        &[quote("5.1", "MUST be 1.", false)],
    ];
    assert_only(&trace(&kept, &[], &quotes.concat()).1, "src/a.rs:3", "quote more");
}

#[test]
fn quote_has_the_word_that_demands_with_its_negation() {
    let kept = [requirement("5.1", "MUST NOT", "A server MUST NOT mask any frames.")];
    let short = quote("5.1", "A server MUST", false);
    let quotes = [&both("5.1", "A server MUST NOT mask")[..], &[short]].concat();
    assert_only(&trace(&kept, &[], &quotes).1, "src/a.rs:3", "with the word that demands");
}

#[test]
fn deviation_that_is_cited_as_kept_is_found() {
    let kept = [requirement("5.1", "MUST", MASK)];
    let quotes = [&both("5.1", MASK)[..], &[quote("5.1", FAIL, false)]].concat();
    let not_kept = [deviation("5.1", FAIL)];
    assert_only(&trace(&kept, &not_kept, &quotes).1, "src/a.rs:3", "remove one of them");
}

#[test]
fn quote_at_the_wrong_place_is_found() {
    let kept = [requirement("5.1", "MUST", MASK)];
    let mut in_tests = quote("5.1", MASK, false);
    in_tests.file = "tests/a.rs".into();
    let mut at_a_helper = quote("5.1", MASK, true);
    at_a_helper.item = Some(Item { name: "helper".into(), is_test: false });
    let mut at_the_end = quote("5.1", MASK, true);
    at_the_end.item = None;
    for (wrong, remedy) in
        [(in_tests, "type=test"), (at_a_helper, "`helper`"), (at_the_end, "no test follows")]
    {
        let quotes = [&both("5.1", MASK)[..], &[wrong]].concat();
        assert_only(&trace(&kept, &[], &quotes).1, "tests/a.rs:3", remedy);
    }
}

#[test]
fn lists_with_twins_or_reasons_amiss_are_found() {
    let kept = [requirement("5.1", "MUST", MASK)];
    assert!(lists(&kept, &[deviation("5.1", FAIL)]).is_empty());
    assert_only(
        &lists(&kept, &[requirement("5.1", "MUST", FAIL)]),
        "tests/rfc6455/deviations.md:7",
        "write it below",
    );
    assert_only(&lists(&kept, &[deviation("5.1", MASK)]), "tests/rfc6455/deviations.md:7", "keep one");
    assert_only(&lists(&kept, &[deviation("5.1", "MUST mask")]), "tests/rfc6455/deviations.md:7", "keep one");
    assert_only(&lists(&[deviation("5.1", FAIL)], &[]), "tests/rfc6455/requirements.md:7", "belongs into");
}

#[test]
fn lists_are_held_against_the_text() {
    let sections = [
        ("5.1".to_owned(), format!("To be safe, {MASK}. {FAIL}")),
        ("6".to_owned(), "Here, MUST is not looked for.".to_owned()),
    ];
    let (mask, fail) = (requirement("5.1", "MUST", MASK), deviation("5.1", FAIL));
    assert!(against_text(std::slice::from_ref(&mask), std::slice::from_ref(&fail), &sections).is_empty());

    let missing = against_text(std::slice::from_ref(&mask), &[], &sections);
    assert_only(&missing, "section 5.1 of the RFC demands (MUST)", FAIL);
    let elsewhere = [mask.clone(), requirement("5.2", "MUST", MASK)];
    let elsewhere = against_text(&elsewhere, std::slice::from_ref(&fail), &sections);
    assert_only(&elsewhere, "tests/rfc6455/requirements.md:7", "from that section");
    let altered = [fail, deviation("5.1", "a client MUST mask no frames")];
    assert_only(
        &against_text(&[mask], &altered, &sections),
        "tests/rfc6455/deviations.md:7",
        "word for word",
    );
}
