//! Medians, and how they are shown.

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    let lower = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some((lower + upper) / 2.0)
}

/// A number with three digits that say something.
pub fn short(value: f64) -> String {
    if value == value.trunc() || value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// `ours` divided by the original's.
pub fn ratio(original: Option<f64>, ours: Option<f64>) -> String {
    match original.zip(ours) {
        Some((original, ours)) if original > 0.0 => {
            let ratio = ours / original;
            if ratio > 0.0 && ratio < 0.1 { format!("{ratio:.3}") } else { format!("{ratio:.2}") }
        }
        _ => String::new(),
    }
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), short)
}

/// A row of the first table.
pub fn row(name: &str, original: &[f64], ours: &[f64]) -> String {
    let (original, ours) = (median(original), median(ours));
    format!("| {name} | {} | {} | {} |", cell(original), cell(ours), ratio(original, ours))
}

/// The original's figure, ours and the ratio in one cell. What the original refuses is held against
/// `instead`.
pub fn pair(original: &[f64], ours: &[f64], instead: Option<&[f64]>) -> String {
    let (original, ours) = (median(original), median(ours));
    let against = original.or_else(|| instead.and_then(median));
    match ratio(against, ours) {
        ratio if ratio.is_empty() => format!("{} / {}", cell(original), cell(ours)),
        ratio => format!("{} / {} ({ratio})", cell(original), cell(ours)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn rows() {
        assert_eq!(row("x, us", &[200.0, 100.0, 300.0], &[4.4]), "| x, us | 200 | 4.40 | 0.022 |");
        assert_eq!(row("x", &[], &[4.0]), "| x | - | 4 |  |");
        assert_eq!(row("x", &[0.0], &[0.0]), "| x | 0 | 0 |  |");
        assert_eq!(pair(&[], &[12.34], Some(&[24.68])), "- / 12.3 (0.50)");
        assert_eq!(pair(&[2.0], &[0.0], None), "2 / 0 (0.00)");
    }
}
