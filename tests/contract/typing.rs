//! The type: PROMISES 1.1 to 1.3, 1.6, 7.2; pitfall C33.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets_stream::{CloseFrame, Config, Error, OpCode, Parts, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::support::{Task, binary, err, ok, stream, wire};

fn is_all<T: Send + Sync + Unpin>() {}
fn is_stream<T: AsyncRead + AsyncBufRead + AsyncWrite + Unpin>() {}

/// Borrows, and is neither `Send` nor `Sync`.
struct Local<'a>(Rc<()>, &'a str);

impl AsyncRead for Local<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Local<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn stream_is_send_sync_and_unpin_when_its_transport_is() {
    is_all::<WebSocketStream<tokio::net::TcpStream>>();
    is_all::<Parts<tokio::net::TcpStream>>();
    is_all::<(Config, Error, CloseFrame, PayloadType)>();
}

#[test]
fn transport_may_borrow_and_need_not_be_send() {
    let text = String::from("on the stack");
    is_stream::<WebSocketStream<Local<'_>>>();
    let mut stream = WebSocketStream::from_transport(Local(Rc::new(()), &text), Role::Server, [], binary());
    assert_eq!(ok(Task::default().write(&mut stream, b"hello")), 5);
    assert_eq!((stream.get_ref().1, Rc::strong_count(&stream.get_mut().0)), ("on the stack", 1));
    #[cfg(feature = "fastwebsockets")]
    {
        let transport = Local(Rc::new(()), &text);
        let websocket = fastwebsockets::WebSocket::after_handshake(transport, Role::Server.into());
        assert_eq!(
            ok(Task::default().write(&mut WebSocketStream::new(websocket, PayloadType::Binary), b"hello")),
            5
        );
    }
}

#[test]
fn stream_weighs_at_most_320_bytes_over_its_transport() {
    assert!(size_of::<WebSocketStream<()>>() <= 320);
    let tcp = size_of::<tokio::net::TcpStream>();
    assert!(size_of::<WebSocketStream<tokio::net::TcpStream>>() <= 320 + tcp);
}

#[test]
fn payload_type_becomes_its_opcode() {
    assert_eq!(OpCode::from(PayloadType::Binary), OpCode::Binary);
    assert_eq!(OpCode::from(PayloadType::Text), OpCode::Text);
    let all = std::collections::HashSet::from([PayloadType::Binary, PayloadType::Text, PayloadType::Text]);
    assert_eq!((all.len(), format!("{:?}", PayloadType::Text)), (2, "Text".into()));
}

#[test]
fn config_takes_and_returns_itself() {
    let config = Config::new(PayloadType::Text)
        .max_frame_len(None)
        .write_buffer(4096)
        .half_close(false)
        .keep_alive(Duration::from_secs(1))
        .stall_timeout(Duration::from_secs(3))
        .close_timeout(Duration::from_secs(2))
        .allow_unmasked(true)
        .abnormal_close_is_error(true);
    let shown = format!("{:?}", config.clone());
    for part in ["Text", "None", "4096", "1s", "2s", "3s"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn accessors_tell_what_the_stream_is() {
    for role in crate::support::ROLES {
        let (mut stream, mock) = stream(role, crate::support::text());
        assert!(stream.role() == role);
        assert_eq!(stream.payload_type(), PayloadType::Text);
        assert!(!stream.is_closed() && stream.peer_close().is_none());
        mock.feed(&wire::from_peer(role, true, wire::CLOSE, &wire::close_payload(Some(3456), "grüße")));
        assert_eq!(err(Task::default().read(&mut stream, 10)).kind(), io::ErrorKind::ConnectionAborted);
        assert!(stream.is_closed());
        let close = stream.peer_close().unwrap();
        assert_eq!((close.code.map(u16::from), close.reason.as_str()), (Some(3456), "grüße"));
    }
}

#[test]
fn debug_shows_the_state_and_no_payload() {
    let (mut stream, mock) = stream(Role::Client, binary());
    mock.set_room(3);
    mock.feed(&wire::data(Role::Client, b"secret received"));
    ok(Task::default().write(&mut stream, b"secret sent"));
    assert_eq!(ok(Task::default().read(&mut stream, 3)), b"sec");
    let shown = format!("{stream:?} {:?}", stream);
    assert!(shown.contains("Client") && shown.contains("unread: 12"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("115, 101"), "{shown}");
    let parts = format!("{:?}", stream.into_parts());
    assert!(parts.contains("unread") && !parts.contains("secret") && !parts.contains("115, 101"), "{parts}");
}

#[test]
fn read_ahead_may_be_any_bytes() {
    let transport = || stream(Role::Client, binary()).0.into_parts().transport;
    for role in crate::support::ROLES {
        WebSocketStream::from_transport(transport(), role, [], binary());
        WebSocketStream::from_transport(transport(), role, b"", binary());
        WebSocketStream::from_transport(transport(), role, Vec::new(), binary());
        WebSocketStream::from_transport(transport(), role, bytes::Bytes::new(), binary());
    }
    let mut stream =
        WebSocketStream::from_transport(transport(), Role::Client, b"\x82\x02ab\x82\x01c", binary());
    assert_eq!(ok(Task::default().read(&mut stream, 10)), b"abc");
}
