//! What is written against `AsyncRead` and `AsyncWrite` runs over a stream, and a stream runs over it: PROMISES 2.4,
//! 2.5, 4.2, 4.3, 5.1, 5.4; pitfalls C1, C6, C7, C16, C22, C23.

use std::io::ErrorKind;

use bytes::Bytes;
use fastwebsockets_stream::{Config, Role, WebSocketStream};
use futures_util::{SinkExt, StreamExt};
use prost::Message;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, copy,
    copy_bidirectional, duplex, split,
};
use tokio_util::codec::{Framed, LengthDelimitedCodec, LinesCodec};

use crate::support::net::{bulk, tcp, tls, within};
use crate::support::{ROLES, binary, name, pair, text, wire};

/// Writes all of it and ends; at the same time reads to the end, and returns what came.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(stream: S, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = split(stream);
    let write = async {
        writer.write_all(bytes).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let ((), read) = tokio::join!(write, reader.read_to_end(&mut received));
    read.unwrap();
    received
}

#[tokio::test]
async fn length_delimited_items_of_any_size_arrive_whole_both_ways() {
    let (client, server) = pair(1024, binary());
    let items: Vec<_> = [0, 1, 3, 125, 126, 1000, 65536, 0, 200_000, 7].map(bulk).into();
    let talk = |stream: WebSocketStream<DuplexStream>| async {
        let (mut sink, mut source) = Framed::new(stream, LengthDelimitedCodec::new()).split();
        let send = async {
            for item in &items {
                sink.send(Bytes::from(item.clone())).await.unwrap();
            }
            sink.close().await.unwrap();
        };
        let receive = async {
            for item in &items {
                assert!(source.next().await.unwrap().unwrap() == item);
            }
            assert!(source.next().await.is_none());
        };
        tokio::join!(send, receive);
    };
    within(async { tokio::join!(talk(client), talk(server)) }).await;
}

#[tokio::test]
async fn lines_arrive_whole_both_ways_on_both_types() {
    for config in [binary(), text()] {
        let (client, server) = pair(16, config);
        let lines = ["one", "", "nåde €", &"😀".repeat(5000), "last"];
        let talk = |stream: WebSocketStream<DuplexStream>| async move {
            let (mut sink, mut source) = Framed::new(stream, LinesCodec::new()).split();
            let send = async {
                for line in lines {
                    sink.send(line).await.unwrap();
                }
                sink.close().await.unwrap();
            };
            let receive = async {
                for line in lines {
                    assert_eq!(source.next().await.unwrap().unwrap(), line);
                }
                assert!(source.next().await.is_none());
            };
            tokio::join!(send, receive);
        };
        within(async { tokio::join!(talk(client), talk(server)) }).await;
    }
}

#[derive(Clone, PartialEq, Message)]
struct Order {
    #[prost(string, tag = "1")]
    what: String,
    #[prost(uint64, repeated, tag = "2")]
    counts: Vec<u64>,
    #[prost(message, optional, boxed, tag = "3")]
    next: Option<Box<Order>>,
}

