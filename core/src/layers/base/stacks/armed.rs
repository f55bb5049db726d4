//! Which polls are looked at: one word for the process, which each poll loads, and one for each nursery.

use super::{Method, set_method};
use crate::layers::base::sync::{GlobalOnce, GlobalU32, GlobalU64, Ordering};

/// Some polls may be looked at.
const ALL: u32 = 1;
/// Those of the nurseries that were chosen.
const CHOSEN: u32 = 1 << 1;
/// Those of the nurseries that ask for it. Never unset.
const ASKED: u32 = 1 << 2;

static ARMED: GlobalU32 = GlobalU32::new(0);
/// One outermost nursery in so many is chosen.
static ONE_IN: GlobalU32 = GlobalU32::new(1);
static OPENED: GlobalU64 = GlobalU64::new(0);
static BY_ENV: GlobalOnce<()> = GlobalOnce::new();

/// Where nothing can be captured, the compiler takes the lens out.
const POSSIBLE: bool =
    cfg!(all(target_pointer_width = "64", not(loom), not(target_family = "wasm")));

/// Which polls of the process are looked at.
///
/// A nursery that [asks for it](crate::Builder::stacks) is looked at whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arm {
    /// All, also of tasks that exist already: such a task is seen from its next poll on.
    All,
    /// Those of one in so many outermost nurseries, and of all that is inside of it: of those that
    /// are opened from now on. 0 is none.
    OneIn(u32),
    /// None. This is the default. What was seen stays until the task is polled again.
    Off,
}

/// Says for one nursery which polls are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Seen {
    /// If all are.
    #[default]
    WhenAll,
    /// If all are, or those that were chosen.
    WhenChosen,
    Always,
    Never,
}

impl Seen {
    /// Returns that of a nursery that is opened: by what it asks for, and by what it is opened in.
    pub(crate) fn new(asked: Option<bool>, around: Option<Seen>) -> Seen {
        by_env();
        match (asked, around) {
            (Some(true), _) => {
                // Relaxed, here and below: it guards nothing.
                ARMED.fetch_or(ASKED, Ordering::Relaxed);
                Seen::Always
            }
            (Some(false), _) => Seen::Never,
            (None, Some(around)) => around,
            (None, None) => choose(),
        }
    }

    /// Returns `true` if its polls are looked at.
    #[cold]
    pub(crate) fn is_seen(self) -> bool {
        let armed = ARMED.load(Ordering::Relaxed);
        match self {
            Seen::WhenAll => armed & ALL != 0,
            Seen::WhenChosen => armed & (ALL | CHOSEN) != 0,
            Seen::Always => true,
            Seen::Never => false,
        }
    }
}

/// Returns `true` if any poll may be looked at: what each poll asks first.
#[inline(always)]
pub(crate) fn is_any() -> bool {
    POSSIBLE && ARMED.load(Ordering::Relaxed) != 0
}

/// Says it for an outermost nursery.
fn choose() -> Seen {
    if ARMED.load(Ordering::Relaxed) & CHOSEN == 0 {
        return Seen::WhenAll;
    }
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    match number % u64::from(ONE_IN.load(Ordering::Relaxed)) {
        0 => Seen::WhenChosen,
        _ => Seen::WhenAll,
    }
}

/// Arms, or disarms.
pub(crate) fn arm(arm: Arm) {
    by_env();
    set(arm);
}

fn set(arm: Arm) {
    let bits = match arm {
        Arm::All => ALL,
        Arm::OneIn(0) | Arm::Off => 0,
        Arm::OneIn(count) => {
            ONE_IN.store(count, Ordering::Relaxed);
            CHOSEN
        }
    };
    // Two that arm at once leave what one of them says.
    ARMED.store(ARMED.load(Ordering::Relaxed) & ASKED | bits, Ordering::Relaxed);
}

/// Returns `true` if the polls of the process are looked at, or of some nurseries by chance.
pub(crate) fn is_armed() -> bool {
    POSSIBLE && ARMED.load(Ordering::Relaxed) & !ASKED != 0
}

/// Returns `true` if they can be, on this target.
pub(crate) fn is_possible() -> bool {
    POSSIBLE
}

/// What the environment says, once.
fn by_env() {
    BY_ENV.get_or_init(|| {
        let Ok(word) = std::env::var("ALLHOME_STACKS") else { return };
        let (armed, method) = parse(&word);
        if let Some(method) = method {
            set_method(method);
        }
        set(armed);
    });
}

fn parse(word: &str) -> (Arm, Option<Method>) {
    match word.trim() {
        "scan" => (Arm::All, Some(Method::Scan)),
        "unwind" => (Arm::All, Some(Method::Unwind)),
        "std" => (Arm::All, Some(Method::Std)),
        word => match word.strip_prefix("1/").unwrap_or(word).parse() {
            Ok(0) | Err(_) => (Arm::Off, None),
            Ok(1) => (Arm::All, None),
            Ok(count) => (Arm::OneIn(count), None),
        },
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Arm, Method, parse};

    #[test]
    fn words_of_the_environment() {
        assert_eq!(parse("1"), (Arm::All, None));
        assert_eq!(parse("1/50"), (Arm::OneIn(50), None));
        assert_eq!(parse("50"), (Arm::OneIn(50), None));
        assert_eq!(parse("unwind"), (Arm::All, Some(Method::Unwind)));
        for word in ["0", "", "no", "-1"] {
            assert_eq!(parse(word), (Arm::Off, None), "{word}");
        }
    }
}
