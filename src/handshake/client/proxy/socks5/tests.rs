//! Every answer, cut at every octet.

use super::*;

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.into(), password: password.into() }
}

const LOCAL: Destination<'static> = Destination::Address(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

const NOTHING: &[u8] = &[5, 0];
const CREDENTIALS: &[u8] = &[5, 2];
const RIGHT: &[u8] = &[1, 0];

/// A negotiation that has got so far with these answers.
fn after(answers: &[&[u8]], with: Option<&Credentials>) -> Socks5 {
    let mut socks = Socks5::new(LOCAL, 80, with).0;
    for answer in answers {
        assert!(matches!(socks.receive(answer), Ok(Some((Next::Send(_), 0)))), "{answer:?}");
    }
    socks
}

/// What becomes of an answer with octets behind it; it must not depend on where it is cut.
#[track_caller]
fn last(before: &[&[u8]], with: Option<&Credentials>, answer: &[u8]) -> Result<(Next, usize), ProxyError> {
    let behind = b"\x05\x00 and more";
    let all = [answer, behind].concat();
    for cut in 1..answer.len() {
        let mut socks = after(before, with);
        match socks.receive(&answer[..cut]) {
            // Refused as soon as it can be: then its rest plays no part.
            Err(_) => {
                assert!(after(before, with).receive(&all).is_err(), "{answer:?} {cut}");
                continue;
            }
            found => assert!(matches!(found, Ok(None)), "{found:?} {answer:?} {cut}"),
        }
        let rest = socks.receive(&all[cut..]);
        let whole = after(before, with).receive(&all);
        assert_eq!(format!("{rest:?}"), format!("{whole:?}"), "{answer:?} {cut}");
    }
    let found = after(before, with).receive(&all)?.expect("it is whole");
    assert_eq!(found.1, behind.len(), "{answer:?}");
    Ok(found)
}

#[test]
fn negotiation_without_credentials_sends_greeting_and_request() {
    let address = |text: &str| Destination::Address(text.parse().unwrap());
    let name = "n".repeat(255);
    let six = b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb";
    for (destination, port, request) in [
        (address("10.0.0.1"), 80, &b"\x05\x01\0\x01\x0a\0\0\x01\0\x50"[..]),
        (address("2001:db8::1"), 443, six),
        (Destination::Name("a.b"), 1, b"\x05\x01\0\x03\x03a.b\0\x01"),
        (Destination::Name(&name), 1, &[b"\x05\x01\0\x03\xff", name.as_bytes(), b"\0\x01"].concat()),
    ] {
        let (mut socks, greeting) = Socks5::new(destination, port, None);
        assert_eq!(greeting, [5, 1, 0]);
        assert_eq!(socks.receive(&[5, 0]).unwrap(), Some((Next::Send(request.to_vec()), 0)));
    }
}

#[test]
fn credentials_are_sent_whole_up_to_255_octets_each() {
    for (user, password) in [("u", "p"), ("", ""), (&*"u".repeat(255), &*"p".repeat(255))] {
        let (mut socks, greeting) = Socks5::new(LOCAL, 80, Some(&credentials(user, password)));
        assert_eq!(greeting, [5, 1, 2]);
        let length = |text: &str| vec![u8::try_from(text.len()).unwrap()];
        let sent = [vec![1], length(user), user.into(), length(password), password.into()].concat();
        assert_eq!(socks.receive(&[5, 2]).unwrap(), Some((Next::Send(sent), 0)));
        // The second is what some have in place of RFC 1929's own version.
        let request = b"\x05\x01\0\x01\x7f\0\0\x01\0\x50".to_vec();
        assert_eq!(socks.receive(&[1, 0]).unwrap(), Some((Next::Send(request), 0)));
        let mut socks = after(&[&[5, 2]], Some(&credentials(user, password)));
        assert!(matches!(socks.receive(&[5, 0]), Ok(Some((Next::Send(_), 0)))));
    }
}

