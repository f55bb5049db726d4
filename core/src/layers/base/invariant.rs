//! Types that stay with the type that they were created for.
//!
//! A value that goes through a nursery's report, or is a scoped value, is found again by its
//! `TypeId`. `for<'a> fn(&'a u8)` is a subtype of `fn(&'static u8)` and has another `TypeId`. So a
//! handle that could be coerced to one of a sub- or supertype would hand in values that the other
//! side does not know.

use std::marker::PhantomData;

/// Makes a type invariant in `T`, and leaves its auto traits alone.
///
/// None of these compiles; each is the same line with another type of the crate.
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// fn to_narrow(nursery: allhome::Nursery<Wide>) -> allhome::Nursery<Narrow> { nursery }
/// ```
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// fn to_wide(nursery: allhome::Nursery<Narrow>) -> allhome::Nursery<Wide> { nursery }
/// ```
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// fn to_narrow(child: allhome::Child<(), Wide>) -> allhome::Child<(), Narrow> { child }
/// ```
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// fn to_narrow(all: allhome::task::JoinAll<allhome::Child<(), Wide>>) -> allhome::task::JoinAll<allhome::Child<(), Narrow>> { all }
/// ```
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// fn to_narrow(run: allhome::task::Run<Wide, (), (), ()>) -> allhome::task::Run<Narrow, (), (), ()> { run }
/// ```
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// type Builder<'a, E> = allhome::task::TaskBuilder<'a, E>;
/// fn to_wide(task: Builder<'_, Narrow>) -> Builder<'_, Wide> { task }
/// ```
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// fn to_wide(reserve: allhome::limit::Reserve<Narrow>) -> allhome::limit::Reserve<Wide> { reserve }
/// ```
///
/// ```compile_fail,E0308
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// type Key<T> = &'static allhome::task::ScopedKey<T>;
/// fn to_narrow(key: Key<Wide>) -> Key<Narrow> { key }
/// ```
///
/// A type that only holds a value may be coerced both ways, as values are:
///
/// ```
/// type Narrow = fn(&'static u8);
/// type Wide = for<'a> fn(&'a u8);
/// fn value(child: allhome::Child<Wide, ()>) -> allhome::Child<Narrow, ()> { child }
/// fn error(error: allhome::GroupError<Wide>) -> allhome::GroupError<Narrow> { error }
/// fn join(error: allhome::JoinError<Wide>) -> allhome::JoinError<Narrow> { error }
/// fn outcome(outcome: allhome::task::Outcome<(), Wide>) -> allhome::task::Outcome<(), Narrow> { outcome }
/// ```
pub(crate) type Invariant<T> = PhantomData<fn(T) -> T>;
