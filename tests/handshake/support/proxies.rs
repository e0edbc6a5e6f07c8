//! Proxies for one connection each.

use std::net::{Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use super::client::read_head;

/// HTTP CONNECT: opens what it is asked for. Yields the head of the request.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(mut io: S) -> String {
    let head = read_head(&mut io).await;
    let authority = head.split(' ').nth(1).unwrap();
    let mut server = TcpStream::connect(authority).await.unwrap();
    io.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await.unwrap();
    let _ = copy_bidirectional(&mut io, &mut server).await;
    head
}

/// Opens what it is asked for, and answers with these octets, in writes of this many.
pub async fn connect_answering<S: AsyncRead + AsyncWrite + Unpin>(
    mut io: S,
    answer: &[u8],
    at_a_time: usize,
) {
    let head = read_head(&mut io).await;
    let mut server = TcpStream::connect(head.split(' ').nth(1).unwrap()).await.unwrap();
    for part in answer.chunks(at_a_time) {
        io.write_all(part).await.unwrap();
        io.flush().await.unwrap();
    }
    let _ = copy_bidirectional(&mut io, &mut server).await;
}

/// Sends each answer when something has come, and then nothing more. Ends when the client has gone.
pub async fn answer_and_end<S: AsyncRead + AsyncWrite + Unpin>(mut io: S, answers: &[&[u8]]) {
    for answer in answers {
        assert!(io.read(&mut [0; 1024]).await.unwrap() > 0);
        // The client may have gone at the first wrong octet.
        let _ = io.write_all(answer).await;
        let _ = io.flush().await;
    }
    let _ = io.shutdown().await;
    let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
}

/// What a SOCKS5 client has said.
#[derive(Debug, PartialEq, Eq)]
pub struct Socks {
    /// User and password, if it has offered to give them.
    pub credentials: Option<(String, String)>,
    /// A name, or an address as it is written.
    pub host: String,
    /// 1 for an address of IPv4, 3 for a name, 4 for an address of IPv6.
    pub address_type: u8,
}

/// SOCKS5 (RFC 1928): opens what it is asked for, a name or an address of IPv6 as 127.0.0.1.
pub async fn socks5(mut io: TcpStream) -> Socks {
    let mut methods = vec![0; read::<2>(&mut io).await[1] as usize];
    io.read_exact(&mut methods).await.unwrap();
    let credentials = if methods == [2] {
        io.write_all(&[5, 2]).await.unwrap();
        assert_eq!(io.read_u8().await.unwrap(), 1);
        let user = read_text(&mut io).await;
        let password = read_text(&mut io).await;
        io.write_all(&[1, 0]).await.unwrap();
        Some((user, password))
    } else {
        assert_eq!(methods, [0]);
        io.write_all(&[5, 0]).await.unwrap();
        None
    };
    let [5, 1, 0, address_type] = read::<4>(&mut io).await else { panic!("no CONNECT") };
    let (host, to) = match address_type {
        1 => {
            let address = read::<4>(&mut io).await;
            (SocketAddr::from((address, 0)).ip().to_string(), address)
        }
        3 => (read_text(&mut io).await, [127, 0, 0, 1]),
        4 => (Ipv6Addr::from(read::<16>(&mut io).await).to_string(), [127, 0, 0, 1]),
        other => panic!("address type {other}"),
    };
    let port = io.read_u16().await.unwrap();
    let mut server = TcpStream::connect(SocketAddr::from((to, port))).await.unwrap();
    io.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    let _ = copy_bidirectional(&mut io, &mut server).await;
    Socks { credentials, host, address_type }
}

async fn read<const N: usize>(io: &mut TcpStream) -> [u8; N] {
    let mut octets = [0; N];
    io.read_exact(&mut octets).await.unwrap();
    octets
}

async fn read_text(io: &mut TcpStream) -> String {
    let mut text = vec![0; io.read_u8().await.unwrap() as usize];
    io.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}
