//! The return addresses of a stack, by the unwinder that std is linked with: no dependency.
//!
//! Where there is no such unwinder, or it is not known to be there, it finds none.

#![allow(unsafe_code)]

/// So many frames are read, from the innermost.
pub(super) const DEEPEST: usize = 128;

/// A part of the present stack: from the stack pointer of the frame that captures up to that of the
/// poll.
#[allow(dead_code, reason = "nothing reads it where there is no unwinder and no scan")]
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) limit: usize,
}

/// The addresses of the frames of a part, the innermost first.
#[allow(dead_code, reason = "nothing reads it where there is no unwinder and no scan")]
pub(super) struct Addresses {
    part: Part,
    count: usize,
    list: [usize; DEEPEST],
}

impl Addresses {
    pub(super) fn as_slice(&self) -> &[usize] {
        &self.list[..self.count]
    }
}

/// Returns an address of the present stack: all frames of what the caller calls are below it.
#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let at: usize;
    // Not the address of a value: the address sanitizer may have put that elsewhere.
    // SAFETY: it copies one register into another.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) at, options(nomem, nostack, preserves_flags));
    };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) at, options(nomem, nostack, preserves_flags));
    };
    at
}

/// As above, by the address of a value.
#[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
#[inline(never)]
pub(super) fn stack_pointer() -> usize {
    let here = 0_u8;
    // The caller's frame is next to this one.
    std::hint::black_box(&raw const here).addr() + 64
}

/// Whether there is an unwinder.
pub(super) const IS_THERE: bool = cfg!(all(
    any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd"),
    target_pointer_width = "64",
    not(any(loom, miri))
));

#[cfg(all(
    any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd"),
    target_pointer_width = "64",
    not(any(loom, miri))
))]
mod system {
    use super::{Addresses, DEEPEST};
    use std::ffi::{c_int, c_void};
    use std::ptr;

    const NO_REASON: c_int = 0;
    const END_OF_STACK: c_int = 5;

    unsafe extern "C" {
        // Of the Itanium C++ ABI: std's backtraces and panics use them.
        fn _Unwind_Backtrace(
            step: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
            arg: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
        fn _Unwind_GetCFA(context: *mut c_void) -> usize;
    }

    extern "C" fn step(context: *mut c_void, arg: *mut c_void) -> c_int {
        // SAFETY: it is the `Addresses` of `walk`, which is borrowed until the walk is over.
        let addresses = unsafe { &mut *arg.cast::<Addresses>() };
        // SAFETY: the unwinder's own context, in its call.
        let frame = unsafe { _Unwind_GetCFA(context) };
        if frame > addresses.part.limit || addresses.count == DEEPEST {
            return END_OF_STACK;
        }
        if frame <= addresses.part.from {
            return NO_REASON;
        }
        // SAFETY: as above.
        addresses.list[addresses.count] = unsafe { _Unwind_GetIP(context) };
        addresses.count += 1;
        NO_REASON
    }

    #[inline(never)]
    pub(super) fn walk(addresses: &mut Addresses) {
        let arg = ptr::from_mut(addresses).cast();
        // SAFETY: it calls `step` with `arg` for each frame, and returns.
        unsafe { _Unwind_Backtrace(step, arg) };
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd"),
    target_pointer_width = "64",
    not(any(loom, miri))
)))]
mod system {
    pub(super) fn walk(_: &mut super::Addresses) {}
}

pub(super) fn addresses(part: Part) -> Addresses {
    let mut addresses = Addresses { part, count: 0, list: [0; DEEPEST] };
    system::walk(&mut addresses);
    addresses
}
