//! The examples, run as a user runs them: as processes, with files, pipes and sockets.
//!
//! `cargo test -p examples` builds them; with a name or `--test examples` it does not, and runs what was built last.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use program::Program;
use sha2::{Digest, Sha256};

/// The example as a module too, for what no file and no argument can bring about.
#[allow(dead_code)]
#[path = "../pipe.rs"]
mod pipe;
mod program;
mod tunnel;

/// No example takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

// pipe

#[test]
fn pipe_on_a_file_brings_every_byte_there_and_back() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let content = fs::read(manifest).expect("reads Cargo.toml");
    assert_reports(Program::start("pipe", &[manifest]), &content);
}

#[test]
fn pipe_on_a_large_file_brings_every_byte_there_and_back() {
    let content = noise(3 * 1024 * 1024 + 17);
    let file = TempPath::new("large");
    fs::write(&file.0, &content).expect("writes a file");
    assert_reports(Program::start("pipe", &[file.as_str()]), &content);
}

#[test]
fn pipe_on_standard_input_brings_every_byte_there_and_back() {
    let content = noise(300_000);
    let mut pipe = Program::start("pipe", &["-"]);
    pipe.feed(content.clone());
    assert_reports(pipe, &content);
}

#[test]
fn pipe_on_an_empty_file_reports_zero_bytes() {
    let file = TempPath::new("empty");
    fs::write(&file.0, "").expect("writes a file");
    assert_reports(Program::start("pipe", &[file.as_str()]), b"");
}

#[test]
fn pipe_on_empty_standard_input_reports_zero_bytes() {
    let mut pipe = Program::start("pipe", &["-"]);
    pipe.feed(Vec::new());
    assert_reports(pipe, b"");
}

#[test]
fn pipe_on_a_missing_file_says_so_in_one_line() {
    let file = TempPath::new("missing");
    let line = Program::start("pipe", &[file.as_str()]).fails_with_one_line();
    assert!(line.starts_with(&format!("pipe: {}: ", file.as_str())), "{line}");
    assert!(line.contains("os error 2"), "{line}");
}

#[test]
fn pipe_on_a_directory_says_so_in_one_line() {
    let directory = TempPath::new("directory");
    fs::create_dir(&directory.0).expect("makes a directory");
    let line = Program::start("pipe", &[directory.as_str()]).fails_with_one_line();
    assert!(line.starts_with(&format!("pipe: {}: ", directory.as_str())), "{line}");
}

/// Opens well, and then every read of it fails: address 0 is not mapped.
#[cfg(target_os = "linux")]
#[test]
fn pipe_whose_source_fails_on_the_way_says_so_in_one_line() {
    let line = Program::start("pipe", &["/proc/self/mem"]).fails_with_one_line();
    assert!(line.starts_with("pipe: /proc/self/mem: ") && line.contains("os error 5"), "{line}");
}

/// Root may read anything, so the check is skipped where the file can be read after all.
#[cfg(unix)]
#[test]
fn pipe_on_an_unreadable_file_says_so_in_one_line() {
    use std::os::unix::fs::PermissionsExt;

    let file = TempPath::new("unreadable");
    fs::write(&file.0, "secret").expect("writes a file");
    fs::set_permissions(&file.0, fs::Permissions::from_mode(0o000)).expect("takes the permission away");
    if fs::read(&file.0).is_ok() {
        return;
    }
    let line = Program::start("pipe", &[file.as_str()]).fails_with_one_line();
    assert!(line.starts_with(&format!("pipe: {}: ", file.as_str())), "{line}");
}

/// From outside, nobody can cut the connection between two ends in one process. So this is the client of the
/// example, called directly, with a server that leaves; how an error is printed, the tests above show.
#[tokio::test]
async fn pipe_whose_connection_breaks_reports_it() {
    use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds a port");
    let address = listener.local_addr().expect("has an address");
    let config = Config::new(PayloadType::Binary);
    let server = async {
        let (tcp, _) = listener.accept().await.expect("accepts");
        let mut stream = WebSocketStream::from_transport(tcp, Role::Server, [], config.clone());
        stream.read_exact(&mut [0; 1000]).await.expect("takes the beginning");
    };
    let client = async {
        let tcp = TcpStream::connect(address).await.expect("connects");
        let stream = WebSocketStream::from_transport(tcp, Role::Client, [], config.clone());
        pipe::send_and_receive(tokio::io::repeat(7), stream, &indicatif::ProgressBar::hidden()).await
    };
    let both = async { tokio::join!(server, client).1.map(drop) };
    let error = tokio::time::timeout(LIMIT, both).await.expect("ends by itself").expect_err("breaks");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
}

// echo_server and echo_client

#[test]
fn echo_client_prints_what_it_was_given() {
    let (_server, address) = start_server("echo_server");
    let mut client = Program::start("echo_client", &[&url(&address)]);
    client.feed("hi\n");
    assert_eq!(client.succeeds(), b"hi\n");
}

