//! What the platform trusts, and by whose cryptography.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::{self, ClientConfig, ConfigBuilder};

use super::super::ConnectError;

/// What is to be done where there is no cryptography, or more than one.
const NEEDS: &str = "a CryptoProvider of rustls: install one (`CryptoProvider::install_default`) before you connect, or turn on \
                     the feature `ring`; or give a configuration (`Client::tls`)";

/// The configuration that trusts what the platform trusts, loaded once.
///
/// Its cryptography is the process's default; else what this build of rustls has by itself. None is ever installed: that is for
/// the application to do, also later. Then it is the one that is used from there on.
pub(super) fn config(host: &str, port: u16) -> Result<Arc<ClientConfig>, ConnectError> {
    static BY_DEFAULT: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static BY_BUILD: OnceLock<Arc<ClientConfig>> = OnceLock::new();

    let default = CryptoProvider::get_default();
    let loaded = if default.is_some() { &BY_DEFAULT } else { &BY_BUILD };
    // A failure is not kept: what was missing may be there the next time.
    if let Some(config) = loaded.get() {
        return Ok(config.clone());
    }
    let Some(provider) = default.cloned().or_else(|| of_build().map(Arc::new)) else {
        return Err(ConnectError::Unsupported { what: "wss:// by what the platform trusts", needs: NEEDS });
    };
    let config = load(provider).map_err(|error| ConnectError::Tls {
        host: host.to_owned(),
        port,
        source: io::Error::other(error),
    })?;
    Ok(loaded.get_or_init(|| Arc::new(config)).clone())
}

fn load(provider: Arc<CryptoProvider>) -> Result<ClientConfig, rustls::Error> {
    // Not `ClientConfig::builder`, which installs a default, or panics where it finds none.
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(ConfigBuilder::with_platform_verifier)
        .map(|builder| builder.with_no_client_auth())
}

fn of_build() -> Option<CryptoProvider> {
    let (ring, aws_lc_rs) = built_in();
    choose(ring, aws_lc_rs, cfg!(feature = "ring"))
}

/// With the feature `ring`, that; else the one that there is, by the rule that rustls has for its own default: exactly one.
fn choose<P>(ring: Option<P>, aws_lc_rs: Option<P>, prefers_ring: bool) -> Option<P> {
    match (ring, aws_lc_rs) {
        (Some(ring), _) if prefers_ring => Some(ring),
        (Some(only), None) | (None, Some(only)) => Some(only),
        _ => None,
    }
}

/// Each kind of cryptography, if rustls was built with it.
///
/// Which of rustls' features are on, no `cfg` of this crate can tell. But the modules show it: a name that the glob import
/// brings into the function is taken before the one of this module, which stands in for it.
fn built_in() -> (Option<CryptoProvider>, Option<CryptoProvider>) {
    #[allow(unused_imports)]
    use rustls::crypto::*;

    // A stand-in gives an `Option` already.
    #[allow(clippy::useless_conversion)]
    (ring::default_provider().into(), aws_lc_rs::default_provider().into())
}

#[allow(dead_code)]
mod ring {
    pub(super) fn default_provider() -> Option<super::CryptoProvider> {
        None
    }
}

#[allow(dead_code)]
mod aws_lc_rs {
    pub(super) fn default_provider() -> Option<super::CryptoProvider> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cryptography_of_the_build_is_the_only_one_or_the_one_asked_for() {
        assert_eq!(choose(Some("ring"), None, false), Some("ring"));
        assert_eq!(choose(None, Some("aws-lc-rs"), false), Some("aws-lc-rs"));
        assert_eq!(choose(Some("ring"), Some("aws-lc-rs"), false), None);
        assert_eq!(choose(Some("ring"), Some("aws-lc-rs"), true), Some("ring"));
        assert_eq!(choose::<&str>(None, None, false), None);
    }

    /// The tests are built with ring alone.
    #[test]
    fn cryptography_that_rustls_was_built_with_is_found_without_a_default() {
        assert!(of_build().is_some());
        let (ring, aws_lc_rs) = built_in();
        assert!(ring.is_some() && aws_lc_rs.is_none());
    }
}
