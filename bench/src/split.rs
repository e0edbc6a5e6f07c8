//! What it costs to have a stream in two halves: ours by `into_split`, against ours by `tokio::io::split`, which is what
//! there is for any stream. And against ours in one piece.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::READ_BUFFER;
use crate::cost::{self, Batch, COLUMNS};
use crate::frames::Visitor;
use crate::instructions;
use crate::link::{adopt, runtime};
use crate::memory::pattern;
use crate::options::Options;
use crate::peers::{Ours, Peer, Transport, stream};
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::stats::{Summary, ratio};
use crate::table::{Table, bytes, verdict};

/// Of the time by `tokio::io::split`.
const TARGET: f64 = 1.05;

const SIZES: [usize; 3] = [16, 1 << 10, 64 << 10];

/// A caller's buffer that makes the stream read ahead.
const SMALL_READ: usize = 16;

const BATCH: Duration = Duration::from_millis(1);

/// Bytes each way in a sample of the contention.
const BOTH_WAYS: usize = 8 << 20;

/// Both ways to have halves.
pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<(IntoSplit,)>();
    visitor.visit::<(TokioSplit,)>();
}

trait Split {
    const NAME: &'static str;

    fn split<S: Transport>(
        io: S,
        role: Role,
    ) -> (impl AsyncRead + Unpin + Send + 'static, impl AsyncWrite + Unpin + Send + 'static);
}

struct IntoSplit;

impl Split for IntoSplit {
    const NAME: &'static str = "into_split";

    fn split<S: Transport>(
        io: S,
        role: Role,
    ) -> (impl AsyncRead + Unpin + Send + 'static, impl AsyncWrite + Unpin + Send + 'static) {
        stream(io, role).into_split()
    }
}

struct TokioSplit;

impl Split for TokioSplit {
    const NAME: &'static str = "tokio::io::split";

    fn split<S: Transport>(
        io: S,
        role: Role,
    ) -> (impl AsyncRead + Unpin + Send + 'static, impl AsyncWrite + Unpin + Send + 'static) {
        tokio::io::split(stream(io, role))
    }
}

/// One half that is used, and the other, which is only there.
struct Half<T, O>(T, #[allow(dead_code)] O);

impl<T: AsyncRead + Unpin, O: Unpin> AsyncRead for Half<T, O> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin, O: Unpin> AsyncWrite for Half<T, O> {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<T: Split> Peer for (T,) {
    const NAME: &'static str = T::NAME;
    const PACKAGE: (&'static str, &'static str) = <Ours as Peer>::PACKAGE;

    fn reader<S: Transport>(io: S, role: Role) -> impl AsyncRead + Unpin + Send + 'static {
        let (reader, writer) = T::split(io, role);
        Half(reader, writer)
    }

    fn writer<S: Transport>(io: S, role: Role) -> impl AsyncWrite + Unpin + Send + 'static {
        let (reader, writer) = T::split(io, role);
        Half(writer, reader)
    }
}

/// One contender, and the time that one unit took in each round.
struct Case {
    who: &'static str,
    batch: Batch,
    units: u64,
    samples: Vec<f64>,
}

impl Case {
    fn new(who: &'static str, mut batch: Batch) -> Self {
        let (start, mut units) = (Instant::now(), 1.0);
        while start.elapsed() < BATCH {
            units += batch(units as u64);
        }
        Case { who, batch, units: units.ceil() as u64, samples: Vec::new() }
    }

    fn round(&mut self) {
        let start = Instant::now();
        let done = (self.batch)(self.units);
        self.samples.push(start.elapsed().as_nanos() as f64 / done);
    }
}

/// Of one stream that nobody shares, per frame; or per read of a few bytes.
fn alone(options: &Options, rounds: usize, table: &mut Table, results: &mut Results) {
    let mut cells: Vec<(String, usize, [Case; 3])> = Vec::new();
    for size in SIZES.into_iter().filter(|size| options.wants_size(*size)) {
        for column in COLUMNS.iter().filter(|column| options.wants_column(column.name)) {
            cells.push((
                column.name.into(),
                size,
                [
                    Case::new(IntoSplit::NAME, cost::batch::<(IntoSplit,)>(column, size, READ_BUFFER)),
                    Case::new(TokioSplit::NAME, cost::batch::<(TokioSplit,)>(column, size, READ_BUFFER)),
                    Case::new("in one piece", cost::batch::<Ours>(column, size, READ_BUFFER)),
                ],
            ));
        }
    }
    let column = &COLUMNS[0];
    if options.wants_size(SMALL_READ) && options.wants_column(column.name) {
        let size = 1 << 10;
        let read = |mut batch: Batch| -> Batch {
            // A frame is so many reads.
            let reads = size / SMALL_READ;
            Box::new(move |units| batch(units.div_ceil(reads as u64)) * reads as f64)
        };
        cells.push((
            "small reads".into(),
            SMALL_READ,
            [
                Case::new(IntoSplit::NAME, read(cost::batch::<(IntoSplit,)>(column, size, SMALL_READ))),
                Case::new(TokioSplit::NAME, read(cost::batch::<(TokioSplit,)>(column, size, SMALL_READ))),
                Case::new("in one piece", read(cost::batch::<Ours>(column, size, SMALL_READ))),
            ],
        ));
    }
    for (column, size, mut cases) in cells {
        for round in 0..=rounds {
            cases.iter_mut().for_each(Case::round);
            // The first warms up.
            if round == 0 {
                cases.iter_mut().for_each(|case| case.samples.clear());
            }
        }
        report(&column, size, &cases.map(|case| (case.who, case.samples)), "ns", table, results);
    }
}

