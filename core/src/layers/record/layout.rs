//! The typed side of a record: one block for header, future and outcome, and the functions that
//! know its types.
//!
//! | part   | plain child        | child with a handle                    |
//! |--------|--------------------|----------------------------------------|
//! | header | 64 bytes           | 64 bytes                               |
//! | joiner | –                  | the joiner, 16 bytes                   |
//! | stage  | the future         | the future, then the outcome           |
//!
//! The future and its outcome share one place, so a child costs the larger of the two. The header's
//! `stage_state` says which of them stands there, and not a tag, which would cost another word.
//!
//! It is tempting to erase by transmuting `Box<dyn Future<Output = T>>` to another output; that is
//! undefined behaviour. Here the erased functions have results without types, and the value passes
//! through the stage.

#![allow(unsafe_code)]

mod shape;

use super::joiner::Joiner;
use super::{Ended, Header, Judge, Polled, StageState};
use crate::layers::base::id::TaskId;
use crate::layers::base::outcome::{Ending, Outcome};
use crate::layers::base::panic::{self, Payload};
use crate::layers::base::sync::{Arc, UnsafeCell};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use shape::Shape;
pub(super) use shape::{Joined, Plain};

/// A whole record. `repr(C)` puts the header first and the joiner second, so that a pointer to the
/// block is a pointer to the header, and to a [`JoinHeader`] if there is a handle.
#[repr(C)]
struct Block<F, J, K> {
    header: Header,
    joiner: J,
    stage: UnsafeCell<Stage<F, K>>,
}

/// The front of every record that has a handle.
#[repr(C)]
pub(super) struct JoinHeader {
    header: Header,
    pub(super) joiner: UnsafeCell<Joiner>,
}

/// `repr(C)`: a pointer to it is a pointer to either.
#[repr(C)]
union Stage<F, K> {
    future: ManuallyDrop<F>,
    kept: ManuallyDrop<K>,
}

/// The functions that know a record's types.
///
/// All but `free` need the right to the stage (invariant 2 of the parent module).
pub(super) struct VTable {
    /// Polls the future; unless it is pending, it has been destroyed.
    pub(super) poll: unsafe fn(NonNull<Header>, TaskId, Judge, &mut Context<'_>) -> Polled,
    /// Destroys the future, if it is still there, with this ending.
    pub(super) end: unsafe fn(NonNull<Header>, TaskId, Ending) -> Ended,
    /// Drops what stands in the stage and leaves it empty.
    pub(super) clear: unsafe fn(NonNull<Header>) -> Result<(), Payload>,
    /// Moves the outcome to the `Option<Outcome<T, E>>` that the pointer points to. Returns how the
    /// child ended, if it has no value.
    pub(super) take: unsafe fn(NonNull<Header>, *mut ()) -> Option<Ending>,
    /// Returns how the child ended, if the outcome stands in the stage.
    pub(super) ending: unsafe fn(NonNull<Header>) -> Option<Ending>,
    /// Frees the block.
    pub(super) free: unsafe fn(NonNull<Header>),
}

struct Table<F, T, E, K>(PhantomData<(F, T, E, K)>);

impl<F, T, E, K> Table<F, T, E, K>
where
    F: Future<Output = Result<T, E>>,
    E: Send + Sync + 'static,
    K: Shape<T, E>,
{
    const VTABLE: &'static VTable = &VTable {
        poll: poll::<F, T, E, K>,
        end: end::<F, T, E, K>,
        clear: clear::<F, T, E, K>,
        take: take::<F, T, E, K>,
        ending: ending::<F, T, E, K>,
        free: free::<F, T, E, K>,
    };
}

