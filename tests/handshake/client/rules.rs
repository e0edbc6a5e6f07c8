//! Rules of RFC 6455 for a client, as the server sees them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use fastwebsockets_stream::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::support::authority::Authority;
use crate::support::client::{
    accept, assert_echo, config, echo, echo_config, read_head, serve, soon, switching,
};

/// Polls this once.
async fn once<F: Future>(work: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    let mut work = work;
    poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# Once the client's opening handshake has been sent, the client MUST wait for a response from the server before
//# sending any further data.
#[tokio::test]
async fn client_sends_nothing_behind_its_request_before_the_answer() {
    let (near, mut far) = duplex(1 << 16);
    let client = Client::new(echo_config());
    let mut connecting = pin!(client.over(near, "ws://host/"));
    assert!(once(connecting.as_mut()).await.is_pending());
    let head = read_head(&mut far).await;
    // The answer, an octet at a time: up to the last one, no octet of the client's is there.
    let answer = switching(&head, "");
    for octet in answer.as_bytes() {
        assert!(once(connecting.as_mut()).await.is_pending());
        assert!(once(pin!(far.read_u8())).await.is_pending(), "the client has sent more than its request");
        far.write_all(&[*octet]).await.unwrap();
    }
    let Poll::Ready(Ok((stream, _))) = once(connecting.as_mut()).await else { panic!("no stream") };
    assert!(once(pin!(far.read_u8())).await.is_pending());
    let server = fastwebsockets_stream::WebSocketStream::from_transport(
        far,
        fastwebsockets_stream::Role::Server,
        [],
        echo_config(),
    );
    let (_, echoed) = soon(async { tokio::join!(assert_echo(stream), crate::support::echo(server)) }).await;
    echoed.unwrap();
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-7.2.1
//= type=test
//# To do so, the client MUST _Fail the WebSocket Connection_ as defined in Section 7.1.7.
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
//= type=test
//# the client MUST _Close the WebSocket Connection_,
#[tokio::test]
async fn client_that_takes_no_answer_closes_the_connection_and_sends_nothing_more() {
    for wrong in ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept", "ACCEPT"] {
        let (port, server) = serve(async move |mut io| {
            let head = read_head(&mut io).await;
            let right = switching(&head, "");
            let answer =
                right.replace(if wrong == "ACCEPT" { accept(&head) } else { wrong.into() }.as_str(), "X: y");
            // With a Ping behind it, which is not to be answered.
            io.write_all(&[answer.as_bytes(), &[0x89, 0]].concat()).await.unwrap();
            let mut rest = Vec::new();
            // Something lies unread when it closes, so this may end in a reset.
            let _ = io.read_to_end(&mut rest).await;
            rest
        })
        .await;
        let error = soon(Client::new(config()).connect(&format!("ws://localhost:{port}"))).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{wrong}: {error}");
        assert_eq!(soon(server).await.unwrap(), b"", "{wrong}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# Clients MUST use the Server Name Indication extension in the TLS handshake [RFC6066].
#[tokio::test]
async fn client_names_the_server_in_tls() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[]);
    let (port, server) = serve(async move |io| {
        let tls = acceptor.accept(io).await.unwrap();
        let name = tls.get_ref().1.server_name().map(str::to_owned);
        echo(tls).await;
        name
    })
    .await;
    let client = Client::new(echo_config()).tls(authority.trusting());
    assert_echo(client.connect(&format!("wss://localhost:{port}")).await.unwrap().0).await;
    assert_eq!(soon(server).await.unwrap().as_deref(), Some("localhost"));
}
