//! Many items: a future for each of a source, so many at a time.
//!
//! | file            | what it is                                                             |
//! |-----------------|------------------------------------------------------------------------|
//! | `ext`           | the methods on iterators and streams                                   |
//! | `map`, `try_map`, `for_each` | the streams and futures that these make                   |
//! | `take`          | futures that take of the streams                                       |
//! | `flow`          | what is the same in all: takes from the source, starts, gives what has ended |
//! | `order`         | what has ended before its turn                                         |
//! | `place`         | where the futures run: the trait                                       |
//! | `here`, `woken` | in place: polled with the stream, if they were woken                   |
//! | `children`      | as children of a nursery                                               |
//! | `keyed`         | children by key, at most one at a time for each                        |

pub(crate) mod children;
pub(crate) mod ext;
mod flow;
pub(crate) mod for_each;
pub(crate) mod here;
pub(crate) mod keyed;
pub(crate) mod map;
mod order;
pub(crate) mod place;
pub(crate) mod take;
pub(crate) mod try_map;
mod woken;
