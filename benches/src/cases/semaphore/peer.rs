//! The semaphores that are compared, behind one trait.

use std::hint::black_box;

use futures_intrusive::sync as intrusive;

/// A semaphore under test. Its futures are its own, with nothing around them.
pub(super) trait Peer: Send + Sync + 'static {
    type Grant<'a>: Send;
    const NAME: &'static str;

    fn new(permits: usize) -> Self;
    fn acquire(&self, count: usize) -> impl Future<Output = Self::Grant<'_>> + Send;
    fn try_acquire(&self, count: usize) -> bool;
}

pub(super) type Ours = allhome::Semaphore;
pub(super) type Tokio = tokio::sync::Semaphore;
pub(super) type AsyncLock = async_lock::Semaphore;
pub(super) type Intrusive = intrusive::Semaphore;
pub(super) type Mea = mea::semaphore::Semaphore;

/// No semaphore at all: what a bench costs that does nothing, to be subtracted.
pub(super) struct Nothing(usize);

impl Peer for Nothing {
    type Grant<'a> = Result<&'a usize, allhome::limit::AcquireError>;
    const NAME: &'static str = "nothing";

    fn new(permits: usize) -> Self {
        Nothing(permits)
    }

    #[inline]
    fn acquire(&self, _: usize) -> impl Future<Output = Self::Grant<'_>> + Send {
        std::future::ready(Ok(&self.0))
    }

    #[inline]
    fn try_acquire(&self, _: usize) -> bool {
        black_box(Some(&self.0)).is_some()
    }
}

impl Peer for Ours {
    type Grant<'a> = Result<allhome::limit::Permit<'a>, allhome::limit::AcquireError>;
    const NAME: &'static str = "ours";

    fn new(permits: usize) -> Self {
        Ours::new(permits)
    }

    #[inline]
    fn acquire(&self, count: usize) -> impl Future<Output = Self::Grant<'_>> + Send {
        self.acquire_many(count)
    }

    #[inline]
    fn try_acquire(&self, count: usize) -> bool {
        black_box(self.try_acquire_many(count)).is_ok()
    }
}

impl Peer for Tokio {
    type Grant<'a> = Result<tokio::sync::SemaphorePermit<'a>, tokio::sync::AcquireError>;
    const NAME: &'static str = "tokio";

    fn new(permits: usize) -> Self {
        Tokio::new(permits)
    }

    #[inline]
    fn acquire(&self, count: usize) -> impl Future<Output = Self::Grant<'_>> + Send {
        self.acquire_many(count as u32)
    }

    #[inline]
    fn try_acquire(&self, count: usize) -> bool {
        black_box(self.try_acquire_many(count as u32)).is_ok()
    }
}

/// It has no weights: asked for one permit only. Not fair: a newcomer may overtake.
impl Peer for AsyncLock {
    type Grant<'a> = async_lock::SemaphoreGuard<'a>;
    const NAME: &'static str = "async-lock";

    fn new(permits: usize) -> Self {
        AsyncLock::new(permits)
    }

    #[inline]
    fn acquire(&self, _: usize) -> impl Future<Output = Self::Grant<'_>> + Send {
        self.acquire()
    }

    #[inline]
    fn try_acquire(&self, _: usize) -> bool {
        black_box(self.try_acquire()).is_some()
    }
}

impl Peer for Intrusive {
    type Grant<'a> = intrusive::SemaphoreReleaser<'a>;
    const NAME: &'static str = "futures-intrusive";

    fn new(permits: usize) -> Self {
        Intrusive::new(true, permits)
    }

    #[inline]
    fn acquire(&self, count: usize) -> impl Future<Output = Self::Grant<'_>> + Send {
        self.acquire(count)
    }

    #[inline]
    fn try_acquire(&self, count: usize) -> bool {
        black_box(self.try_acquire(count)).is_some()
    }
}

impl Peer for Mea {
    type Grant<'a> = mea::semaphore::SemaphorePermit<'a>;
    const NAME: &'static str = "mea";

    fn new(permits: usize) -> Self {
        Mea::new(permits)
    }

    #[inline]
    fn acquire(&self, count: usize) -> impl Future<Output = Self::Grant<'_>> + Send {
        self.acquire(count)
    }

    #[inline]
    fn try_acquire(&self, count: usize) -> bool {
        black_box(self.try_acquire(count)).is_some()
    }
}