#[test]
fn echo_client_gets_megabytes_back() {
    let (_server, address) = start_server("echo_server");
    let content = noise(3_000_000);
    let mut client = Program::start("echo_client", &[&url(&address)]);
    client.feed(content.clone());
    assert!(client.succeeds() == content);
}

#[test]
fn echo_server_serves_others_while_a_client_waits() {
    let (_server, address) = start_server("echo_server");
    let mut patient = Program::start("echo_client", &[&url(&address)]);
    patient.write(b"first\n");
    assert_eq!(patient.next_line(), "first");

    let mut other = Program::start("echo_client", &[&url(&address)]);
    other.feed("other\n");
    assert_eq!(other.succeeds(), b"other\n");

    patient.write(b"second\n");
    assert_eq!(patient.next_line(), "second");
    patient.feed("");
    assert_eq!(patient.succeeds(), b"");
}

#[test]
fn echo_server_logs_a_client_that_breaks_off_and_goes_on() {
    let (mut server, address) = start_server("echo_server");
    let mut client = Program::start("echo_client", &[&url(&address)]);
    client.write(b"hi\n");
    assert_eq!(client.next_line(), "hi");
    drop(client); // Kills it.
    let logged = server.next_error_line();
    assert!(logged.starts_with("127.0.0.1:"), "{logged}");

    let mut client = Program::start("echo_client", &[&url(&address)]);
    client.feed("still there?\n");
    assert_eq!(client.succeeds(), b"still there?\n");
}

#[cfg(unix)]
#[test]
fn echo_server_takes_leave_of_its_clients_at_ctrl_c() {
    let (server, address) = start_server("echo_server");
    let mut client = Program::start("echo_client", &[&url(&address)]);
    client.write(b"hi\n");
    assert_eq!(client.next_line(), "hi");

    let kill = Command::new("kill").args(["-INT", &server.child.id().to_string()]).status();
    assert!(kill.expect("sends a signal").success());
    // The client's standard input is still open: it is the server's Close that ends it.
    assert_eq!(client.succeeds(), b"");
    assert_eq!(server.succeeds(), b"");
}

#[test]
fn echo_client_without_a_server_says_so_in_one_line() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds a port");
    let address = listener.local_addr().expect("has an address").to_string();
    drop(listener);
    let line = Program::start("echo_client", &[&url(&address)]).fails_with_one_line();
    assert!(line.starts_with("echo_client: cannot connect to 127.0.0.1 port "), "{line}");
}

#[test]
fn echo_client_refuses_a_server_that_speaks_no_websocket() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds a port");
    let address = listener.local_addr().expect("has an address").to_string();
    let server = thread::spawn(move || {
        let (tcp, _) = listener.accept().expect("accepts");
        let mut request = BufReader::new(&tcp).lines();
        assert!(request.any(|line| line.is_ok_and(|line| line.is_empty())), "is not asked");
        (&tcp).write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").expect("answers");
    });
    let line = Program::start("echo_client", &[&url(&address)]).fails_with_one_line();
    assert!(line.starts_with("echo_client: ") && line.contains("404"), "{line}");
    server.join().expect("ends");
}

#[test]
fn servers_on_an_address_in_use_say_so_in_one_line() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds a port");
    let address = listener.local_addr().expect("has an address").to_string();
    for name in ["echo_server", "axum", "chat"] {
        let line = Program::start(name, &[&address]).fails_with_one_line();
        assert!(line.starts_with(&format!("{name}: ")), "{line}");
    }
}

#[test]
fn examples_without_their_address_say_how_they_are_used() {
    for (name, what) in [
        ("echo_server", "ADDRESS"),
        ("echo_client", "URL"),
        ("axum", "ADDRESS"),
        ("chat", "ADDRESS | URL"),
        ("token_server", "ADDRESS TOKEN"),
        ("reconnect", "URL TOKEN"),
    ] {
        let line = Program::start(name, &[]).fails_with_one_line();
        assert_eq!(line, format!("{name}: usage: {name} {what}"));
    }
}

#[test]
fn servers_answer_a_plain_http_request_with_400() {
    for name in ["echo_server", "axum", "chat"] {
        let (_server, address) = start_server(name);
        let mut tcp = std::net::TcpStream::connect(&address).expect("connects");
        tcp.set_read_timeout(Some(LIMIT)).expect("sets a limit");
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("asks");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).expect("answers");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{name}: {answer}");
    }
}

// framed and axum

