//! A test in a process of its own, because it needs another limit of open files, or another environment.

use std::process::Stdio;

use tokio::process::Command;

const MARK: &str = "FASTWEBSOCKETS_STREAM_CHILD";

/// What the process that [`run`] or [`run_limited`] has started is to do; `None` in any other.
pub fn task() -> Option<String> {
    std::env::var(MARK).ok()
}

/// Runs the test of this name again, with this task, and these variables or (if `None`) without them.
pub async fn run(test: &str, task: &str, variables: &[(&str, Option<&str>)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    for (name, value) in variables {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    succeed(child, test, task).await;
}

/// Runs the test of this name again, with at most (or, if the system allows, at least) so many open files.
pub async fn run_limited(test: &str, open_files: u32) {
    let script = format!(r#"ulimit -S -n {open_files} && exec "$0" "$@""#);
    let mut child = Command::new("sh");
    child.args(["-c", &script]).arg(std::env::current_exe().unwrap());
    succeed(child, test, "").await;
}

async fn succeed(mut child: Command, test: &str, task: &str) {
    child.args([test, "--exact", "--nocapture"]).env(MARK, task).stdin(Stdio::null()).kill_on_drop(true);
    let output = super::within(child.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("1 passed"), "there is no test {test}: {said}");
}
