//! Echoes on as many connections as come.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::thread;

use fastwebsockets_stream::{Config, Listener, PayloadType, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;

use super::HANDSHAKE;
use crate::alloc::Tracking;
use crate::latency::echo;
use crate::peers::duplex::{self, Duplex, DuplexVisitor};
use crate::process::{raise_limit, rss};

/// So many addresses share the ports there are.
pub const ADDRESSES: u8 = 4;

pub fn address(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 1 + (at % usize::from(ADDRESSES)) as u8)
}

/// Connections that are open.
static OPEN: AtomicI64 = AtomicI64::new(0);

struct Open;

impl Open {
    fn new() -> Self {
        OPEN.fetch_add(1, Relaxed);
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Relaxed);
    }
}

/// Prints its ports, that for questions first; ends when who asks has gone. Argument: a contender.
pub fn run(args: &[String]) -> Result<(), String> {
    let [who] = args else { return Err(format!("{args:?}: not understood")) };
    serve(who).map_err(|error| error.to_string())
}

fn serve(who: &str) -> io::Result<()> {
    raise_limit();
    let tracking = Tracking::start();
    let questions = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let listeners = (0..ADDRESSES.into()).map(|at| TcpListener::bind((address(at), 0)));
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let ports = [&questions].into_iter().chain(&listeners).map(|listener| Ok(listener.local_addr()?.port()));
    let ports = ports.collect::<io::Result<Vec<_>>>()?;
    println!("{}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" "));
    thread::spawn(move || {
        let ended = answer(&questions, &tracking);
        std::process::exit(i32::from(ended.is_err()));
    });

    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for listener in listeners {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            if who == HANDSHAKE {
                tokio::spawn(accept_by_handshake(listener));
            } else {
                duplex::visit_all(&mut Accepting { who, listener: Some(listener) });
            }
        }
        // Until there are no more questions.
        std::future::pending().await
    })
}

/// Each byte that comes is a question: how much memory is there, and for how many connections?
fn answer(questions: &TcpListener, tracking: &Tracking) -> io::Result<()> {
    let (mut questions, _) = questions.accept()?;
    while questions.read(&mut [0])? > 0 {
        let (heap, rss, open) = (tracking.live(), rss(), OPEN.load(Relaxed));
        questions.write_all(format!("{heap} {rss} {open}\n").as_bytes())?;
    }
    Ok(())
}

struct Accepting<'a> {
    who: &'a str,
    listener: Option<tokio::net::TcpListener>,
}

impl DuplexVisitor for Accepting<'_> {
    fn visit<P: Duplex>(&mut self) {
        if P::NAME == self.who
            && let Some(listener) = self.listener.take()
        {
            tokio::spawn(async move {
                while let Ok((io, _)) = listener.accept().await {
                    let _ = io.set_nodelay(true);
                    spawn(P::duplex(io, Role::Server));
                }
            });
        }
    }
}

async fn accept_by_handshake(listener: tokio::net::TcpListener) {
    let config = Config::new(PayloadType::Binary);
    let Ok(mut listener) = Listener::new(listener, config) else { return };
    while let Some(accepted) = listener.accept().await {
        spawn(accepted.stream);
    }
}

/// What the task holds is the stream, once, and a small buffer.
fn spawn(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    tokio::spawn(async move {
        let _open = Open::new();
        let mut buf = [0; super::client::PAYLOAD];
        let _ = echo(&mut stream, &mut buf).await;
    });
}
