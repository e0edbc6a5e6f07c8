//! Two other implementations read what a peer has sent, and are held against the oracle too.

use kit::oracle::Oracle;
use kit::peers::{self, Fault, Seen, Verdict};

use crate::reading::Case;

/// Holds the verdicts of the peers against the oracle's.
pub fn check(case: &Case) {
    let oracle = case.oracle();
    let fault = Fault::of(&oracle, &case.wire);
    let seen = peers::tungstenite(&case.wire, case.is_server, case.allow_unmasked);
    compare("tungstenite", &oracle, fault.as_ref(), &seen, peers::tungstenite_lets_pass);
    if !case.allow_unmasked {
        let seen = peers::sockudo(&case.wire, case.is_server);
        compare("sockudo-ws", &oracle, fault.as_ref(), &seen, peers::sockudo_lets_pass);
    }
}

fn compare(
    name: &str,
    oracle: &Oracle,
    fault: Option<&Fault>,
    seen: &Seen,
    lets_pass: fn(&Fault) -> Option<&'static str>,
) {
    if seen.verdict == Verdict::Limit {
        return;
    }
    match (fault, &oracle.close) {
        (Some(fault), _) => {
            let refuses = matches!(seen.verdict, Verdict::Illegal(_));
            assert!(
                refuses || lets_pass(fault).is_some(),
                "{name} takes {:?}: {:?}",
                fault.rule,
                seen.verdict
            );
        }
        (None, Some((code, _))) => assert_eq!(seen.verdict, Verdict::Closed(*code), "{name}"),
        (None, None) => assert_eq!(seen.verdict, Verdict::Legal, "{name}"),
    }
    if fault.is_none() {
        assert!(oracle.payload.starts_with(&seen.payload), "{name} has read other bytes");
    }
}
