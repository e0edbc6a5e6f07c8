//! Through proxies that are written here: HTTP CONNECT and SOCKS5.

use std::io::ErrorKind;

use fastwebsockets_stream::{Client, ConnectError, MaybeTlsStream, Proxy, ProxyError};
use tokio::io::AsyncWriteExt;

use crate::support::authority::Authority;
use crate::support::child;
use crate::support::client::{
    SHORT, assert_echo, chain, config, echo, echo_config, fields, nobody, read_head, serve, soon,
};
use crate::support::proxies::{Socks, connect, socks5};

const ENVIRONMENT: &str =
    "client::proxies::environment_names_the_proxy_for_each_scheme_only_where_it_is_asked";

fn through(url: &str) -> Client {
    Client::new(echo_config()).proxy(Proxy::new(url).unwrap())
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# the client SHOULD connect to that proxy and ask it to open a TCP connection
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# Once a connection to the server has been established (including a connection via a proxy or over a
//# TLS-encrypted tunnel), the client MUST send an opening handshake to the server.
#[tokio::test]
async fn http_proxy_opens_a_tunnel_and_gets_the_credentials() {
    for (userinfo, sent) in
        [("", &[][..]), ("us%40er:p%3Ass@", &["Basic dXNAZXI6cDpzcw=="]), ("user@", &["Basic dXNlcjo="])]
    {
        let (server_port, server) = serve(echo).await;
        let (proxy_port, proxy) = serve(connect).await;
        let client = through(&format!("http://{userinfo}localhost:{proxy_port}"));
        assert!(!format!("{client:?}").contains("p:ss") && !format!("{client:?}").contains("dXN"));
        assert_echo(client.connect(&format!("ws://127.0.0.1:{server_port}/x")).await.unwrap().0).await;
        let head = proxy.await.unwrap();
        assert!(head.starts_with(&format!("CONNECT 127.0.0.1:{server_port} HTTP/1.1\r\n")), "{head}");
        assert_eq!(fields(&head, "proxy-authorization"), sent);
        let head = server.await.unwrap();
        assert!(head.starts_with("GET /x HTTP/1.1\r\n"), "{head}");
        assert_eq!(fields(&head, "host"), [format!("127.0.0.1:{server_port}")]);
        assert!(fields(&head, "proxy-authorization").is_empty());
    }
}

#[tokio::test]
async fn http_proxy_is_told_the_default_port_and_the_name() {
    for (uri, asked) in [
        ("ws://inside.invalid", "inside.invalid:80"),
        ("wss://inside.invalid", "inside.invalid:443"),
        ("ws://[::1]/", "[::1]:80"),
        ("ws://user:secret@inside.invalid:81/", "inside.invalid:81"),
    ] {
        let (port, proxy) = serve(async |mut io| {
            let head = read_head(&mut io).await;
            io.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await.unwrap();
            head
        })
        .await;
        let client = through(&format!("http://127.0.0.1:{port}")).tls(Authority::new().trusting());
        let error = client.connect(uri).await.unwrap_err();
        assert!(matches!(error, ConnectError::Proxy { .. }), "{error:?}");
        let head = proxy.await.unwrap();
        assert!(head.starts_with(&format!("CONNECT {asked} HTTP/1.1\r\n")), "{head}");
        assert!(!head.contains("uthorization"), "{head}");
    }
}

#[tokio::test]
async fn proxy_by_tls_carries_tls_to_the_server() {
    let authority = Authority::new();
    let (of_server, of_proxy) =
        (authority.acceptor("localhost", &[]), authority.acceptor("localhost", &[b"http/1.1"]));
    let (server_port, server) = serve(async move |io| echo(of_server.accept(io).await.unwrap()).await).await;
    let (proxy_port, proxy) = serve(async move |io| connect(of_proxy.accept(io).await.unwrap()).await).await;
    let client = through(&format!("https://user:pass@localhost:{proxy_port}")).tls(authority.trusting());
    let (stream, _) = client.connect(&format!("wss://localhost:{server_port}")).await.unwrap();
    let MaybeTlsStream::Tls(outer) = stream.get_ref() else { panic!("no TLS") };
    assert!(matches!(outer.get_ref().0, MaybeTlsStream::Tls(_)));
    assert_eq!(stream.get_ref().tcp().peer_addr().unwrap().port(), proxy_port);
    assert_echo(stream).await;
    assert_eq!(fields(&proxy.await.unwrap(), "proxy-authorization"), ["Basic dXNlcjpwYXNz"]);
    server.await.unwrap();
}

#[tokio::test]
async fn socks_proxy_gets_the_address_or_the_name_and_the_credentials() {
    let credentials = || Some(("us@er".to_owned(), "p:ss".to_owned()));
    for (url, credentials, host, address_type) in [
        ("socks5://", None, "127.0.0.1", 1),
        ("socks5h://", None, "localhost", 3),
        ("socks5h://us%40er:p%3Ass@", credentials(), "localhost", 3),
        ("socks5://us%40er:p%3Ass@", credentials(), "127.0.0.1", 1),
    ] {
        let (server_port, server) = serve(echo).await;
        let (proxy_port, proxy) = serve(socks5).await;
        let client = through(&format!("{url}127.0.0.1:{proxy_port}"));
        assert!(!format!("{client:?}").contains("p:ss"));
        assert_echo(client.connect(&format!("ws://localhost:{server_port}/")).await.unwrap().0).await;
        assert_eq!(proxy.await.unwrap(), Socks { credentials, host: host.to_owned(), address_type });
        server.await.unwrap();
    }
}

#[tokio::test]
async fn proxy_that_is_not_there_or_never_answers_is_an_error_in_time() {
    let port = nobody().await;
    for scheme in ["http", "socks5h"] {
        let client = through(&format!("{scheme}://user:secret@127.0.0.1:{port}"));
        let error = client.connect("ws://inside.invalid/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let text = chain(&error);
        assert!(text.starts_with(&format!("the proxy {scheme}://127.0.0.1:{port} ")), "{text}");
        assert!(text.contains("inside.invalid port 80: cannot connect to 127.0.0.1 port "), "{text}");
        assert!(!format!("{error:?}{text}").contains("secret"), "{error:?}");
        let ConnectError::Proxy { source: ProxyError::NotReached { source, .. }, .. } = error else {
            panic!("{error:?}")
        };
        assert!(matches!(&*source, ConnectError::Dial { host, .. } if host == "127.0.0.1"), "{source:?}");

        let (port, proxy) =
            serve(async |mut io| tokio::io::copy(&mut io, &mut tokio::io::sink()).await).await;
        let client = through(&format!("{scheme}://127.0.0.1:{port}")).time_limit(SHORT);
        let error = client.connect("ws://inside.invalid/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("waiting for the proxy's answer"), "{error}");
        proxy.await.unwrap().unwrap();
    }
    // The name is resolved before the proxy is asked.
    let client = through(&format!("socks5://127.0.0.1:{port}"));
    let error = client.connect("ws://inside.invalid/").await.unwrap_err();
    assert!(matches!(&error, ConnectError::Resolve { host, .. } if host == "inside.invalid"), "{error:?}");
}

#[tokio::test]
async fn proxy_that_fails_by_itself_is_told_from_the_server_behind_it() {
    let authority = Authority::new();
    let client = |url: &str| through(url).tls(authority.trusting());
    let not_reached = async |client: Client, uri: &str| {
        let error = client.connect(uri).await.unwrap_err();
        let text = chain(&error);
        let ConnectError::Proxy { source: ProxyError::NotReached { source, .. }, .. } = error else {
            panic!("{error:?}")
        };
        (*source, text)
    };

    let (source, text) = not_reached(client("http://proxy.invalid"), "ws://localhost:1").await;
    assert!(matches!(&source, ConnectError::Resolve { host, .. } if host == "proxy.invalid"), "{source:?}");
    assert!(text.starts_with("the proxy http://proxy.invalid:80 "), "{text}");

    let acceptor = Authority::new().acceptor("localhost", &[]);
    let (port, proxy) = serve(async move |io| acceptor.accept(io).await.map(drop)).await;
    let (source, text) =
        not_reached(client(&format!("https://localhost:{port}")), "wss://host.invalid").await;
    assert!(matches!(source, ConnectError::Tls { port: found, .. } if found == port), "{source:?}");
    assert!(text.starts_with("the proxy https://localhost:") && text.contains("not trusted"), "{text}");
    assert!(proxy.await.unwrap().is_err());

    // The tunnel was opened, and leads to a server with the wrong certificate.
    let acceptor = Authority::new().acceptor("localhost", &[]);
    let (server_port, server) = serve(async move |io| acceptor.accept(io).await.map(drop)).await;
    let (port, proxy) = serve(connect).await;
    let uri = format!("wss://localhost:{server_port}");
    let error = client(&format!("http://127.0.0.1:{port}")).connect(&uri).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { port, .. } if port == server_port), "{error:?}");
    assert!(server.await.unwrap().is_err());
    proxy.await.unwrap();
}

#[test]
fn proxy_url_that_cannot_be_used_is_refused_with_its_reason() {
    for (url, reason) in [
        ("", "empty"),
        ("socks4://host", "\"socks4\""),
        ("socks4a://host", "\"socks4a\""),
        ("ftp://user:secret@host", "\"ftp\""),
        ("http://host:0", "port"),
        ("socks5://[::1:1", "invalid"),
        ("http://us%3Aer:secret@host", "colon"),
        ("ws://host", "\"ws\""),
        ("http://", "empty"),
        ("http://:3128", "no host"),
        ("http://user:secret@:3128", "no host"),
        ("http://host:99999", "port"),
        ("http://host/path", "path"),
        ("http://host?query", "query"),
        ("http://host/#x", "fragment"),
        ("/path", "no host"),
        ("http://user:secret@ho st", "invalid"),
    ] {
        let error = Proxy::new(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(reason), "{url}: {error}");
        assert!(!format!("{error}{error:?}").contains("secret"), "{error:?}");
    }
    for url in
        ["host:3128", "http://host", "HTTP://host/", "https://host:1", "SOCKS5://host", "socks5h://[::1]:1"]
    {
        Proxy::new(url).unwrap();
    }
}

#[test]
fn credentials_that_do_not_fit_are_refused_with_the_limit() {
    for (user, password) in [(256, 0), (0, 256), (1, 256)] {
        let url = format!("socks5h://{}:{}@127.0.0.1", "u".repeat(user), "p".repeat(password));
        let error = Proxy::new(&url).unwrap_err();
        assert!(matches!(&error, ConnectError::ProxyUri { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("256 bytes, and SOCKS5 takes 255") && !text.contains("pp"), "{text}");
    }
}

/// The environment cannot be changed within a process, so these are of their own.
#[tokio::test]
async fn environment_names_the_proxy_for_each_scheme_only_where_it_is_asked() {
    if let Some(task) = child::task() {
        return connect_in_this_environment(&task).await;
    }
    for (variable, url, is_used) in [
        ("HTTP_PROXY", "http://user:pass@127.0.0.1:PORT", true),
        ("http_proxy", "127.0.0.1:PORT", true),
        ("ALL_PROXY", "http://127.0.0.1:PORT/", true),
        ("HTTPS_PROXY", "http://127.0.0.1:PORT", false),
    ] {
        let (server_port, server) = serve(echo).await;
        let (proxy_port, proxy) = serve(connect).await;
        let url = url.replace("PORT", &proxy_port.to_string());
        in_child("127.0.0.1", server_port, "echo", &[(variable, &url)]).await;
        server.await.unwrap();
        if is_used {
            soon(proxy).await.unwrap();
        } else {
            // It would wait for a connection for ever.
            assert!(!proxy.is_finished(), "{variable}");
        }
    }
    let (server_port, server) = serve(echo).await;
    let unused = ("HTTP_PROXY", "socks4://127.0.0.1:1");
    in_child("127.0.0.1", server_port, "echo", &[unused, ("NO_PROXY", "10.0.0.0/8, 127.0.0.0/8")]).await;
    server.await.unwrap();
    for url in ["socks4://user:secret@127.0.0.1:1", "ftp://127.0.0.1:1", "http://127.0.0.1:x", "%"] {
        in_child("127.0.0.1", nobody().await, "HTTP_PROXY", &[("HTTP_PROXY", url)]).await;
    }
}

/// Asks for a proxy in an environment with these variables, and expects an echo, or an error that names a variable.
async fn in_child(host: &str, port: u16, expected: &str, variables: &[(&str, &str)]) {
    let mut environment = Vec::new();
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        environment.push((name.to_owned(), None));
        environment.push((name.to_lowercase(), None));
    }
    environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), Some(*value))));
    let environment: Vec<_> = environment.iter().map(|(name, value)| (&**name, *value)).collect();
    child::run(ENVIRONMENT, &format!("{expected} ws://{host}:{port}"), &environment).await;
}

