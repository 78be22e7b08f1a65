//! Names by pattern: `*` is any text, `?` one character.

use serde::{Deserialize, Deserializer};
use wildmatch::WildMatch;

/// A pattern; without one, every name.
#[derive(Clone, Debug, Default)]
pub(super) struct Pattern(Option<WildMatch>);

impl Pattern {
    /// Whether a name is like it.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|pattern| pattern.matches(name))
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Some(WildMatch::new(&String::deserialize(deserializer)?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let pattern = |text: &str| Pattern(Some(WildMatch::new(text)));
        assert!(Pattern::default().matches("any"));
        assert!(pattern("node*").matches("node17") && pattern("n?de*").matches("node"));
        assert!(!pattern("node").matches("node1") && !pattern("node?").matches("node"));
    }
}