/// Both halves at work, each in a thread of its own, against another such pair over TCP: all four at once.
struct Crossing {
    who: &'static str,
    ends: [(Reader, Writer); 2],
}

impl Crossing {
    fn new<T: Split>() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let near = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (far, _) = listener.accept()?;
        let runtime = runtime()?;
        let ends = [
            boxed(T::split(adopt(&runtime, near)?, Role::Client)),
            boxed(T::split(adopt(&runtime, far)?, Role::Server)),
        ];
        // Tells the other threads when a socket is ready, for as long as the process lives.
        thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        Ok(Crossing { who: T::NAME, ends })
    }

    fn run(&mut self, size: usize) -> Duration {
        let start = Instant::now();
        thread::scope(|scope| {
            for (reader, writer) in &mut self.ends {
                scope.spawn(|| alone_in_thread(read(reader)));
                scope.spawn(move || alone_in_thread(write(writer, size)));
            }
        });
        start.elapsed()
    }
}

fn alone_in_thread(work: impl Future<Output = io::Result<()>>) {
    runtime().and_then(|runtime| runtime.block_on(work)).expect("the loopback carries all");
}

type Reader = Box<dyn AsyncRead + Unpin + Send>;
type Writer = Box<dyn AsyncWrite + Unpin + Send>;

fn boxed(
    (reader, writer): (impl AsyncRead + Unpin + Send + 'static, impl AsyncWrite + Unpin + Send + 'static),
) -> (Reader, Writer) {
    (Box::new(reader), Box::new(writer))
}

async fn read(reader: &mut Reader) -> io::Result<()> {
    let mut buf = vec![0; READ_BUFFER];
    let mut left = BOTH_WAYS;
    while left > 0 {
        match reader.read(&mut buf).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => left -= n,
        }
    }
    Ok(())
}

async fn write(writer: &mut Writer, size: usize) -> io::Result<()> {
    let payload = pattern(size);
    for _ in 0..BOTH_WAYS / size {
        writer.write_all(&payload).await?;
    }
    writer.flush().await
}

fn crossing(options: &Options, rounds: usize, table: &mut Table, results: &mut Results) {
    for size in [1 << 10, 64 << 10].into_iter().filter(|size| options.wants_size(*size)) {
        if !options.wants_column("both ways") {
            continue;
        }
        let mut cases = [Crossing::new::<IntoSplit>(), Crossing::new::<TokioSplit>()]
            .map(|case| case.expect("the loopback is there"));
        let mut samples = [const { Vec::new() }; 2];
        for round in 0..=rounds {
            for (case, samples) in cases.iter_mut().zip(&mut samples) {
                let took = case.run(size);
                if round > 0 {
                    samples.push(took.as_secs_f64() * 1e3);
                }
            }
        }
        let mut samples = samples.into_iter();
        let named = cases.map(|case| (case.who, samples.next().unwrap_or_default()));
        report("both ways", size, &named, "ms", table, results);
    }
}

/// Of the smallest frames, which have the least work beside the lock. What no load moves; nothing without valgrind.
fn instructions(options: &Options, table: &mut Table, results: &mut Results) {
    let size = SIZES[0];
    for column in
        COLUMNS.iter().filter(|column| options.wants_column(column.name) && options.wants_size(size))
    {
        let count = |who| instructions::count_one(who, column, size).map(|count| (who, vec![count]));
        let counts = [IntoSplit::NAME, TokioSplit::NAME, <Ours as Peer>::NAME].map(count);
        let [Ok(ours), Ok(tokio), Ok(whole)] = counts else { return };
        report(column.name, size, &[ours, tokio, whole], "instructions", table, results);
    }
}

/// Ours comes first, what it is held against second.
fn report(
    column: &str,
    size: usize,
    cases: &[(&'static str, Vec<f64>)],
    unit: &'static str,
    table: &mut Table,
    results: &mut Results,
) {
    for (at, (who, samples)) in cases.iter().enumerate() {
        let summary = Summary::of(samples);
        let what = [("payload", bytes(size)), ("column", column.to_owned())];
        results.push(Record::new("split", *who, what, ("time", unit), summary));
        let ratio = ratio(samples, &cases[1].1);
        table.row([
            bytes(size),
            column.to_owned(),
            (*who).to_owned(),
            format!("{:.1} {unit} ±{:.0}%", summary.median, summary.percent()),
            format!("{ratio:.2}"),
            if at == 0 { verdict(ratio <= TARGET).into() } else { String::new() },
        ]);
    }
}

pub fn run(options: &Options, results: &mut Results) {
    let rounds = if options.quick { 20 } else { 100 };
    let mut progress = Progress::new("split", 3);
    let mut table = Table::new(["payload", "column", "who", "time", "of tokio's", "holds"]).left(3);
    progress.step("alone");
    alone(options, rounds, &mut table, results);
    progress.step("instructions");
    instructions(options, &mut table, results);
    progress.step("both ways");
    crossing(options, rounds, &mut table, results);
    drop(progress);
    table.print(&format!("A stream in two halves; target: {TARGET:.2} of tokio::io::split"));
}
