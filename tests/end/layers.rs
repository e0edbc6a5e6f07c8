//! What other crates put on a stream, and how that ends: PROMISES 5.4, 5.6.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufStream, BufWriter, copy_buf, split,
};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::programs::{Duplex, Ending, ask, echo, exchange};
use crate::support::links::{LINKS, OWNED, Stream};
use crate::support::matrix::{End, Load, Program, Row, Running, as_over_tcp, compare, request, response};
use crate::support::tls;

const BOTH: [End; 2] = [End::Whole; 2];

fn exchanging(io: Stream, load: Load) -> Running {
    Box::pin(async move {
        let bytes = request(load);
        End::of(exchange(io, &bytes, load.slow).await, &bytes)
    })
}

fn other<T>(result: Result<T, impl Into<Box<dyn std::error::Error + Send + Sync>>>) -> io::Result<T> {
    result.map_err(io::Error::other)
}

async fn hyper_echo(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    Ok(Response::new(request.into_body()))
}

/// Two requests on one connection, then none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http1_by_hyper_ends_cleanly_at_both_ends() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let visit = async {
                let handshake = hyper::client::conn::http1::handshake(TokioIo::new(io));
                let (mut sender, connection) = other(handshake.await)?;
                let connection = tokio::spawn(connection);
                let mut received = Vec::new();
                for _ in 0..2 {
                    let body = Full::new(Bytes::from(request(load)));
                    let request = Request::post("/").header("host", "here").body(body).unwrap();
                    let response = other(sender.send_request(request).await)?;
                    received.push(other(response.into_body().collect().await)?.to_bytes());
                }
                drop(sender);
                other(connection.await.unwrap()).map(|()| received)
            };
            End::of(visit.await, &vec![request(load).into(); 2])
        })
    }
    let other: Program = |io, _| {
        Box::pin(async move {
            let http = hyper::server::conn::http1::Builder::new();
            End::of(other(http.serve_connection(TokioIo::new(io), service_fn(hyper_echo)).await), &())
        })
    };
    as_over_tcp(one, other, BOTH).await;
}

/// HTTP/1.0 has responses that only the end of the connection ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http1_response_that_ends_with_the_connection_arrives_whole() {
    fn one(mut io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let visit = async {
                io.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
                let mut received = Vec::new();
                io.read_to_end(&mut received).await.map(|_| received)
            };
            let body = request(load);
            let is_whole =
                |received: Vec<u8>| received.starts_with(b"HTTP/1.0 200") && received.ends_with(&body);
            End::of(visit.await.map(is_whole), &true)
        })
    }
    let other: Program = |io, load| {
        Box::pin(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let service = service_fn(async |_| {
                let body = futures_util::stream::iter([Ok::<_, Infallible>(hyper::body::Frame::data(
                    Bytes::from(request(load)),
                ))]);
                Ok::<_, Infallible>(Response::new(http_body_util::StreamBody::new(body)))
            });
            End::of(other(http.serve_connection(TokioIo::new(io), service).await), &())
        })
    };
    as_over_tcp(one, other, BOTH).await;
}

/// Both ends say goodbye, and neither waits for the other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_by_hyper_ends_cleanly_at_both_ends() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let visit = async {
                let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io));
                let (mut sender, connection) = other(handshake.await)?;
                let connection = tokio::spawn(connection);
                let body = Full::new(Bytes::from(request(load)));
                let request = Request::post("http://here/").body(body).unwrap();
                let response = other(sender.send_request(request).await)?;
                let received = other(response.into_body().collect().await)?.to_bytes();
                drop(sender);
                other(connection.await.unwrap()).map(|()| received)
            };
            End::of(visit.await, &request(load).into())
        })
    }
    let other: Program = |io, _| {
        Box::pin(async move {
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            End::of(other(http.serve_connection(TokioIo::new(io), service_fn(hyper_echo)).await), &())
        })
    };
    compare(Row { one, other, tcp: Some(BOTH), here: BOTH, links: &OWNED }).await;
}

