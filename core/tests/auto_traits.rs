//! Send, Sync, Unpin, UnwindSafe and RefUnwindSafe of every public type, as one table: a change of
//! any of them is a change of the API.

#![cfg(not(loom))]

use allhome::cancel::*;
use allhome::error::*;
use allhome::in_place::*;
use allhome::join::*;
use allhome::limit::*;
use allhome::local::*;
use allhome::many::*;
use allhome::runtime::*;
use allhome::see::stacks::{Arm, Frame, Stack, Stacks};
use allhome::see::{
    Age, Alarm, AlarmKind, BodyInfo, Clock, Color, Dump, Guard, Link, Need, NextPoll, Page, Ring,
    Through, Wait, WaitOn, Waiter, WaitingOn, Watch, Watchdog, Watching,
};
use allhome::shutdown::*;
use allhome::task::*;
use allhome::threads::*;
use allhome::time::*;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Returns `true` if a type has a trait, by an inherent method that shadows a trait's.
struct Has<T: ?Sized>(PhantomData<T>);

trait Not {
    fn send(&self) -> bool {
        false
    }
    fn sync(&self) -> bool {
        false
    }
    fn unpin(&self) -> bool {
        false
    }
    fn unwind(&self) -> bool {
        false
    }
    fn ref_unwind(&self) -> bool {
        false
    }
}

impl<T: ?Sized> Not for Has<T> {}

macro_rules! has {
    ($($method:ident: $bound:path),*) => {
        $(impl<T: ?Sized + $bound> Has<T> {
            fn $method(&self) -> bool {
                true
            }
        })*
    };
}

has!(send: Send, sync: Sync, unpin: Unpin, unwind: UnwindSafe, ref_unwind: RefUnwindSafe);

macro_rules! table {
    ($($type:ty: $expected:literal)*) => {
        [$((stringify!($type), $expected, {
            let has = Has::<$type>(PhantomData);
            let mut found = String::new();
            for (is, letter) in [
                (has.send(), 'S'), (has.sync(), 'Y'), (has.unpin(), 'U'),
                (has.unwind(), 'W'), (has.ref_unwind(), 'R'),
            ] {
                found.push(if is { letter } else { '-' });
            }
            found
        })),*]
    };
}

