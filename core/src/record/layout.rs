//! The typed side of a record: one block for header, future and outcome, and the four or five
//! functions that know its types.
//!
//! The future and its outcome share one place, so a child costs the larger of the two. It is
//! tempting to erase by transmuting `Box<dyn Future<Output = T>>` to another output; that is
//! undefined behaviour. Here the erased functions have unit-like results, and the value passes
//! through the stage.

use super::{Ended, Header};
use crate::id::TaskId;
use crate::outcome::{Ending, Outcome};
use crate::panic::{self, Panic, Payload};
use crate::sync::{Arc, UnsafeCell};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

/// A record whole. `repr(C)` puts the header first, so that a pointer to one is a pointer to the
/// other.
#[repr(C)]
struct Block<F, T, E> {
    header: Header,
    stage: UnsafeCell<Stage<F, T, E>>,
}

enum Stage<F, T, E> {
    Future(F),
    Outcome(Outcome<T, E>),
    Empty,
}

/// The functions that know a record's types.
///
/// All but `free` need the right to the stage (invariant 2 of the parent module).
pub(super) struct VTable {
    /// Polls the future; on `Ready` it has been destroyed.
    pub(super) poll: unsafe fn(NonNull<Header>, TaskId, &mut Context<'_>) -> Poll<Ended>,
    /// Destroys the future, if it is still there, with this ending.
    pub(super) end: unsafe fn(NonNull<Header>, TaskId, Ending) -> Ended,
    /// Destroys the future of a record that was refused, and leaves nothing in its place.
    pub(super) discard: unsafe fn(NonNull<Header>) -> Ended,
    /// Drops the outcome that nobody will take.
    pub(super) drop_outcome: unsafe fn(NonNull<Header>),
    /// Moves the outcome to the `Option<Outcome<T, E>>` that the pointer points to.
    pub(super) take: unsafe fn(NonNull<Header>, *mut ()),
    /// Frees the block.
    pub(super) free: unsafe fn(NonNull<Header>),
}

struct Table<F, T, E>(PhantomData<(F, T, E)>);

impl<F, T, E> Table<F, T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    const VTABLE: VTable = VTable {
        poll: poll::<F, T, E>,
        end: end::<F, T, E>,
        discard: discard::<F, T, E>,
        drop_outcome: drop_outcome::<F, T, E>,
        take: take::<F, T, E>,
        free: free::<F, T, E>,
    };
}

pub(super) fn vtable<F, T, E>() -> &'static VTable
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    &Table::<F, T, E>::VTABLE
}

pub(super) fn allocate<F, T, E>(header: Header, future: F) -> NonNull<Header>
where
    F: Future<Output = Result<T, E>>,
{
    let stage = UnsafeCell::new(Stage::<F, T, E>::Future(future));
    NonNull::from(Box::leak(Box::new(Block { header, stage }))).cast()
}

unsafe fn stage<'a, F, T, E>(record: NonNull<Header>) -> &'a UnsafeCell<Stage<F, T, E>> {
    let block = record.cast::<Block<F, T, E>>();
    // SAFETY: the vtable's functions are called with the record that they were made for, and its
    // memory is kept by the caller's token.
    &unsafe { block.as_ref() }.stage
}

unsafe fn header<'a>(record: NonNull<Header>) -> &'a Header {
    // SAFETY: as for `stage`.
    unsafe { record.as_ref() }
}

unsafe fn poll<F, T, E>(record: NonNull<Header>, id: TaskId, cx: &mut Context<'_>) -> Poll<Ended>
where
    F: Future<Output = Result<T, E>>,
    E: Send + Sync + 'static,
{
    // SAFETY: the caller's token.
    let stage = unsafe { stage::<F, T, E>(record) };
    let polled = stage.with_mut(|stage| {
        // SAFETY: the claim is held.
        let Stage::Future(future) = (unsafe { &mut *stage }) else {
            unreachable!("a claimed record that has not ended holds a future")
        };
        // SAFETY: the block never moves, and the future is dropped in place.
        let future = unsafe { Pin::new_unchecked(future) };
        panic::catch(move || future.poll(cx))
    });
    let outcome = match polled {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(Ok(value))) => Outcome::Ok(value),
        Ok(Poll::Ready(Err(error))) => Outcome::Err(Arc::new(error)),
        // SAFETY: the caller's token.
        Err(payload) => Outcome::Panicked(unsafe { header(record) }.panicked(id, payload)),
    };
    // SAFETY: the claim is held.
    Poll::Ready(unsafe { conclude::<F, T, E>(record, id, outcome) })
}

