//! How much memory the process has.

/// Returns how many bytes of memory the process has touched and not given back, where that can be
/// asked and says something. Under a sanitizer it does not: that keeps what is freed, to find late uses.
/// Its shadow of the address space, which is terabytes, gives it away.
pub fn resident() -> Option<usize> {
    const PAGE: usize = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split(' ').map_while(|pages| pages.parse::<usize>().ok());
    let (mapped, touched) = (pages.next()?, pages.next()?);
    (mapped < (1 << 40) / PAGE).then_some(touched * PAGE)
}