#[test]
fn reply_ends_behind_its_address_wherever_it_is_cut() {
    for reply in [
        &b"\x05\0\0\x01\0\0\0\0\0\0"[..],
        b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x05\0\0\x03\x00\0\0",
        b"\x05\0\0\x03\x04host\0\x50",
        &[b"\x05\0\0\x03\xff", &[b'x'; 257][..]].concat(),
        b"\x05\0\xff\x01\0\0\0\0\0\0",
    ] {
        assert_eq!(last(&[&[5, 0]], None, reply).unwrap().0, Next::Open);
    }
}

#[test]
fn refusal_has_its_kind_and_its_reason_wherever_it_is_cut() {
    use io::ErrorKind;
    let user = Some(credentials("me", "secret"));
    let (none, user) = (None, user.as_ref());
    for (before, with, answer, kind, shown) in [
        (&[][..], none, &[5, 0xff][..], ErrorKind::PermissionDenied, "0xff"),
        (&[], user, &[5, 0xff], ErrorKind::PermissionDenied, "no user and password"),
        (&[], user, &[5, 0], ErrorKind::InvalidData, "0x00, which was not offered"),
        (&[], none, &[5, 2], ErrorKind::InvalidData, "0x02, which was not offered"),
        (&[], none, &[4, 91, 0], ErrorKind::InvalidData, "SOCKS4"),
        (&[], none, b"HTTP/1.1 400 Bad", ErrorKind::InvalidData, "HTTP; try http://"),
        (&[], none, b"\x15\x03\x03", ErrorKind::InvalidData, "\\x15"),
        (&[], none, b"SSH-2.0", ErrorKind::InvalidData, "\"S"),
        (&[CREDENTIALS], user, &[1, 1], ErrorKind::PermissionDenied, "status 1"),
        (&[CREDENTIALS], user, &[1, 0xff], ErrorKind::PermissionDenied, "status 255"),
        (&[CREDENTIALS], user, &[2, 0], ErrorKind::InvalidData, "\\x02"),
        (&[CREDENTIALS, RIGHT], user, &[5, 1], ErrorKind::ConnectionRefused, "general failure (code 1)"),
        (&[NOTHING], none, &[5, 2, 0], ErrorKind::PermissionDenied, "not allowed by its rules (code 2)"),
        (&[NOTHING], none, &[5, 3, 0, 1], ErrorKind::NetworkUnreachable, "network unreachable (code 3)"),
        (&[NOTHING], none, &[5, 4], ErrorKind::HostUnreachable, "host unreachable (code 4)"),
        (&[NOTHING], none, &[5, 5], ErrorKind::ConnectionRefused, "refused by the server (code 5)"),
        (&[NOTHING], none, &[5, 6], ErrorKind::TimedOut, "TTL expired (code 6)"),
        (&[NOTHING], none, &[5, 7], ErrorKind::Unsupported, "command not supported (code 7)"),
        (&[NOTHING], none, &[5, 8], ErrorKind::Unsupported, "address type not supported (code 8)"),
        (&[NOTHING], none, &[5, 0xff], ErrorKind::ConnectionRefused, "(code 255)"),
        (&[NOTHING], none, &[5, 0, 0, 2, 9], ErrorKind::InvalidData, "type 2"),
        (&[NOTHING], none, b"\0\x05", ErrorKind::InvalidData, "\\x00"),
    ] {
        let error = last(before, with, answer).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{answer:?}: {text}");
        assert!(text.contains(shown), "{answer:?}: {text}");
        assert!(!format!("{text}{error:?}").contains("secret"), "{text}");
    }
}

#[test]
fn answer_of_any_octets_neither_panics_nor_is_taken_beyond_its_end() {
    for first in 0..=255 {
        for second in [0, 1, 2, 5, 255] {
            for kind in [0, 1, 2, 3, 4, 255] {
                for before in [&[][..], &[&[5, 0][..]]] {
                    let mut answer = vec![first, second, 0, kind, 255];
                    answer.resize(300, 0);
                    if let Ok(Some((_, behind))) = after(before, None).receive(&answer) {
                        assert!(first == 5 && second == 0 && behind < answer.len());
                    }
                }
            }
        }
    }
}
