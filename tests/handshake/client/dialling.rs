//! From a name to a transport, and over transports that the caller has made.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fastwebsockets_stream::{Client, ConnectError, MaybeTlsStream, connect};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, lookup_host};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::support::client::{
    SHORT, answer, assert_echo, chain, config, echo, echo_config, listen, nobody, read_head, serve,
};

#[tokio::test]
async fn name_is_reached_by_the_one_family_that_listens() {
    let addresses: Vec<IpAddr> =
        lookup_host("localhost:0").await.unwrap().map(|address| address.ip()).collect();
    for family in addresses {
        let listener = TcpListener::bind((family, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
        let stream = connect(&format!("ws://localhost:{port}"), echo_config()).await.unwrap();
        assert!(stream.get_ref().tcp().nodelay().unwrap());
        assert!(matches!(stream.get_ref(), MaybeTlsStream::Tcp(_)));
        assert_echo(stream).await;
        server.await.unwrap();
    }
}

#[tokio::test]
async fn address_of_ipv6_is_reached_and_stands_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    assert_echo(connect(&format!("ws://[::1]:{port}"), echo_config()).await.unwrap()).await;
    assert!(server.await.unwrap().contains(&format!("Host: [::1]:{port}\r\n")));
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# If the connection could not be opened, either because a direct connection failed or because any proxy used
//# returned an error, then the client MUST
#[tokio::test]
async fn failure_to_connect_has_its_kind_and_names_host_and_port() {
    let port = nobody().await;
    let error = connect(&format!("ws://user:secret@localhost:{port}"), config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    let text = format!("{error} {error:?}");
    assert!(text.contains("localhost") && text.contains(&port.to_string()), "{text}");
    assert!(!text.contains("secret"), "{text}");

    // An address is not said twice.
    let error = connect(&format!("ws://127.0.0.1:{port}"), config()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to 127.0.0.1 port {port}"));

    let error = connect("ws://nowhere.invalid", config()).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Resolve { host, port: 80, .. } if host == "nowhere.invalid"),
        "{error:?}"
    );
    assert_eq!(error.kind(), ErrorKind::HostUnreachable);
    assert!(chain(&error).starts_with("the name nowhere.invalid was not resolved (port 80)"), "{error}");
}

#[tokio::test]
async fn server_that_never_answers_is_given_up_at_the_limit() {
    let (port, server) = serve(async |mut io| {
        read_head(&mut io).await;
        io.read(&mut [0]).await
    })
    .await;
    let client = Client::new(config()).time_limit(SHORT);
    let error = client.connect(&format!("ws://localhost:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let text = error.to_string();
    assert!(
        text.contains(&format!("{SHORT:?}")) && text.contains("waiting for the server's answer"),
        "{text}"
    );
    // The connection is closed, not left behind.
    assert!(!matches!(server.await.unwrap(), Ok(1..)));
}

#[tokio::test]
async fn server_that_trickles_is_given_up_at_the_limit() {
    let (port, server) = serve(async |mut io| {
        read_head(&mut io).await;
        let mut sent = 0;
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        for octet in b"HTTP/1.1 101 Switching Protocols\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
            pace.tick().await;
            if io.write_all(&[*octet]).await.is_err() {
                break;
            }
            sent += 1;
        }
        sent
    })
    .await;
    let client = Client::new(config()).time_limit(SHORT);
    let error = client.connect(&format!("ws://localhost:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(server.await.unwrap() > 0);
}

#[test]
fn no_time_limit_needs_no_timer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let (port, server) = serve(echo).await;
        let client = Client::new(echo_config()).time_limit(Duration::MAX);
        assert_echo(
            client
                .over(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap(), "ws://h")
                .await
                .unwrap()
                .0,
        )
        .await;
        server.await.unwrap();

        // A refusal that is whole is not waited for.
        let (port, server) =
            answer(|_| b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".to_vec()).await;
        let error = client.connect(&format!("ws://127.0.0.1:{port}")).await.unwrap_err();
        assert!(matches!(error, ConnectError::Rejected { .. }), "{error:?}");
        server.await.unwrap();

        // A name with addresses of both families would be raced for.
        let is_one_family = lookup_host("localhost:0").await.unwrap().all(|address| address.is_ipv4());
        for host in ["127.0.0.1", "localhost"].iter().take(if is_one_family { 2 } else { 1 }) {
            let (port, server) = serve(echo).await;
            assert_echo(client.connect(&format!("ws://{host}:{port}")).await.unwrap().0).await;
            server.await.unwrap();
        }
    });
}

#[tokio::test]
async fn time_limit_beyond_every_clock_is_none() {
    for limit in [Duration::MAX, Duration::from_secs(u64::MAX / 2), Duration::from_secs(1 << 40)] {
        let (port, server) = serve(echo).await;
        let client = Client::new(echo_config()).time_limit(limit);
        assert_echo(client.connect(&format!("ws://localhost:{port}")).await.unwrap().0).await;
        server.await.unwrap();
    }
    let error =
        Client::new(config()).time_limit(Duration::ZERO).connect("ws://localhost:1").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::ConnectionRefused), "{error:?}");
}

#[tokio::test]
async fn connecting_that_is_dropped_closes_the_connection() {
    let (listener, port) = listen().await;
    let connecting =
        tokio::spawn(async move { connect(&format!("ws://localhost:{port}"), config()).await.map(drop) });
    let (mut io, _) = listener.accept().await.unwrap();
    read_head(&mut io).await;
    connecting.abort();
    assert!(connecting.await.unwrap_err().is_cancelled());
    assert!(!matches!(io.read(&mut [0]).await, Ok(1..)));
}

#[test]
fn futures_over_what_is_send_are_send() {
    fn is_send(_: impl Send) {}
    let client = Client::new(config());
    is_send(connect("ws://host", config()));
    is_send(client.connect("ws://host"));
    is_send(client.over(tokio::io::duplex(1).0, "ws://host"));
    is_send(client.http2("ws://host"));
    is_send(client.http2_over(tokio::io::duplex(1).0));
    is_send(|http2: fastwebsockets_stream::Http2| is_send(http2.connect("ws://host")));
}

/// Neither `Send` nor `'static`.
struct Local<'a> {
    io: DuplexStream,
    polls: &'a Cell<usize>,
    _not_send: PhantomData<Rc<()>>,
}

