//! How an end is, and how the server's process is asked for it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::talk::client::Servers;
use super::talk::tally::{Tally, descriptors};
use crate::alloc::Tracking;
use crate::process::rss;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Bytes.
    pub rss: i64,
    pub heap: i64,
    pub tasks: usize,
    /// So many of the tasks are no connections.
    pub listeners: usize,
    pub files: usize,
    pub open: u64,
    pub most: u64,
    pub bytes: u64,
    /// Conversations, by kind.
    pub done: Vec<u64>,
    pub cut: u64,
    pub wrong: Vec<String>,
}

impl Sample {
    /// Of this process.
    pub fn here(tracking: &Tracking, tally: &Tally) -> Self {
        Sample {
            rss: rss(),
            heap: tracking.live(),
            tasks: Handle::current().metrics().num_alive_tasks(),
            listeners: 0,
            files: descriptors().unwrap_or_default(),
            open: tally.open.load(Relaxed),
            most: tally.most.load(Relaxed),
            bytes: tally.bytes.load(Relaxed),
            done: tally.counts().to_vec(),
            cut: tally.cut.load(Relaxed),
            wrong: tally.wrongs(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Both {
    pub client: Sample,
    pub server: Sample,
}

/// The other process.
pub struct Server {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub addresses: Servers,
}

impl Server {
    pub fn start(connections: u64) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([crate::SERVER, &connections.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || io::Error::other("the server's process is not as it was started");
        let (questions, answers) =
            (child.stdin.take().ok_or_else(gone)?, child.stdout.take().ok_or_else(gone)?);
        let mut answers = BufReader::new(answers);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let (binary, text): (Vec<SocketAddr>, Vec<SocketAddr>) = serde_json::from_str(&line)?;
        Ok(Server { child, questions, answers, addresses: Servers { binary, text, silent: Vec::new() } })
    }

    pub fn ask(&mut self) -> io::Result<Sample> {
        self.questions.write_all(b"?")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Takes no more connections.
    pub fn close(&mut self) -> io::Result<()> {
        self.questions.write_all(b"c")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
