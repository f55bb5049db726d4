//! Which rules a rule rests on, beside the ground: if one of these is broken, a failure of the rule
//! says no more. A report puts it after them.

/// What a task needs for most of what the other topics ask of it.
const TASKS: &[&str] =
    &["R11", "R14", "R16", "R17", "R30", "R32", "R35", "R36", "R37", "W13", "W15", "W16", "W17"];

/// Returns `true` if the first rule rests on the second.
pub(crate) fn rests_on(id: &str, base: &str) -> bool {
    let topic = &id[..2];
    let later = matches!(topic, "R5" | "R6" | "W6" | "R7" | "R8" | "W8" | "R9" | "W5" | "W2");
    named(id).contains(&base) || (later && TASKS.contains(&base))
}

fn named(id: &str) -> &'static [&'static str] {
    match id {
        "W36" => TASKS,
        "W39" => &["W36"],
        "W45" => {
            &["W36", "R11", "R37", "W81", "R81", "R82", "R84", "R86", "R89", "W82", "R36", "R24"]
        }
        "R11" => &["R17"],
        "R14" | "R16" => &["R11", "R17"],
        "R21" => &["W16", "R32", "W17"],
        "R26" => &["R34"],
        "R35" => &["R11", "R17", "R36", "W13"],
        "R93" | "W28" => &["R11", "R17", "R36"],
        "W17" => &["W15"],
        "W18" => &["W17", "W15"],
        "W71" => &["R71", "R74", "R75"],
        "W16" => &["W17", "R36", "R30"],
        "R60" | "W65" | "W66" | "R96" => &["W63", "R62", "R65", "R66"],
        "R61" | "R67" | "R68" | "W62" | "R65" | "R66" => &["W63", "R62"],
        "R63" | "R64" => &["W63", "R62", "R65", "R66"],
        "W60" => &["R61"],
        "R69" => &["W64"],
        "R72" | "R74" | "R76" | "R77" => &["R71"],
        "R82" | "W84" => &["R81", "R88", "R89", "R86", "W82"],
        "R86" => &["W81"],
        "R87" => &["R81", "R88", "R89"],
        "W83" => &["R81", "R82"],
        "R95" => &["R91"],
        "R99" => &["R91", "R95", "R10"],
        "R92" | "R97" => &["R91", "R95"],
        "W21" | "W22" => &["W23", "W26"],
        "W23" => &["W26"],
        "W25" => &["W23"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Subject;

    #[test]
    fn none_rests_on_itself_by_way_of_others() {
        let ids: Vec<_> = Subject::all().map(Subject::id).collect();
        let mut left: Vec<&String> = ids.iter().collect();
        loop {
            let before = left.len();
            let rest = left.clone();
            left.retain(|id| rest.iter().any(|other| rests_on(id, other)));
            if left.len() == before {
                break;
            }
        }
        assert!(left.is_empty(), "a circle among {left:?}");
    }
}
