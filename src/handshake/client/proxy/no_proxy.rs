//! Which servers need no proxy: `NO_PROXY`, as curl reads it, and with ports.

use std::net::IpAddr;

use super::super::uri::without_brackets;

/// The entries of the variable. What means nothing matches nobody, as in curl.
#[derive(Debug)]
pub(super) struct NoProxy(Vec<Entry>);

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    /// `None` for all.
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// An address or a network: so many of the leading bits count.
    Network(IpAddr, u8),
    /// A host and all below it, in lower case, without a dot at either end.
    Domain(String),
}

impl NoProxy {
    pub(super) fn parse(entries: &str) -> Self {
        let entries = entries.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
        NoProxy(entries.filter_map(Entry::parse).collect())
    }

    /// Whether a server needs none. `host` is a name, or an address without its brackets.
    pub(super) fn covers(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|entry| entry.hosts.cover(host) && entry.port.is_none_or(|own| own == port))
    }
}

impl Entry {
    fn parse(entry: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(entry) {
            return Some(Entry { hosts, port: None });
        }
        let (hosts, port) = entry.rsplit_once(':')?;
        Some(Entry { hosts: Hosts::parse(hosts)?, port: Some(port.parse().ok()?) })
    }
}

impl Hosts {
    /// Without a port.
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Hosts::All);
        }
        let (address, bits) = match entry.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (entry, None),
        };
        if let Ok(address) = without_brackets(address).parse::<IpAddr>() {
            let width = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.unwrap_or(width);
            return (bits <= width).then_some(Hosts::Network(address, bits));
        }
        let name = entry.strip_prefix('*').unwrap_or(entry).trim_matches('.');
        let is_name = !name.is_empty() && !name.contains([':', '/']);
        is_name.then(|| Hosts::Domain(name.to_ascii_lowercase()))
    }

    fn cover(&self, host: &str) -> bool {
        match (self, host.parse::<IpAddr>()) {
            (Hosts::All, _) => true,
            (Hosts::Network(network, bits), Ok(address)) => is_in(address, *network, *bits),
            (Hosts::Domain(domain), Err(_)) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let above = host.strip_suffix(&**domain);
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            _ => false,
        }
    }
}

fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    // Shifted by all the bits there are, none is left to differ.
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = address.to_bits() ^ network.to_bits();
            differing.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_cover_hosts_domains_addresses_networks_and_ports() {
        for (entries, host, port, is_covered) in [
            ("*", "host", 80, true),
            ("a, *", "::1", 80, true),
            ("example.com", "example.com", 80, true),
            ("Example.COM", "a.b.eXample.com.", 80, true),
            (".example.com", "example.com", 80, true),
            ("*.example.com", "sub.example.com", 80, true),
            ("example.com.", "example.com", 80, true),
            ("example.com", "notexample.com", 80, false),
            ("sub.example.com", "example.com", 80, false),
            ("a b\tc", "b", 80, true),
            (".", "host", 80, false),
            ("*.", "host", 80, false),
            (",, ,", "host", 80, false),
            ("127.0.0.1", "127.0.0.1", 9, true),
            ("127.0.0.1", "127.0.0.11", 80, false),
            ("0.0.1", "127.0.0.1", 80, false),
            ("10.0.0.0/8", "10.255.0.1", 80, true),
            ("10.0.0.0/8", "11.0.0.1", 80, false),
            ("10.1.2.3/0", "192.0.2.1", 80, true),
            ("10.1.2.3/0", "::1", 80, false),
            ("10.0.0.0/33", "10.0.0.0", 80, false),
            ("10.0.0.0/x", "10.0.0.0", 80, false),
            ("::1", "::1", 80, true),
            ("[::1]", "0:0::1", 7, true),
            ("2001:db8::/32", "2001:db8:1::1", 80, true),
            ("2001:db8::/32", "2001:db9::1", 80, false),
            ("::/0", "2001:db9::1", 80, true),
            ("host:8080", "host", 8080, true),
            ("host:8080", "sub.host", 8080, true),
            ("host:8080", "host", 80, false),
            ("[::1]:8080", "::1", 8080, true),
            ("[::1]:8080", "::1", 80, false),
            ("10.0.0.0/8:443", "10.1.1.1", 443, true),
            ("10.0.0.0/8:443", "10.1.1.1", 80, false),
            ("*:8080", "host", 8080, true),
            ("host:x", "host", 80, false),
        ] {
            assert_eq!(NoProxy::parse(entries).covers(host, port), is_covered, "{entries:?} {host} {port}");
        }
    }
}