#[test]
fn reconnect_renews_its_session_and_comes_back_to_a_server_that_is_there_again() {
    let (server, url) = start("token_server", &["127.0.0.1:0", "secret"]);
    let mut client = Program::start("reconnect", &[&url, "secret"]);
    for _ in 0..2 {
        for line in ["one", "two", "three"] {
            assert_eq!(client.next_line(), line);
        }
        assert_eq!(client.next_error_line(), "the session has expired, connecting again");
    }
    drop(server); // Kills it.
    let mut logged = client.next_error_line();
    while logged.starts_with("the session has expired") {
        logged = client.next_error_line();
    }
    assert!(logged.ends_with("; connecting again in 100ms") || logged.ends_with("in 1s"), "{logged}");
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let _server = start("token_server", &[address, "secret"]);
    while client.next_line() != "three" {}
}

#[test]
fn reconnect_with_a_wrong_token_ends_and_says_so_in_one_line() {
    let (_server, url) = start("token_server", &["127.0.0.1:0", "secret"]);
    let line = Program::start("reconnect", &[&url, "wrong"]).fails_with_one_line();
    assert!(line.contains("401 Unauthorized") && line.contains("this token is not known"), "{line}");
}

#[test]
fn framed_gets_its_messages_through() {
    let output = Program::start("framed", &[]).succeeds();
    let lines = String::from_utf8(output).expect("prints text");
    let heads: Vec<_> = lines.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(heads, ["length-delimited", "lines", "protobuf"]);
}

#[test]
fn axum_numbers_lines() {
    let (_server, address) = start_server("axum");
    let mut client = Program::start("echo_client", &[&url(&address)]);
    client.write(b"one\n");
    assert_eq!(client.next_line(), "1: one");
    client.feed("two\nno newline");
    assert_eq!(client.succeeds(), b"2: two\n3: no newline");
}

// What runs over a WebSocket

#[test]
fn chat_brings_each_line_to_everyone() {
    let (_room, address) = start_server("chat");
    let mut ann = Program::start("chat", &[&url(&address)]);
    ann.write("Grüße\n".as_bytes());
    assert_eq!(ann.next_line(), "Grüße");

    let mut bob = Program::start("chat", &[&url(&address)]);
    bob.write(b"hello\n");
    assert_eq!(bob.next_line(), "hello");
    assert_eq!(ann.next_line(), "hello");

    ann.feed("");
    assert_eq!(ann.succeeds(), b"");
    bob.write(b"anyone?\n");
    assert_eq!(bob.next_line(), "anyone?");
}

#[test]
fn http_gets_its_answers_over_both_versions() {
    let output = Program::start("http", &[]).succeeds();
    let expected = "HTTP/1.1 200 OK: /greeting over HTTP/1.1\nHTTP/2.0 200 OK: /greeting over HTTP/2.0\n";
    assert_eq!(String::from_utf8_lossy(&output), expected);
}

#[test]
fn grpc_calls_and_streams_both_ways() {
    let output = String::from_utf8(Program::start("grpc", &[]).succeeds()).expect("prints text");
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[..3], ["check: Serving", "watch: Some(Serving)", "watch: Some(NotServing)"]);
    assert_eq!(lines.len(), 5, "{output}");
    assert!(lines[3..].iter().all(|line| line.starts_with("reflection: a description of ")), "{output}");
}

#[test]
fn tls_inside_gets_its_answer() {
    let output = Program::start("tls_inside", &[]).succeeds();
    assert_eq!(String::from_utf8_lossy(&output), "HELLO THROUGH THE TUNNEL, by Some(TLSv1_3)\n");
}

// What they need

fn url(address: &str) -> String {
    format!("ws://{address}/")
}

/// Starts `name` on a free port, and waits until it listens.
fn start_server(name: &str) -> (Program, String) {
    let (server, url) = start(name, &["127.0.0.1:0"]);
    let address = url.strip_prefix("ws://").and_then(|rest| rest.strip_suffix('/'));
    let address = address.unwrap_or_else(|| panic!("{name} listens on {url:?}")).to_owned();
    (server, address)
}

/// Starts `name`, waits until it listens, and returns what it says of where.
fn start(name: &str, arguments: &[&str]) -> (Program, String) {
    let server = Program::start(name, arguments);
    let line = server.next_line();
    let place = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{name} printed {line:?}"));
    (server, place.to_owned())
}

fn assert_reports(pipe: Program, content: &[u8]) {
    let output = String::from_utf8(pipe.succeeds()).expect("prints text");
    let head = format!("{} bytes with SHA-256 {:x} went up", content.len(), Sha256::digest(content));
    assert!(output.starts_with(&head), "{output:?} instead of {head:?}");
    assert!(output.ends_with(" MB/s each way\n") && output.lines().count() == 1, "{output:?}");
}

/// Bytes that repeat at no distance a buffer is likely to have.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// A path of its own in the temporary directory, cleared away at the end.
struct TempPath(PathBuf);

impl TempPath {
    fn new(name: &str) -> Self {
        TempPath(env::temp_dir().join(format!("fastwebsockets-stream-{}-{name}", std::process::id())))
    }

    fn as_str(&self) -> &str {
        self.0.to_str().expect("a UTF-8 path")
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0).or_else(|_| fs::remove_dir(&self.0));
    }
}
