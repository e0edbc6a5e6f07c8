//! `tunnel`: a service and a user that speak TCP, and both ends of the tunnel between them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::program::Program;
use crate::{LIMIT, noise, start};

/// A tunnel to a service, and where its users connect.
struct Tunnel {
    near: Program,
    far: Program,
    service: TcpListener,
    address: String,
}

impl Tunnel {
    fn open() -> Self {
        let service = TcpListener::bind("127.0.0.1:0").expect("binds a port");
        let target = service.local_addr().expect("has an address").to_string();
        let (far, url) = start("tunnel", &["serve", "127.0.0.1:0", &target]);
        let (near, address) = start("tunnel", &["connect", "127.0.0.1:0", &url]);
        Tunnel { near, far, service, address }
    }

    fn user(&self) -> TcpStream {
        patient(TcpStream::connect(&self.address).expect("connects"))
    }

    fn served(&self) -> TcpStream {
        patient(self.service.accept().expect("accepts").0)
    }
}

fn patient(tcp: TcpStream) -> TcpStream {
    tcp.set_read_timeout(Some(LIMIT)).expect("sets a limit");
    tcp
}

/// Ends with a reset.
fn cut(tcp: TcpStream) {
    SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).expect("sets an option");
}

#[test]
fn tunnel_ends_each_direction_on_its_own_and_loses_nothing() {
    let tunnel = Tunnel::open();
    let (request, response) = (noise(3_000_000), noise(2_000_001));
    let (mut user, mut served) = (tunnel.user(), tunnel.served());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            user.write_all(&request).expect("writes");
            user.shutdown(Shutdown::Write).expect("ends its direction");
            let mut got = Vec::new();
            user.read_to_end(&mut got).expect("reads");
            assert!(got == response);
        });
        let mut got = Vec::new();
        served.read_to_end(&mut got).expect("reads");
        assert!(got == request);
        served.write_all(&response).expect("writes");
        drop(served);
    });
}

#[test]
fn tunnel_whose_service_is_cut_resets_its_user() {
    let mut tunnel = Tunnel::open();
    let (mut user, mut served) = (tunnel.user(), tunnel.served());
    served.write_all(b"half").expect("writes");
    user.read_exact(&mut [0; 4]).expect("reads");
    cut(served);
    let error = user.read(&mut [0]).expect_err("it must not look like an end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let logged = tunnel.far.next_error_line();
    assert!(
        logged.contains("the TCP connection was cut: cannot read from side B, after 0 bytes"),
        "{logged}"
    );
    assert!(logged.contains("B to A: Connection reset by peer"), "{logged}");
    let logged = tunnel.near.next_error_line();
    assert!(logged.contains("the WebSocket was cut") && logged.contains("to_tcp=4"), "{logged}");
}

#[test]
fn tunnel_whose_user_is_cut_resets_the_service() {
    let tunnel = Tunnel::open();
    let (mut user, mut served) = (tunnel.user(), tunnel.served());
    user.write_all(b"half").expect("writes");
    served.read_exact(&mut [0; 4]).expect("reads");
    cut(user);
    let error = served.read(&mut [0]).expect_err("it must not look like an end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn tunnel_whose_other_end_is_killed_resets_the_user() {
    let mut tunnel = Tunnel::open();
    let (mut user, _served) = (tunnel.user(), tunnel.served());
    tunnel.far.child.kill().expect("is killed");
    let error = user.read(&mut [0]).expect_err("it must not look like an end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn tunnel_to_a_service_that_is_not_there_resets_the_user_and_says_why() {
    let Tunnel { mut near, far: _far, service, address } = Tunnel::open();
    drop(service);
    let mut user = patient(TcpStream::connect(address).expect("connects"));
    let error = user.read(&mut [0]).expect_err("it must not look like an end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let logged = near.next_error_line();
    assert!(logged.contains("502") && logged.contains("the service cannot be reached"), "{logged}");
}
