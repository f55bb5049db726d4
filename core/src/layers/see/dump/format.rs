//! A dump as JSON. docs/SEEING.md documents each member.

use super::Dump;
use super::findings::{Finding, findings};
use super::json::Object;
use super::lots::{Lot, lots, since, uncounted};
use crate::layers::base::age::Age;
use crate::layers::base::id::NurseryId;
use crate::layers::base::outcome::TaskState;
use crate::layers::base::reason::Level;
use crate::layers::base::stacks::stack::Stack;
use crate::layers::base::sync::Arc;
use crate::layers::group::walk::Opener;
use crate::layers::nursery::tree::info::{NextPoll, NurseryInfo, TaskInfo};
use crate::layers::nursery::tree::wait::{Wait, WaitOn};
use std::fmt;

/// The number of the format. It changes if a member changes its meaning or goes; not for a new one.
const VERSION: u32 = 1;

/// Between the objects of the great arrays: each stands on a line.
const LINE: &str = "\n ";

/// The JSON of a dump.
pub(crate) struct Format<'a> {
    pub(crate) dump: &'a Dump,
    /// Whether each task is in it, too.
    pub(crate) tasks: bool,
}

impl fmt::Display for Format<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dump = self.dump;
        let findings = findings(dump);
        Object::write(f, |top| {
            top.plain("allhome", VERSION)?;
            top.text("version", env!("CARGO_PKG_VERSION"))?;
            process().map_or(Ok(()), |id| top.plain("pid", id))?;
            top.object("counts", |counts| {
                counts.plain("tasks", dump.tasks())?;
                counts.plain("nurseries", dump.nurseries().count())?;
                counts.plain("findings", findings.len())
            })?;
            top.objects("findings", findings.iter(), LINE, finding)?;
            top.objects("lots", lots(dump.all_tasks()).iter(), LINE, lot)?;
            top.objects("nurseries", with_parents(dump), LINE, |object, (parent, info)| {
                nursery(object, parent, info)
            })?;
            if self.tasks {
                top.objects("tasks", dump.all_tasks(), LINE, task)?;
            }
            Ok(())
        })?;
        f.write_str("\n")
    }
}

/// A task alone.
pub(crate) struct One<'a>(pub(crate) &'a TaskInfo);

impl fmt::Display for One<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Object::write(f, |top| {
            top.plain("allhome", VERSION)?;
            top.object("task", |object| task(object, self.0))
        })?;
        f.write_str("\n")
    }
}

/// Returns the id of this process, where processes have one.
pub(crate) fn process() -> Option<u32> {
    (!cfg!(target_family = "wasm")).then(std::process::id)
}

fn finding(object: &mut Object<'_, '_>, finding: &Finding<'_>) -> fmt::Result {
    object.text("kind", finding.kind)?;
    object.text("title", &finding.title)?;
    object.texts("tasks", finding.tasks().map(|task| task.id))?;
    if finding.lines.is_empty() { Ok(()) } else { object.texts("lines", finding.lines.iter()) }
}

fn lot(object: &mut Object<'_, '_>, lot: &Lot<'_>) -> fmt::Result {
    object.plain("count", lot.tasks.len())?;
    object.text("doing", &lot.doing)?;
    if let Some((youngest, oldest)) = since(&lot.tasks) {
        age(object, "youngest", Some(youngest))?;
        age(object, "oldest", Some(oldest))?;
    }
    object.plain("uncounted", uncounted(&lot.tasks))?;
    if !lot.stacks.is_empty() {
        object.objects("stacks", lot.stacks.iter(), "", stack)?;
    }
    object.objects("places", lot.places.iter(), "", |object, tasks| {
        let Some(first) = tasks.first() else { return Ok(()) };
        object.text("at", first.location)?;
        object.plain("count", tasks.len())?;
        object.text("first", first.id)
    })
}

fn stack(object: &mut Object<'_, '_>, stack: &Arc<Stack>) -> fmt::Result {
    object.known("leaf", stack.leaf.as_ref())?;
    object.objects("frames", stack.frames.iter(), "", |object, frame| {
        object.text("fn", &frame.function)?;
        object.known("file", frame.file.as_ref())?;
        frame.line.map_or(Ok(()), |line| object.plain("line", line))?;
        frame.column.map_or(Ok(()), |column| object.plain("col", column))
    })
}

