//! A child's future, with its type erased, in memory that is used again.
//!
//! Why unsafe code: a `Pin<Box<dyn Future>>` gives its memory back to the allocator with each child,
//! which is 230 instructions a child of 2,246 where a thousand are spawned at a time; and safe code
//! cannot put a value of another type into memory that it has.
//!
//! | state  | `future` | what comes next                                                        |
//! |--------|----------|------------------------------------------------------------------------|
//! | placed | some     | polled; dropped in place: empty                                        |
//! | empty  | none     | its piece is taken for another future, or freed with it                |
//!
//! # Invariants
//!
//! 1. A [`Piece`] has its memory alone, which is of the layout of its class; it frees it.
//! 2. While `future` is some, it points to a value in the memory of `piece`, which was written there
//!    by `put` and is not moved. It is made none before the value is dropped: so it is dropped once,
//!    also if its destructor panics.
//!
//! Only the [`Placed`] has the pointer, and it is not counted: it goes where its child goes, from the
//! inbox to its slot, and no waker and no handle reaches it.

#![allow(unsafe_code)]

use super::join::Giver;
use super::mode::{Mode, Work};
use crate::layers::base::mode::{Local, Sendable};
use crate::layers::base::outcome::Ending;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

/// The sizes of pieces are multiples of this.
const UNIT: usize = 32;
const ALIGN: usize = 16;

/// A larger future has memory of its own, which is not kept.
pub(super) const MOST: usize = 1024;

/// Memory for futures of a size, or none.
pub(super) struct Piece {
    at: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it has memory alone (invariant 1), and nothing is in it.
unsafe impl Send for Piece {}
// SAFETY: as above.
unsafe impl Sync for Piece {}

/// What memory a future needs, by its type.
struct Needs<F>(PhantomData<F>);

impl<F> Needs<F> {
    const LAYOUT: Layout = {
        let own = Layout::new::<F>();
        match own.align() <= ALIGN && own.size() <= MOST {
            true => layout_of(own.size().div_ceil(UNIT)),
            false => own,
        }
    };
}

const fn layout_of(class: usize) -> Layout {
    match Layout::from_size_align(class * UNIT, ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("a class of pieces is small"),
    }
}

/// Returns which pieces a future of this type fits into; `None` if they are not kept.
fn class_of<F>() -> Option<usize> {
    let layout = Needs::<F>::LAYOUT;
    let kept = layout.size() > 0 && layout.size() <= MOST && layout.align() == ALIGN;
    kept.then(|| layout.size().div_ceil(UNIT))
}

impl Piece {
    fn new(layout: Layout) -> Piece {
        if layout.size() == 0 {
            let at = NonNull::new(ptr::without_provenance_mut(layout.align()));
            return Piece { at: at.expect("an alignment is not 0"), layout };
        }
        // SAFETY: the size is not 0.
        let at = unsafe { alloc(layout) };
        let Some(at) = NonNull::new(at) else { handle_alloc_error(layout) };
        Piece { at, layout }
    }

    /// Returns its class, if it is worth to be kept.
    fn class(&self) -> Option<usize> {
        let size = self.layout.size();
        let kept = self.layout.align() == ALIGN && size > 0 && size <= MOST && size % UNIT == 0;
        kept.then_some(size / UNIT)
    }
}

/// Pieces that are free, by their class.
#[derive(Default)]
pub(super) struct Pieces(Vec<Vec<Piece>>);

impl Pieces {
    fn take<F>(&mut self) -> Option<Piece> {
        self.0.get_mut(class_of::<F>()?)?.pop()
    }

    pub(super) fn put(&mut self, piece: Piece) {
        let Some(class) = piece.class() else { return };
        if self.0.len() <= class {
            self.0.resize_with(class + 1, Vec::new);
        }
        self.0[class].push(piece);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: invariant 1: it was allocated with this layout, and nothing points to it.
            unsafe { dealloc(self.at.as_ptr(), self.layout) }
        }
    }
}

/// A child's future, or the memory in which it was.
pub(super) struct Placed<'a, M: Mode> {
    piece: Piece,
    future: Option<NonNull<M::Task<'a>>>,
    owns: PhantomData<M::Task<'a>>,
}

