//! What the client logs: phases and refusals, and nothing that is secret.

use fastwebsockets_stream::Client;
use http::header;
use tracing::Level;

use crate::support::client::{SHORT, answer, assert_echo, config, echo, echo_config, listen, serve};
use crate::support::log;

/// Everything that is logged so far, as text.
fn all() -> String {
    format!("{:?}", log::events())
}

fn client() -> Client {
    Client::new(echo_config())
        .header(header::AUTHORIZATION, "Bearer secret")
        .header(header::COOKIE, "id=secret")
        .header("X-Api-Key", "secret")
        .subprotocols(["bearer.secret"])
        .time_limit(SHORT)
}

#[tokio::test]
async fn connection_is_logged_without_its_secrets() {
    log::install();
    let (port, server) = serve(echo).await;
    let (stream, _) =
        client().connect(format!("ws://user:secret@localhost:{port}/?token=secret")).await.unwrap();
    assert_echo(stream).await;
    server.await.unwrap();
    let events = log::events();
    let opened = events.iter().find(|event| event.get("message") == "the WebSocket is open").unwrap();
    assert_eq!(opened.level, Level::DEBUG);
    assert!(events.iter().all(|event| event.level >= Level::DEBUG), "{events:?}");
    assert!(!all().contains("secret") && !all().contains("Hello!"), "{}", all());
}

#[tokio::test]
async fn refusal_is_logged_with_its_status_and_without_what_the_server_says() {
    log::install();
    let refusal = b"HTTP/1.1 302 Found\r\nLocation: /?token=secret\r\nSet-Cookie: secret\r\n\r\nsecret";
    let (port, server) = answer(|_| refusal.to_vec()).await;
    client().connect(format!("ws://localhost:{port}/?token=secret")).await.unwrap_err();
    server.await.unwrap();
    let event = log::event(|event| event.get("message") == "the server has refused the upgrade").await;
    assert_eq!((event.level, event.get("status")), (Level::DEBUG, "302"));
    assert!(!all().contains("secret"), "{}", all());
}

#[tokio::test]
async fn failure_is_logged_with_its_kind_and_a_time_out_with_its_phase() {
    log::install();
    let (port, server) = answer(|_| b"SSH-2.0-secret\r\n".to_vec()).await;
    client().connect(format!("ws://localhost:{port}/")).await.unwrap_err();
    server.await.unwrap();
    let event = log::event(|event| event.get("message") == "connecting has failed").await;
    assert_eq!(event.get("kind"), "invalid data");

    let (_listener, port) = listen().await;
    client().connect(format!("ws://127.0.0.1:{port}/")).await.unwrap_err();
    let event = log::event(|event| event.get("message") == "the time limit has passed").await;
    assert_eq!(event.get("phase"), "waiting for the server's answer to the upgrade request");
    assert_eq!(event.get("limit"), "500ms");
    assert!(!all().contains("secret"), "{}", all());
}

#[tokio::test]
async fn span_of_a_connection_names_host_port_and_scheme_and_no_more() {
    log::install();
    let (port, server) = answer(|_| Vec::new()).await;
    let uri = format!("ws://user:secret@localhost:{port}/path?token=secret");
    Client::new(config()).connect(uri).await.unwrap_err();
    server.await.unwrap();
    let span = log::spans().into_iter().find(|span| span.get("port") == port.to_string()).unwrap();
    let fields: Vec<_> = span.fields.iter().map(|(name, value)| (*name, value.trim_matches('"'))).collect();
    assert_eq!(fields, [("host", "localhost"), ("port", &*port.to_string()), ("scheme", "ws")]);
    assert_eq!(span.level, Level::DEBUG);
}

#[tokio::test]
async fn name_is_resolved_and_an_address_is_not() {
    log::install();
    for (host, resolved) in [("127.0.0.1", 0), ("localhost", 1)] {
        let (port, server) = serve(echo).await;
        let (stream, _) = client().connect(&format!("ws://{host}:{port}")).await.unwrap();
        assert_echo(stream).await;
        server.await.unwrap();
        let events = log::events();
        let found = events.iter().filter(|event| event.get("message") == "the name is resolved");
        assert_eq!(found.count(), resolved, "{events:?}");
    }
}
