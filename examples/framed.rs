//! cargo run -p examples --features framed --example framed
//!
//! Messages over the byte stream: three codecs of `tokio_util`, none of which knows that it runs over a WebSocket.
//! Their messages have nothing to do with WebSocket messages, as they have nothing to do with TCP segments.

use std::io;
use std::marker::PhantomData;
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use prost::Message;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio_util::codec::{Decoder, Encoder, Framed, LengthDelimitedCodec, LinesCodec, LinesCodecError};

type Stream = WebSocketStream<DuplexStream>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("framed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let (client, server) = pair(PayloadType::Binary);
    length_delimited(client, server).await?;

    let (client, server) = pair(PayloadType::Text);
    lines(client, server).await.map_err(io::Error::other)?;

    let (client, server) = pair(PayloadType::Binary);
    protobuf(client, server).await
}

/// Both ends of a WebSocket in memory. For one over TCP see `echo_client` and `echo_server`.
fn pair(payload_type: PayloadType) -> (Stream, Stream) {
    let (near, far) = tokio::io::duplex(4096);
    let config = Config::new(payload_type);
    let client = WebSocketStream::from_transport(near, Role::Client, [], config.clone());
    let server = WebSocketStream::from_transport(far, Role::Server, [], config);
    (client, server)
}

/// Any bytes, behind a length of four bytes each.
async fn length_delimited(client: Stream, server: Stream) -> io::Result<()> {
    let mut client = Framed::new(client, LengthDelimitedCodec::new());
    let server = Framed::new(server, LengthDelimitedCodec::new());

    let messages = [Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(&[0xff, 0x00])];
    client.send_all(&mut stream::iter(messages.clone()).map(Ok)).await?;
    client.get_mut().shutdown().await?; // The end of the stream, for the collecting server.

    let received: Vec<BytesMut> = server.try_collect().await?;
    assert_eq!(received, messages);
    println!("length-delimited: {received:?}");
    Ok(())
}

/// Lines of text, over a stream that is text all the way: a peer in a browser gets strings.
async fn lines(client: Stream, server: Stream) -> Result<(), LinesCodecError> {
    let mut client = Framed::new(client, LinesCodec::new());
    let mut server = Framed::new(server, LinesCodec::new());

    client.send("Grüße").await?;
    let line = server.try_next().await?;
    assert_eq!(line.as_deref(), Some("Grüße"));

    server.send("and greetings back").await?;
    let answer = client.try_next().await?;
    assert_eq!(answer.as_deref(), Some("and greetings back"));
    println!("lines: {line:?}, {answer:?}");
    Ok(())
}

/// Typed messages in both directions.
async fn protobuf(client: Stream, server: Stream) -> io::Result<()> {
    let mut client = Framed::new(client, ProstCodec::<Reading>::default());
    let mut server = Framed::new(server, ProstCodec::<Reading>::default());

    let reading = Reading { sensor: "attic".into(), celsius: 31.5 };
    client.send(reading.clone()).await?;
    let received = server.try_next().await?;
    assert_eq!(received.as_ref(), Some(&reading));

    let correction = Reading { celsius: 30.0, ..reading };
    server.send(correction.clone()).await?;
    let returned = client.try_next().await?;
    assert_eq!(returned, Some(correction));
    println!("protobuf: {received:?}, {returned:?}");
    Ok(())
}

/// What `protoc` would make of `message Reading { string sensor = 1; double celsius = 2; }`.
#[derive(Clone, PartialEq, Message)]
struct Reading {
    #[prost(string, tag = "1")]
    sensor: String,
    #[prost(double, tag = "2")]
    celsius: f64,
}

/// Protobuf messages do not say where they end, so each goes behind its length.
struct ProstCodec<M> {
    lengths: LengthDelimitedCodec,
    message: PhantomData<M>,
}

impl<M> Default for ProstCodec<M> {
    fn default() -> Self {
        ProstCodec { lengths: LengthDelimitedCodec::new(), message: PhantomData }
    }
}

impl<M: Message> Encoder<M> for ProstCodec<M> {
    type Error = io::Error;

    fn encode(&mut self, message: M, buffer: &mut BytesMut) -> io::Result<()> {
        self.lengths.encode(&*message.encode_to_vec(), buffer)
    }
}

impl<M: Message + Default> Decoder for ProstCodec<M> {
    type Item = M;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<M>> {
        let Some(bytes) = self.lengths.decode(buffer)? else { return Ok(None) };
        Ok(Some(M::decode(bytes)?))
    }
}
