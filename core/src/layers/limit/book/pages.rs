//! All rows of the process, in pages that are never freed; and those that are in no thread's stock.

use super::row::Row;
use crate::layers::base::guarded::Guarded;
use crate::layers::base::sync::global;
use std::array;

/// Rows in a page: 2 KiB. Loom's models look at few.
pub(super) const ROWS: usize = if cfg!(loom) { 2 } else { 32 };

pub(super) type Page = [Row; ROWS];

struct Pages {
    all: Vec<&'static Page>,
    /// It has room for all rows, so that giving one back allocates nothing.
    spare: Vec<&'static Row>,
}

global! {
    static PAGES: Guarded<Pages> = const { Guarded::new(Pages { all: Vec::new(), spare: Vec::new() }) };
}

impl Pages {
    fn add(&mut self, page: &'static Page) {
        self.all.push(page);
        self.spare.extend(page);
        self.spare.reserve(self.all.len() * ROWS - self.spare.len());
    }
}

/// Returns the pages that there are.
pub(super) fn all() -> Vec<&'static Page> {
    PAGES.locked(|pages| pages.all.clone())
}

/// Calls `f` with each of `count` spare rows.
pub(super) fn take(count: usize, mut f: impl FnMut(&'static Row)) {
    let mut missing = count;
    loop {
        PAGES.locked(|pages| {
            let from = pages.spare.len().saturating_sub(missing);
            missing -= pages.spare.len() - from;
            pages.spare.drain(from..).for_each(&mut f);
        });
        if missing == 0 {
            return;
        }
        // The page is made without the lock.
        let page: &'static Page = Box::leak(Box::new(array::from_fn(|_| Row::new())));
        PAGES.locked(|pages| pages.add(page));
    }
}

/// Takes spare rows back.
pub(super) fn give(rows: impl Iterator<Item = &'static Row>) {
    PAGES.locked(|pages| pages.spare.extend(rows));
}
