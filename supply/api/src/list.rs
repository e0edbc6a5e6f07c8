//! The list itself: what there is without features, what each adds, and what only several together add.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use public_api::Builder;

use crate::foreign::strangers;

pub(crate) struct List {
    /// In the order of the list: `none`, each feature, `all`.
    parts: Vec<Part>,
}

struct Part {
    feature: String,
    /// With the features that `feature` implies.
    items: BTreeSet<String>,
}

impl List {
    /// Reads rustdoc's JSON of each combination of features; the file's name says which.
    pub(crate) fn read(files: &[PathBuf]) -> Result<Self, String> {
        let mut parts = files.iter().map(|file| Part::read(file)).collect::<Result<Vec<_>, _>>()?;
        parts.sort_by_key(|part| (part.feature != "none", part.feature == "all", part.feature.clone()));
        match (parts.first(), parts.last()) {
            (Some(first), Some(last)) if first.feature == "none" && last.feature == "all" => {
                Ok(Self { parts })
            }
            _ => Err("there is no none.json, or no all.json".to_owned()),
        }
    }

    /// Items that are there without features, but not with one, or with one, but not with all.
    pub(crate) fn taken_away(&self) -> Vec<String> {
        let (none, all) = (&self.parts[0], &self.parts[self.parts.len() - 1]);
        let mut faults = Vec::new();
        for part in &self.parts {
            for (less, more) in [(none, part), (part, all)] {
                let gone = less.items.difference(&more.items);
                faults.extend(gone.map(|item| {
                    format!("not there with {}, but with {}: {item}", more.feature, less.feature)
                }));
            }
        }
        faults
    }

    /// Items that name crates which have no place there.
    pub(crate) fn foreign(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for part in &self.parts {
            for item in &part.items {
                for name in strangers(item, &part.feature) {
                    faults.push(format!("`{name}` shows in the API with {}: {item}", part.feature));
                }
            }
        }
        faults
    }

    pub(crate) fn summary(&self) -> String {
        let all = &self.parts[self.parts.len() - 1];
        format!("{} public items, {} of them without features", all.items.len(), self.parts[0].items.len())
    }
}

impl Display for List {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("The public API, as `supply/check-api --write` lists it.\n")?;
        for (index, part) in self.parts.iter().enumerate() {
            let heading = match part.feature.as_str() {
                "none" => "No features".to_owned(),
                "all" => "Only with several features".to_owned(),
                feature => format!("Feature {feature}"),
            };
            write!(f, "\n# {heading}\n")?;
            // What has less than this feature is implied by it, or is the same by another name and stands before it.
            let is_implied = |at: usize, other: &Part| {
                other.items.is_subset(&part.items) && (other.items.len() < part.items.len() || at < index)
            };
            let others = self.parts.iter().enumerate();
            let implied: Vec<&Part> =
                others.filter(|(at, other)| is_implied(*at, other)).map(|(_, other)| other).collect();
            for item in
                part.items.iter().filter(|item| !implied.iter().any(|other| other.items.contains(*item)))
            {
                writeln!(f, "{item}")?;
            }
        }
        Ok(())
    }
}

impl Part {
    fn read(file: &Path) -> Result<Self, String> {
        let named = |reason: &dyn Display| format!("{}: {reason}", file.display());
        let feature =
            file.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| named(&"no name"))?.to_owned();
        let api = Builder::from_rustdoc_json(file)
            .omit_blanket_impls(true)
            .build()
            .map_err(|error| named(&format!("cannot be read: {error}")))?;
        let items = api.items().map(ToString::to_string).filter(|item| matters(item)).collect();
        Ok(Self { feature, items })
    }
}

/// Not what the compiler keeps to itself, and not the auto traits of unwinding, which follow from private fields.
fn matters(item: &str) -> bool {
    const PASSED_OVER: [&str; 5] =
        ["Freeze", "RefUnwindSafe", "StructuralPartialEq", "UnsafeUnpin", "UnwindSafe"];
    let of_trait = item.split(" for fastwebsockets_stream::").next().unwrap_or(item);
    !PASSED_OVER.iter().any(|name| of_trait.ends_with(&format!("::{name}")))
}

/// The items that stand in one list alone, or under another heading there, marked as a diff marks them.
pub(crate) fn difference(was: &str, is: &str) -> Vec<String> {
    if was == is {
        return Vec::new();
    }
    let (old, new) = (under_headings(was), under_headings(is));
    let mut faults = vec![
        "The public API is not the one in the list. If that is meant: supply/check-api --write".to_owned(),
    ];
    let only = |these: &BTreeSet<_>, those: &BTreeSet<_>, mark: char| -> Vec<String> {
        these.difference(those).map(|(heading, item)| format!("{mark}{item} ({heading})")).collect()
    };
    faults.extend(only(&old, &new, '-'));
    faults.extend(only(&new, &old, '+'));
    faults
}

/// Each item, and what it stands under.
fn under_headings(list: &str) -> BTreeSet<(&str, &str)> {
    let mut heading = "";
    let mut items = BTreeSet::new();
    for line in list.lines() {
        match line.strip_prefix("# ") {
            Some(next) => heading = next,
            None => drop(items.insert((heading, line))),
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_that_moves_under_another_heading_is_a_difference() {
        let (was, is) = ("# No features\na\nb\n# Feature c\n", "# No features\na\n# Feature c\nb\n");
        assert_eq!(difference(was, was), Vec::<String>::new());
        assert_eq!(difference(was, is)[1..], ["-b (No features)", "+b (Feature c)"]);
    }
}