/// A TLS of its own inside the stream. It has ends of its own, behind which the stream's are not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_inside_the_stream_ends_cleanly_at_both_ends() {
    static TLS: LazyLock<(TlsAcceptor, TlsConnector)> = LazyLock::new(|| {
        let (server, client) = tls::configs();
        (Arc::new(server).into(), Arc::new(client).into())
    });
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let bytes = request(load);
            let name = ServerName::try_from("localhost").unwrap();
            let visit = async { exchange(TLS.1.connect(name, io).await?, &bytes, load.slow).await };
            End::of(visit.await, &bytes)
        })
    }
    fn other(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let serve = async { echo(TLS.0.accept(io).await?, Ending::Shutdown).await };
            End::of(serve.await, &(load.size as u64))
        })
    }
    compare(Row { one, other, tcp: Some(BOTH), here: BOTH, links: &OWNED }).await;
}

fn framed<T: Duplex>(io: T) -> Framed<T, LengthDelimitedCodec> {
    Framed::new(io, LengthDelimitedCodec::new())
}

/// The sink is closed, which shuts down; the source goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_a_codec_come_back_from_a_forwarding_handler() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let (bytes, mut received) = (request(load), Vec::new());
            let (mut sink, mut source) = framed(io).split();
            let send = async {
                for piece in bytes.chunks(50_000) {
                    sink.send(Bytes::copy_from_slice(piece)).await?;
                }
                sink.close().await
            };
            let receive = async {
                while let Some(frame) = source.next().await {
                    received.extend_from_slice(&frame?);
                }
                Ok::<_, io::Error>(())
            };
            let (sent, read) = tokio::join!(send, receive);
            End::of(sent.and(read).map(|()| received), &bytes)
        })
    }
    let other: Program = |io, _| {
        Box::pin(async move {
            let (sink, source) = framed(io).split();
            End::of(source.map(|frame| frame.map(bytes::BytesMut::freeze)).forward(sink).await, &())
        })
    };
    as_over_tcp(one, other, BOTH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_by_copy_buf_through_buffers_loses_nothing() {
    let other: Program = |io, load| {
        Box::pin(async move {
            let serve = async {
                let (reader, writer) = split(io);
                let (mut reader, mut writer) = (BufReader::new(reader), BufWriter::new(writer));
                let copied = copy_buf(&mut reader, &mut writer).await?;
                writer.shutdown().await.map(|()| copied)
            };
            End::of(serve.await, &(load.size as u64))
        })
    };
    as_over_tcp(exchanging, other, BOTH).await;
}

/// What was asked is in the first line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_over_a_buf_stream_end_with_the_stream() {
    fn one(io: Stream, load: Load) -> Running {
        Box::pin(async move {
            let mut io = BufStream::new(io);
            let visit = async {
                for line in 0..load.size / 1000 {
                    io.write_all(format!("{line}\n").as_bytes()).await?;
                }
                io.shutdown().await?;
                let (mut lines, mut count) = (io.lines(), 0);
                while let Some(line) = lines.next_line().await? {
                    count += usize::from(line == format!("got {count}"));
                }
                Ok(count)
            };
            End::of(visit.await, &(load.size / 1000))
        })
    }
    let other: Program = |io, load| {
        Box::pin(async move {
            let mut io = BufStream::new(io);
            let serve = async {
                let (mut line, mut count) = (String::new(), 0);
                while io.read_line(&mut line).await? > 0 {
                    count += 1;
                    line.clear();
                }
                for line in 0..count {
                    io.write_all(format!("got {line}\n").as_bytes()).await?;
                }
                io.shutdown().await.map(|()| count)
            };
            End::of(serve.await, &(load.size / 1000))
        })
    };
    as_over_tcp(one, other, BOTH).await;
}

/// Half of it is buffered and never flushed: TCP does not show it, nor can this end, but here it is no clean end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn response_that_stays_in_a_buf_writer_is_not_whole() {
    let other: Program = |io, load| {
        Box::pin(async move {
            let mut io = BufStream::new(io);
            let serve = async {
                let mut received = Vec::new();
                io.read_to_end(&mut received).await?;
                io.write_all(&response(load)).await?;
                io.write_all(b"more").await?;
                io.flush().await?;
                io.write_all(b" and the rest").await.map(|()| received)
            };
            End::of(serve.await, &request(load))
        })
    };
    let one: Program = |io, load| {
        Box::pin(async move {
            let whole = [response(load), b"more and the rest".to_vec()].concat();
            End::of(ask(io, &request(load)).await, &whole)
        })
    };
    let here = [End::Error(ErrorKind::UnexpectedEof), End::Whole];
    compare(Row { one, other, tcp: Some([End::Short, End::Whole]), here, links: &LINKS }).await;
}
