//! A thread's stock of spare rows.
//!
//! | a stock | `len`     | `rows`                    | a row that is taken | a row that is given back   |
//! |---------|-----------|---------------------------|---------------------|----------------------------|
//! | closed  | all       | none                      | opens it            | opens it                   |
//! | open    | 0 to all  | the first `len` are spare | half a stock from the pages, if it is empty | half a stock to the pages, if it is full |
//!
//! A stock is closed before its thread's first row, and again when the thread ends: what a
//! destructor of another thread-local takes and gives back afterwards goes to the pages. A closed
//! one looks empty to one side and full to the other, so the fast ways ask for nothing else. It has
//! no destructor itself, since each access to a thread-local that has one asks whether it ran.
//!
//! *It is tempting* to give each row back to the thread that took it from the pages, by a stack that
//! other threads push it on. That costs a read-modify-write for each row that is given back
//! elsewhere, and links through rows, which is unsafe code; the time is the same (docs/LIMITS.md).

use super::pages;
use super::row::Row;
use crate::layers::base::sync::thread_local;
use std::cell::Cell;

/// The most rows in a stock.
const ALL: usize = if cfg!(loom) { 2 } else { 64 };
const HALF: usize = ALL / 2;

pub(super) struct Stock {
    len: Cell<usize>,
    rows: [Cell<Option<&'static Row>>; ALL],
}

thread_local! {
    static STOCK: Stock = const { Stock::closed() };
}

/// Takes a row that is `FREE`, and the caller's.
#[inline(always)]
pub(super) fn take() -> &'static Row {
    STOCK.try_with(Stock::take).unwrap_or_else(|_| take_one())
}

/// Takes back a row that is `FREE`, and was the caller's.
#[inline(always)]
pub(super) fn give(row: &'static Row) {
    if STOCK.try_with(|stock| stock.give(row)).is_err() {
        pages::give([row].into_iter());
    }
}

#[cold]
fn take_one() -> &'static Row {
    let mut taken = None;
    pages::take(1, |row| taken = Some(row));
    taken.expect("the pages give as many rows as they are asked for")
}

impl Stock {
    const fn closed() -> Stock {
        Stock { len: Cell::new(ALL), rows: [const { Cell::new(None) }; ALL] }
    }

    #[inline(always)]
    fn take(&self) -> &'static Row {
        let last = self.len.get().wrapping_sub(1);
        match self.rows.get(last).and_then(Cell::get) {
            Some(row) => {
                self.len.set(last);
                row
            }
            None => self.take_slow(),
        }
    }

    #[cold]
    fn take_slow(&self) -> &'static Row {
        if self.is_closed() && !self.open() {
            return take_one();
        }
        pages::take(HALF, |row| {
            self.rows[self.len.get()].set(Some(row));
            self.len.set(self.len.get() + 1);
        });
        self.take()
    }

    #[inline(always)]
    fn give(&self, row: &'static Row) {
        match self.rows.get(self.len.get()) {
            Some(place) => {
                place.set(Some(row));
                self.len.set(self.len.get() + 1);
            }
            None => self.give_slow(row),
        }
    }

    #[cold]
    fn give_slow(&self, row: &'static Row) {
        if self.is_closed() {
            if !self.open() {
                return pages::give([row].into_iter());
            }
        } else {
            self.len.set(HALF);
            pages::give(self.rows[HALF..].iter().filter_map(Cell::take));
        }
        self.give(row);
    }

    fn is_closed(&self) -> bool {
        self.len.get() == ALL && self.rows[0].get().is_none()
    }

    /// Opens it, unless the thread has ended.
    fn open(&self) -> bool {
        let opens = ends_with_thread();
        if opens {
            self.len.set(0);
        }
        opens
    }

    #[cfg(not(loom))]
    fn close(&self) {
        if self.is_closed() {
            return;
        }
        let len = self.len.replace(ALL);
        // Behind `len` there are rows that were taken.
        self.rows[len..].iter().for_each(|row| row.set(None));
        pages::give(self.rows.iter().filter_map(Cell::take));
    }
}

#[cfg(not(loom))]
struct AtEnd;

#[cfg(not(loom))]
impl Drop for AtEnd {
    fn drop(&mut self) {
        STOCK.with(Stock::close);
    }
}

#[cfg(not(loom))]
thread_local! {
    static AT_END: AtEnd = const { AtEnd };
}

/// Has the stock closed when the thread ends. Returns `false` if that was.
#[cfg(not(loom))]
fn ends_with_thread() -> bool {
    AT_END.try_with(|_| ()).is_ok()
}

/// Loom drops thread-locals when the model may be over already: there a thread that ends loses its
/// stock. Its models spill rows to the pages instead.
#[cfg(loom)]
fn ends_with_thread() -> bool {
    true
}
