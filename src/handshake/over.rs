//! The server's end over a transport that is there.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::asking::UpgradeRequest;
use super::deadline::Deadline;
use super::serving::{self, Asked, Failure, Opened};
use super::{Rejection, Upgrader};

impl Upgrader {
    /// Does the whole handshake on a connection that a client has opened: TLS of any kind, a Unix socket, another stream.
    ///
    /// It reads one request of HTTP/1.1 and answers it; where it accepts, the transport comes back bare inside the stream, with
    /// every byte that came behind the request. It needs to be neither `Send` nor `'static`. To decide on the request first,
    /// there is [`request_over`](Self::request_over).
    ///
    /// # Limits
    ///
    /// 10 seconds, or what [`time_limit`](Self::time_limit) says; 64 KiB for the request, 16 KiB for its first line, 256 header
    /// fields. At most 4 KiB are read ahead behind it.
    ///
    /// # Errors
    ///
    /// - `InvalidData`: the request was refused, and answered; inside is the [`Rejection`].
    /// - `UnexpectedEof`: the client left before its request had ended.
    /// - `TimedOut`: the time limit has passed.
    /// - The transport's own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport.
    ///
    /// # Panics
    ///
    /// In a runtime without timers, unless the time limit is [`Duration::MAX`](std::time::Duration::MAX) and the request is
    /// accepted: a client that is refused has 2 seconds to read the answer.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// # async fn serve() -> std::io::Result<()> {
    /// use fastwebsockets_stream::{Config, PayloadType, Upgrader};
    ///
    /// let listener = tokio::net::UnixListener::bind("/run/service.sock")?;
    /// let upgrader = Upgrader::new(Config::new(PayloadType::Binary));
    /// let (socket, _) = listener.accept().await?;
    /// let opened = upgrader.over(socket).await?;
    /// println!("{} has been asked for", opened.request.uri);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn over<S>(&self, io: S) -> io::Result<Opened<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Deadline::after(self.limit());
        let (io, asked) = self.receive_over(io, deadline).await?;
        let accepted = deadline.cut(serving::accept(io, asked, self)).await;
        Ok(accepted.ok_or_else(|| deadline.missed("the client did not take the answer"))??)
    }

    /// Reads and checks a request on a connection that a client has opened, and leaves the decision to the caller.
    ///
    /// What breaks a rule is refused here already. Limits, errors, cancellation and panics are as for [`over`](Self::over); the time limit
    /// goes on until the request is answered.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn serve(socket: tokio::net::TcpStream) -> std::io::Result<()> {
    /// use fastwebsockets_stream::{Config, PayloadType, Upgrader};
    /// use http::Response;
    ///
    /// let upgrader = Upgrader::new(Config::new(PayloadType::Binary));
    /// let request = upgrader.request_over(socket).await?;
    /// if request.head().uri.path() == "/tunnel" {
    ///     let opened = request.header("X-Served-By", "one")?.accept().await?;
    /// #   drop(opened);
    /// } else {
    ///     request.refuse(Response::builder().status(404).body("no such tunnel").expect("it is valid")).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn request_over<S>(&self, io: S) -> io::Result<UpgradeRequest<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Deadline::after(self.limit());
        let (io, asked) = self.receive_over(io, deadline).await?;
        Ok(UpgradeRequest::new(io, asked, self.clone(), deadline))
    }

    /// Reads and checks the request, or refuses it.
    async fn receive_over<S>(&self, mut io: S, deadline: Deadline) -> io::Result<(S, Asked)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let received = deadline.cut(serving::receive(&mut io, self, None)).await;
        match received.ok_or_else(|| deadline.missed("the request had not come"))? {
            Ok(asked) => Ok((io, asked)),
            Err(Failure::Rejected(rejection)) => Err(self.reject(io, rejection, deadline).await),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn reject<S>(&self, mut io: S, rejection: Rejection, deadline: Deadline) -> io::Error
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        // Whether the client hears of it is its own affair.
        if let Some(Ok(())) = deadline.cut(serving::refuse(&mut io, &rejection.to_response())).await {
            serving::linger(io).await;
        }
        Failure::Rejected(rejection).into()
    }
}
