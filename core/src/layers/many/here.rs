//! Futures that run in place: polled with the stream, and only if they were woken.

use super::place::Budget;
use super::place::sealed::Run;
use super::woken::Woken;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The futures of a stream of this module run in place: the task that polls the stream polls them,
/// each when it was woken.
///
/// A slot is allocated when as many run as never before, and used again.
pub struct InPlace<F> {
    slots: Vec<Slot<F>>,
    /// Those without a future.
    free: Vec<usize>,
    woken: Woken,
}

struct Slot<F> {
    future: Pin<Box<Option<F>>>,
    /// The number of the item.
    number: usize,
    waker: Waker,
}

impl<F> InPlace<F> {
    pub(super) fn new() -> InPlace<F> {
        InPlace { slots: Vec::new(), free: Vec::new(), woken: Woken::new() }
    }
}

impl<F: Future> InPlace<F> {
    #[inline]
    fn poll(&mut self, at: usize) -> Option<F::Output> {
        let slot = &mut self.slots[at];
        // None: it was woken after its end.
        let future = slot.future.as_mut().as_pin_mut()?;
        let Poll::Ready(output) = future.poll(&mut Context::from_waker(&slot.waker)) else {
            return None;
        };
        slot.future.set(None);
        self.free.push(at);
        Some(output)
    }
}

impl<F: Future> Run for InPlace<F> {
    type Future = F;
    type Output = F::Output;

    #[inline]
    fn start(&mut self, number: usize, future: F) -> Option<F::Output> {
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                let at = self.slots.len();
                let waker = self.woken.add(at);
                self.slots.push(Slot { future: Box::pin(None), number, waker });
                at
            }
        };
        self.slots[at].future.set(Some(future));
        self.slots[at].number = number;
        self.poll(at)
    }

    #[inline]
    fn next(&mut self, budget: &mut Budget) -> Option<(usize, F::Output)> {
        let at = self.woken.next()?;
        budget.take();
        self.poll(at).map(|output| (self.slots[at].number, output))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, budget: &mut Budget) -> Poll<(usize, F::Output)> {
        while !budget.is_spent() {
            if let Some(at) = self.woken.next() {
                budget.take();
                if let Some(output) = self.poll(at) {
                    return Poll::Ready((self.slots[at].number, output));
                }
            } else if self.woken.park(cx.waker()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    #[inline]
    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn cut(&mut self, from: usize) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.number >= from && slot.future.is_some() {
                self.free.push(at);
                slot.future.set(None);
            }
        }
    }
}

impl<F> Drop for InPlace<F> {
    fn drop(&mut self) {
        self.woken.leave();
    }
}

impl<F> fmt::Debug for InPlace<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.slots.len() - self.free.len();
        f.debug_struct("InPlace").field("len", &len).finish_non_exhaustive()
    }
}
