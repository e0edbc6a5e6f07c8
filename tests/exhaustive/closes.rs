//! Every Close: all payloads of up to 2 bytes, and those of 3 bytes by every code with each kind of third byte, and by the codes at
//! every limit with every third byte. All 16.7 million are tried where the payload is parsed, see `frame::close`; role and state play no
//! part there, and `EXHAUSTIVE=1` has them all come to a stream here too.

use fastwebsockets_stream::{PayloadType, Role};

use crate::kit::{ROLES, Read, control, feed, frame, rule, sent, shut_down, stream};
use crate::rules::{Rule, Rules, assert_broken};

/// > 1000 … 1003, 1007 … (7.4.1), 3000-3999, 4000-4999 (7.4.2), and what IANA has registered since: 1012 to 1014.
fn may_be_sent(code: u16) -> bool {
    const CODES: [u16; 12] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    CODES.contains(&code) || (3000..5000).contains(&code)
}

/// The first and last of each kind of code.
const LIMITS: [u16; 20] = [
    0, 1, 255, 256, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1011, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
    0xffff,
];

/// A lone byte is text up to 0x7f.
const KINDS: [u8; 5] = [0x00, 0x7f, 0x80, 0xc2, 0xff];

/// What section 5.5.1 and 7.4 say of this payload.
fn rules(payload: &[u8]) -> Rules {
    let mut rules = Rules::default();
    match *payload {
        [] => {}
        [_] => rules.add(Rule::CloseLength, true),
        [high, low, ref reason @ ..] => {
            rules.add(Rule::CloseCode, !may_be_sent(u16::from_be_bytes([high, low])));
            rules.add(Rule::CloseReason, std::str::from_utf8(reason).is_err());
        }
    }
    rules
}

/// How a stream takes this Close, and what it answers.
fn judge(role: Role, payload: &[u8], bytes: &mut [u8]) {
    let input = frame(role, 0x88, payload);
    let mut stream = stream(role, PayloadType::Binary);
    let got = feed(&mut stream, &input, bytes);
    let rules = rules(payload);
    if !rules.is_empty() {
        match got {
            Read::Fails(error) => assert_broken(&mut stream, &error, rules, false),
            other => panic!("{payload:02x?}: {other:?}"),
        }
        assert!(!stream.is_closed(), "{payload:02x?}");
        return;
    }
    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
    match got {
        Read::Bytes(0) => assert!(matches!(code, None | Some(1000 | 1001)), "{payload:02x?} is no clean end"),
        Read::Fails(error) => {
            assert!(!matches!(code, None | Some(1000 | 1001)), "{payload:02x?}: {error}");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
            assert!(rule(&error).close_code().is_none(), "no rule was broken");
        }
        other => panic!("{payload:02x?}: {other:?}"),
    }
    let close = stream.peer_close().expect("the peer's Close");
    assert_eq!(close.code.map(u16::from), code);
    assert_eq!(close.reason.as_bytes(), payload.get(2..).unwrap_or_default());
    // 1000, and no code, wait for this end's own end. The answer has the code alone.
    let at_once = !matches!(code, None | Some(1000));
    let early = sent(&mut stream);
    assert_eq!(!early.is_empty(), at_once, "{payload:02x?}");
    shut_down(&mut stream);
    let late = sent(&mut stream);
    let answer = payload[..payload.len().min(2)].to_vec();
    assert_eq!(control(role, [early, late].concat()), Some((0x88, answer)), "{payload:02x?}");
}

#[test]
fn every_close_of_up_to_two_bytes_and_each_kind_of_three_is_judged_and_answered() {
    let mut bytes = [0; 4096];
    let mut cases = 0;
    let mut judge = |role, payload: &[u8]| {
        cases += 1;
        judge(role, payload, &mut bytes);
    };
    let all = std::env::var_os("EXHAUSTIVE").is_some();
    for role in ROLES {
        judge(role, &[]);
        for octet in 0..=255 {
            judge(role, &[octet]);
        }
        for code in 0..=u16::MAX {
            let [high, low] = code.to_be_bytes();
            judge(role, &[high, low]);
            let every = (0..=255).collect::<Vec<u8>>();
            let thirds = if all || LIMITS.contains(&code) { &every[..] } else { &KINDS };
            for third in thirds {
                judge(role, &[high, low, *third]);
            }
        }
    }
    println!("{cases} Closes");
    let thirds = if all { 1 << 24 } else { LIMITS.len() * 256 + (0x1_0000 - LIMITS.len()) * KINDS.len() };
    assert_eq!(cases, 2 * (1 + 256 + 0x1_0000 + thirds));
}
