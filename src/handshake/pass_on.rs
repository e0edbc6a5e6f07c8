//! A transport that is another one.

/// Passes `AsyncRead` and `AsyncWrite` on to what is inside, in whichever variant: `pass_on!(Type, io => [Type::One(io)])`.
macro_rules! pass_on {
    ($outer:ty, $inner:ident => [$($(#[$cfg:meta])? $variant:pat),+ $(,)?]) => {
        impl tokio::io::AsyncRead for $outer {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $($(#[$cfg])? $variant => std::pin::Pin::new($inner).poll_read(cx, buf),)+
                }
            }
        }

        impl tokio::io::AsyncWrite for $outer {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$cfg])? $variant => std::pin::Pin::new($inner).poll_write(cx, buf),)+
                }
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$cfg])? $variant => std::pin::Pin::new($inner).poll_write_vectored(cx, bufs),)+
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $($(#[$cfg])? $variant => $inner.is_write_vectored(),)+
                }
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $($(#[$cfg])? $variant => std::pin::Pin::new($inner).poll_flush(cx),)+
                }
            }

            fn poll_shutdown(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $($(#[$cfg])? $variant => std::pin::Pin::new($inner).poll_shutdown(cx),)+
                }
            }
        }
    };
}

pub(super) use pass_on;