async fn connect_in_this_environment(task: &str) {
    let (expected, uri) = task.split_once(' ').unwrap();
    let connected = Client::new(echo_config()).proxy(Proxy::from_env()).connect(uri).await;
    match connected {
        Ok((stream, _)) if expected == "echo" => assert_echo(stream).await,
        Ok(_) => panic!("connected"),
        Err(ConnectError::ProxyUri { proxy, reason, .. }) => {
            assert_eq!(proxy, format!("the variable {expected}"));
            assert!(!reason.contains("secret"));
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// A server of HTTP/2 speaks first, so its first bytes may come in one segment with the proxy's answer.
#[tokio::test]
async fn bytes_in_one_segment_with_the_proxys_answer_are_the_servers() {
    let (proxy_port, proxy) = serve(async |mut io| {
        read_head(&mut io).await;
        let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x08\0\0\0\x01";
        io.write_all(&[b"HTTP/1.1 200 OK\r\n\r\n", &settings[..]].concat()).await.unwrap();
        let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
    })
    .await;
    let client = through(&format!("http://127.0.0.1:{proxy_port}")).time_limit(SHORT);
    let http2 = client.http2("ws://server.example").await.unwrap();
    // It has heard that it may ask: what it waits for is the answer.
    let error = http2.connect("ws://server.example/").await.unwrap_err();
    assert!(error.to_string().contains("waiting for the server's answer"), "{error}");
    drop(http2);
    proxy.await.unwrap();
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//= type=test
//# a direct TCP connection SHOULD be opened
#[tokio::test]
async fn environment_is_not_asked_by_default() {
    let (server_port, server) = serve(echo).await;
    assert_echo(
        Client::new(echo_config()).connect(&format!("ws://127.0.0.1:{server_port}")).await.unwrap().0,
    )
    .await;
    server.await.unwrap();
    assert!(format!("{:?}", Client::new(config())).contains("proxy: None"));
}
