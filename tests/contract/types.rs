//! The crate's own types: PROMISES 1.7, 6.3.

use std::collections::HashSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::hash::Hash;
use std::io;

use fastwebsockets_stream::{CloseCode, CloseFrame, OpCode, PayloadType, Role};

use crate::support::{Task, binary, err, rule, stream, wire};

const OPCODES: [(OpCode, u8); 6] = [
    (OpCode::Continuation, 0x0),
    (OpCode::Text, 0x1),
    (OpCode::Binary, 0x2),
    (OpCode::Close, 0x8),
    (OpCode::Ping, 0x9),
    (OpCode::Pong, 0xa),
];

#[test]
fn each_type_has_the_traits_that_a_value_has() {
    fn is_value<T: Debug + Clone + Copy + PartialEq + Eq + Hash + Send + Sync + Unpin + 'static>() {}
    is_value::<Role>();
    is_value::<OpCode>();
    is_value::<CloseCode>();
    is_value::<PayloadType>();
}

#[test]
fn close_code_is_any_number_and_gives_it_back() {
    let all: HashSet<_> = (0..=u16::MAX).map(CloseCode::from).collect();
    assert_eq!(all.len(), 65_536);
    for code in 0..=u16::MAX {
        assert_eq!(u16::from(CloseCode::from(code)), code);
    }
}

#[test]
fn close_codes_with_a_name_have_the_numbers_of_the_registry() {
    let named = [
        (CloseCode::NORMAL, 1000),
        (CloseCode::AWAY, 1001),
        (CloseCode::PROTOCOL, 1002),
        (CloseCode::UNSUPPORTED, 1003),
        (CloseCode::NO_STATUS, 1005),
        (CloseCode::ABNORMAL, 1006),
        (CloseCode::INVALID, 1007),
        (CloseCode::POLICY, 1008),
        (CloseCode::SIZE, 1009),
        (CloseCode::EXTENSION, 1010),
        (CloseCode::ERROR, 1011),
        (CloseCode::RESTART, 1012),
        (CloseCode::AGAIN, 1013),
        (CloseCode::BAD_GATEWAY, 1014),
        (CloseCode::TLS, 1015),
    ];
    let mut meanings = HashSet::new();
    for (code, number) in named {
        assert_eq!(code, CloseCode::from(number));
        let shown = code.to_string();
        let meaning = shown.strip_prefix(&format!("{number} (")).and_then(|rest| rest.strip_suffix(')'));
        assert!(meanings.insert(meaning.expect("code and meaning").to_owned()), "{shown}");
    }
}

#[test]
fn close_code_shows_its_number_and_what_it_means_or_where_it_is_from() {
    let shown = [
        (0, "0 (not used)"),
        (999, "999 (not used)"),
        (1000, "1000 (normal closure)"),
        (1001, "1001 (going away)"),
        (1004, "1004 (reserved)"),
        (1005, "1005 (no status received)"),
        (1015, "1015 (TLS handshake failed)"),
        (1016, "1016 (reserved)"),
        (2999, "2999 (reserved)"),
        (3000, "3000 (registered use)"),
        (3999, "3999 (registered use)"),
        (4000, "4000 (private use)"),
        (4999, "4999 (private use)"),
        (5000, "5000 (undefined)"),
        (65_535, "65535 (undefined)"),
    ];
    for (code, text) in shown {
        assert_eq!(CloseCode::from(code).to_string(), text);
    }
}

#[test]
fn close_code_is_sendable_exactly_where_section_7_4_lets_it_be_on_the_wire() {
    for code in 0..=u16::MAX {
        let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::from(code).is_sendable(), allowed, "{code}");
    }
}

#[test]
fn close_frame_shows_code_meaning_and_reason() {
    let show = |code: Option<u16>, reason: &str| {
        CloseFrame { code: code.map(CloseCode::from), reason: reason.to_owned() }.to_string()
    };
    assert_eq!(show(None, ""), "no code");
    assert_eq!(show(Some(1000), ""), "1000 (normal closure)");
    assert_eq!(show(Some(4001), "enough"), "4001 (private use): enough");
}

#[test]
fn opcode_is_its_number_and_control_from_0x8_on() {
    for (opcode, number) in OPCODES {
        assert_eq!((u8::from(opcode), opcode.is_control()), (number, number >= 0x8), "{opcode:?}");
    }
}

/// A rule that was broken, as a caller meets it, says all there is to say at once: whoever prints a chain of errors prints nothing
/// twice.
#[test]
fn error_of_a_broken_rule_has_no_source_that_says_it_again() {
    for (role, bytes) in [(Role::Client, b"\x8f".as_slice()), (Role::Server, b"\x82\x00")] {
        let (mut stream, mock) = stream(role, binary());
        mock.feed(bytes);
        let error = err(Task::default().read(&mut stream, 64));
        assert!(error.source().is_none() && rule(&error).source().is_none(), "{error}");
    }
    let (mut stream, mock) = stream(Role::Client, binary());
    mock.feed(&wire::close(Role::Client, Some(1011), "disk failed"));
    let error: io::Error = err(Task::default().read(&mut stream, 64));
    assert!(error.source().is_none());
    assert_eq!(error.to_string().matches("disk failed").count(), 1, "{error}");
    assert!(error.to_string().contains("1011 (internal error): disk failed"), "{error}");
}

