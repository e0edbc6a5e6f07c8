//! What can be given as a URI.

use std::borrow::Cow;
use std::sync::Arc;

use http::Uri;

/// The URI of a WebSocket, as text or as an [`http::Uri`]: what [`connect`](crate::connect) and [`Client`](crate::Client) take.
///
/// It is implemented for `str`, `String`, `Cow<str>`, `Box<str>`, `Arc<str>` and `Uri`, and for references to them. With the crate
/// `url`, give `url.as_str()`.
///
/// Nothing is parsed here: what is wrong with a URI, connecting says. A fragment in text is an error then; `Uri` has dropped it.
/// User and password in a `Uri` count as in text.
///
/// # Examples
///
/// ```no_run
/// use fastwebsockets_stream::{Config, PayloadType, connect};
/// use http::Uri;
///
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::new(PayloadType::Binary);
/// let text = format!("ws://localhost:{}/echo", 9000);
/// let uri = Uri::builder().scheme("ws").authority("localhost:9000").path_and_query("/echo").build()?;
/// let one = connect("ws://localhost:9000/echo", config.clone()).await?;
/// let two = connect(&text, config.clone()).await?;
/// let three = connect(uri, config).await?;
/// # let _ = (one, two, three);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken as the URI of a WebSocket",
    note = "expected text (`&str`, `String`) or an `http::Uri`; of a `url::Url`, give `url.as_str()`"
)]
pub trait ToUri: Text {}

mod sealed {
    use std::borrow::Cow;

    /// Only this crate can name it, so only this crate implements it.
    pub trait Text {
        fn text(&self) -> Cow<'_, str>;
    }
}

use sealed::Text;

impl ToUri for str {}

impl Text for str {
    fn text(&self) -> Cow<'_, str> {
        self.into()
    }
}

impl ToUri for String {}

impl Text for String {
    fn text(&self) -> Cow<'_, str> {
        self.into()
    }
}

impl ToUri for Uri {}

impl Text for Uri {
    fn text(&self) -> Cow<'_, str> {
        self.to_string().into()
    }
}

impl ToUri for Cow<'_, str> {}

impl Text for Cow<'_, str> {
    fn text(&self) -> Cow<'_, str> {
        (&**self).into()
    }
}

impl<T: ToUri + ?Sized> ToUri for Box<T> {}

impl<T: Text + ?Sized> Text for Box<T> {
    fn text(&self) -> Cow<'_, str> {
        (**self).text()
    }
}

impl<T: ToUri + ?Sized> ToUri for Arc<T> {}

impl<T: Text + ?Sized> Text for Arc<T> {
    fn text(&self) -> Cow<'_, str> {
        (**self).text()
    }
}

impl<T: ToUri + ?Sized> ToUri for &T {}

impl<T: Text + ?Sized> Text for &T {
    fn text(&self) -> Cow<'_, str> {
        (**self).text()
    }
}