type E = String;
type F = fn(Nursery<E>) -> std::future::Ready<Result<(), E>>;
type Fut = std::future::Ready<Result<(), E>>;
type G = fn(Scope<'static, E>) -> std::future::Ready<Result<(), E>>;
type H = fn(LocalScope<'static, E>) -> std::future::Ready<Result<(), E>>;
type Pinned = std::marker::PhantomPinned;
type LF = fn(LocalNursery<E>) -> std::future::Ready<Result<(), E>>;

type Here = InPlace<Fut>;
type I = std::vec::IntoIter<u8>;
type Make = fn(u8) -> Fut;
type Map<P> = MapConcurrent<Items<I>, Make, P, u8>;
type TryMap<P> = TryMapConcurrent<Items<I>, Make, P, Result<(), E>>;

#[test]
fn table() {
    // S: Send, Y: Sync, U: Unpin, W: UnwindSafe, R: RefUnwindSafe.
    let table = table! {
        Acquire<'static>: "SY---"
        AcquireBoth<Acquire<'static>, AcquireRate<'static>>: "SY---"
        AcquireError: "SYUWR"
        AcquireOwned: "SY---"
        AcquireRate<'static>: "SY---"
        Age: "SYUWR"
        BodyInfo: "SYUWR"
        Builder: "SYU--"
        Builder<Local>: "--U--"
        Arm: "SYUWR"
        BlockingCx: "--UWR"
        CancelToken: "SYUWR"
        CancelOnDrop<u8, E>: "SYU--"
        Cancellable<Fut>: "S-U--"
        Cancelled<'static>: "SY---"
        CancelledOwned: "SY---"
        Cause<E>: "SYUWR"
        Child<u8, E>: "SYU--"
        Child<std::cell::Cell<u8>, E>: "SYU--"
        Children<Child<u8, E>>: "SYU--"
        Child<std::rc::Rc<u8>, E>: "--U--"
        Clock: "SYUWR"
        Color: "SYUWR"
        Close<E>: "SYU--"
        Collect<Map<Here>, Vec<u8>>: "SYU--"
        Draining: "SYU--"
        DropGuard: "SYUWR"
        Deadlock: "SYUWR"
        Dump: "SYUWR"
        Guard: "--U--"
        Link: "SYUWR"
        Need: "SYUWR"
        Elapsed: "SYUWR"
        Exit: "SYUWR"
        First<u8, E>: "SYU--"
        FirstOk<u8, E>: "SYU--"
        FailAfter<Fut>: "S-U--"
        Failure<E>: "SYUWR"
        ForEachConcurrent<Items<I>, Make, Here>: "SYU--"
        Frame: "SYUWR"
        GroupError<E>: "SYUWR"
        Hedge<Child<u8, E>, std::vec::IntoIter<Child<u8, E>>>: "SYU--"
        HolderInfo: "SYUWR"
        Idle: "SYU--"
        InNursery<LocalNursery<E>, Fut, E>: "--U--"
        InNursery<Nursery<E>, Fut, E>: "SYU--"
        InPlace<Fut>: "SYU--"
        InPlace<std::future::Ready<std::rc::Rc<u8>>>: "--U--"
        Items<I>: "SYUWR"
        JoinAll<allhome::Child<u8, E>>: "SYU--"
        JoinAll<allhome::Child<std::cell::Cell<u8>, E>>: "S-U--"
        JoinNext<'static, Child<u8, E>>: "SYU--"
        JoinWith<Child<u8, E>, FirstOk<u8, E>>: "SYU--"
        Joined<u8, E>: "SYU--"
        JoinAll<allhome::Child<std::rc::Rc<u8>, E>>: "--U--"
        JoinError<E>: "SYUWR"
        KeyTaken<Fut>: "SYUWR"
        KeyedJoin<u8>: "SYU--"
        KeyedNursery<std::rc::Rc<u8>, u8, E>: "SYU--"
        KeyedSemaphore<std::rc::Rc<u8>>: "SYUWR"
        Level: "SYUWR"
        LocalNursery<E>: "--U--"
        LocalReserve<E>: "-----"
        LocalRuntime: "--U--"
        LocalTask: "--U--"
        LocalTaskBuilder<'static, E>: "--U--"
        Map<Here>: "SYU--"
        Map<InNursery<Nursery<E>, Fut, E>>: "SYU--"
        MoveOnAfter<Fut>: "S-U--"
        Next<'static, Map<Here>>: "SYU--"
        NoRuntime: "SYUWR"
        NotEnough<u8, E>: "SYUWR"
        Nursery<E>: "SYU--"
        NurseryDraining: "SYU--"
        NextPoll: "SYUWR"
        NurseryId: "SYUWR"
        NurseryInfo: "SYUWR"
        Opener: "SYUWR"
        Outcome<u8, E>: "SYUWR"
        Outcomes<u8, E>: "SYU--"
        OwnedPermit: "SYUWR"
        Owner<E>: "SYU--"
        Page: "SYUWR"
        Panic: "SYUWR"
        PanicPolicy: "SYUWR"
        Permit<'static>: "SYUWR"
        Policy: "SYUWR"
        Quorum<u8, E>: "SYU--"
        Race<Fut, Fut>: "SYUWR"
        Rate: "SYUWR"
        RateLimiter: "SYUWR"
        Reason: "SYUWR"
        ReasonKind: "SYUWR"
        Registration: "SYUWR"
        Refused<u8>: "SYUWR"
        Refused<Pinned>: "SYUWR"
        Reserve<E>: "SY---"
        ReserveError: "SYUWR"
        Run<E, (), F, Fut>: "SYU--"
        Run<E, (), F, Pinned>: "SY---"
        Run<E, (), F, std::rc::Rc<u8>>: "--U--"
        Run<E, (), LF, Fut, Local>: "--U--"
        Runtime: "SYU--"
        RuntimeSource: "SYU--"
        ScopedKey<std::rc::Rc<u8>>: "SYUWR"
        Scoped<Fut>: "SYU--"
        Shield<Fut>: "S-U--"
        Shutdown: "SYU--"
        ShutdownError: "SYUWR"
        ShutdownReport: "SYUWR"
        Sleep: "SYU--"
        Semaphore: "SYUWR"
        Stack: "SYUWR"
        Stacks: "SYUWR"
        TaskBuilder<'static, E>: "SYU--"
        Spawned: "SYUWR"
        Straggler: "SYUWR"
        Echo: "SYUWR"
        Through<Fut>: "SYUWR"
        TryCollect<TryMap<Here>, Vec<u8>>: "SYU--"
        TryForEachConcurrent<Items<I>, Make, Here, Result<(), E>>: "SYU--"
        TryMap<Here>: "SYU--"
        Value<u8, E>: "SYU--"
        Value<std::rc::Rc<u8>, E>: "--U--"
        Values<allhome::Child<u8, E>>: "SYU--"
        TaskHandle: "SYU--"
        TaskId: "SYUWR"
        Task: "SYU--"
        TaskInfo: "SYUWR"
        TaskState: "SYUWR"
        TaskCancelled: "SY---"
        TaskDraining: "SYU--"
        Tree: "SYUWR"
        TryAcquireError: "SYUWR"
        TryReserveError: "SYUWR"
        Until<Fut, Pinned>: "SY-WR"
        UntilMatch<u8, E, fn(&u8) -> bool>: "SYU--"
        UntilCancelled<Fut>: "SY---"
        UntilCancelled<std::rc::Rc<u8>>: "-----"
        UntilCancelledStream<Fut>: "SY---"
        YieldNow: "SYUWR"
        Local: "SYUWR"
        LocalScope<'static, E>: "--U--"
        Scope<'static, E>: "SYU--"
        ScopeBuilder: "SYU--"
        ScopeChild<u8, E>: "SYU--"
        ScopeChild<std::cell::Cell<u8>, E>: "SYU--"
        ScopeChild<std::rc::Rc<u8>, E>: "--U--"
        ScopeDraining: "SYU--"
        ScopeIdle: "SYU--"
        ScopeReserve<'static, E, Sendable>: "SY---"
        ScopeReserve<'static, E, Local>: "-----"
        ScopeRun<'static, E, (), G, Fut, Sendable>: "S-U--"
        ScopeRun<'static, E, (), H, Fut, Local>: "--U--"
        ScopeSettle<'static, E, (), G, Fut, Sendable>: "S-U--"
        ScopeSettle<'static, E, (), H, Fut, Local>: "--U--"
        ScopeTask<'static, 'static, E>: "SYU--"
        ScopeValue<u8, E>: "SYU--"
        Sendable: "SYUWR"
        ThreadChild<u8, E>: "SYU--"
        ThreadChild<std::cell::Cell<u8>, E>: "SYU--"
        ThreadChild<std::rc::Rc<u8>, E>: "--U--"
        ThreadReserve<'static, E>: "SY---"
        ThreadScope<'static, E>: "SYU--"
        ThreadScopeBuilder: "SYU--"
        ThreadTask<'static, 'static, E>: "SYU--"
        ThreadValue<u8, E>: "SYU--"
        Ring: "SYUWR"
        Wait: "SYUWR"
        WaitOn: "SYUWR"
        Waiter: "SYUWR"
        WaitingOn<Fut>: "SYUWR"
        Watch: "SYUWR"
        Watchdog: "SYUWR"
        Watching: "SYUWR"
        Alarm: "SYUWR"
        AlarmKind: "SYUWR"
    };
    let wrong: Vec<_> = table
        .iter()
        .filter(|(_, expected, found)| expected != found)
        .map(|(name, expected, found)| format!("{name}: expected {expected}, found {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
