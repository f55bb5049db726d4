//! A key of the present stack, without a walk: a hash of those of its words that are addresses of this
//! program's code, each with its distance from the limit.
//!
//! Equal words at equal places are an equal chain of calls: the innermost return address stands at a
//! known place and names the call, and so how large its frame is, where the next one stands, and so on
//! up to the limit. Words that are left over from earlier calls give one chain several keys; that costs
//! another walk, and no wrong answer. What it cannot see: frames of dynamic size, and callers in another
//! shared library; so what [uses](super::capture) it compares with a walk now and then.

#![allow(unsafe_code)]

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(loom, miri, allhome_no_scan))
))]
mod words {
    use crate::layers::base::stacks::unwind::Part;
    use crate::layers::base::sync::GlobalOnce;
    use std::arch::asm;

    /// Where the text of the program is, and how large.
    static TEXT: GlobalOnce<Option<(usize, usize)>> = GlobalOnce::new();

    /// A part that is larger is walked: it may span two stacks, of code that switches to one of its own,
    /// with a page between them that cannot be read. Such stacks are larger than this.
    const LARGEST: usize = 1 << 16;

    const WORD: usize = size_of::<usize>();

    /// Reads the word at an address of the present stack.
    ///
    /// # Safety
    ///
    /// The address is one of a word between the present stack pointer and a frame of this thread that
    /// is still there.
    #[inline(always)]
    unsafe fn word(at: usize) -> usize {
        let word: usize;
        // In assembly, because for the language what stands there are the values of others, or none.
        // SAFETY: the caller's promise: it is mapped, and this thread alone writes it.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            asm!("mov {}, [{}]", out(reg) word, in(reg) at, options(readonly, nostack, preserves_flags));
        };
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            asm!("ldr {}, [{}]", out(reg) word, in(reg) at, options(readonly, nostack, preserves_flags));
        };
        word
    }

    /// Returns the key of a part of the stack, if it can be read.
    ///
    /// # Safety
    ///
    /// Both ends are stack pointers of frames of this thread that are still there.
    #[inline(never)]
    pub(in super::super) unsafe fn key(Part { from, limit }: Part) -> Option<u64> {
        let (text, size) = (*TEXT.get_or_init(text))?;
        if limit.checked_sub(from).is_none_or(|size| size > LARGEST) {
            return None;
        }
        let mut at = from;
        let mut hash = 0_u64;
        while at < limit {
            // SAFETY: by the caller's promise; and a stack pointer is a multiple of a word.
            let word = unsafe { word(at) };
            if word.wrapping_sub(text) < size {
                let placed = word as u64 ^ ((limit - at) as u64) << 44;
                hash = (hash.rotate_left(5) ^ placed).wrapping_mul(0x517c_c1b7_2722_0a95);
            }
            at += WORD;
        }
        // 0 is no key.
        Some(hash | 1)
    }

    /// Returns where the program's file begins in memory, or 0.
    pub(in super::super) fn program() -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let first = maps.lines().next().and_then(|line| line.split('-').next());
        first.and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }

    /// Finds the code that this function is a part of.
    fn text() -> Option<(usize, usize)> {
        let here = text as fn() -> Option<(usize, usize)> as usize;
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        maps.lines().find_map(|line| {
            let (range, _) = line.split_once(" r-x")?;
            let (start, end) = range.split_once('-')?;
            let hex = |digits| usize::from_str_radix(digits, 16).ok();
            let (start, end) = (hex(start)?, hex(end)?);
            (start..end).contains(&here).then_some((start, end - start))
        })
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(loom, miri, allhome_no_scan))
)))]
mod words {
    /// # Safety
    ///
    /// None is needed.
    pub(in super::super) unsafe fn key(
        _: crate::layers::base::stacks::unwind::Part,
    ) -> Option<u64> {
        None
    }

    pub(in super::super) fn program() -> usize {
        0
    }
}

pub(super) use words::{key, program};
