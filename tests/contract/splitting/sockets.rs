//! Halves in tasks of their own, on several threads, over real sockets: PROMISES 1.8.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_buf};

use super::*;
use crate::support::net::{bulk, tcp, tls, within};

const MUCH: usize = 8 << 20;

/// Sends all, and reads as much, in two tasks; the other end sends back what it gets, in two tasks as well.
async fn exchange<A, B>(client: A, server: B, chunk: usize)
where
    A: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = WebSocketStream::from_transport(client, Role::Client, [], binary());
    let server = WebSocketStream::from_transport(server, Role::Server, [], binary());
    let (mut near_reader, mut near_writer) = client.into_split();
    let (far_reader, mut far_writer) = server.into_split();
    let (echo, mut echoed) = tokio::io::duplex(64 * 1024);
    let (_, mut echo) = tokio::io::split(echo);
    let receiving = tokio::spawn(async move {
        let mut reader = tokio::io::BufReader::new(far_reader);
        copy_buf(&mut reader, &mut echo).await?;
        echo.shutdown().await?;
        io::Result::Ok(reader.into_inner())
    });
    let returning = tokio::spawn(async move {
        copy(&mut echoed, &mut far_writer).await?;
        // Dropped: the reading half is at the end.
        io::Result::Ok(())
    });
    let sending = tokio::spawn(async move {
        for chunk in bulk(MUCH).chunks(chunk) {
            near_writer.write_all(chunk).await?;
        }
        near_writer.shutdown().await?;
        io::Result::Ok(near_writer)
    });
    let mut all = Vec::new();
    within(near_reader.read_to_end(&mut all)).await.unwrap();
    assert!(all == bulk(MUCH), "{} bytes of {MUCH}", all.len());
    let near_writer = sending.await.unwrap().unwrap();
    assert!(near_writer.is_closed());
    let whole = near_writer.reunite(near_reader).unwrap();
    assert_eq!(whole.peer_close().unwrap().code.map(u16::from), Some(1000));
    returning.await.unwrap().unwrap();
    receiving.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn halves_on_several_threads_echo_megabytes_both_ways_over_tcp() {
    for chunk in [700, 64 * 1024, 1 << 20] {
        let (near, far) = tcp().await;
        exchange(near, far, chunk).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn halves_on_several_threads_echo_megabytes_both_ways_over_tls() {
    let (near, far) = tcp().await;
    let (near, far) = tls(near, far).await;
    exchange(near, far, 64 * 1024).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writing_half_in_a_task_of_its_own_closes_while_the_reading_half_reads() {
    for _ in 0..200 {
        let (near, far) = tcp().await;
        let client = WebSocketStream::from_transport(near, Role::Client, [], binary());
        let mut server = WebSocketStream::from_transport(far, Role::Server, [], binary());
        let (mut reader, mut writer) = client.into_split();
        let far = tokio::spawn(async move {
            server.write_all(&bulk(300_000)).await?;
            server.close(1000, "so long").await
        });
        let closing = tokio::spawn(async move { writer.close(1000, "bye").await });
        let mut all = Vec::new();
        within(reader.read_to_end(&mut all)).await.unwrap();
        assert!(all == bulk(300_000));
        assert_eq!(within(closing).await.unwrap().unwrap().unwrap().reason, "so long");
        assert_eq!(within(far).await.unwrap().unwrap().unwrap().reason, "bye");
    }
}
