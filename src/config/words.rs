//! The words of one statement as the grammar sorts them, kept for whoever reads the statement again.
//!
//! They depend on the text alone. What a word means depends on variables, so it is looked up each time.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use pest::Parser;
use pest::iterators::Pair;

use super::grammar::{Grammar, Rule};

/// A rule of the grammar that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub rule: Rule,
    start: u32,
    end: u32,
    /// Where in [`Words`] the next one is that is not inside of this.
    next: u32,
}

impl Word {
    /// Which bytes of the text it is, from the one on at which the form begins.
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A form of the grammar: each rule followed by those inside of it.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    all: Arc<[Word]>,
    at: usize,
    end: usize,
}

impl Words {
    fn cut(rule: Rule, text: &str) -> Option<Self> {
        let pair = Grammar::parse(rule, text).ok()?.next()?;
        let mut all = Vec::new();
        pair.into_inner().for_each(|pair| add(&mut all, &pair));
        Some(Self { end: all.len(), all: all.into(), at: 0 })
    }

    /// The next word, and what is inside of it.
    pub(crate) fn next(&mut self) -> Option<(Word, Self)> {
        let word = *self.all.get(self.at..self.end)?.first()?;
        let inner = Self { all: Arc::clone(&self.all), at: self.at + 1, end: word.next as usize };
        self.at = word.next as usize;
        Some((word, inner))
    }
}

fn add(all: &mut Vec<Word>, pair: &Pair<'_, Rule>) {
    let place = all.len();
    let span = pair.as_span();
    all.push(Word { rule: pair.as_rule(), start: span.start() as u32, end: span.end() as u32, next: 0 });
    pair.clone().into_inner().for_each(|inner| add(all, &inner));
    let next = all.len() as u32;
    if let Some(word) = all.get_mut(place) {
        word.next = next;
    }
}

/// The text of a statement, with what is kept of it, if anything is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub text: &'a str,
    forms: Option<&'a Forms>,
}

impl<'a> From<&'a str> for Source<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, forms: None }
    }
}

impl<'a> Source<'a> {
    /// A text whose words are kept. `forms` is of the same text each time.
    pub(crate) fn kept(text: &'a str, forms: &'a Forms) -> Self {
        Self { text, forms: Some(forms) }
    }

    /// Its words from byte `base` on in the form `rule`. `None`: the text does not have that form.
    pub(crate) fn cut(self, rule: Rule, base: usize) -> Option<Words> {
        match self.forms {
            Some(forms) => forms.cut(rule, self.text, base),
            None => Words::cut(rule, self.text.get(base..)?),
        }
    }
}

/// The forms that a text was read in so far.
#[derive(Debug, Default)]
pub(crate) struct Forms(Mutex<Vec<(Rule, usize, Words)>>);

impl Forms {
    fn cut(&self, rule: Rule, text: &str, base: usize) -> Option<Words> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, words)) = known.iter().find(|(form, from, _)| *form == rule && *from == base) {
            return Some(words.clone());
        }
        let words = Words::cut(rule, text.get(base..)?)?;
        known.push((rule, base, words.clone()));
        Some(words)
    }
}
