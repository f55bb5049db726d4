//! What a nursery has to know of its error type: how to show it, and what is behind it.
//!
//! There is no one trait that all error types have: `thiserror` enums and `io::Error` are `Error`s,
//! `anyhow::Error` and `Box<dyn Error + Send + Sync>` only lead to one, and a `String` is text. One
//! blanket implementation for each kind overlaps with the others. A marker parameter that names the
//! kind keeps them apart, and is inferred, as in axum's `Handler`.
//!
//! **Invariants**
//!
//! 1. The markers are private, so the kinds are these three, and no type outside gets a second one.
//! 2. A [`View`] is made for one error type, and called with errors of that type only: both are of
//!    the same nursery.

use super::sync::Arc;
use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::iter::successors;

/// Any error that may be sent to another thread: the error type of a [`Nursery`](crate::Nursery)
/// that names no other.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An error type that a nursery can have.
///
/// These types have it: every [`Error`], `anyhow::Error`, `eyre::Report`, [`BoxError`], and text
/// (`String`, `&'static str`, `Cow<'static, str>`, `Box<str>`, `Arc<str>`). All of them must be
/// `Send + Sync + 'static`. No other type can get it: implement [`Error`] for yours.
///
/// `M` says which of the three kinds a type is of. It is inferred, and has no name to write. A
/// generic function over one kind needs no `M` (`E: Error + Send + Sync + 'static` is enough); a
/// function over all of them carries it.
///
/// # Examples
///
/// A wrapper that takes any error:
///
/// ```
/// # #[cfg(feature = "executors")] {
/// use allhome::error::AsError;
/// use allhome::{GroupError, Nursery, block_on, nursery};
///
/// async fn named<R, E, M, F, Fut>(name: &str, body: F) -> Result<R, GroupError<E>>
/// where
///     F: FnOnce(Nursery<E>) -> Fut,
///     Fut: Future<Output = Result<R, E>>,
///     E: AsError<M>,
/// {
///     nursery().name(name).run(body).await
/// }
///
/// let error = block_on(named("boot", async |_| Err::<(), _>("no disk"))).unwrap_err();
/// assert_eq!(error.to_string(), "nursery `boot`: the body failed: no disk");
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a nursery",
    label = "a nursery's error is an `Error`, `anyhow::Error`, `Box<dyn Error + Send + Sync>` or text",
    note = "implement `std::error::Error` for it; it has to be `Send + Sync + 'static`",
    note = "if nothing names the error type: `async |n: Nursery| ..`, or `async |n: Nursery<MyError>| ..`"
)]
pub trait AsError<M>: kind::Sealed<M> + Send + Sync + 'static {
    /// Returns the error that it is or leads to, or the text that it is.
    fn view(&self) -> ErrorView<'_>;
}

/// An error, or a text in place of one.
///
/// Shows itself as the error's own text; with `{:#}`, the errors behind it follow, each after a
/// colon.
#[derive(Clone, Copy, Debug)]
pub enum ErrorView<'a> {
    /// An error.
    Error(&'a (dyn Error + 'static)),
    /// A text.
    Text(&'a str),
}

mod kind {
    /// It is an [`Error`](std::error::Error).
    pub enum ByError {}
    /// It leads to one.
    pub enum ByAsRef {}
    /// It is text.
    pub enum ByText {}

    /// Implemented together with [`AsError`](super::AsError), and for no other type.
    pub trait Sealed<M> {}
}

impl<E: Error + Send + Sync + 'static> kind::Sealed<kind::ByError> for E {}
impl<E: Error + Send + Sync + 'static> AsError<kind::ByError> for E {
    fn view(&self) -> ErrorView<'_> {
        ErrorView::Error(self)
    }
}

impl<E> kind::Sealed<kind::ByAsRef> for E where
    E: AsRef<dyn Error + Send + Sync> + Send + Sync + 'static
{
}
impl<E> AsError<kind::ByAsRef> for E
where
    E: AsRef<dyn Error + Send + Sync> + Send + Sync + 'static,
{
    fn view(&self) -> ErrorView<'_> {
        ErrorView::Error(self.as_ref())
    }
}

macro_rules! text {
    ($($text:ty)*) => { $(
        impl kind::Sealed<kind::ByText> for $text {}
        impl AsError<kind::ByText> for $text {
            fn view(&self) -> ErrorView<'_> {
                ErrorView::Text(self)
            }
        }
    )* };
}

text!(String &'static str Cow<'static, str> Box<str> Arc<str>);

impl<'a> ErrorView<'a> {
    /// Returns the error, or `None` if it is a text.
    pub fn error(self) -> Option<&'a (dyn Error + 'static)> {
        match self {
            ErrorView::Error(error) => Some(error),
            ErrorView::Text(_) => None,
        }
    }

    /// Returns the error and, one after the other, what is behind it.
    pub fn chain(self) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
        successors(self.error(), |&error| error.source())
    }

    /// Returns the first error of the chain that has the type `T`. Errors of nurseries and joins in
    /// the chain are searched, too.
    pub fn find<T: Error + 'static>(self) -> Option<&'a T> {
        let _whole = Whole::begin();
        self.chain().find_map(|error| error.downcast_ref())
    }

    /// Returns the `source` of an error that has this one in its text: what is behind it.
    pub(crate) fn behind(self) -> Option<&'a (dyn Error + 'static)> {
        let error = self.error()?;
        if WHOLE.get() { Some(error) } else { error.source() }
    }
}

impl fmt::Display for ErrorView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorView::Text(text) => f.write_str(text),
            ErrorView::Error(error) => {
                write!(f, "{error}")?;
                let mut behind =
                    successors(error.source().filter(|_| f.alternate()), |&e| e.source());
                behind.try_for_each(|error| write!(f, ": {error}"))
            }
        }
    }
}

thread_local! {
    /// A search by type is on its way.
    static WHOLE: Cell<bool> = const { Cell::new(false) };
}

/// While it is there, the errors of nurseries and joins give the error that they have in their text
/// as their source, so that a search comes by it. Their types have the user's type in them, so no
/// downcast finds them; `source` is the one way through errors that wrap them, besides.
struct Whole(bool);

impl Whole {
    fn begin() -> Whole {
        Whole(WHOLE.replace(true))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        WHOLE.set(self.0);
    }
}

/// Views an error whose type is erased.
pub(crate) type View = for<'a> fn(&'a (dyn Any + Send + Sync)) -> ErrorView<'a>;

/// The [`View`] of errors of the type `E`.
pub(crate) fn view<E: AsError<M>, M>(error: &(dyn Any + Send + Sync)) -> ErrorView<'_> {
    let error = error.downcast_ref::<E>();
    error.map_or(ErrorView::Text("an error of another type"), AsError::view)
}
