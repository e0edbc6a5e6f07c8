//! A conformance suite, run through an echo over the stream, finds nothing.
//!
//! Real TCP, both roles, both types, each conversation in one segment, with the Close behind it, and chopped. The
//! classes and their numbers are those of the Autobahn test suite; what is left out: its 8 (HTTP) and 12, 13
//! (compression, which is not negotiated). PROMISES 2.3, 2.4, 2.6–2.9, 3.1, 3.7, 3.8, 4.1, 4.4, 5.1, 5.2, 5.4;
//! pitfalls C14, C16, C17, C19, C21.

use fastwebsockets_stream::PayloadType::{self, Binary, Text};

use crate::support::conformance::{Case, close, message, part, ping, run, whole};
use crate::support::pattern;
use crate::support::wire::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};

const TYPES: [(PayloadType, u8); 2] = [(Binary, BINARY), (Text, TEXT)];

const WORD: &[u8] = "κόσμε".as_bytes();

/// So many octets that a message of this type may have; code points of all lengths where it is Text.
fn filler(opcode: u8, len: usize) -> Vec<u8> {
    if opcode == BINARY {
        return pattern(len);
    }
    let mut text = "κόσμε €😀 and so on ".repeat(len / 27 + 1).into_bytes();
    let valid = std::str::from_utf8(&text[..len]).map_or_else(|error| error.valid_up_to(), str::len);
    text.truncate(valid);
    text.resize(len, b'.');
    text
}

#[tokio::test]
async fn framing_is_right_at_every_length_form() {
    for (payload_type, opcode) in TYPES {
        let cases = [0, 1, 125, 126, 127, 128, 1000, 65535, 65536].map(|len| {
            let data = filler(opcode, len);
            let chop = if len > 1000 { 997 } else { 1 };
            Case::new(format!("1: {len}"), [whole(opcode, &data)]).echoes(data).chopped(chop)
        });
        run(payload_type, cases).await;
    }
}

#[tokio::test]
async fn pings_are_answered_in_order_and_pongs_are_dropped() {
    let ten: Vec<String> = (0..10).map(|i| format!("payload-{i}")).collect();
    let bytes = [0x00, 0xff, 0xfe, 0xfd, 0x80, 0xc0, 0x00, 0x0a];
    for (payload_type, opcode) in TYPES {
        let cases = [
            Case::new("2.1", [ping("")]).pongs([""]),
            Case::new("2.2", [ping("Hello")]).pongs(["Hello"]),
            Case::new("2.3", [ping(bytes)]).pongs([bytes]),
            Case::new("2.4", [ping([0xfe; 125])]).pongs([[0xfe; 125]]),
            Case::new("2.5", [ping([0xfe; 126])]).violates(1002),
            Case::new("2.5, pong", [whole(PONG, [0xfe; 126])]).violates(1002),
            Case::new("2.7", [whole(PONG, "")]),
            Case::new("2.8", [whole(PONG, "unsolicited")]),
            Case::new("2.9", [whole(PONG, "unsolicited"), ping("ping")]).pongs(["ping"]),
            Case::new("2.10", ten.iter().map(ping)).pongs(&ten),
            Case::new("2, around a message", [ping("a"), whole(opcode, "data"), ping("b")])
                .echoes("data")
                .pongs(["a", "b"]),
        ];
        run(payload_type, cases).await;
    }
}

#[tokio::test]
async fn reserved_bits_fail_the_connection() {
    for (payload_type, opcode) in TYPES {
        for rsv in 1..=7 {
            let cases = [opcode, CONTINUATION, PING, PONG, CLOSE].into_iter().flat_map(|bits| {
                let name = |n| format!("3.{n}: RSV {rsv:#b}, opcode {bits:#x}");
                let broken =
                    whole(rsv << 4 | bits, if bits == CLOSE { b"\x03\xe8".as_slice() } else { b"Hi" });
                let before = [whole(opcode, "Hello"), ping("a")];
                [
                    Case::new(name(1), [broken.clone()]).violates(1002),
                    Case::new(name(2), before.into_iter().chain([broken, ping("b")]))
                        .echoes("Hello")
                        .pongs(["a"])
                        .violates(1002),
                ]
            });
            run(payload_type, cases).await;
        }
    }
}

