//! What a browser talks to: the page beside this file, and the stream for the WebSockets that the page opens.
//! `tests/browser/run` builds and runs it.
//!
//! It speaks HTTP/1.1, or with the argument `http2` HTTP/2 over TLS, where WebSockets are extended CONNECTs (RFC 8441).
//! It prints the page's URL, then a line for each case. The page goes through the cases in order and reports how each
//! ended there; a case has passed if that is as expected and this end found nothing wrong.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastwebsockets_stream::{
    CloseCode, CloseFrame, Config, Origins, PayloadType, UpgradedStream, Upgrader, is_upgrade_request,
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Stream = UpgradedStream;

const SIZE: u32 = 20 * 1024 * 1024;

/// In all, and for this end of a case once the page has seen the end of it.
const LIMIT: Duration = Duration::from_secs(45);
const CASE_LIMIT: Duration = Duration::from_secs(5);

/// The cases, and what the page reports of each: what it saw, then `wasClean`, `code` and `reason`.
const CASES: [(&str, &str); 6] = [
    ("receive", r#"["20971520 bytes, 0 wrong",true,1000,""]"#),
    ("send", r#"["",true,1000,""]"#),
    ("echo", r#"["the same",true,1000,""]"#),
    ("leave", r#"["",true,4002,""]"#),
    ("quit", r#"["",true,1005,""]"#),
    ("away", r#"["",true,1001,"bye"]"#),
];

/// The same in the page: it repeats only after 2^32 bytes, so nothing can be lost or change places unseen.
fn octet(at: u32) -> u8 {
    at.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]
}

async fn run(case: &str, stream: Stream) -> Result<(), Error> {
    match case {
        "receive" => receive(stream).await,
        "send" => send(stream).await,
        "echo" => echo(stream).await,
        "leave" => leave(stream).await,
        "quit" => quit(stream).await,
        "away" => away(stream).await,
        _ => Err("no such case".into()),
    }
}

/// The page receives, and answers each message with a byte: the Close comes right behind the bytes, while the page
/// is far behind, and this end stays to hear it out.
async fn receive(mut stream: Stream) -> Result<(), Error> {
    let pattern: Vec<u8> = (0..SIZE).map(octet).collect();
    stream.write_all(&pattern).await?;
    stream.shutdown().await?;
    if tokio::io::copy(&mut stream, &mut tokio::io::sink()).await? == 0 {
        return Err("nothing came after the shutdown".into());
    }
    expect_end(&mut stream, CloseCode::NORMAL, "").await
}

/// The page sends, and closes before most of it has left.
async fn send(mut stream: Stream) -> Result<(), Error> {
    let (mut buf, mut at) = (vec![0; 64 * 1024], 0);
    loop {
        let n = stream.read(&mut buf).await?;
        for byte in &buf[..n] {
            if *byte != octet(at) {
                return Err(format!("byte {at} is {byte}").into());
            }
            at += 1;
        }
        if n == 0 {
            break;
        }
    }
    if at != SIZE {
        return Err(format!("{at} bytes").into());
    }
    expect_end(&mut stream, CloseCode::NORMAL, "all sent, grüße").await
}

/// The page sends text and wants it back; `copy` cuts it anywhere.
async fn echo(stream: Stream) -> Result<(), Error> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    tokio::io::copy(&mut reader, &mut writer).await?;
    expect_end(&mut reader.unsplit(writer), CloseCode::NORMAL, "").await
}

/// The page closes while this end writes for ever; its code says that something is wrong.
async fn leave(stream: Stream) -> Result<(), Error> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        loop {
            if let Err(error) = writer.write_all(&[7; 64 * 1024]).await {
                // The answer to the page's Close may still wait for room.
                writer.shutdown().await?;
                return Ok::<_, Error>(error);
            }
        }
    };
    let (error, read) = tokio::join!(writing, reader.read_u8());
    match (error?.kind(), read.map_err(|error| error.kind())) {
        (ErrorKind::BrokenPipe, Err(ErrorKind::ConnectionAborted)) => {}
        other => return Err(format!("{other:?}").into()),
    }
    expect_close(&reader.unsplit(writer), Some(CloseCode::from(4002)), "enough")
}

/// The page closes without a code while this end writes for ever. It reads no more, but that is not in its Close, so
/// writing goes on until this end has seen it.
async fn quit(stream: Stream) -> Result<(), Error> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = async {
        loop {
            writer.write_all(&[7; 64 * 1024]).await?;
        }
    };
    let mut rest = tokio::io::sink();
    tokio::select! {
        read = tokio::io::copy(&mut reader, &mut rest) => drop(read?),
        written = writing => return written,
    }
    writer.shutdown().await?;
    expect_close(&reader.unsplit(writer), None, "")
}

/// This end closes.
async fn away(mut stream: Stream) -> Result<(), Error> {
    let answer = stream.close(CloseCode::AWAY, "bye").await?;
    if answer.as_ref().and_then(|close| close.code) != Some(CloseCode::AWAY) {
        return Err(format!("the answer to the Close: {answer:?}").into());
    }
    Ok(())
}

/// Nothing more comes, and the page's Close says this.
async fn expect_end(stream: &mut Stream, code: CloseCode, reason: &str) -> Result<(), Error> {
    match tokio::io::copy(stream, &mut tokio::io::sink()).await? {
        0 => expect_close(stream, Some(code), reason),
        n => Err(format!("{n} more bytes").into()),
    }
}

fn expect_close(stream: &Stream, code: Option<CloseCode>, reason: &str) -> Result<(), Error> {
    let expected = CloseFrame { code, reason: reason.to_owned() };
    match stream.peer_close() {
        Some(close) if *close == expected => Ok(()),
        close => Err(format!("the page's Close: {close:?}").into()),
    }
}

/// What the connections share: this end of each case, and where its verdict goes.
struct Shared {
    version: Version,
    running: Mutex<HashMap<String, JoinHandle<Result<(), Error>>>>,
    verdicts: UnboundedSender<(String, Result<(), Error>)>,
}

impl Shared {
    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Error> {
        let case = request.uri().path().trim_start_matches('/').to_owned();
        if is_upgrade_request(&request) {
            let config = Config::new(if case == "echo" { PayloadType::Text } else { PayloadType::Binary });
            let upgrader = Upgrader::new(config).origins(Origins::same_host());
            if request.version() != self.version {
                return Err(format!("the WebSocket is asked for over {:?}", request.version()).into());
            }
            let (response, stream) = upgrader.upgrade(request);
            let name = case.clone();
            let task = tokio::spawn(async move { run(&name, stream.await?).await });
            self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(case, task);
            return Ok(response);
        }
        if request.method() == Method::POST {
            let report = request.into_body().collect().await?.to_bytes();
            let verdict = self.judge(&case, &String::from_utf8_lossy(&report)).await;
            self.verdicts.send((case, verdict))?;
            return Ok(Response::default());
        }
        let mut response = Response::new(Full::from(include_str!("page.html")));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        Ok(response)
    }

    async fn judge(&self, case: &str, report: &str) -> Result<(), Error> {
        let task = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(case);
        let here = match task {
            None => Err("no WebSocket came".into()),
            Some(task) => match timeout(CASE_LIMIT, task).await {
                Err(_) => Err("this end does not come to an end".into()),
                Ok(Err(panic)) => Err(panic.into()),
                Ok(Ok(result)) => result,
            },
        };
        let expected = CASES.iter().any(|(name, expected)| *name == case && *expected == report);
        match here {
            Ok(()) if expected => Ok(()),
            Ok(()) => Err(format!("the page reports {report}").into()),
            Err::<_, Error>(error) => Err(format!("{error}; the page reports {report}").into()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let http2 = std::env::args().nth(1).is_some_and(|version| version == "http2");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}://{}/", if http2 { "https" } else { "http" }, listener.local_addr()?);
    let tls = http2.then(tls).transpose()?;
    let version = if http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    let (verdicts, mut judged) = unbounded_channel();
    let shared = Arc::new(Shared { version, running: Mutex::default(), verdicts });
    tokio::spawn(async move {
        loop {
            let Ok((tcp, _)) = listener.accept().await else {
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            tokio::spawn(serve(tcp, tls.clone(), shared.clone()));
        }
    });

    let (deadline, mut passed) = (Instant::now() + LIMIT, 0);
    for (name, _) in CASES {
        match timeout_at(deadline, judged.recv()).await {
            Ok(Some((case, Ok(())))) if case == name => {
                passed += 1;
                println!("browser: {name}: passed");
            }
            Ok(Some((case, Err(error)))) => println!("browser: {case}: failed: {error}"),
            _ => println!("browser: {name}: failed: no report from the page"),
        }
    }
    println!("browser: {passed} passed, {} failed", CASES.len() - passed);
    Ok(if passed == CASES.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(tcp: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) -> Result<(), Error> {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { shared.serve(request).await.map_err(io::Error::other) }
    });
    tcp.set_nodelay(true)?;
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http2().enable_connect_protocol();
    match tls {
        Some(tls) => http.serve_connection_with_upgrades(TokioIo::new(tls.accept(tcp).await?), service).await,
        None => http.serve_connection_with_upgrades(TokioIo::new(tcp), service).await,
    }
}

/// With a certificate that the browser is told not to look at.
fn tls() -> Result<TlsAcceptor, Error> {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certified.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config).into())
}
