//! Members alone: no group, no carrier, no runtime.

#![allow(unsafe_code)]

use super::{Members, OnCancel, Pass, doing};
use crate::layers::base::counted::dynamic::View;
use crate::layers::base::counted::{Counted, Me, Strong};
use crate::layers::base::id::{NurseryId, TaskId};
use crate::layers::base::outcome::{Ending, TaskState};
use crate::layers::base::reason::Level;
use crate::layers::record::{Claimed, Handle, Schedule, Stack, Unadmitted};
use std::future::pending;
use std::panic::Location;
use std::ptr::NonNull;

/// What the stack of the woken belongs to.
struct Owner {
    _me: Me<Owner>,
    woken: Stack,
}

impl Counted for Owner {
    type Owned = ();
}

impl Schedule for Owner {
    fn schedule(&self) {}
}

// SAFETY: it returns its argument.
unsafe impl View<dyn Schedule> for Owner {
    fn view(this: NonNull<Owner>) -> NonNull<dyn Schedule> {
        this
    }
}

fn owner() -> Strong<Owner> {
    Strong::new_cyclic(|_| (), |me, ()| Owner { woken: Stack::new(me.to_dyn()), _me: me })
}

fn fresh() -> (Unadmitted, Handle<(), ()>) {
    Unadmitted::with_handle(pending::<Result<(), ()>>(), None, Location::caller())
}

/// Members that wait for their first poll, with their handles.
fn admitted<const N: usize>(owner: &Owner) -> (Members, [Handle<(), ()>; N]) {
    let mut members = Members::default();
    let handles = std::array::from_fn(|at| {
        let (fresh, handle) = fresh();
        assert_eq!(members.admit(&owner.woken, fresh), at as u64 + 1);
        handle
    });
    (members, handles)
}

fn end(members: &mut Members, mut claimed: Claimed) {
    let id = TaskId { nursery: NurseryId::next(), number: claimed.header().number() };
    drop(claimed.end(id, Ending::Lost));
    if claimed.settle() {
        let _handled = claimed.publish();
    }
    members.unlink(&claimed);
    drop(members.release(claimed, None));
}

fn end_all(members: &mut Members, owner: &Owner) {
    members.claim_unbound(&owner.woken).into_iter().for_each(|claimed| end(members, claimed));
    assert_eq!((members.count(), members.queued()), (0, 0));
    assert!(!members.has_unbound());
}

fn number(claimed: &Claimed) -> u64 {
    claimed.header().number()
}

#[test]
fn admit_then_take_then_end() {
    let owner = owner();
    let (mut members, [one, two]) = admitted(&owner);
    assert_eq!((members.count(), members.queued()), (2, 2));
    assert_eq!(doing(one.record().header()), TaskState::Queued);
    let claimed = members.take(Level::Running, &owner.woken).expect("it waits");
    assert_eq!((number(&claimed), members.queued()), (1, 1));
    assert_eq!(doing(one.record().header()), TaskState::Queued);
    end(&mut members, claimed);
    assert_eq!(doing(one.record().header()), TaskState::Ended);
    assert!(members.member(one.record()).is_none() && members.member(two.record()).is_some());
    end_all(&mut members, &owner);
}

#[test]
fn the_woken_and_the_new_take_turns() {
    let owner = owner();
    let (mut members, _handles) = admitted::<4>(&owner);
    for _ in 0..2 {
        let claimed = members.take(Level::Running, &owner.woken).expect("it waits");
        members.requeue(claimed);
    }
    let mut order = Vec::new();
    while let Some(claimed) = members.take(Level::Running, &owner.woken) {
        order.push(number(&claimed));
        end(&mut members, claimed);
    }
    assert_eq!(order, [1, 3, 2, 4]);
}

#[test]
fn an_abort_takes_a_woken_member_out_wherever_it_stands() {
    for (aborted, left) in [(0, [2, 3, 4]), (1, [1, 3, 4]), (3, [1, 2, 3])] {
        let owner = owner();
        let (mut members, handles) = admitted::<4>(&owner);
        let polled: Vec<_> =
            std::iter::from_fn(|| members.take(Level::Running, &owner.woken)).collect();
        polled.into_iter().for_each(|claimed| members.requeue(claimed));
        let member = members.member(handles[aborted].record()).expect("it is there");
        let OnCancel::Doomed(doomed) = members.cancel_one(member, Level::Aborted, &owner.woken)
        else {
            panic!("no thread polls it")
        };
        assert_eq!(number(&doomed), aborted as u64 + 1);
        end(&mut members, doomed);
        for number_left in left {
            let claimed = members.take(Level::Running, &owner.woken).expect("it waits");
            assert_eq!(number(&claimed), number_left);
            end(&mut members, claimed);
        }
        end_all(&mut members, &owner);
    }
}

#[test]
fn a_bound_member_is_not_waited_for() {
    let owner = owner();
    let (mut members, [one]) = admitted(&owner);
    let mut claimed = members.take(Level::Running, &owner.woken).expect("it waits");
    assert!(members.has_unbound());
    let carried = members.bind(&mut claimed);
    assert!(!members.has_unbound());
    claimed.unclaim();
    assert!(members.claim_unbound(&owner.woken).is_empty(), "it has a carrier of its own");
    let Ok(claimed) = carried.claim() else { panic!("it waits") };
    end(&mut members, claimed);
    assert!(members.drop_bound(carried).is_none(), "the handle keeps the memory");
    assert_eq!(doing(one.record().header()), TaskState::Ended);
}

#[test]
fn a_sweep_dooms_the_new_and_notifies_the_others_once() {
    let owner = owner();
    let (mut members, _handles) = admitted::<2>(&owner);
    let polled = members.take(Level::Running, &owner.woken).expect("it waits");
    let mut pass = Pass::default();
    let Some(OnCancel::Doomed(new)) = members.sweep_next(false, &mut pass, &owner.woken) else {
        panic!("it was never polled")
    };
    assert_eq!(number(&new), 2);
    assert!(
        matches!(members.sweep_next(false, &mut pass, &owner.woken), Some(OnCancel::Busy)),
        "it is polled"
    );
    assert!(polled.header().state().is_cancelled());
    assert!(members.sweep_next(false, &mut pass, &owner.woken).is_none());
    members.sweep_again();
    for _ in 0..2 {
        assert!(
            matches!(members.sweep_next(true, &mut pass, &owner.woken), Some(OnCancel::Busy)),
            "once more"
        );
    }
    assert!(members.sweep_next(true, &mut pass, &owner.woken).is_none());
    end(&mut members, new);
    end(&mut members, polled);
}

#[test]
fn an_abort_leaves_a_shielded_member_where_it_waits() {
    let owner = owner();
    let mut members = Members::default();
    let (fresh, handle) = fresh();
    let member = members.admit_shielded(&owner.woken, fresh);
    let mut pass = Pass::default();
    for _ in 0..2 {
        let swept = members.sweep_next(true, &mut pass, &owner.woken);
        assert!(matches!(swept, Some(OnCancel::Busy)), "as a member, and in its turn");
    }
    assert!(members.sweep_next(true, &mut pass, &owner.woken).is_none(), "each is looked at once");
    assert_eq!((members.count(), members.queued()), (1, 1));
    assert!(matches!(members.cancel_one(member, Level::Aborted, &owner.woken), OnCancel::Busy));
    assert!(handle.header().state().is_shielded());
    end_all(&mut members, &owner);
}