/// Lines of the public enums that a later version could not add to: enums, and variants with fields.
fn closed_to_additions(source: &str) -> Vec<&str> {
    let (mut found, mut in_enum, mut is_open) = (Vec::new(), false, false);
    for line in source.lines() {
        let starts_enum = line.starts_with("pub enum ");
        let has_fields = in_enum
            && line.starts_with("    ")
            && line[4..].starts_with(|first: char| first.is_ascii_uppercase())
            && line.contains(['{', '(']);
        if (starts_enum || has_fields) && !is_open {
            found.push(line);
        }
        in_enum = (in_enum || starts_enum) && line != "}";
        // Attributes and comments may stand between.
        is_open =
            line.trim() == "#[non_exhaustive]" || (is_open && line.trim_start().starts_with(['#', '/']));
    }
    found
}

#[test]
fn enums_and_their_variants_with_fields_can_grow_but_for_those_that_are_made_to_be_matched() {
    let source = |file: &str| {
        std::fs::read_to_string(format!("{}/src/{file}.rs", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let errors = ["error", "client/error", "client/error/phase", "client/error/proxy", "rejection"];
    let errors =
        errors.map(|file| if file == "error" { file.to_owned() } else { format!("handshake/{file}") });
    for file in errors.iter().map(String::as_str).chain(["config", "frame/opcode"]) {
        assert!(source(file).contains("\npub enum "), "{file}");
        assert_eq!(closed_to_additions(&source(file)), <[&str; 0]>::default(), "{file}");
    }
    // There is no third end; and what a transport is made of is there to be matched.
    assert_eq!(closed_to_additions(&source("frame/role")), ["pub enum Role {"]);
    assert_eq!(
        closed_to_additions(&source("handshake/transport")),
        ["    Tcp(TcpStream),", "    Tls(Box<tokio_rustls::TlsStream<MaybeTlsStream>>),"]
    );
    assert_eq!(
        closed_to_additions(&source("handshake/client/io")),
        ["    Http1(MaybeTlsStream),", "    Http2(Http2Stream),"]
    );
    assert_eq!(
        closed_to_additions("pub enum A {\n    B,\n    C {\n        d: u8,\n    },\n}"),
        ["pub enum A {", "    C {"]
    );
}

#[cfg(feature = "fastwebsockets")]
mod of_fastwebsockets {
    // The crate as it is exported: it is the version that the conversions are of.
    use fastwebsockets_stream::fastwebsockets;

    use super::*;

    #[test]
    fn every_close_code_survives_the_way_to_fastwebsockets_and_back() {
        for code in 0..=u16::MAX {
            let ours = CloseCode::from(code);
            let theirs = fastwebsockets::CloseCode::from(code);
            assert_eq!(fastwebsockets::CloseCode::from(ours), theirs);
            assert_eq!(CloseCode::from(theirs), ours);
        }
        assert_eq!(CloseCode::from(fastwebsockets::CloseCode::Away), CloseCode::AWAY);
    }

    #[test]
    fn every_opcode_survives_the_way_to_fastwebsockets_and_back() {
        for (ours, number) in OPCODES {
            let theirs = fastwebsockets::OpCode::from(ours);
            assert_eq!(theirs as u8, number);
            assert_eq!(OpCode::from(theirs), ours);
        }
        for (payload_type, number) in [(PayloadType::Text, 0x1), (PayloadType::Binary, 0x2)] {
            assert_eq!(fastwebsockets::OpCode::from(payload_type) as u8, number);
        }
    }

    #[test]
    fn either_role_survives_the_way_to_fastwebsockets_and_back() {
        let pairs =
            [(Role::Client, fastwebsockets::Role::Client), (Role::Server, fastwebsockets::Role::Server)];
        for (ours, theirs) in pairs {
            assert!(fastwebsockets::Role::from(ours) == theirs);
            assert_eq!(Role::from(theirs), ours);
        }
    }

    #[tokio::test]
    async fn close_takes_a_number_or_the_code_of_either_crate() {
        for role in crate::support::ROLES {
            for which in 0..3 {
                let (mut stream, mock) = stream(role, binary());
                mock.feed(&wire::close(role, Some(1001), ""));
                let closed = match which {
                    0 => stream.close(1001, "bye").await,
                    1 => stream.close(CloseCode::AWAY, "bye").await,
                    _ => stream.close(fastwebsockets::CloseCode::Away, "bye").await,
                };
                assert_eq!(closed.unwrap().unwrap().code, Some(CloseCode::AWAY));
                assert_eq!(wire::decode(&mock.take_written())[0].payload, b"\x03\xe9bye");
            }
        }
    }
}