#[tokio::test]
async fn reserved_opcodes_and_the_other_type_fail_the_connection() {
    for (payload_type, opcode) in TYPES {
        let reserved = (0x3..=0x7).chain(0xb..=0xf).map(|bits| (bits, 1002));
        for (bits, code) in reserved.chain([(opcode ^ 0x3, 1003)]) {
            let name = |what| format!("4: opcode {bits:#x}, {what}");
            let cases = [
                Case::new(name("empty"), [whole(bits, "")]).violates(code),
                Case::new(name("with payload"), [whole(bits, "reserved")]).violates(code),
                Case::new(name("no FIN"), [part(bits, "reserved")]).violates(code),
                Case::new(name("after a message"), [whole(opcode, "Hello"), whole(bits, "x"), ping("a")])
                    .echoes("Hello")
                    .violates(code),
            ];
            run(payload_type, cases).await;
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
//= type=test
//# Message fragments MUST be delivered to the recipient in the order sent by the sender.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
//= type=test
//# An endpoint MUST be capable of handling control frames in the middle of a fragmented message.
//= https://www.rfc-editor.org/rfc/rfc6455#section-5.4
//= type=test
//# Clients and servers MUST support receiving both fragmented and unfragmented messages.
#[tokio::test]
async fn fragments_are_joined_and_only_where_they_belong() {
    for (payload_type, opcode) in TYPES {
        let next = |payload| part(CONTINUATION, payload);
        let last = |payload| whole(CONTINUATION, payload);
        let long = [
            part(opcode, "one "),
            next("two "),
            ping("a"),
            next(""),
            next("three "),
            ping("b"),
            whole(PONG, "c"),
            last("four"),
        ];
        let cases = [
            Case::new("5.1", [part(PING, "one"), last("two")]).violates(1002),
            Case::new("5.2", [part(PONG, "one"), last("two")]).violates(1002),
            Case::new("5.2, Close", [part(CLOSE, [3, 232]), last("two")]).violates(1002),
            Case::new("5.3", [part(opcode, "one"), last("two")]).echoes("onetwo"),
            Case::new("5.6", [part(opcode, "one"), ping("a"), last("two")]).echoes("onetwo").pongs(["a"]),
            Case::new("5.9", [last("nothing to continue"), whole(opcode, "Hello")]).violates(1002),
            Case::new("5.12", [next("nothing to continue"), whole(opcode, "Hello")]).violates(1002),
            Case::new("5.15", [part(opcode, "one"), last("two"), next("three"), whole(opcode, "four")])
                .echoes("onetwo")
                .violates(1002),
            Case::new("5.16", [next("one"), whole(opcode, "two"), next("three")]).violates(1002),
            Case::new("5.17", [last(""), whole(opcode, "two")]).violates(1002),
            Case::new("5.18", [part(opcode, "one"), whole(opcode, "two")]).echoes("one").violates(1002),
            Case::new("5.18, other type", [part(opcode, "one"), whole(opcode ^ 3, "two")])
                .echoes("one")
                .violates(1002),
            Case::new("5.19", long).echoes("one two three four").pongs(["a", "b"]),
            Case::new("6.1.2", message(opcode, ["", "", ""])),
            Case::new("6.1.3", message(opcode, ["", "middle", ""])).echoes("middle"),
        ];
        run(payload_type, cases).await;
    }
}

/// The classes 6.5 to 6.23, after Markus Kuhn's stress test for decoders. What is valid, `std` decides.
fn sequences() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut add = |sequences: &[&[u8]]| all.extend(sequences.iter().map(|bytes| bytes.to_vec()));
    // 6.5, 6.6: valid text, and all its beginnings.
    add(&[b"hello$world", "hello¢world".as_bytes(), "hello€world".as_bytes(), "hello𤭢world".as_bytes()]);
    (1..=WORD.len()).for_each(|n| add(&[&WORD[..n]]));
    // 6.7 to 6.11: the first and last of each length, those of five and six octets too, and other borders.
    add(&[b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80", b"\xf8\x88\x80\x80\x80"]);
    add(&[b"\xfc\x84\x80\x80\x80\x80", b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]);
    add(&[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf", b"\xed\x9f\xbf"]);
    add(&[b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x90\x80\x80"]);
    // 6.12: continuation octets alone. 6.13: first octets alone.
    (1..=6).for_each(|n| add(&[&[0x80, 0xbf].repeat(3)[..n]]));
    add(&[b"\xbf", &Vec::from_iter(0x80..=0xbf)]);
    for starts in [0xc0..=0xdf, 0xe0..=0xef, 0xf0..=0xf7, 0xf8..=0xfb, 0xfc..=0xfd] {
        add(&[&starts.flat_map(|start| [start, b' ']).collect::<Vec<u8>>()]);
    }
    // 6.14, 6.15: the last octet missing, one by one and all in a row. 6.16: what is never in UTF-8.
    let cut: [&[u8]; 10] = [
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfb\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf",
    ];
    add(&cut);
    add(&[&cut.concat(), b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]);
    // 6.17 to 6.19: in more octets than needed, the most of each length, and zero.
    add(&[
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf8\x80\x80\x80\xaf",
        b"\xfc\x80\x80\x80\x80\xaf",
    ]);
    add(&[
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf8\x87\xbf\xbf\xbf",
        b"\xfc\x83\xbf\xbf\xbf\xbf",
    ]);
    add(&[
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        b"\xf8\x80\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80\x80",
    ]);
    // 6.20, 6.21: surrogates, alone and in pairs.
    let (high, low): ([&[u8]; 4], [&[u8]; 3]) = (
        [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf"],
        [b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf"],
    );
    add(&high);
    add(&low);
    high.iter().for_each(|high| low.iter().for_each(|low| add(&[&[*high, *low].concat()])));
    // 6.22, 6.23: code points that are no characters, and special ones. All of them are valid.
    let ends = (0..=16).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
    for point in ends.chain(0xfff9..=0xfffd).chain([0xfdd0, 0xfeff]).filter_map(char::from_u32) {
        add(&[point.to_string().as_bytes()]);
    }
    all
}

#[tokio::test]
async fn utf8_is_judged_alike_however_it_is_cut() {
    let cases = sequences().into_iter().flat_map(|bytes| {
        let name = |how| format!("6: {} {how}", bytes.escape_ascii());
        let judge = |case: Case| match std::str::from_utf8(&bytes) {
            Ok(_) => case.echoes(&bytes),
            Err(_) => case.rejects_text(&bytes),
        };
        [
            judge(Case::new(name("in one frame"), [whole(TEXT, &bytes)])),
            judge(Case::new(name("octet by octet"), message(TEXT, bytes.chunks(1)))),
        ]
    });
    run(Text, cases).await;
}

#[tokio::test]
async fn octets_that_are_no_text_pass_a_binary_stream() {
    let all = sequences();
    run(Binary, [Case::new("6", message(BINARY, &all)).echoes(all.concat())]).await;
}

#[tokio::test]
async fn invalid_text_fails_as_soon_as_it_shows() {
    let valid = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();
    let surrogate = [WORD, b"\xed\xa0\x80", b"edited"].concat();
    let beyond = [WORD, b"\xf4\x90\x80\x80", b"edited"].concat();
    let cases = [
        Case::new("6.2.1", [whole(TEXT, valid)]).echoes(valid),
        Case::new("6.2.2", message(TEXT, valid.chunks(13))).echoes(valid),
        Case::new("6.2.3", message(TEXT, valid.chunks(1))).echoes(valid),
        Case::new(
            "6.2, ping inside a code point",
            [part(TEXT, b"\xf0\x9f"), ping("a"), part(CONTINUATION, ""), whole(CONTINUATION, b"\x98\x80")],
        )
        .echoes("😀")
        .pongs(["a"]),
        Case::new("6.3.1", [whole(TEXT, &surrogate)]).rejects_text(&surrogate),
        Case::new("6.3.2", message(TEXT, surrogate.chunks(1))).rejects_text(&surrogate),
        // The rest of the message never comes.
        Case::new("6.4.1", [part(TEXT, WORD), part(CONTINUATION, b"\xf4\x90\x80\x80")]).rejects_text(&beyond),
        Case::new("6.4.2", [part(TEXT, [WORD, b"\xf4"].concat()), part(CONTINUATION, b"\x90")])
            .rejects_text(&beyond),
        Case::new("6.4.3", [whole(TEXT, &beyond)]).rejects_text(&beyond).held_back(6),
        Case::new("6.4.4", [whole(TEXT, &beyond)]).rejects_text(&beyond).held_back(8),
        // A message ends with a whole code point.
        Case::new("6, cut by FIN", [whole(TEXT, b"ab\xe2\x82"), whole(TEXT, b"\xac")])
            .rejects_text(b"ab\xe2\x82"),
        Case::new("6, cut by an empty last frame", message(TEXT, [b"ab\xe2\x82".as_slice(), b""]))
            .rejects_text(b"ab\xe2\x82"),
        Case::new("6, after good ones", [whole(TEXT, WORD), whole(TEXT, WORD), whole(TEXT, b"\xff")])
            .rejects_text(&[WORD, WORD, b"\xff"].concat()),
    ];
    run(Text, cases).await;
}

#[tokio::test]
async fn closes_are_answered_once_and_judged() {
    for (payload_type, opcode) in TYPES {
        let bye = || close(1000, "bye");
        let large = filler(opcode, 256 * 1024);
        let cases = [
            Case::new("7.1.2", [bye(), bye()]).answers(Some(1000)),
            Case::new("7.1.3", [bye(), ping("late")]).answers(Some(1000)),
            Case::new("7.1.4", [bye(), whole(opcode, "late")]).answers(Some(1000)),
            Case::new("7.1.5", [part(opcode, "one"), bye(), whole(CONTINUATION, "two")])
                .echoes("one")
                .answers(Some(1000)),
            Case::new("7.1.6", [whole(opcode, &large), whole(opcode, "Hello"), bye(), ping("late")])
                .echoes([&large, b"Hello".as_slice()].concat())
                .answers(Some(1000))
                .chopped(4096),
            Case::new("7.1, violation after it", [bye(), whole(0x70 | opcode, "")]).answers(Some(1000)),
            Case::new("7.3.1", [whole(CLOSE, "")]).answers(None),
            Case::new("7.3.2", [whole(CLOSE, "a")]).violates(1002),
            Case::new("7.3.3", [close(1000, "")]).answers(Some(1000)),
            Case::new("7.3.4", [close(1000, "Hello World!")]).answers(Some(1000)),
            Case::new("7.3.5", [close(1000, [b'*'; 123])]).answers(Some(1000)),
            Case::new("7.3.6", [close(1000, [b'*'; 124])]).violates(1002),
            Case::new("7.5.1", [close(1000, [WORD, b"\xed\xa0\x80"].concat())]).violates(1007),
            Case::new("7.5, reason cut", [close(1000, b"\xe2\x82")]).violates(1007),
        ];
        run(payload_type, cases).await;
        let valid = (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]);
        run(
            payload_type,
            valid.map(|code| Case::new(format!("7.7: {code}"), [close(code, "")]).answers(Some(code))),
        )
        .await;
        let invalid = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];
        run(
            payload_type,
            invalid.map(|code| Case::new(format!("7.9: {code}"), [close(code, "")]).violates(1002)),
        )
        .await;
    }
}

#[tokio::test]
async fn large_and_many_messages_come_back_whole() {
    for (payload_type, opcode) in TYPES {
        let mega = filler(opcode, 1 << 20);
        let data = filler(opcode, 70_000);
        let cases = [Case::new("9.1: 1 MiB", [whole(opcode, &mega)]).echoes(&mega).chopped(16 * 1024)];
        run(payload_type, cases).await;
        for size in [64, 256, 1024, 4096, 16 * 1024, 64 * 1024] {
            let fragments = message(opcode, data.chunks(size));
            run(payload_type, [Case::new(format!("9.3: {size}"), fragments).echoes(&data).chopped(size)])
                .await;
        }
        for size in [64, 128, 512, 2048] {
            let case = Case::new(format!("9.5: {size}"), [whole(opcode, &data)]);
            run(payload_type, [case.echoes(&data).chopped(size)]).await;
        }
        for size in [0, 16, 64, 256, 1024] {
            let one = filler(opcode, size);
            let case = Case::new(format!("9.7: {size}"), (0..100).map(|_| whole(opcode, &one)));
            run(payload_type, [case.echoes(one.repeat(100)).chopped(77)]).await;
        }
        let fragments = message(opcode, data[..1 << 16].chunks(1300));
        run(payload_type, [Case::new("10.1", fragments).echoes(&data[..1 << 16]).chopped(500)]).await;
    }
}
