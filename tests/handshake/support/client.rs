//! Servers for the client: some that answer by hand, octet by octet, and one that echoes.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Short, for those who never answer; long enough that nothing else runs into it.
pub const SHORT: Duration = Duration::from_millis(500);

pub fn config() -> Config {
    Config::new(PayloadType::Binary)
}

/// With half-close, for what copies.
pub fn echo_config() -> Config {
    config()
}

pub async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Waits for what comes at once, or never where a promise is broken.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it does not come")
}

/// A port on which nobody listens.
pub async fn nobody() -> u16 {
    listen().await.1
}

/// Up to and with the empty line, and not an octet further.
pub async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// An error and its causes, as anyhow prints them with `{:#}`. None repeats what another says.
#[track_caller]
pub fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        assert!(
            texts.iter().all(|other| !other.contains(&text) && !text.contains(other)),
            "{texts:?} {text:?}"
        );
        texts.push(text);
        next = source.source();
    }
    texts.join(": ")
}

/// All lines of a field.
pub fn fields<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

pub fn accept(head: &str) -> String {
    derive_accept_key(fields(head, "sec-websocket-key")[0].as_bytes())
}

/// The answer that is right, with more fields.
pub fn switching(head: &str, more: &str) -> String {
    let accept = accept(head);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// A server for one connection. Yields what the function makes of it.
pub async fn serve<F, T>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> (u16, JoinHandle<T>)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (listener, port) = listen().await;
    let serving = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    (port, serving)
}

/// A server that answers one request with these octets and closes. Yields the head of the request.
pub async fn answer(answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> (u16, JoinHandle<String>) {
    serve(async move |mut io| {
        let head = read_head(&mut io).await;
        // The client may have gone at the first wrong octet.
        let _ = io.write_all(&answer(&head)).await;
        let _ = io.shutdown().await;
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
        head
    })
    .await
}

/// The server's end of a stream, upgraded by hand.
pub async fn accept_by_hand<S: AsyncRead + AsyncWrite + Unpin>(mut io: S) -> (WebSocketStream<S>, String) {
    let head = read_head(&mut io).await;
    io.write_all(switching(&head, "").as_bytes()).await.unwrap();
    (WebSocketStream::from_transport(io, Role::Server, [], echo_config()), head)
}

/// Upgrades and echoes to the end. Yields the head of the request.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(io: S) -> String {
    let (stream, head) = accept_by_hand(io).await;
    let (mut reader, mut writer) = tokio::io::split(stream);
    tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    writer.shutdown().await.unwrap();
    head
}

/// Asserts that a stream leads to an echo, and ends it.
pub async fn assert_echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: WebSocketStream<S>) {
    stream.write_all(b"Hello!").await.unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"Hello!");
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut answer).await.unwrap(), 0);
}