// SAFETY: it owns the future, as a box does.
unsafe impl<'a, M: Mode> Send for Placed<'a, M> where M::Task<'a>: Send {}
// SAFETY: as above.
unsafe impl<'a, M: Mode> Sync for Placed<'a, M> where M::Task<'a>: Sync {}

impl<'a> Placed<'a, Sendable> {
    /// Puts a future into one of the pieces, if there is one that fits, or into new memory.
    pub(super) fn sendable<F>(pieces: &mut Pieces, future: F) -> Self
    where
        F: Work<<Sendable as Mode>::Join<'a>> + Send + 'a,
    {
        put(pieces.take::<F>(), future, |at: *mut F| -> *mut <Sendable as Mode>::Task<'a> { at })
    }
}

impl<'a> Placed<'a, Local> {
    /// As [`Placed::sendable`].
    pub(super) fn local<F>(pieces: &mut Pieces, future: F) -> Self
    where
        F: Work<<Local as Mode>::Join<'a>> + 'a,
    {
        put(pieces.take::<F>(), future, |at: *mut F| -> *mut <Local as Mode>::Task<'a> { at })
    }
}

/// `erase` returns what it is given, unsized.
fn put<'a, M: Mode, F>(
    piece: Option<Piece>,
    future: F,
    erase: impl FnOnce(*mut F) -> *mut M::Task<'a>,
) -> Placed<'a, M> {
    let layout = Needs::<F>::LAYOUT;
    let piece = piece.filter(|piece| piece.layout == layout).unwrap_or_else(|| Piece::new(layout));
    let at = piece.at.cast::<F>();
    // SAFETY: the piece has its memory alone, and its layout is that which `F` needs, or larger.
    unsafe { at.write(future) }
    Placed { piece, future: NonNull::new(erase(at.as_ptr())), owns: PhantomData }
}

impl<'a, M: Mode> Placed<'a, M> {
    #[inline(always)]
    fn clear(&mut self) {
        if let Some(future) = self.future.take() {
            // SAFETY: invariant 2: it is there, and dropped here alone.
            unsafe { ptr::drop_in_place(future.as_ptr()) }
        }
    }

    /// Returns where the child's outcome is given out, if it has a handle; once, and while its future
    /// is there.
    fn take_join(&mut self) -> Option<Giver<M::Join<'a>>> {
        self.pinned()?.take_join()
    }

    #[inline(always)]
    fn pinned(&mut self) -> Option<Pin<&mut M::Task<'a>>> {
        // SAFETY: invariant 2: it is there, and the `Placed` is borrowed exclusively.
        let future = unsafe { self.future.as_mut()?.as_mut() };
        // SAFETY: invariant 2: it is not moved until it is dropped.
        Some(unsafe { Pin::new_unchecked(future) })
    }

    /// Drops the future, if it is there, and returns its memory.
    #[inline(always)]
    pub(super) fn into_piece(mut self) -> Piece {
        self.clear();
        let none = Piece { at: NonNull::dangling(), layout: Layout::new::<()>() };
        mem::replace(&mut self.piece, none)
    }
}

impl<M: Mode> Drop for Placed<'_, M> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The future, for a poll or a drop in the child's context. It is dropped when it is ready, and with
/// this, unless this is forgotten; then `join` is where its outcome is given out.
pub(super) struct Running<'p, 'a, M: Mode> {
    pub(super) task: &'p mut Placed<'a, M>,
    pub(super) join: &'p mut Option<Giver<M::Join<'a>>>,
}

impl<M: Mode> Future for Running<'_, '_, M> {
    type Output = Ending;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ending> {
        let Running { task, join } = &mut *self;
        let mut future = task.pinned().expect("it is not polled after it was ready");
        let Poll::Ready(done) = future.as_mut().poll(cx) else { return Poll::Pending };
        // Here: in the frame, and with the panics, of the poll.
        **join = future.take_join();
        task.clear();
        Poll::Ready(done.0)
    }
}

impl<M: Mode> Drop for Running<'_, '_, M> {
    fn drop(&mut self) {
        if let Some(join) = self.task.take_join() {
            *self.join = Some(join);
        }
        self.task.clear();
    }
}
