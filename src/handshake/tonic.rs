//! What tonic's server wants of a connection.

use tonic::transport::server::Connected;

use crate::WebSocketStream;

/// What the transport says of itself.
impl<S: Connected> Connected for WebSocketStream<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.get_ref().connect_info()
    }
}

/// The addresses of the socket, with TLS or without.
#[cfg(any(feature = "listener", feature = "connect"))]
impl Connected for super::MaybeTlsStream {
    type ConnectInfo = tonic::transport::server::TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.tcp().connect_info()
    }
}
