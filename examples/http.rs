//! cargo run -p examples --features http --example http
//!
//! HTTP/1.1 and HTTP/2 over a WebSocket, by hyper at both ends: a server, and a client with its pool of connections.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use fastwebsockets_stream::{Client, Config, Listener, PayloadType};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::new(PayloadType::Binary);
    let listener = Listener::bind("127.0.0.1:0", config.clone()).await?.path("/tunnel")?;
    let url = format!("http://{}/greeting", listener.local_addr()).parse::<hyper::Uri>()?;
    tokio::spawn(serve(listener));

    // The client asks for connections by host and port alone; where the WebSocket is, the connector knows.
    let connector = Client::new(config).connector("/tunnel")?;
    for http2 in [false, true] {
        let mut client = legacy::Client::builder(TokioExecutor::new());
        let client = client.http2_only(http2).build::<_, Full<Bytes>>(connector.clone());
        let response = client.get(url.clone()).await?;
        let (version, status) = (response.version(), response.status());
        let body = response.into_body().collect().await?.to_bytes();
        println!("{version:?} {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}

async fn serve(mut listener: Listener) {
    while let Some(accepted) = listener.accept().await {
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            let served = http.serve_connection(TokioIo::new(accepted.stream), service_fn(greet)).await;
            if let Err(error) = served {
                eprintln!("{}: {error}", accepted.peer_addr);
            }
        });
    }
}

async fn greet(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let greeting = format!("{} over {:?}", request.uri().path(), request.version());
    Ok(Response::new(greeting.into()))
}