#[tokio::test]
async fn protobuf_messages_are_answered_one_by_one() {
    let (client, server) = pair(256, binary());
    let (mut client, mut server) =
        (Framed::new(client, LengthDelimitedCodec::new()), Framed::new(server, LengthDelimitedCodec::new()));
    let serve = async {
        while let Some(bytes) = server.next().await {
            let mut order = Order::decode(bytes.unwrap()).unwrap();
            order.counts.reverse();
            server.send(Bytes::from(order.encode_to_vec())).await.unwrap();
        }
    };
    let ask = async {
        let mut order = Order::default();
        for n in 0..40 {
            order =
                Order { what: "née".repeat(n), counts: (0..n as u64).collect(), next: Some(order.into()) };
            client.send(Bytes::from(order.encode_to_vec())).await.unwrap();
            let mut answer = Order::decode(client.next().await.unwrap().unwrap()).unwrap();
            answer.counts.reverse();
            assert!(answer == order);
        }
        SinkExt::<Bytes>::close(&mut client).await.unwrap();
    };
    within(async { tokio::join!(serve, ask) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_and_writer_tasks_move_a_mebibyte_each_way_through_a_kibibyte() {
    for config in [binary(), binary().write_buffer(4096), binary().max_frame_len(Some(700))] {
        let (client, server) = pair(1024, config);
        let (up, down) = (bulk(1 << 20), bulk((1 << 20) + 7));
        let tasks =
            [(client, up.clone(), down.clone()), (server, down, up)].map(|(stream, sent, expected)| {
                let (mut reader, mut writer) = split(stream);
                let writer = tokio::spawn(async move {
                    writer.write_all(&sent).await.unwrap();
                    writer.flush().await.unwrap();
                    writer
                });
                let reader = tokio::spawn(async move {
                    let mut received = vec![0; expected.len()];
                    reader.read_exact(&mut received).await.unwrap();
                    assert!(received == expected);
                    reader
                });
                async move { reader.await.unwrap().unsplit(writer.await.unwrap()) }
            });
        let [client, server] = tasks;
        let (mut client, mut server) = within(async { tokio::join!(client, server) }).await;
        client.shutdown().await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn copy_echoes_everything_and_is_ok_after_the_peers_close() {
    for half_close in [false, true] {
        for swap in [false, true] {
            let (mut client, mut server) = pair(1024, binary().half_close(half_close));
            if swap {
                std::mem::swap(&mut client, &mut server);
            }
            let echo = tokio::spawn(async move {
                let (mut reader, mut writer) = split(server);
                let copied = copy(&mut reader, &mut writer).await;
                (copied.unwrap(), writer.shutdown().await.unwrap())
            });
            let ask = async {
                let sent = bulk(300_000);
                let (mut reader, mut writer) = split(client);
                let write = async {
                    writer.write_all(&sent).await.unwrap();
                    if half_close {
                        writer.shutdown().await.unwrap();
                    }
                };
                let mut received = vec![0; sent.len()];
                let ((), read) = tokio::join!(write, reader.read_exact(&mut received));
                read.unwrap();
                assert!(received == sent);
                writer.shutdown().await.unwrap();
                assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
            };
            within(ask).await;
            assert_eq!(within(echo).await.unwrap(), (300_000, ()));
        }
    }
}

/// A request up to its end, and only then a reply.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &[u8]) -> Vec<u8> {
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    reply
}

async fn reply<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, reply: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    stream.read_to_end(&mut request).await.unwrap();
    stream.write_all(reply).await.unwrap();
    stream.shutdown().await.unwrap();
    request
}

#[tokio::test]
async fn proxy_of_two_streams_ends_each_direction_on_its_own_and_loses_nothing() {
    let (up, down) = (bulk(300_000), bulk(200_001));
    for one_after_the_other in [false, true] {
        for swap in [false, true] {
            let (near, mut left) = pair(1024, binary());
            let (mut right, far) = pair(4096, binary());
            let (near, far) = if swap { (far, near) } else { (near, far) };
            let proxy = async { copy_bidirectional(&mut left, &mut right).await.unwrap() };
            let (seen, got, copied) = if one_after_the_other {
                within(async { tokio::join!(reply(far, &down), ask(near, &up), proxy) }).await
            } else {
                within(async { tokio::join!(exchange(far, &down), exchange(near, &up), proxy) }).await
            };
            assert!(seen == up && got == down);
            let expected = (up.len() as u64, down.len() as u64);
            assert_eq!(copied, if swap { (expected.1, expected.0) } else { expected });
        }
    }
}

#[tokio::test]
async fn proxy_to_tcp_ends_each_direction_on_its_own_and_loses_nothing() {
    let (up, down) = (bulk(1_000_000), bulk(1_500_000));
    for asks_over_tcp in [false, true] {
        for swap in [false, true] {
            let (mut near, mut left) = pair(1024, binary());
            if swap {
                std::mem::swap(&mut near, &mut left);
            }
            let (mut right, far) = tcp().await;
            let proxy = async { copy_bidirectional(&mut left, &mut right).await.unwrap() };
            let (seen, got, copied) = if asks_over_tcp {
                within(async { tokio::join!(reply(near, &down), ask(far, &up), proxy) }).await
            } else {
                within(async { tokio::join!(reply(far, &down), ask(near, &up), proxy) }).await
            };
            assert!(seen == up && got == down);
            let expected = (up.len() as u64, down.len() as u64);
            assert_eq!(copied, if asks_over_tcp { (expected.1, expected.0) } else { expected });
        }
    }
}

#[tokio::test]
async fn buf_stream_over_it_reads_lines_and_gathers_writes() {
    let (client, server) = pair(1024, text());
    let (mut client, mut server) = (BufStream::new(client), BufStream::new(server));
    let serve = async {
        let mut line = String::new();
        while server.read_line(&mut line).await.unwrap() > 0 {
            server.write_all(line.to_uppercase().as_bytes()).await.unwrap();
            server.flush().await.unwrap();
            line.clear();
        }
    };
    let ask = async {
        for line in ["hello\n", "é€😀\n", &("x".repeat(30_000) + "\n")] {
            client.write_all(line.as_bytes()).await.unwrap();
            client.flush().await.unwrap();
            let mut answer = String::new();
            client.read_line(&mut answer).await.unwrap();
            assert_eq!(answer, line.to_uppercase());
        }
        client.shutdown().await.unwrap();
    };
    within(async { tokio::join!(serve, ask) }).await;
}

/// Over a transport that keeps what is not flushed: an application that only reads answers a Ping, then the peer's
/// Close; then one that shuts down has its Close seen. The peer, which speaks raw frames, sees the transport end cleanly.
async fn answers_leave<S, P>(role: Role, config: &Config, connect: impl AsyncFn() -> (S, P))
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: AsyncRead + AsyncWrite + Unpin,
{
    async fn expect<P: AsyncRead + Unpin>(peer: &mut P, role: Role, opcode: u8, payload: &[u8]) {
        let key = (role == Role::Client).then_some(wire::KEY);
        let mut bytes = vec![0; wire::encode(true, opcode, key, payload).len()];
        peer.read_exact(&mut bytes).await.unwrap();
        let frame = wire::decode(&bytes).remove(0);
        assert_eq!((frame.opcode, &*frame.payload), (opcode, payload));
    }
    for shuts_down in [false, true] {
        let (transport, mut peer) = connect().await;
        let mut stream = WebSocketStream::from_transport(transport, role, [], config.clone());
        let application = async {
            let mut received = Vec::new();
            if shuts_down {
                stream.write_all(b"hello").await.unwrap();
                stream.flush().await.unwrap();
                stream.shutdown().await.unwrap();
            }
            stream.read_to_end(&mut received).await.unwrap();
            assert_eq!(received, b"data");
        };
        let conversation = async {
            if shuts_down {
                expect(&mut peer, role, wire::BINARY, b"hello").await;
                expect(&mut peer, role, wire::CLOSE, &[3, 232]).await;
            } else {
                peer.write_all(&wire::ping(role, b"ping")).await.unwrap();
                peer.flush().await.unwrap();
                expect(&mut peer, role, wire::PONG, b"ping").await;
            }
            peer.write_all(&wire::data(role, b"data")).await.unwrap();
            peer.write_all(&wire::close(role, Some(1001), "")).await.unwrap();
            peer.flush().await.unwrap();
            if !shuts_down {
                expect(&mut peer, role, wire::CLOSE, &[3, 233]).await;
            }
            assert_eq!(peer.read(&mut [0; 9]).await.unwrap(), 0, "the transport did not end cleanly");
        };
        within(async { tokio::join!(application, conversation) }).await;
    }
}

#[tokio::test]
async fn answers_leave_through_a_buf_stream_while_the_application_only_reads() {
    for role in ROLES {
        for capacity in [16, 4096] {
            let connect = async || {
                let (near, far) = duplex(capacity);
                (BufStream::new(near), far)
            };
            answers_leave(role, &binary(), connect).await;
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
//= type=test
//# An endpoint SHOULD use a method that cleanly closes the TCP connection, as well as the TLS session, if
//# applicable,
#[tokio::test]
async fn answers_leave_through_tls_which_ends_with_close_notify() {
    for role in ROLES {
        let connect = async || {
            let (near, far) = duplex(512);
            tls(near, far).await
        };
        answers_leave(role, &binary(), connect).await;
    }
}

#[tokio::test]
async fn streams_over_tls_carry_a_mebibyte_each_way() {
    let (client, server) = tcp().await;
    let (client, server) = within(tls(client, server)).await;
    let config = binary();
    let client = WebSocketStream::from_transport(client, Role::Client, [], config.clone());
    let server = WebSocketStream::from_transport(server, Role::Server, [], config);
    let (up, down) = (bulk(1 << 20), bulk((1 << 20) - 1));
    let (got, seen) = within(async { tokio::join!(exchange(client, &up), exchange(server, &down)) }).await;
    assert!(seen == up && got == down);
}

#[tokio::test]
async fn tls_over_streams_carries_everything_and_its_close_notify() {
    let (up, down) = (bulk(300_000), bulk(300_001));
    for swap in [false, true] {
        let (mut client, mut server) = pair(1024, binary());
        if swap {
            std::mem::swap(&mut client, &mut server);
        }
        let (near, far) = within(tls(client, server)).await;
        let (got, seen) = within(async { tokio::join!(ask(near, &up), reply(far, &down)) }).await;
        assert!(seen == up && got == down);
    }
}

#[tokio::test]
async fn tls_over_streams_without_half_close_ends_cleanly_for_the_one_that_reads() {
    let (client, server) = pair(1024, binary().half_close(false));
    let (mut near, mut far) = within(tls(client, server)).await;
    let talk = async {
        near.write_all(b"request").await.unwrap();
        near.flush().await.unwrap();
        let mut reply = [0; 5];
        near.read_exact(&mut reply).await.unwrap();
        near.shutdown().await.unwrap();
    };
    let serve = async {
        let mut request = [0; 7];
        far.read_exact(&mut request).await.unwrap();
        far.write_all(b"reply").await.unwrap();
        far.flush().await.unwrap();
        assert_eq!(far.read(&mut request).await.unwrap(), 0);
    };
    within(async { tokio::join!(talk, serve) }).await;
}

#[tokio::test]
async fn end_of_tls_is_clean_only_after_the_peers_close() {
    for role in ROLES {
        for (closes, notifies) in [(true, true), (true, false), (false, true), (false, false)] {
            let (near, far) = duplex(4096);
            let (near, mut far) = within(tls(near, far)).await;
            let mut stream = WebSocketStream::from_transport(near, role, [], binary());
            far.write_all(&wire::data(role, b"data")).await.unwrap();
            if closes {
                far.write_all(&wire::close(role, None, "")).await.unwrap();
            }
            if notifies {
                far.shutdown().await.unwrap();
            } else {
                far.flush().await.unwrap();
            }
            drop(far);
            let mut received = Vec::new();
            let end = within(stream.read_to_end(&mut received)).await;
            let case = format!("{} Close {closes}, close_notify {notifies}", name(role));
            assert_eq!(received, b"data", "{case}");
            let expected = if closes { Ok(4) } else { Err(ErrorKind::UnexpectedEof) };
            assert_eq!(end.map_err(|error| error.kind()), expected, "{case}");
            // Without the peer's Close, ours was due, and could not be sent.
            let end = within(stream.shutdown()).await.map_err(|error| error.kind());
            assert!(end == Ok(()) || !closes && end == Err(ErrorKind::BrokenPipe), "{case}: {end:?}");
        }
    }
}
