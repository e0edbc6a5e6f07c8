//! The text of the RFC: its sections, and where in them something is demanded.

/// Text in one line: lines are joined by a space, or by nothing where a word goes on behind its hyphen.
pub fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let goes_on = out.strip_suffix('-').is_some_and(|before| before.ends_with(char::is_alphanumeric));
        for (at, word) in line.split_whitespace().enumerate() {
            let joined = at == 0 && goes_on;
            if !(out.is_empty() || joined) {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    out
}

/// The sections, each in one line, without page headings and page numbers. A section ends where the next one begins, be it one of
/// its own.
pub fn sections(rfc: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in rfc.lines() {
        if let Some(number) = heading(line) {
            sections.push((number.to_owned(), String::new()));
        } else if !line.starts_with("Fette & Melnikov") && !line.starts_with("RFC 6455 ") {
            // What comes before the first section is the table of contents.
            if let Some((_, text)) = sections.last_mut() {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    sections.into_iter().map(|(number, text)| (number, collapse(&text))).collect()
}

/// `5.1` of `5.1.  Overview`.
fn heading(line: &str) -> Option<&str> {
    let (number, _) = line.split_once(".  ")?;
    is_section(number).then_some(number)
}

/// Whether this is `5` or `5.5.1`.
pub fn is_section(number: &str) -> bool {
    number.split('.').all(|part| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit()))
}

/// Whether a section says how an endpoint behaves: 4, 5, 7, 8, 10 and those within.
pub fn is_covered(section: &str) -> bool {
    matches!(section.split('.').next(), Some("4" | "5" | "7" | "8" | "10"))
}

/// The words of RFC 2119 that demand something, as they stand in the text: where, and which (`MUST`, `MUST NOT`).
pub fn demands(text: &str) -> Vec<(usize, &str)> {
    let words = ["MUST", "SHOULD", "SHALL", "REQUIRED", "RECOMMENDED"];
    let mut found: Vec<_> = words
        .into_iter()
        .flat_map(|word| places(text, word))
        .map(|(at, word)| {
            let not = format!("{word} NOT");
            let negated = places(&text[at..], &not).next().is_some_and(|(start, _)| start == 0);
            (at, &text[at..at + if negated { not.len() } else { word.len() }])
        })
        .collect();
    found.sort_unstable();
    found
}

/// Whether a text says this (`MUST`, `must not`), and not its negation.
pub fn says(text: &str, level: &str) -> bool {
    let negations = [format!("{level} NOT"), format!("{level} not")];
    places(text, level).any(|(at, _)| !negations.iter().any(|not| text[at..].starts_with(not.as_str())))
}

/// Where some words stand by themselves.
fn places<'a>(text: &'a str, words: &str) -> impl Iterator<Item = (usize, &'a str)> {
    text.match_indices(words).filter(|(at, words)| {
        let (before, after) = (&text[..*at], &text[at + words.len()..]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

/// The sentence around a place in a text.
pub fn sentence(text: &str, at: usize) -> &str {
    let start = text[..at].rfind(". ").map_or(0, |end| end + 2);
    let end = text[at..].find(". ").map_or(text.len(), |end| at + end + 1);
    &text[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: &str = "\
   5. Framing ........ 27
5.  Framing

5.1.  Overview

   A client MUST mask.  A case-
   insensitive sentence that is
\u{c}
Fette & Melnikov             Standards Track                   [Page 27]

RFC 6455                 The WebSocket Protocol            December 2011


   cut SHOULD
   NOT show.
5.2.  More
   Nothing.
";

    #[test]
    fn sections_are_read_over_page_breaks_and_without_the_table_of_contents() {
        let sections = sections(RFC);
        let expected = [
            ("5", ""),
            ("5.1", "A client MUST mask. A case-insensitive sentence that is cut SHOULD NOT show."),
            ("5.2", "Nothing."),
        ];
        let sections: Vec<_> =
            sections.iter().map(|(number, text)| (number.as_str(), text.as_str())).collect();
        assert_eq!(sections, expected);
    }

    #[test]
    fn demands_are_whole_words_with_their_negation() {
        let text = "MUST a SHOULD NOT b MUSTARD c MUST NOTE REQUIRED, MUST NOT. must";
        let words: Vec<_> = demands(text).into_iter().map(|(_, word)| word).collect();
        assert_eq!(words, ["MUST", "SHOULD NOT", "MUST", "REQUIRED", "MUST NOT"]);
    }

    #[test]
    fn level_is_said_by_itself_and_not_by_its_negation() {
        assert!(says("it MUST be", "MUST") && says("it must not be", "must not"));
        assert!(
            !says("it MUST NOT be", "MUST") && !says("it must not be", "must") && !says("MUSTARD", "MUST")
        );
    }

    #[test]
    fn sentence_is_the_one_around_a_place() {
        let text = "One. Two MUST be. Three.";
        assert_eq!(sentence(text, 9), "Two MUST be.");
        assert_eq!(sentence(text, 0), "One.");
        assert_eq!(sentence(text, 20), "Three.");
    }

    #[test]
    fn hyphen_at_the_end_of_a_line_joins_and_a_dash_does_not() {
        assert_eq!(collapse(" |Sec-WebSocket-\n\n   Key| a\t-\n b- c "), "|Sec-WebSocket-Key| a - b- c");
    }
}