/// Creates a record, in one allocation. `header` is called with the functions that know its types.
pub(super) fn allocate<F, T, E, K>(
    header: impl FnOnce(&'static VTable) -> Header,
    future: F,
) -> NonNull<Header>
where
    F: Future<Output = Result<T, E>>,
    E: Send + Sync + 'static,
    K: Shape<T, E>,
{
    let stage = UnsafeCell::new(Stage::<F, K::Kept> { future: ManuallyDrop::new(future) });
    let header = header(Table::<F, T, E, K>::VTABLE);
    NonNull::from(Box::leak(Box::new(Block { header, joiner: K::joiner(), stage }))).cast()
}

type StageOf<F, T, E, K> = UnsafeCell<Stage<F, <K as Shape<T, E>>::Kept>>;

unsafe fn stage<'a, F, T, E, K: Shape<T, E>>(record: NonNull<Header>) -> &'a StageOf<F, T, E, K> {
    let block = record.cast::<Block<F, K::Joiner, K::Kept>>();
    // SAFETY: the vtable's functions are called with the record that they were made for, and its
    // memory is kept by the caller's token.
    &unsafe { block.as_ref() }.stage
}

unsafe fn header<'a>(record: NonNull<Header>) -> &'a Header {
    // SAFETY: as in `stage`.
    unsafe { record.as_ref() }
}

unsafe fn poll<F, T, E, K>(
    record: NonNull<Header>,
    id: TaskId,
    is_echo: Judge,
    cx: &mut Context<'_>,
) -> Polled
where
    F: Future<Output = Result<T, E>>,
    E: Send + Sync + 'static,
    K: Shape<T, E>,
{
    // SAFETY: the caller's token.
    let header = unsafe { header(record) };
    assert!(
        matches!(header.stage_state(), StageState::Future | StageState::Busy),
        "a claimed record that has not ended holds a future"
    );
    header.set_stage_state(StageState::Busy);
    // SAFETY: the caller's token.
    let stage = unsafe { stage::<F, T, E, K>(record) };
    // Outside of the closure: a value is not dropped by the panic of its future's destructor.
    let mut polled = Poll::Pending;
    let caught = stage.with_mut(|stage| {
        let stage = stage.cast::<F>();
        // SAFETY: the claim is held, and the future stands there.
        let future = unsafe { &mut *stage };
        // SAFETY: the block never moves, and the future is dropped in place.
        let future = unsafe { Pin::new_unchecked(future) };
        panic::catch(|| {
            polled = future.poll(cx);
            if let Poll::Ready(Ok(_)) = polled {
                // SAFETY: it stands there still, and is dropped once: the stage is empty from here
                // on, also if its destructor panics.
                unsafe { stage.drop_in_place() };
            }
        })
    });
    let outcome = match (polled, caught) {
        (Poll::Pending, Ok(())) => return Polled::Pending,
        (Poll::Ready(Ok(value)), Ok(())) => {
            header.set_stage_state(StageState::Empty);
            // SAFETY: the claim is held, and the stage is empty.
            return unsafe { keep_value::<F, T, E, K>(record, id, value) };
        }
        (Poll::Ready(Ok(value)), Err(payload)) => {
            header.set_stage_state(StageState::Empty);
            let panic = header.panicked(id, payload);
            let second = panic::catch_drop(value).err().map(|payload| header.panicked(id, payload));
            // SAFETY: the claim is held.
            let mut ended = unsafe { conclude::<F, T, E, K>(record, id, Outcome::Panicked(panic)) };
            ended.second = second;
            return Polled::Ended(Box::new(ended));
        }
        (Poll::Ready(Err(error)), Ok(())) => match failure(error, is_echo) {
            Some(error) => Outcome::Err(error),
            None => return Polled::Pending,
        },
        (Poll::Pending | Poll::Ready(Err(_)), Err(payload)) => {
            Outcome::Panicked(header.panicked(id, payload))
        }
    };
    // SAFETY: the claim is held.
    Polled::Ended(Box::new(unsafe { conclude::<F, T, E, K>(record, id, outcome) }))
}

/// Keeps the value of a future that was destroyed, or drops it if there is no handle.
#[inline]
unsafe fn keep_value<F, T, E, K>(record: NonNull<Header>, id: TaskId, value: T) -> Polled
where
    E: Send + Sync + 'static,
    K: Shape<T, E>,
{
    // SAFETY: the caller's token.
    let header = unsafe { header(record) };
    let mut outcome = Outcome::Ok(value);
    if K::HANDLE && header.state().has_handle() {
        match K::keep(outcome) {
            Ok(kept) => {
                // SAFETY: the caller's token.
                let stage = unsafe { stage::<F, T, E, K>(record) };
                let kept = Stage { kept: ManuallyDrop::new(kept) };
                // SAFETY: the claim is held, and the stage is empty.
                stage.with_mut(|stage| unsafe { stage.write(kept) });
                header.set_stage_state(StageState::Outcome);
                return Polled::Value { kept: true };
            }
            Err(back) => outcome = back,
        }
    }
    if !std::mem::needs_drop::<T>() {
        return Polled::Value { kept: false };
    }
    match panic::catch_drop(outcome) {
        Ok(()) => Polled::Value { kept: false },
        Err(payload) => {
            let ending = Ending::Panicked(header.panicked(id, payload));
            Polled::Ended(Box::new(Ended { ending, second: None }))
        }
    }
}

/// Returns the error if it is a failure. Out of line: most children do not fail.
#[cold]
#[inline(never)]
fn failure<E: Send + Sync + 'static>(error: E, is_echo: Judge) -> Option<Arc<E>> {
    let error = Arc::new(error);
    (!is_echo(error.clone())).then_some(error)
}

unsafe fn end<F, T, E, K>(record: NonNull<Header>, id: TaskId, ending: Ending) -> Ended
where
    E: Send + Sync + 'static,
    K: Shape<T, E>,
{
    let outcome = match ending {
        Ending::Cancelled(reason) | Ending::NoValue(reason) => Outcome::Cancelled(reason),
        Ending::Panicked(panic) => Outcome::Panicked(panic),
        Ending::Ok
        | Ending::Err(_)
        | Ending::Echo(_)
        | Ending::Lost
        | Ending::Stuck
        | Ending::Deadlock(_) => Outcome::Lost,
    };
    // SAFETY: the claim is held.
    unsafe { conclude::<F, T, E, K>(record, id, outcome) }
}

