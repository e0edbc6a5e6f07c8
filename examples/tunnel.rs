//! cargo run -p examples --features tunnel --example tunnel -- serve 127.0.0.1:8080 127.0.0.1:5432
//! cargo run -p examples --features tunnel --example tunnel -- connect 127.0.0.1:15432 ws://127.0.0.1:8080/
//!
//! TCP through a WebSocket. The first stands beside a service at port 5432, the second beside its users, who connect to port 15432.
//! Each direction ends on its own. When one side is cut, the other is reset, so that nobody takes a part for the whole.

use std::env;
use std::error::Error;
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use fastwebsockets_stream::http::{Response, StatusCode};
use fastwebsockets_stream::{
    CloseCode, Config, Copied, CopySide, Listener, PayloadType, WebSocketStream, connect, copy_bidirectional,
};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tracing::{Instrument, info, info_span, warn};

const USAGE: &str = "usage: tunnel serve ADDRESS SERVICE
       tunnel connect ADDRESS URL
ADDRESS is listened at, HOST:PORT; SERVICE is a HOST:PORT, URL a ws:// or wss:// URL.";

/// How often a tunnel in use says how much has gone through it.
const REPORT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["serve", address, service] => serve(address, service).await,
        ["connect", address, url] => enter(address, url).await,
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("tunnel: {error}");
    ExitCode::FAILURE
}

/// Both ends notice within a minute that the path is dead.
fn config() -> Config {
    Config::new(PayloadType::Binary).keep_alive(Duration::from_secs(30))
}

/// The far end: WebSockets come in, TCP connections go out.
async fn serve(address: &str, service: &str) -> io::Result<()> {
    let mut requests = Listener::bind(address, config()).await?.requests();
    println!("listening on ws://{}/", requests.local_addr());
    while let Some(mut request) = requests.next().await {
        let service = service.to_owned();
        let task = async move {
            // Before the 101: whoever cannot be served is told so by a status.
            let tcp = match request.wait_for(dial(&service)).await? {
                Ok(tcp) => tcp,
                Err(error) => {
                    warn!("cannot reach {service}: {error}");
                    let mut response = Response::new("the service cannot be reached\n");
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    return request.refuse(response).await;
                }
            };
            join(request.accept().await?.stream, tcp).await
        };
        spawn(task);
    }
    Ok(())
}

/// The near end: TCP connections come in, WebSockets go out.
async fn enter(address: &str, url: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                // That of one connection, or too many of them: neither is the end of the others.
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let url = url.to_owned();
        spawn(async move {
            tcp.set_nodelay(true)?;
            match connect(&url, config()).await {
                Ok(websocket) => join(websocket, tcp).await,
                Err(error) => {
                    reset(&tcp)?;
                    Err(error.into())
                }
            }
        });
    }
}

async fn dial(service: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(service).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

fn spawn(tunnel: impl Future<Output = io::Result<()>> + Send + 'static) {
    let task = async {
        if let Err(error) = tunnel.await {
            warn!("{error}");
        }
    };
    tokio::spawn(task.instrument(info_span!("tunnel")));
}

/// Copies both ways until both have ended.
async fn join<S>(mut websocket: WebSocketStream<S>, mut tcp: TcpStream) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Debug,
{
    let copying = copy_bidirectional(&mut websocket, &mut tcp);
    let progress = copying.progress();
    let reports = async {
        let mut last = Copied::default();
        loop {
            tokio::time::sleep(REPORT).await;
            let copied = progress.copied();
            if copied != last {
                info!(to_tcp = copied.a_to_b, to_websocket = copied.b_to_a, "in use");
            }
            last = copied;
        }
    };
    let copied = tokio::select! {
        copied = copying => copied,
        () = reports => unreachable!("it reports for ever"),
    };
    match copied {
        Ok(copied) => {
            info!(to_tcp = copied.a_to_b, to_websocket = copied.b_to_a, "ended");
            Ok(())
        }
        Err(error) => {
            let side = if error.side() == CopySide::A { "WebSocket" } else { "TCP connection" };
            let Copied { a_to_b, b_to_a } = error.copied();
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            warn!(to_tcp = a_to_b, to_websocket = b_to_a, "the {side} was cut: {error}: {cause}");
            // The other must not look as if it had ended well, and the one that was cut takes no notice.
            reset(&tcp)?;
            let _ = websocket.close(CloseCode::ERROR, "the other side of the tunnel was cut").await;
            Ok(())
        }
    }
}

/// Has the connection end with a reset when it is dropped.
fn reset(tcp: &TcpStream) -> io::Result<()> {
    match SockRef::from(tcp).set_linger(Some(Duration::ZERO)) {
        Err(error) if error.kind() != ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}
