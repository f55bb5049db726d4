//! An allocator that knows the records: by their alignment, which is that of the children's
//! futures and of nothing else.
//!
//! It counts them, a model a thread. A record that is freed is filled with rubbish and kept until
//! the model's next run, so that a thread that comes too late finds rubbish and not the record.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

/// The alignment of a child's future; keep it with [`Kid`](crate::kid::Kid).
pub(crate) const ALIGN: usize = 512;

/// How many records one run of a model may free.
const MOST: usize = 8;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

type Freed = Option<(*mut u8, Layout)>;

// loom's threads are coroutines of the thread that runs the model: a std thread-local is one for
// each model.
std::thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static FREED: [Cell<Freed>; MOST] = const { [const { Cell::new(None) }; MOST] };
}

/// Starts counting anew, and lets go of what the last run freed.
pub(crate) fn begin() {
    LIVE.set(0);
    FREED.with(|freed| {
        for (block, layout) in freed.iter().filter_map(Cell::take) {
            // SAFETY: it was handed to `dealloc` with this layout, and kept since.
            unsafe { System.dealloc(block, layout) };
        }
    });
}

/// Returns how many records are there.
pub(crate) fn live() -> isize {
    LIVE.get()
}

// SAFETY: everything goes to the system's allocator, a few blocks a little later.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() == ALIGN {
            LIVE.set(LIVE.get() + 1);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() != ALIGN {
            // SAFETY: the caller's promise.
            return unsafe { System.dealloc(block, layout) };
        }
        LIVE.set(LIVE.get() - 1);
        // SAFETY: the caller gives the block up.
        unsafe { ptr::write_bytes(block, 0xdd, layout.size()) };
        FREED.with(|freed| {
            // Without a free place it is leaked.
            if let Some(place) = freed.iter().find(|place| place.get().is_none()) {
                place.set(Some((block, layout)));
            }
        });
    }
}