/// Destroys the future and puts the outcome in its place. A panic of the destructor is an outcome
/// of its own, or the second of two panics.
unsafe fn conclude<F, T, E, K>(
    record: NonNull<Header>,
    id: TaskId,
    mut outcome: Outcome<T, E>,
) -> Ended
where
    E: Send + Sync + 'static,
    K: Shape<T, E>,
{
    // SAFETY: the caller's token.
    let header = unsafe { header(record) };
    let mut second = None;
    // SAFETY: the caller's promise.
    if let Err(payload) = unsafe { clear::<F, T, E, K>(record) } {
        let panic = header.panicked(id, payload);
        if let Outcome::Panicked(_) = outcome {
            second = Some(panic);
        } else {
            let old = std::mem::replace(&mut outcome, Outcome::Panicked(panic));
            second = panic::catch_drop(old).err().map(|payload| header.panicked(id, payload));
        }
    }
    if header.state().has_handle() {
        let ending = outcome.ending();
        match K::keep(outcome) {
            Ok(kept) => {
                // SAFETY: the caller's token.
                let stage = unsafe { stage::<F, T, E, K>(record) };
                let kept = Stage { kept: ManuallyDrop::new(kept) };
                // SAFETY: the claim is held, and `clear` left the stage empty.
                stage.with_mut(|stage| unsafe { stage.write(kept) });
                header.set_stage_state(StageState::Outcome);
                return Ended { ending, second };
            }
            Err(back) => outcome = back,
        }
    }
    let (ending, dropped) = outcome.into_ending();
    // A panic in the destructor of a value that is not taken: the child had returned `Ok` then.
    let ending = match dropped {
        Ok(()) => ending,
        Err(payload) => Ending::Panicked(header.panicked(id, payload)),
    };
    Ended { ending, second }
}

/// Drops what stands in the stage, in place, and leaves it empty.
unsafe fn clear<F, T, E, K: Shape<T, E>>(record: NonNull<Header>) -> Result<(), Payload> {
    // SAFETY: the caller's token.
    let header = unsafe { header(record) };
    // SAFETY: the caller's token.
    let stage = unsafe { stage::<F, T, E, K>(record) };
    let stage_state = header.stage_state();
    if stage_state == StageState::Future {
        header.set_stage_state(StageState::Busy);
    }
    let dropped = stage.with_mut(|stage| {
        panic::catch(|| match stage_state {
            StageState::Empty => {}
            StageState::Future | StageState::Busy => {
                // SAFETY: the right to the stage is the caller's, and the future stands there. It
                // is dropped where it lies, which is what a pinned future needs.
                unsafe { stage.cast::<F>().drop_in_place() }
            }
            StageState::Outcome => {
                // SAFETY: as above, for the outcome.
                unsafe { stage.cast::<K::Kept>().drop_in_place() }
            }
        })
    });
    // What stood there is gone, even if its destructor panicked.
    header.set_stage_state(StageState::Empty);
    dropped
}

unsafe fn take<F, T, E, K: Shape<T, E>>(record: NonNull<Header>, place: *mut ()) -> Option<Ending> {
    // SAFETY: the caller's token.
    let header = unsafe { header(record) };
    let mut ending = None;
    let outcome = if header.stage_state() == StageState::Outcome {
        header.set_stage_state(StageState::Empty);
        // SAFETY: the caller's token.
        let stage = unsafe { stage::<F, T, E, K>(record) };
        // SAFETY: DONE is set, so the stage is the handle's; the outcome stood there, and is moved
        // out once.
        let kept = stage.with_mut(|stage| unsafe { stage.cast::<K::Kept>().read() });
        if !K::is_value(&kept) {
            ending = K::ending(&kept);
        }
        K::give(kept)
    } else {
        None
    };
    // SAFETY: the caller passes a place for just this type.
    unsafe { place.cast::<Option<Outcome<T, E>>>().write(outcome) };
    ending
}

unsafe fn ending<F, T, E, K: Shape<T, E>>(record: NonNull<Header>) -> Option<Ending> {
    // SAFETY: the caller's token.
    let header = unsafe { header(record) };
    if header.stage_state() != StageState::Outcome {
        return None;
    }
    // SAFETY: the caller's token.
    let stage = unsafe { stage::<F, T, E, K>(record) };
    // SAFETY: DONE is set, so the stage is the handle's, and the outcome stands there.
    stage.with(|stage| K::ending(unsafe { &*stage.cast::<K::Kept>() }))
}

unsafe fn free<F, T, E, K: Shape<T, E>>(record: NonNull<Header>) {
    // What is left of the user's (an outcome that was not taken) may panic in its destructor: the
    // block is freed even then.
    // SAFETY: no pointer to the record is left.
    if let Err(payload) = unsafe { clear::<F, T, E, K>(record) } {
        panic::discard(payload);
    }
    // SAFETY: it came from a `Box` of this type.
    let block = unsafe { Box::from_raw(record.cast::<Block<F, K::Joiner, K::Kept>>().as_ptr()) };
    if let Err(payload) = panic::catch_drop(block) {
        panic::discard(payload);
    }
}
