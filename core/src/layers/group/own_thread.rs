//! The thread of a local nursery, on which its children are polled and dropped.
//!
//! | part          | where                      | what it is                                    |
//! |---------------|----------------------------|-----------------------------------------------|
//! | [`Post`]      | anywhere                   | takes carriers, and children to destroy, from any thread |
//! | [`OwnThread`] | with what the user handed in | tells the driver that the nursery is over    |
//! | [`Driver`]    | a local task               | gives what is in the post to the local runtime |
//! | [`Resident`]  | the driver, each carrier   | the spawner; the last to go closes the post   |
//!
//! The engine is the one of every nursery. It gives its carriers to the post in place of a runtime,
//! so that a child is polled on its thread alone, and a wake is the only thing that comes from
//! outside. A cancel may come from any thread, with the claims of the children that it destroys:
//! [`Group::destroy`] posts them, too. They keep their claims, and their nursery, until they are
//! destroyed at home. So nothing that waits for a child (`run`, a joiner, an ancestor) sees it gone
//! before its future is.
//!
//! # Invariants
//!
//! 1. A child's future stands on the shelf of its thread, with the mark of its nursery: a record
//!    that is destroyed on another thread leaves it there (`base/stays.rs`).
//! 2. The post is closed on its thread, when the local runtime has dropped the driver and all
//!    carriers: what is posted is destroyed, then what is left on the shelf, and it is closed if
//!    nothing came meanwhile. From then on no child of this nursery has a future, and the other
//!    threads may end the records: of those that they had claims of when the runtime ended.

use super::Group;
use crate::layers::base::counted::Weak;
use crate::layers::base::guarded::{Foreign, Guarded};
use crate::layers::base::outcome::Ending;
use crate::layers::base::stays::{self, Mark, ThreadMark};
use crate::layers::base::sync::Arc;
use crate::layers::record::Claimed;
use allhome_rt::{LocalTask, LocalWork, SpawnLocal, Task, TaskData, Work};
use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Says that the nursery is over when it goes, with all that the user handed in.
pub(crate) struct OwnThread {
    post: Arc<Post>,
}

/// What the thread has to do.
pub(crate) struct Post {
    thread: ThreadMark,
    mark: Mark,
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    tasks: Vec<Foreign<Task>>,
    /// Of the driver.
    waker: Option<Foreign<Waker>>,
    over: bool,
    closed: bool,
}

impl OwnThread {
    /// Makes one of the present thread, and starts its driver.
    pub(crate) fn new(spawner: Rc<dyn SpawnLocal>) -> OwnThread {
        let state = Guarded::new(State::default());
        let post = Arc::new(Post { thread: ThreadMark::here(), mark: Mark::new(), state });
        let resident = Rc::new(Resident { post: post.clone(), spawner: spawner.clone() });
        spawner.spawn_local(LocalTask::from_future(Driver { resident }));
        OwnThread { post }
    }

    pub(super) fn post(&self) -> &Arc<Post> {
        &self.post
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        let waker = self.post.state.locked(|state| {
            state.over = true;
            state.waker.take()
        });
        waker.into_iter().for_each(Foreign::wake);
    }
}

impl Post {
    /// Returns the mark of the nursery's futures.
    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    pub(crate) fn is_here(&self) -> bool {
        self.thread == ThreadMark::here()
    }

    /// Has the thread poll a task; drops it if the thread's runtime has ended.
    pub(super) fn send(&self, task: Task) {
        let task = Foreign::new(task);
        let (waker, refused) = self.state.locked(|state| {
            if state.closed {
                return (None, Some(task));
            }
            state.tasks.push(task);
            (state.waker.take(), None)
        });
        drop(refused);
        waker.into_iter().for_each(Foreign::wake);
    }

    /// Drops the futures that were left by other threads, once they find the post closed. On the
    /// thread only.
    pub(crate) fn tidy(&self) {
        if self.state.locked(|state| state.closed) {
            stays::clear(self.mark);
        }
    }

    fn take(&self) -> Vec<Foreign<Task>> {
        self.state.locked(|state| mem::take(&mut state.tasks))
    }

    /// Returns `false` if something has come.
    fn close(&self) -> bool {
        self.state.locked(|state| {
            state.closed = state.tasks.is_empty();
            state.closed
        })
    }
}

/// What each local task of the nursery has.
struct Resident {
    post: Arc<Post>,
    spawner: Rc<dyn SpawnLocal>,
}