impl AsyncRead for Local<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.polls.set(self.polls.get() + 1);
        pin!(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Local<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        pin!(&mut self.io).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn over_takes_a_transport_that_is_neither_send_nor_static_and_passes_one_octet_at_a_time() {
    let polls = Cell::new(0);
    let (near, far) = tokio::io::duplex(1);
    let near = Local { io: near, polls: &polls, _not_send: PhantomData };
    let client = Client::new(echo_config());
    let ours = async {
        // wss:// adds no TLS here.
        let (stream, response) = client.over(near, "wss://example.com/x").await.unwrap();
        assert_eq!(response.status(), 101);
        let bare: &Local = stream.get_ref();
        assert!(bare.polls.get() > 100);
        assert_echo(stream).await;
    };
    let ((), head) = tokio::join!(ours, echo(far));
    assert!(head.starts_with("GET /x HTTP/1.1\r\n") && head.contains("Host: example.com\r\n"), "{head}");
}

/// Fails with this.
struct Failing(ErrorKind);

impl AsyncRead for Failing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.0.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

#[tokio::test]
async fn failure_of_the_transport_keeps_its_kind() {
    for kind in [ErrorKind::ConnectionReset, ErrorKind::PermissionDenied, ErrorKind::BrokenPipe] {
        let error = Client::new(config()).over(Failing(kind), "ws://host").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# it MUST open a connection, send an opening handshake, and read the server's handshake in response.
#[tokio::test]
async fn server_of_tungstenite_is_a_peer() {
    let (port, server) = serve(async |io| {
        // What tungstenite's signature asks for.
        #[allow(clippy::result_large_err)]
        let choose = |request: &Request, mut response: Response| {
            let asked = request.headers()["sec-websocket-protocol"].to_str().unwrap();
            assert_eq!(asked, "one, two");
            response.headers_mut().insert("sec-websocket-protocol", "two".parse().unwrap());
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(io, choose).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    })
    .await;
    let client = Client::new(config()).subprotocols(["one", "two"]);
    let (stream, response) = client.connect(&format!("ws://localhost:{port}/")).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "two");
    assert_echo(stream).await;
    server.await.unwrap();
}

#[tokio::test]
async fn server_of_fastwebsockets_is_a_peer() {
    let (port, server) = serve(async |io| {
        let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| async move {
            let (response, websocket) = fastwebsockets::upgrade::upgrade(&mut request).unwrap();
            tokio::spawn(async move {
                let mut websocket = websocket.await.unwrap();
                while let Ok(frame) = websocket.read_frame().await {
                    match frame.opcode {
                        fastwebsockets::OpCode::Close => break,
                        opcode => {
                            let echo = fastwebsockets::Frame::new(true, opcode, None, frame.payload);
                            websocket.write_frame(echo).await.unwrap();
                        }
                    }
                }
            });
            let (head, _) = response.into_parts();
            Ok::<_, std::convert::Infallible>(hyper::Response::from_parts(head, Empty::<Bytes>::new()))
        });
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service);
        connection.with_upgrades().await.unwrap();
    })
    .await;
    assert_echo(connect(&format!("ws://localhost:{port}/"), config()).await.unwrap()).await;
    server.await.unwrap();
}
