//! The number of the present stack: by a scan that is compared with a walk now and then, by a walk, or
//! by std's text, which is slow.

#![allow(unsafe_code)]

use super::unwind::{self, Part};
use super::{book, scan};
use crate::layers::base::sync::{GlobalU32, Ordering, thread_local};
use std::backtrace::Backtrace;
use std::cell::RefCell;

/// How stacks are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    /// By the words that are addresses of code; each that is new is walked.
    Scan = 1,
    /// By a walk of each.
    Unwind,
    /// By std's text of each.
    Std,
}

/// 0: the best that there is.
static METHOD: GlobalU32 = GlobalU32::new(0);

/// So many stacks a thread knows by their keys.
const KNOWN: usize = 256;

/// One scan in so many is compared with a walk.
const COMPARED: u32 = 4_096;

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(Keys { list: Vec::new(), hits: 0 }) };
}

/// Stacks by their keys.
struct Keys {
    list: Vec<(u64, u32)>,
    hits: u32,
}

pub(crate) fn set_method(method: Method) {
    // Relaxed, here and below: each method is right at any time.
    METHOD.store(method as u32, Ordering::Relaxed);
}

/// Returns the number of the stack of a part: 0 if there are too many already.
///
/// # Safety
///
/// Both ends of the part are stack pointers of frames of this thread that are still there.
pub(super) unsafe fn stack(part: Part) -> u32 {
    const UNWIND: u32 = Method::Unwind as u32;
    const STD: u32 = Method::Std as u32;
    match METHOD.load(Ordering::Relaxed) {
        _ if !unwind::IS_THERE => described(),
        STD => described(),
        UNWIND => walked(part),
        // SAFETY: the caller's promise.
        _ => unsafe { scanned(part) },
    }
}

/// # Safety
///
/// As of [`stack`].
unsafe fn scanned(part: Part) -> u32 {
    // SAFETY: the caller's promise.
    let Some(key) = (unsafe { scan::key(part) }) else { return walked(part) };
    // None where the thread is ending, or where what captures has taken a waker itself.
    let found = KEYS.try_with(|keys| keys.try_borrow_mut().ok()?.find(key)).ok().flatten();
    match found {
        Some((number, false)) => number,
        Some((number, true)) => {
            let walked = walked(part);
            if walked != number {
                // Frames that a scan cannot see: no more of them.
                set_method(Method::Unwind);
            }
            walked
        }
        None => {
            let number = walked(part);
            let _ending = KEYS.try_with(|keys| {
                if let Ok(mut keys) = keys.try_borrow_mut() {
                    keys.insert(key, number);
                }
            });
            number
        }
    }
}

impl Keys {
    /// Returns the stack of a key, and whether a walk is due to compare it with.
    fn find(&mut self, key: u64) -> Option<(u32, bool)> {
        let (_, number) = self.list.get(place(key)).filter(|known| known.0 == key)?;
        self.hits = self.hits.wrapping_add(1);
        Some((*number, self.hits % COMPARED == 0))
    }

    fn insert(&mut self, key: u64, number: u32) {
        if self.list.is_empty() {
            self.list.resize(KNOWN, (0, 0));
        }
        self.list[place(key)] = (key, number);
    }
}

fn place(key: u64) -> usize {
    (key >> 40) as usize % KNOWN
}

fn walked(part: Part) -> u32 {
    let addresses = unwind::addresses(part);
    book::stack(addresses.as_slice(), Backtrace::force_capture)
}

#[cold]
fn described() -> u32 {
    let text = Backtrace::force_capture();
    book::described(text)
}
