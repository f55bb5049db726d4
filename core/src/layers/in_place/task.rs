//! The futures of children, with their outcome erased.

use super::join::{Done, Giver, JoinCell, Publish};
use super::mode::Work;
use crate::layers::base::outcome::Ending;
use crate::layers::base::panic;
use crate::layers::base::sync::Arc;
use crate::layers::context::noted::Noted;
use crate::layers::context::{self, Frame, scope};
use pin_project_lite::pin_project;
use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A child without a value.
    pub(super) struct Spawned<F> {
        #[pin]
        future: F,
    }
}

pin_project! {
    /// A child that cannot fail.
    pub(super) struct Gone<F> {
        #[pin]
        future: F,
    }
}

pin_project! {
    /// A child with a value.
    pub(super) struct Forked<F, T> {
        #[pin]
        future: F,
        cell: Option<Giver<JoinCell<T>>>,
    }
}

impl<F> Spawned<F> {
    pub(super) fn new(future: F) -> Spawned<F> {
        Spawned { future }
    }
}

impl<F> Gone<F> {
    pub(super) fn new(future: F) -> Gone<F> {
        Gone { future }
    }
}

impl<F, T> Forked<F, T> {
    pub(super) fn new(future: F, cell: Giver<JoinCell<T>>) -> Forked<F, T> {
        Forked { future, cell: Some(cell) }
    }
}

impl<F, E> Future for Spawned<F>
where
    F: Future<Output = Result<(), E>>,
    E: Send + Sync + 'static,
{
    type Output = Done;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        Poll::Ready(match ready!(self.project().future.poll(cx)) {
            Ok(()) => Done(Ending::Ok),
            Err(error) => failed(Arc::new(error)),
        })
    }
}

impl<F: Future<Output = ()>> Future for Gone<F> {
    type Output = Done;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        self.project().future.poll(cx).map(|()| Done(Ending::Ok))
    }
}

impl<F, T, E> Future for Forked<F, T>
where
    F: Future<Output = Result<T, E>>,
    E: Send + Sync + 'static,
{
    type Output = Done;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let this = self.project();
        Poll::Ready(match ready!(this.future.poll(cx)) {
            Ok(value) => match this.cell.as_mut().map_or(Ok(()), |cell| cell.keep(value)) {
                Ok(()) => Done(Ending::Ok),
                Err(payload) => panic::resume(payload),
            },
            Err(error) => failed(Arc::new(error)),
        })
    }
}

impl<F, E, J: ?Sized + Publish> Work<J> for Spawned<F>
where
    F: Future<Output = Result<(), E>>,
    E: Send + Sync + 'static,
{
    fn take_join(self: Pin<&mut Self>) -> Option<Giver<J>> {
        None
    }
}

impl<F: Future<Output = ()>, J: ?Sized + Publish> Work<J> for Gone<F> {
    fn take_join(self: Pin<&mut Self>) -> Option<Giver<J>> {
        None
    }
}

impl<'a, F, T, E> Work<dyn Publish + Send + Sync + 'a> for Forked<F, T>
where
    F: Future<Output = Result<T, E>>,
    T: Send + 'a,
    E: Send + Sync + 'static,
{
    fn take_join(self: Pin<&mut Self>) -> Option<Giver<dyn Publish + Send + Sync + 'a>> {
        self.project().cell.take().map(|cell| cell.erase(|at| at as _))
    }
}

impl<'a, F, T, E> Work<dyn Publish + 'a> for Forked<F, T>
where
    F: Future<Output = Result<T, E>>,
    T: 'a,
    E: Send + Sync + 'static,
{
    fn take_join(self: Pin<&mut Self>) -> Option<Giver<dyn Publish + 'a>> {
        self.project().cell.take().map(|cell| cell.erase(|at| at as _))
    }
}

/// Returns how the child ends that has returned this error: if it is an echo, as cancelled.
#[cold]
fn failed(error: Arc<dyn Any + Send + Sync>) -> Done {
    let reason = context::current(|frame| match frame.and_then(Frame::noted)? {
        Noted::InPlace(frame, place) => {
            place.notes.echoes(scope::task_reason(Some(frame)), place.id())
        }
        Noted::Task(_) => None,
    });
    Done(match reason {
        Some(reason) => Ending::Echo(Box::new((reason, error))),
        None => Ending::Err(error),
    })
}