impl Drop for Resident {
    /// Invariant 2.
    fn drop(&mut self) {
        loop {
            let tasks = self.post.take();
            let any = !tasks.is_empty();
            drop(tasks);
            if !any && !stays::clear(self.post.mark) && self.post.close() {
                return;
            }
        }
    }
}

/// Hosts what is posted, until the nursery is over.
struct Driver {
    resident: Rc<Resident>,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = Foreign::cloned(cx.waker());
        let mut waker = Some(waker);
        let (tasks, over, old) = self.resident.post.state.locked(|state| {
            let kept = waker.take_if(|_| !state.over);
            let old = mem::replace(&mut state.waker, kept);
            (mem::take(&mut state.tasks), state.over, old)
        });
        drop((waker, old));
        for task in tasks {
            let (task, _resident) = (RefCell::new(task.into_inner()), self.resident.clone());
            let hosted = Rc::new(Hosted { task, _resident });
            self.resident.spawner.spawn_local(LocalTask::new(hosted, TaskData::default()));
        }
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// A task on its thread. It goes before what it has of the thread.
struct Hosted {
    task: RefCell<Task>,
    _resident: Rc<Resident>,
}

impl LocalWork for Hosted {
    fn poll(&self, _: &mut TaskData, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut *self.task.borrow_mut()).poll(cx)
    }

    /// The task goes with this.
    fn discard(&self, _: &mut TaskData) {}

    fn label(&self, _: &mut TaskData) -> Option<String> {
        // None while it is polled.
        self.task.try_borrow_mut().ok()?.label()
    }
}

/// Children that are destroyed on their thread: posted with their claims.
struct Doomed {
    group: Weak<Group>,
    claims: Guarded<Vec<(Claimed, Ending)>>,
}

impl Doomed {
    fn destroy(&self) {
        let claims = self.claims.locked(mem::take);
        if !claims.is_empty() {
            self.group.destroy_here(claims.into_iter());
        }
    }
}

impl Work for Doomed {
    fn poll(&self, _: &mut TaskData, _: &mut Context<'_>) -> Poll<()> {
        self.destroy();
        Poll::Ready(())
    }

    /// The thread's runtime has ended: on the thread, or, if the post was closed, on another one.
    fn discard(&self, _: &mut TaskData) {
        self.destroy();
    }
}

impl Group {
    /// Returns what leads to the nursery's thread, if it is local.
    pub(crate) fn post(&self) -> Option<&Arc<Post>> {
        self.post.as_ref()
    }

    /// Destroys children where they wait, and leaves for them; those of a local nursery on their
    /// thread.
    pub(super) fn destroy(&self, doomed: impl Iterator<Item = (Claimed, Ending)>) {
        match &self.post {
            Some(post) if !post.is_here() => {
                let claims = Guarded::new(doomed.collect());
                let doomed = Doomed { group: self.weak(), claims };
                post.send(Task::new(Arc::new(doomed), TaskData::default()));
            }
            _ => self.destroy_here(doomed),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{LocalTask, OwnThread, SpawnLocal, Task};
    use crate::layers::base::stays::Stays;
    use crate::layers::base::sync::{Arc, thread_scope};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Keeps its tasks, and polls none.
    #[derive(Default)]
    struct Keeps(RefCell<Vec<LocalTask>>);

    impl SpawnLocal for Keeps {
        fn spawn_local(&self, task: LocalTask) {
            self.0.borrow_mut().push(task);
        }
    }

    /// Another thread had the claim of a child when the runtime ended.
    #[test]
    fn left_by_another_thread_then_dropped_with_the_runtime() {
        let (spawner, future, posted) = (Rc::new(Keeps::default()), Rc::new(()), Arc::new(()));
        let own = OwnThread::new(spawner.clone());
        let left = Stays::new(future.clone(), own.post().mark());
        thread_scope(|scope| scope.spawn(move || drop(left)).join().expect("it does not panic"));
        let send = || {
            let posted = posted.clone();
            own.post().send(Task::from_future(async move { drop(posted) }));
        };
        send();
        assert_eq!((Rc::strong_count(&future), Arc::strong_count(&posted)), (2, 2));
        drop(spawner.0.take());
        assert_eq!((Rc::strong_count(&future), Arc::strong_count(&posted)), (1, 1));
        send();
        assert_eq!(Arc::strong_count(&posted), 1, "the post is closed");
        let late = Stays::new(future.clone(), own.post().mark());
        thread_scope(|scope| scope.spawn(move || drop(late)).join().expect("it does not panic"));
        own.post().tidy();
        assert_eq!(Rc::strong_count(&future), 1);
    }
}
