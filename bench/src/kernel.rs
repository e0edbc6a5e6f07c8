//! What the kernel takes for a frame: of TCP over the loopback, without any WebSocket. A header makes a write longer by
//! some bytes, and if it is a slice of its own, the write a vectored one.
//!
//! One thread writes some, and then reads all of it: nobody waits for anybody.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::READ_BUFFER;
use crate::options::Options;
use crate::progress::Progress;
use crate::results::{Record, Results};
use crate::stats::Summary;
use crate::table::{Table, bytes, figure};

const SIZES: [usize; 5] = [128, 1 << 10, 8 << 10, 16 << 10, 64 << 10];

/// So much is under way at the most, which the kernel's buffers hold.
const UNDER_WAY: usize = 128 << 10;

/// How the payload gets its header.
#[derive(Clone, Copy)]
enum Way {
    Bare,
    OneSlice,
    TwoSlices,
}

const WAYS: [(Way, &str); 3] = [
    (Way::Bare, "payload alone"),
    (Way::OneSlice, "with a header, one slice"),
    (Way::TwoSlices, "with a header, two slices"),
];

pub fn run(options: &Options, results: &mut Results) {
    let rounds = if options.quick { 200 } else { 2000 };
    let mut table =
        Table::new(["write", "how", "write, ns", "of payload alone", "read, ns", "of payload alone"]);
    let mut progress = Progress::new("kernel", SIZES.len());
    for size in SIZES.into_iter().filter(|size| options.wants_size(*size)) {
        progress.step(&bytes(size));
        let measured = measure(size, rounds).expect("the loopback takes and gives all");
        let [bare_write, bare_read] = measured[0];
        for ((_, how), [write, read]) in WAYS.iter().zip(measured) {
            table.row([
                bytes(size),
                (*how).into(),
                figure(write.median),
                format!("{:.2}", write.median / bare_write.median),
                figure(read.median),
                format!("{:.2}", read.median / bare_read.median),
            ]);
            for (metric, summary) in [("time of a write", write), ("time to read it", read)] {
                let what = [("payload", bytes(size))];
                results.push(Record::new("kernel", *how, what, (metric, "ns"), summary));
            }
        }
    }
    drop(progress);
    table.print("What the kernel takes for a write of TCP, and to read it");
}

/// Nanoseconds of a write, and of reading it, for each way.
fn measure(size: usize, rounds: usize) -> io::Result<[[Summary; 2]; WAYS.len()]> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    near.set_nodelay(true)?;
    // Should the kernel's buffers be so small that they do not hold it, nobody reads meanwhile.
    near.set_write_timeout(Some(Duration::from_secs(10)))?;
    let (mut far, _) = listener.accept()?;

    // RFC 6455, section 5.2, without a mask.
    let header = match size {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    let frame = vec![0x5a; header + size];
    let (head, payload) = frame.split_at(header);
    let mut buf = vec![0; READ_BUFFER];
    let writes = (UNDER_WAY / size).min(100);
    let mut samples: [[Vec<f64>; 2]; WAYS.len()] = Default::default();
    // The first warms up.
    for round in 0..=rounds {
        for ((way, _), samples) in WAYS.into_iter().zip(&mut samples) {
            let start = Instant::now();
            let mut left = 0;
            for _ in 0..writes {
                left += match way {
                    Way::Bare => near.write(payload)?,
                    Way::OneSlice => near.write(&frame)?,
                    Way::TwoSlices => near.write_vectored(&[IoSlice::new(head), IoSlice::new(payload)])?,
                };
            }
            let written = Instant::now();
            while left > 0 {
                left -= far.read(&mut buf)?;
            }
            if round > 0 {
                for (samples, took) in samples.iter_mut().zip([written - start, written.elapsed()]) {
                    samples.push(took.as_nanos() as f64 / writes as f64);
                }
            }
        }
    }
    Ok(samples.map(|samples| samples.map(|samples| Summary::of(&samples))))
}
