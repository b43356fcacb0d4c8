//! Runs of bytes of one sort, found without a look at most of the other bytes.

use std::ops::Range;

/// The next run of at least `length_min` bytes that `belongs`, from `from` on, which must not lie inside a run. Where
/// no byte belongs, one in `length_min` is looked at; none is looked at more than three times. The looks are added to `work`.
#[inline]
pub(super) fn next_run(
    bytes: &[u8],
    from: usize,
    length_min: usize,
    belongs: impl Fn(u8) -> bool,
    work: &mut usize,
) -> Option<Range<usize>> {
    let mut start = from;
    loop {
        let window = bytes.get(start..start + length_min)?;
        let gap = window.iter().rposition(|byte| !belongs(*byte));
        *work += window.len() - gap.unwrap_or(0);
        match gap {
            Some(gap) => start += gap + 1,
            None => break,
        }
    }
    let rest = bytes.get(start + length_min..).unwrap_or_default();
    let more = rest.iter().take_while(|byte| belongs(**byte)).count();
    *work += more;
    Some(start..start + length_min + more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_whole_and_short_ones_are_passed_over() {
        let all = |text: &str, length_min| {
            let (mut at, mut work, mut found) = (0, 0, Vec::new());
            while let Some(run) = next_run(
                text.as_bytes(),
                at,
                length_min,
                |byte| byte == b'x',
                &mut work,
            ) {
                at = run.end;
                found.push((run.start, run.end));
            }
            assert!(work <= 3 * text.len(), "{work} looks at {text}");
            found
        };
        assert_eq!(all("xxx xxxx  xxxxx x", 4), [(4, 8), (10, 15)]);
        assert_eq!(all("xxxxxxx", 4), [(0, 7)]);
        assert_eq!(all("xxx", 4), []);
        assert_eq!(all("", 1), []);
        assert_eq!(all(" xxxx", 4), [(1, 5)]);
        for dots in 0..40 {
            let text = format!("{}xxxxx{}", ".x".repeat(dots), ".".repeat(dots % 7));
            let end = 2 * dots + 5;
            let length = 5 + usize::from(dots > 0);
            assert_eq!(all(&text, 5), [(end - length, end)], "{text}");
        }
    }
}
