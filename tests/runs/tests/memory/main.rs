//! What allhome keeps in memory, by what the test's own thread allocates and frees.
//!
//! The allocator of `allocation_counter` counts for each thread alone, so neither the harness nor
//! another test of this program adds to a figure. What other threads allocate (a pool's, a timer's)
//! it does not see: `timer_memory` counts the whole process, in a process of its own.

mod children;
mod keyed;
mod local;
mod many_wakers;
mod nursery;
mod nursery_token;
mod semaphore;
mod token;
