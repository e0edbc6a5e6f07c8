//! wss://

use fastwebsockets_stream::{MaybeTlsStream, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{accept, listener, talk};
use crate::support::raw::{Raw, Request};
use crate::support::{bulk, log, tls, wire, within};

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//= type=test
//# all further communication for the connection (including the server's handshake) MUST run through the
//# encrypted tunnel
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.6
//= type=test
//# WebSocket implementations MUST support TLS
#[tokio::test]
async fn client_over_tls_is_accepted_with_frames_in_one_segment_with_its_request() {
    let (server, client) = tls::configs();
    let mut listener = listener().await.tls(server.into());
    let address = listener.local_addr();
    let message = bulk(10_000, 1);
    let connect = async {
        let mut raw = Raw::new(tls::connect(address, client).await.unwrap());
        let frame = wire::data(Role::Server, &message);
        raw.send(&Request::new().then(&frame).bytes()).await;
        assert_eq!(raw.answer().await.status(), 101);
        raw
    };
    let (mut raw, mut accepted) = tokio::join!(connect, accept(&mut listener));
    let mut bytes = vec![0; message.len()];
    within(accepted.stream.read_exact(&mut bytes)).await.unwrap();
    assert!(bytes == message);
    talk(&mut raw, &mut accepted.stream).await;
    let MaybeTlsStream::Tls(inside) = accepted.stream.get_ref() else { panic!("no TLS") };
    assert_eq!(inside.get_ref().1.alpn_protocol(), None);
    assert!(accepted.stream.get_ref().tcp().nodelay().unwrap());
    assert_eq!(accepted.peer_addr, raw.io.get_ref().0.local_addr().unwrap());
    // The end comes as TLS says it.
    accepted.stream.shutdown().await.unwrap();
    assert_eq!(raw.frame().await.opcode, wire::CLOSE);
    raw.send(&wire::close(Role::Server, Some(1000), "")).await;
    assert_eq!(within(accepted.stream.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(within(raw.io.read(&mut [0])).await.unwrap(), 0, "close_notify");
}

/// A configuration made for a web server offers HTTP/2, which the listener does not speak.
#[tokio::test]
async fn alpn_of_the_configuration_is_replaced_by_http_1_1() {
    let (mut server, mut client) = tls::configs();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut listener = listener().await.tls(server.into());
    let address = listener.local_addr();
    let connect = async {
        let tls = tls::connect(address, client).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
        let mut raw = Raw::new(tls);
        assert_eq!(raw.ask(&Request::new()).await.status(), 101);
        raw
    };
    let (mut raw, mut accepted) = tokio::join!(connect, accept(&mut listener));
    talk(&mut raw, &mut accepted.stream).await;
}

#[tokio::test]
async fn client_that_speaks_only_http2_is_told_in_tls() {
    log::install();
    let (server, mut client) = tls::configs();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let mut listener = listener().await.tls(server.into());
    let address = listener.local_addr();
    let error = tokio::select! {
        connected = tls::connect(address, client) => connected.unwrap_err(),
        accepted = listener.accept() => panic!("{accepted:?}"),
    };
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

#[tokio::test]
async fn refused_client_over_tls_reads_the_whole_answer_and_the_end() {
    let (server, client) = tls::configs();
    let mut listener = listener().await.tls(server.into());
    let address = listener.local_addr();
    tokio::spawn(async move { while listener.accept().await.is_some() {} });
    let mut raw = Raw::new(tls::connect(address, client).await.unwrap());
    let request = Request::new().without("Host").then(&bulk(50_000, 2));
    raw.send(&request.bytes()).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status(), answer.body.as_str()), (400, "the field host is missing\n"));
    assert_eq!(within(raw.io.read(&mut [0])).await.unwrap(), 0, "close_notify");
}