fn nursery(
    object: &mut Object<'_, '_>,
    parent: Option<NurseryId>,
    info: &NurseryInfo,
) -> fmt::Result {
    object.text("id", info.id)?;
    object.known("name", info.name.as_ref())?;
    object.text("kind", if info.in_place { "scope" } else { "nursery" })?;
    object.known("parent", parent)?;
    if let Opener::Task(id) = info.opened_by {
        object.text("opened_by", id)?;
    }
    object.text("at", info.location)?;
    age(object, "age", info.age)?;
    object.text("level", level(info.level))?;
    object.known("reason", info.reason.as_ref())?;
    if info.adopted {
        object.plain("adopted", true)?;
    }
    if let Some(body) = &info.body {
        object.object("body", |object| {
            object.known("note", body.note.as_ref())?;
            object.text("state", if body.running { "running" } else { "waiting" })?;
            waits(object, body.waits.as_ref())?;
            age(object, "since_poll", body.since_poll)
        })?;
    }
    object.plain("tasks", info.tasks.len())
}

fn task(object: &mut Object<'_, '_>, info: &TaskInfo) -> fmt::Result {
    object.text("id", info.id)?;
    object.known("name", info.name.as_ref())?;
    object.known("note", info.note.as_ref())?;
    object.text("at", info.location)?;
    age(object, "age", info.age)?;
    let state = match info.state {
        TaskState::Queued => "queued",
        TaskState::Running => "running",
        TaskState::Waiting => "waiting",
        TaskState::Ended => "ended",
    };
    object.text("state", state)?;
    waits(object, info.waits.as_ref())?;
    let next = match info.next_poll {
        NextPoll::Due => Some("due"),
        NextPoll::ByWaker => Some("by_waker"),
        NextPoll::OnlyByCancel => Some("only_by_cancel"),
        NextPoll::Dead => Some("dead"),
        NextPoll::Cancelled => Some("cancelled"),
        NextPoll::Unknown => None,
    };
    object.known("next_poll", next)?;
    object.plain("polls", info.polls)?;
    age(object, "since_poll", info.since_poll)?;
    info.wakers.map_or(Ok(()), |wakers| object.plain("wakers", wakers))?;
    if info.cancelled { object.plain("cancelled", true) } else { Ok(()) }
}

fn waits(object: &mut Object<'_, '_>, wait: Option<&Wait>) -> fmt::Result {
    let Some(wait) = wait else { return Ok(()) };
    object.object("waits", |object| {
        match &wait.on {
            WaitOn::Child(id) => of(object, "child", "task", *id),
            WaitOn::Children(count) => {
                object.text("kind", "children")?;
                object.plain("count", count)
            }
            WaitOn::Nursery(id) => of(object, "nursery", "nursery", *id),
            WaitOn::Scope(id) => of(object, "scope", "nursery", *id),
            WaitOn::Idle(id) => of(object, "idle", "nursery", *id),
            WaitOn::Shutdown(id) => of(object, "shutdown", "nursery", *id),
            WaitOn::Permit(name) => of(object, "permit", "name", *name),
            WaitOn::Rate(name) => of(object, "rate", "name", *name),
            WaitOn::Slot(name) => of(object, "slot", "name", *name),
            WaitOn::Named(name) => of(object, "named", "name", Some(*name)),
            WaitOn::Sleep(time) => {
                object.text("kind", "sleep")?;
                time.map_or(Ok(()), |time| object.plain("sleep_ms", time.as_millis()))
            }
            WaitOn::Token => object.text("kind", "token"),
            WaitOn::Cancel => object.text("kind", "cancel"),
            WaitOn::Drain => object.text("kind", "drain"),
        }?;
        if wait.among_others { object.plain("among_others", true) } else { Ok(()) }
    })
}

/// Writes what is waited for, and which, if that is known.
fn of(
    object: &mut Object<'_, '_>,
    kind: &str,
    key: &str,
    which: Option<impl fmt::Display>,
) -> fmt::Result {
    object.text("kind", kind)?;
    object.known(key, which)
}

/// Writes an age by one of two names: as it is, or as one that is at least so great.
fn age(object: &mut Object<'_, '_>, key: &str, age: Option<Age>) -> fmt::Result {
    let Some(age) = age else { return Ok(()) };
    let end = if age.is_exact() { "ms" } else { "at_least_ms" };
    object.plain(&format!("{key}_{end}"), age.time().as_millis())
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Running => "running",
        Level::Draining => "draining",
        Level::Cancelled => "cancelled",
        Level::Aborted => "aborted",
    }
}

/// Returns the nurseries, each with the one around it.
fn with_parents(dump: &Dump) -> impl Iterator<Item = (Option<NurseryId>, &NurseryInfo)> {
    let mut around = Vec::new();
    dump.nurseries().map(move |nursery| {
        around.truncate(nursery.depth);
        let parent = around.last().copied();
        around.push(nursery.id);
        (parent, nursery)
    })
}
