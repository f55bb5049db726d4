//! All that is running in the process, as a page for a browser.

mod html;
mod parts;
mod query;
mod task;
mod tree;

use super::color::Color;
use super::format::{Format, One};
use super::show::Text;
use super::{Dump, dump};
use crate::layers::nursery::tree::info::TaskInfo;
use query::{As, Query};

/// Answers a request for what is running in this process: for a route such as `/debug/allhome` of any
/// server. The `query` is that of the address, without the `?`.
///
/// | query | answer |
/// |---|---|
/// | (empty) | a page of HTML: findings, lots as bars, the tree of nurseries |
/// | `tasks=1` | the page with a list of the tasks, of 2,000 at most |
/// | `id=1.4` | the page of one task |
/// | `format=text` | the text of [`dump`]; with `id=`, the task's line |
/// | `format=json` | findings, lots and nurseries as JSON; with `tasks=1` or `id=` tasks, too |
///
/// The page is one document, without scripts and without anything to fetch, and fits on a phone. The
/// JSON is that of [`Dump::write_json`].
///
/// It names what the program does: names, notes, places in the source. Do not serve it to the public.
///
/// It takes a [`dump`], so it may be called in a task, and blocks for as long as it takes to read the
/// nurseries and write the body: some milliseconds for ten thousand tasks. It never panics.
///
/// # Errors
///
/// The status is 400 for a query that is not understood, and 404 for a task that is not there. The
/// body then is a text that says so.
///
/// # Examples
///
/// ```
/// use allhome::see;
///
/// let page = see::page("");
/// assert_eq!((page.status, page.content_type), (200, "text/html; charset=utf-8"));
/// assert!(page.body.starts_with("<!doctype html>"));
///
/// let text = see::page("format=text");
/// assert_eq!(text.content_type, "text/plain; charset=utf-8");
///
/// assert_eq!(see::page("id=99999999.1").status, 404);
/// assert_eq!(see::page("format=pdf").status, 400);
/// ```
pub fn page(query: &str) -> Page {
    match Query::parse(query) {
        Ok(query) => answer(&dump(), &query),
        Err(wrong) => refuse(wrong),
    }
}

/// The same of some trees.
pub(super) fn page_of(dump: &Dump, query: &str) -> Page {
    match Query::parse(query) {
        Ok(query) => answer(dump, &query),
        Err(wrong) => refuse(wrong),
    }
}

fn refuse(wrong: String) -> Page {
    Page { status: 400, content_type: TEXT, body: wrong }
}

/// An answer to a request: what [`page`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The status of HTTP: 200, 400 or 404.
    pub status: u16,
    /// The value of the header `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";

fn answer(dump: &Dump, query: &Query) -> Page {
    let one = match query.id {
        None => None,
        Some((nursery, number)) => match find(dump, nursery, number) {
            None => {
                let body =
                    format!("no task {nursery}.{number} is here: it has ended, or never was\n");
                return Page { status: 404, content_type: TEXT, body };
            }
            found => found,
        },
    };
    let (content_type, body) = match (query.format, one) {
        (As::Html, None) => {
            ("text/html; charset=utf-8", html::All { dump, tasks: query.tasks }.to_string())
        }
        (As::Html, Some(one)) => {
            ("text/html; charset=utf-8", task::One { dump, task: one }.to_string())
        }
        (As::Json, None) => ("application/json", Format { dump, tasks: query.tasks }.to_string()),
        (As::Json, Some(one)) => ("application/json", One(one).to_string()),
        (As::Text, None) => (TEXT, Text(dump, Color::Never).to_string()),
        (As::Text, Some(one)) => (TEXT, format!("{one}\n")),
    };
    Page { status: 200, content_type, body }
}

fn find(dump: &Dump, nursery: u64, number: u64) -> Option<&TaskInfo> {
    let of = dump.nurseries().find(|info| info.id.number() == nursery)?;
    of.tasks.iter().find(|task| task.id.number() == number)
}
