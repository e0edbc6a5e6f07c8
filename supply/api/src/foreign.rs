//! Whose types may show in the API. A type of another crate ties users to that crate's versions.

use std::collections::BTreeSet;

/// Everybody has them.
const EVERYWHERE: &[&str] = &["alloc", "core", "fastwebsockets_stream", "std", "tokio"];

/// What each feature may add. Each is what the user of that feature has in hand anyway.
const BEHIND: &[(&str, &[&str])] = &[
    ("fastwebsockets", &["fastwebsockets"]),
    // `Full<Bytes>` is the body of the responses that hyper's services hand out.
    ("upgrade", &["bytes", "http", "http_body_util", "hyper", "hyper_util"]),
    ("axum", &["axum_core", "bytes", "http", "http_body_util", "hyper", "hyper_util"]),
    ("listener", &["bytes", "futures_core", "http"]),
    ("connect", &["bytes", "http"]),
    ("connector", &["bytes", "http", "hyper", "hyper_util", "tower_service"]),
    ("tls", &["rustls", "tokio_rustls"]),
    ("platform-roots", &["bytes", "http", "rustls", "tokio_rustls"]),
    ("ring", &["rustls", "tokio_rustls"]),
    ("proxy", &["bytes", "http"]),
    ("tonic", &["tonic"]),
    // axum's `Listener`, which only `axum` and `listener` together bring.
    ("all", &["axum"]),
];

/// Not crates.
const PRIMITIVES: &[&str] = &["u16", "u8"];

/// The crates in `item` that may not show with `feature`: `none`, `all`, or one that Cargo.toml names.
pub(crate) fn strangers<'i>(item: &'i str, feature: &str) -> BTreeSet<&'i str> {
    let allowed = |name: &str| {
        EVERYWHERE.contains(&name)
            || PRIMITIVES.contains(&name)
            || BEHIND
                .iter()
                .any(|(behind, names)| (*behind == feature || feature == "all") && names.contains(&name))
    };
    crates(item).chain(reexported(item)).filter(|name| !allowed(name)).collect()
}

/// The first segment of each path in `item` that begins with a crate. Those of generics (`Self::`, `S::`) begin with a capital.
fn crates(item: &str) -> impl Iterator<Item = &str> {
    item.match_indices("::").filter_map(|(end, _)| {
        let before = &item[..end];
        let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let name = &before[start..];
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        (begins && !before[..start].ends_with("::")).then_some(name)
    })
}

/// The crate that `item` shows as a whole.
fn reexported(item: &str) -> Option<&str> {
    let (_, name) = item.strip_prefix("pub use ")?.rsplit_once("::")?;
    name.starts_with(|c: char| c.is_ascii_lowercase()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_the_first_segments_of_paths() {
        let item = "pub fn a::B<S>::c(&self, <S as d::E>::F, S::G) -> core::option::Option<&'h i::J>";
        assert_eq!(crates(item).collect::<Vec<_>>(), ["a", "d", "core", "i"]);
    }

    #[test]
    fn crate_is_a_stranger_without_its_feature() {
        let item = "pub fn fastwebsockets_stream::a(http::uri::Uri, url::Url)";
        assert_eq!(strangers(item, "none"), BTreeSet::from(["http", "url"]));
        assert_eq!(strangers(item, "connect"), BTreeSet::from(["url"]));
        assert_eq!(strangers(item, "all"), BTreeSet::from(["url"]));
    }

    #[test]
    fn crate_that_is_shown_as_a_whole_is_a_stranger_too() {
        assert_eq!(strangers("pub use fastwebsockets_stream::url", "all"), BTreeSet::from(["url"]));
        assert_eq!(strangers("pub use fastwebsockets_stream::http", "connect"), BTreeSet::new());
    }
}
