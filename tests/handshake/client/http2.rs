//! WebSockets over one HTTP/2 connection (RFC 8441), against hyper's server that answers by hand.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fastwebsockets_stream::{Client, ConnectError, Http2, Role, WebSocketStream};
use futures_util::FutureExt;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::support::authority::Authority;
use crate::support::client::{SHORT, assert_echo, config, echo_config, read_head, serve, soon};
use crate::support::with::With;

type Heads = Arc<Mutex<Vec<Request<()>>>>;

/// By the path: `/echo` upgrades and echoes, `/403` refuses, and so on.
async fn answer(
    mut request: Request<Incoming>,
    heads: Heads,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let path = request.uri().path().to_owned();
    let upgrade = hyper::upgrade::on(&mut request);
    heads.lock().unwrap().push(request.map(drop));
    let mut response = Response::new(Empty::new().boxed());
    match &*path {
        "/403" => {
            *response.status_mut() = StatusCode::FORBIDDEN;
            response.headers_mut().insert("x-reason", HeaderValue::from_static("because"));
            *response.body_mut() = Full::from("x".repeat(3000)).boxed();
            return Ok(response);
        }
        "/204" => {
            *response.status_mut() = StatusCode::NO_CONTENT;
            return Ok(response);
        }
        "/extension" => {
            drop(response.headers_mut().insert("sec-websocket-extensions", HeaderValue::from_static("x")))
        }
        "/protocol" => {
            drop(response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("two")))
        }
        "/never" => std::future::pending().await,
        _ => {}
    }
    tokio::spawn(async move {
        let Ok(io) = upgrade.await else { return };
        let stream = WebSocketStream::from_transport(TokioIo::new(io), Role::Server, [], echo_config());
        let (mut reader, mut writer) = tokio::io::split(stream);
        if tokio::io::copy(&mut reader, &mut writer).await.is_ok() {
            let _ = writer.shutdown().await;
        }
    });
    Ok(response)
}

async fn http2_server<S>(io: S, heads: Heads, change: impl FnOnce(&mut Builder<TokioExecutor>))
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    change(&mut builder);
    let service = service_fn(move |request| answer(request, heads.clone()));
    let _ = builder.serve_connection(TokioIo::new(io), service).await;
}

fn enable(builder: &mut Builder<TokioExecutor>) {
    builder.enable_connect_protocol();
}

/// A server for one connection that takes WebSockets.
async fn websockets() -> (u16, tokio::task::JoinHandle<()>, Heads) {
    let heads = Heads::default();
    let of_server = heads.clone();
    let (port, server) = serve(async move |io: TcpStream| {
        http2_server(io, of_server, enable).await;
    })
    .await;
    (port, server, heads)
}

#[tokio::test]
async fn streams_share_one_connection() {
    let (port, server, heads) = websockets().await;
    let client = Client::new(echo_config())
        .subprotocols(["one", "two"])
        .header(HeaderName::from_static("x-a"), HeaderValue::from_static("b"));
    // The server accepts once.
    let http2 = client.http2(&format!("ws://localhost:{port}")).await.unwrap();
    let (mut one, _) = http2.connect(&format!("ws://user:pass@localhost:{port}/echo?1")).await.unwrap();
    let (two, response) = http2.clone().connect(&format!("ws://localhost:{port}/protocol")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "two");
    one.write_all(b"first").await.unwrap();
    assert_echo(two).await;
    let mut bytes = [0; 5];
    one.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"first");

    // The connection outlives its handles.
    drop(http2);
    assert_echo(one).await;
    server.await.unwrap();

    let heads = heads.lock().unwrap();
    for (head, uri) in heads
        .iter()
        .zip([format!("http://localhost:{port}/echo?1"), format!("http://localhost:{port}/protocol")])
    {
        assert_eq!(head.method(), Method::CONNECT);
        assert_eq!(head.uri().to_string(), uri);
        assert_eq!(head.extensions().get::<Protocol>().unwrap().as_str(), "websocket");
        assert_eq!(head.headers()["sec-websocket-version"], "13");
        assert_eq!(head.headers()["sec-websocket-protocol"], "one, two");
        assert_eq!(head.headers()["x-a"], "b");
        for absent in ["sec-websocket-key", "connection", "upgrade", "host"] {
            assert!(!head.headers().contains_key(absent), "{absent}");
        }
    }
    assert_eq!(heads[0].headers()["authorization"], "Basic dXNlcjpwYXNz");
    assert!(!heads[1].headers().contains_key("authorization"));
}

