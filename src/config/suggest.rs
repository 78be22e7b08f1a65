//! "Did you mean": the known word nearest to an unknown one.

/// Number of insertions, deletions, replacements and swaps of neighbours that make `a` of `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let (Some(&left), Some(&corner), Some(&above)) = (row.last(), last.get(j), last.get(j + 1)) else { break };
            let mut best = (corner + usize::from(x != y)).min(left + 1).min(above + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if let (true, Some(&swap)) = (swapped, before.get(j.wrapping_sub(1))) {
                best = best.min(swap + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

/// The candidate that `word` is most likely meant to be, if any is near.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word much longer than any keyword is not a typing error.
    let lower: Vec<char> = word.chars().take(40).flat_map(char::to_lowercase).collect();
    let allowed = match lower.len() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| {
            let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
            (distance(&lower, &letters), candidate)
        })
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let words = ["name", "startnow", "startcmd", "user", "mc_enable", "PEF_alerting"];
        assert_eq!(nearest("StartNow", words), Some("startnow"));
        assert_eq!(nearest("mc_enabel", words), Some("mc_enable"));
        assert_eq!(nearest("pef_alerting", words), Some("PEF_alerting"));
        assert_eq!(nearest("usr", words), Some("user"));
        assert_eq!(nearest("persist_changes", words), None);
        assert_eq!(nearest("x", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest(&"x".repeat(100_000), words), None);
    }

    #[test]
    fn counts_a_swap_as_one() {
        let letters = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(distance(&letters("abcd"), &letters("abdc")), 1);
        assert_eq!(distance(&letters("abc"), &letters("")), 3);
        assert_eq!(distance(&letters("kitten"), &letters("sitting")), 3);
    }
}