unsafe fn end<F, T, E>(record: NonNull<Header>, id: TaskId, ending: Ending) -> Ended
where
    E: Send + Sync + 'static,
{
    let outcome = match ending {
        Ending::Cancelled(reason) => Outcome::Cancelled(reason),
        Ending::Panicked(panic) => Outcome::Panicked(panic),
        Ending::Ok | Ending::Err(_) | Ending::Lost => Outcome::Lost,
    };
    // SAFETY: the claim is held.
    unsafe { conclude::<F, T, E>(record, id, outcome) }
}

/// Destroys the future and puts the outcome in its place; a panic of the destructor is an outcome
/// of its own, or the second of two panics.
unsafe fn conclude<F, T, E>(
    record: NonNull<Header>,
    id: TaskId,
    mut outcome: Outcome<T, E>,
) -> Ended
where
    E: Send + Sync + 'static,
{
    let mut second = None;
    // SAFETY: the caller's.
    if let Err(payload) = unsafe { destroy::<F, T, E>(record) } {
        // SAFETY: the caller's token.
        let panic = unsafe { header(record) }.panicked(id, payload);
        if let Outcome::Panicked(_) = outcome {
            second = Some(panic);
        } else if let Err(payload) =
            panic::catch_drop(std::mem::replace(&mut outcome, Outcome::Panicked(panic)))
        {
            // SAFETY: the caller's token.
            second = Some(unsafe { header(record) }.panicked(id, payload));
        }
    }
    let mut ending = outcome.ending();
    // SAFETY: the caller's token.
    if unsafe { header(record) }.state().has_handle() {
        // SAFETY: the caller's token.
        let stage = unsafe { stage::<F, T, E>(record) };
        // SAFETY: the claim is held, and `destroy` left the stage empty: nothing is dropped.
        stage.with_mut(|stage| unsafe { stage.write(Stage::Outcome(outcome)) });
    } else if let Err(payload) = panic::catch_drop(outcome) {
        // SAFETY: the caller's token.
        let panic = unsafe { header(record) }.panicked(id, payload);
        if matches!(ending, Ending::Panicked(_)) {
            second = second.or(Some(panic));
        } else {
            ending = Ending::Panicked(panic);
        }
    }
    Ended { ending, second }
}

/// Drops what stands in the stage, in place, and leaves it empty.
unsafe fn destroy<F, T, E>(record: NonNull<Header>) -> Result<(), Payload> {
    // SAFETY: the caller's token.
    let stage = unsafe { stage::<F, T, E>(record) };
    stage.with_mut(|stage| {
        // SAFETY: the right to the stage is the caller's. The value is dropped where it lies,
        // which is what a pinned future needs.
        let dropped = panic::catch(|| unsafe { stage.drop_in_place() });
        // SAFETY: what stood there is gone, even if its destructor panicked.
        unsafe { stage.write(Stage::Empty) };
        dropped
    })
}

unsafe fn discard<F, T, E>(record: NonNull<Header>) -> Ended {
    // SAFETY: the caller's.
    let ending = match unsafe { destroy::<F, T, E>(record) } {
        Ok(()) => Ending::Lost,
        Err(payload) => {
            // SAFETY: the caller's token.
            let header = unsafe { header(record) };
            Ending::Panicked(Panic::new(payload, None, header.name(), header.place()))
        }
    };
    Ended { ending, second: None }
}

unsafe fn drop_outcome<F, T, E>(record: NonNull<Header>) {
    // SAFETY: the caller's.
    if let Err(payload) = unsafe { destroy::<F, T, E>(record) } {
        panic::discard(payload);
    }
}

unsafe fn take<F, T, E>(record: NonNull<Header>, place: *mut ()) {
    // SAFETY: the caller's token.
    let stage = unsafe { stage::<F, T, E>(record) };
    // SAFETY: DONE is set, so the stage is the handle's.
    let stage = stage.with_mut(|stage| unsafe { stage.replace(Stage::Empty) });
    let outcome = match stage {
        Stage::Outcome(outcome) => Some(outcome),
        Stage::Future(_) | Stage::Empty => None,
    };
    // SAFETY: the caller passes a place for just this type.
    unsafe { place.cast::<Option<Outcome<T, E>>>().write(outcome) };
}

unsafe fn free<F, T, E>(record: NonNull<Header>) {
    // What is left of the user's (an outcome that nobody took) may panic in its destructor: then
    // the block is freed all the same.
    // SAFETY: nobody points to the record any more.
    if let Err(payload) = unsafe { destroy::<F, T, E>(record) } {
        panic::discard(payload);
    }
    // SAFETY: it came from a `Box` of this type.
    let block = unsafe { Box::from_raw(record.cast::<Block<F, T, E>>().as_ptr()) };
    if let Err(payload) = panic::catch_drop(block) {
        panic::discard(payload);
    }
}
