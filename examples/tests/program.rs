//! A running example: its standard streams, and its end.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use crate::LIMIT;

/// A running example. Dropping it kills it.
pub(crate) struct Program {
    name: String,
    pub(crate) child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        // target/<profile>/deps/examples-<hash> is this test; cargo puts the examples beside deps.
        let test = env::current_exe().expect("knows where it is");
        let profile = test.ancestors().nth(2).expect("is two levels down");
        let path = profile.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
        let mut child = Command::new(&path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; `cargo build --examples` first", path.display()));
        let stdout = lines(child.stdout.take().expect("is piped"));
        let stderr = lines(child.stderr.take().expect("is piped"));
        Program { name: name.to_owned(), child, stdout, stderr }
    }

    /// Writes to standard input, and leaves it open.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("is open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("takes its input");
    }

    /// Writes to standard input and closes it, in the background.
    pub(crate) fn feed(&mut self, bytes: impl Into<Vec<u8>>) {
        let mut stdin = self.child.stdin.take().expect("is open");
        let bytes = bytes.into();
        // If the program ends early, its output tells more than this error.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
    }

    /// The next line of standard output, without its end.
    pub(crate) fn next_line(&self) -> String {
        self.line_of(&self.stdout)
    }

    /// The next line of standard error, without its end.
    pub(crate) fn next_error_line(&mut self) -> String {
        self.line_of(&self.stderr)
    }

    fn line_of(&self, lines: &Receiver<Vec<u8>>) -> String {
        let line = lines.recv_timeout(LIMIT).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        String::from_utf8(line).expect("prints text").trim_end_matches('\n').to_owned()
    }

    /// Waits for the end, which must be a silent success, and returns the rest of standard output.
    pub(crate) fn succeeds(self) -> Vec<u8> {
        let (status, stdout, stderr) = self.finish();
        assert!(status.success() && stderr.is_empty(), "{status}: {}", String::from_utf8_lossy(&stderr));
        stdout
    }

    /// Waits for the end, which must be exit code 1 with nothing but one line on standard error: this.
    pub(crate) fn fails_with_one_line(self) -> String {
        let (status, stdout, stderr) = self.finish();
        let stderr = String::from_utf8(stderr).expect("prints text");
        assert_eq!((status.code(), stdout.len()), (Some(1), 0), "{stderr}");
        let line = stderr.strip_suffix('\n').expect("ends the line");
        assert!(!line.is_empty() && !line.contains('\n'), "{stderr}");
        line.to_owned()
    }

    /// Waits until both outputs and the process have ended.
    fn finish(mut self) -> (ExitStatus, Vec<u8>, Vec<u8>) {
        let deadline = Instant::now() + LIMIT;
        let rest_of = |lines: &Receiver<Vec<u8>>| {
            let mut rest = Vec::new();
            loop {
                match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(line) => rest.extend(line),
                    Err(RecvTimeoutError::Disconnected) => return rest,
                    Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.name),
                }
            }
        };
        let stdout = rest_of(&self.stdout);
        let stderr = rest_of(&self.stderr);
        // Its outputs are closed, so this takes no longer than an exit does.
        let status = self.child.wait().expect("ends");
        (status, stdout, stderr)
    }
}

/// Reads in a thread of its own, so that whoever waits can stop waiting.
fn lines(output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut line = Vec::new();
            match output.read_until(b'\n', &mut line) {
                Ok(n) if n > 0 && sender.send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    receiver
}