#[tokio::test]
async fn http2_by_tls_is_agreed_by_alpn() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("localhost", &[b"http/1.1", b"h2"]);
    let (port, server) = serve(async move |io| {
        let tls = acceptor.accept(io).await.unwrap();
        http2_server(tls, Heads::default(), enable).await;
    })
    .await;
    let client = Client::new(echo_config()).tls(authority.trusting());
    let uri = format!("wss://localhost:{port}/echo");
    let http2 = client.http2(&uri).await.unwrap();
    assert_echo(http2.connect(&uri).await.unwrap().0).await;
    drop(http2);
    server.await.unwrap();

    // A server that knows no ALPN.
    let acceptor = authority.acceptor("localhost", &[]);
    let (port, server) = serve(async move |io| acceptor.accept(io).await.map(drop)).await;
    let error = client.http2(&format!("wss://localhost:{port}/")).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NotHttp2 { received, .. } if received.is_empty()), "{error:?}");
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn server_that_has_not_enabled_it_is_told_from_its_settings() {
    for change in [
        |_: &mut Builder<TokioExecutor>| {},
        |builder: &mut Builder<TokioExecutor>| {
            builder.max_concurrent_streams(None);
        },
        |builder: &mut Builder<TokioExecutor>| {
            builder.max_concurrent_streams(7);
        },
    ] {
        let (port, server) =
            serve(async move |io: TcpStream| http2_server(io, Heads::default(), change).await).await;
        // Without a limit: what tells is not a clock.
        let client = Client::new(config()).time_limit(Duration::MAX);
        let http2 = client.http2(&format!("ws://localhost:{port}")).await.unwrap();
        let error = soon(http2.connect(&format!("ws://localhost:{port}/"))).await.unwrap_err();
        assert!(matches!(error, ConnectError::NoExtendedConnect { .. }), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = error.to_string();
        assert!(text.contains("enable_connect_protocol()") && text.contains("RFC 8441"), "{text}");
        drop(http2);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn server_that_sends_no_settings_is_given_up_at_the_limit() {
    let (port, server) = serve(async |mut io| tokio::io::copy(&mut io, &mut tokio::io::sink()).await).await;
    let http2 =
        Client::new(config()).time_limit(SHORT).http2(&format!("ws://localhost:{port}")).await.unwrap();
    let error = http2.connect(&format!("ws://localhost:{port}/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("SETTINGS"), "{error}");
    drop(http2);
    let _ = server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn wait_for_settings_is_at_most_five_seconds() {
    let (near, _far) = tokio::io::duplex(1024);
    let http2 = Client::new(config()).http2_over(near).await.unwrap();
    let began = tokio::time::Instant::now();
    let error = http2.connect("ws://localhost/").await.unwrap_err();
    assert!(matches!(error, ConnectError::NoExtendedConnect { .. }), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn server_that_speaks_http1_is_an_error() {
    let (port, server) = serve(async |mut io| {
        read_head(&mut io).await;
        io.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
    })
    .await;
    let http2 = Client::new(config()).http2(&format!("ws://localhost:{port}")).await.unwrap();
    let error = http2.connect(&format!("ws://localhost:{port}/")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Http2Ended { source: Some(_), .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    assert!(error.to_string().contains("speaks only HTTP/1.1"), "{error}");
    assert!(http2.is_closed());
    server.await.unwrap();
}

#[tokio::test]
async fn refusal_is_an_error_and_the_connection_goes_on() {
    let (port, server, _) = websockets().await;
    let http2 = Client::new(echo_config())
        .subprotocols(["one"])
        .http2(&format!("ws://localhost:{port}"))
        .await
        .unwrap();
    let refused =
        async |path: &str| http2.connect(&format!("ws://localhost:{port}{path}")).await.unwrap_err();

    let error = refused("/403").await;
    assert!(error.to_string().contains("403 Forbidden, expected 200 OK: \"xxx"), "{error}");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let ConnectError::Rejected { response, .. } = error else { panic!("{error:?}") };
    assert_eq!(response.headers()["x-reason"], "because");
    assert_eq!(response.body(), &"x".repeat(1024));

    assert!(
        matches!(refused("/204").await, ConnectError::Rejected { response, .. } if response.status() == 204)
    );
    assert!(matches!(refused("/extension").await, ConnectError::Extensions { .. }));
    assert!(matches!(refused("/protocol").await, ConnectError::SubprotocolNotAsked { .. }));
    assert!(matches!(refused("/echo#x").await, ConnectError::Uri { .. }));
    assert_echo(http2.connect(&format!("ws://localhost:{port}/echo")).await.unwrap().0).await;
    drop(http2);
    server.await.unwrap();
}

#[tokio::test]
async fn request_that_is_never_answered_is_given_up_at_the_limit_and_the_connection_goes_on() {
    let (port, server, _) = websockets().await;
    let http2 =
        Client::new(echo_config()).time_limit(SHORT).http2(&format!("ws://localhost:{port}")).await.unwrap();
    let error = http2.connect(&format!("ws://localhost:{port}/never")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_echo(http2.connect(&format!("ws://localhost:{port}/echo")).await.unwrap().0).await;
    drop(http2);
    server.await.unwrap();
}

#[tokio::test]
async fn stream_beyond_the_servers_limit_waits_for_one_to_end() {
    let (port, server) = serve(async |io: TcpStream| {
        http2_server(io, Heads::default(), |builder| {
            builder.enable_connect_protocol().max_concurrent_streams(1);
        })
        .await;
    })
    .await;
    let http2 = Client::new(echo_config()).http2(&format!("ws://localhost:{port}")).await.unwrap();
    let (first, _) = http2.connect(&format!("ws://localhost:{port}/echo")).await.unwrap();
    let uri = format!("ws://localhost:{port}/echo");
    let mut second = Box::pin(http2.connect(&uri));
    assert!(second.as_mut().now_or_never().is_none());
    let ((), second) = tokio::join!(assert_echo(first), second);
    assert_echo(second.unwrap().0).await;
    drop(http2);
    server.await.unwrap();
}

/// Credentials, and what is to go by TLS, stay where they belong.
#[tokio::test]
async fn uri_of_another_server_is_refused_before_anything_is_sent() {
    let (port, server, _) = websockets().await;
    let http2 = Client::new(echo_config()).http2(&format!("ws://localhost:{port}")).await.unwrap();
    for uri in [
        format!("wss://user:secret@localhost:{port}/echo"),
        format!("ws://user:secret@bank.example:{port}/echo"),
        "ws://user:secret@localhost/echo".to_owned(),
    ] {
        let error = http2.connect(&uri).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("leads to ws, localhost, port {port}")), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert_echo(http2.connect(&format!("ws://LOCALHOST:{port}/echo")).await.unwrap().0).await;
    server.abort();
}

/// Runs this against a server of another thread, drops what it yields, and waits for the last task.
fn assert_all_tasks_end<T>(work: impl AsyncFnOnce(Http2) -> T, enabled: bool) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(http2_server(far, Heads::default(), |builder| {
            if enabled {
                builder.enable_connect_protocol();
            }
        }));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (dropped, transport) = oneshot::channel::<()>();
        let http2 = Client::new(echo_config()).http2_over(With(near, dropped)).await.unwrap();
        assert!(runtime.metrics().num_alive_tasks() > 0);
        drop(work(http2).await);
        assert!(soon(transport).await.is_err());
        soon(async {
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    });
    server.join().unwrap();
}

#[test]
fn tasks_end_with_the_last_handle_and_stream() {
    assert_all_tasks_end(async |http2| drop(http2), true);
    assert_all_tasks_end(async |http2| http2.connect("ws://localhost/").await.unwrap_err(), false);
    assert_all_tasks_end(async |http2| http2.connect("ws://localhost/403").await.unwrap_err(), true);
    assert_all_tasks_end(
        async |http2| assert_echo(http2.connect("ws://localhost/").await.unwrap().0).await,
        true,
    );
    // Streams that are dropped as they are, with bytes on the way, and a request that is.
    assert_all_tasks_end(
        async |http2| {
            let (mut one, _) = http2.connect("ws://localhost/").await.unwrap();
            let (two, _) = http2.connect("ws://localhost/").await.unwrap();
            one.write_all(&[0; 10_000]).await.unwrap();
            let mut never = Box::pin(async move { http2.connect("ws://localhost/never").await.map(drop) });
            assert!(never.as_mut().now_or_never().is_none());
            (one, two)
        },
        true,
    );
}
