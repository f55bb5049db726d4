//! What pages are made of: escaped text, links, lines of tasks.

use crate::layers::nursery::tree::info::TaskInfo;
use crate::layers::see::dump::count::{Count, thousands};
use crate::layers::see::dump::show::{Named, One};
use std::fmt::{self, Display, Formatter, Write};

const STYLE: &str = include_str!("page.css");

/// So many places of a lot are shown.
const MOST_PLACES: usize = 32;

/// A text with what is markup in HTML escaped.
pub(super) struct Html<T>(pub(super) T);

impl<T: Display> Display for Html<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Inside(f), "{}", self.0)
    }
}

struct Inside<'a, 'b>(&'a mut Formatter<'b>);

impl Write for Inside<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A link to the page of a task, with this text.
pub(super) struct Link<'a, T>(pub(super) &'a TaskInfo, pub(super) T);

impl<T: Display> Display for Link<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<a href=\"?id={}\">{}</a>", self.0.id, Html(&self.1))
    }
}

/// A task, with a link to its page, and what it does; the rest is dim.
pub(super) struct Line<'a>(pub(super) &'a TaskInfo);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Line(task) = self;
        let (name, does) = (Link(task, Named(task)), Html(Doing(task)));
        write!(
            f,
            "{name} {does} <span class=\"dim\">{}",
            Count(task.polls as usize, "poll", "polls")
        )?;
        if let Some(age) = task.since_poll {
            write!(f, ", the last {age} ago")?;
        }
        if let Some(age) = task.age {
            write!(f, ", spawned {age} ago")?;
        }
        write!(f, ", at {}</span>", Html(task.location))
    }
}

/// What a task does, and why.
pub(super) struct Doing<'a>(pub(super) &'a TaskInfo);

impl Display for Doing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.show_state(f)?;
        if self.0.cancelled { f.write_str(" [cancelled]") } else { Ok(()) }
    }
}

/// What each page begins with.
pub(super) fn begin(f: &mut Formatter<'_>, title: impl Display) -> fmt::Result {
    let title = Html(title);
    write!(
        f,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    )
}

/// What each page ends with.
pub(super) fn end(f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str("</body>\n</html>\n")
}

/// Shows tasks by the place of their spawns: one by its name, several by their number.
pub(super) fn show_places(f: &mut Formatter<'_>, places: &[Vec<&TaskInfo>]) -> fmt::Result {
    f.write_str("<ul class=\"places\">\n")?;
    for tasks in places.iter().take(MOST_PLACES) {
        match &tasks[..] {
            [one] => {
                let place = Html(one.location);
                let task = Link(one, One(one));
                writeln!(f, "<li>{task} <span class=\"dim\">spawned at {place}</span></li>")?;
            }
            [first, ..] => {
                let (count, place) = (thousands(tasks.len()), Html(first.location));
                let first = Link(first, Named(first));
                writeln!(
                    f,
                    "<li><b>{count}</b> <span class=\"dim\">spawned at {place}, the first:</span> \
                     {first}</li>"
                )?;
            }
            [] => {}
        }
    }
    if places.len() > MOST_PLACES {
        let rest = thousands(places.len() - MOST_PLACES);
        writeln!(f, "<li class=\"more\">.. and at {rest} more places</li>")?;
    }
    f.write_str("</ul>\n")
}
