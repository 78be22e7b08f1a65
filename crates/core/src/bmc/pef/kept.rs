//! What of platform event filtering a state file keeps, item by item.
//!
//! Owns the names of the items. What was never set is in no file.

use super::{ENTRIES, Parameters, Pef, STRING};

/// What is kept, as it was before a client's change.
#[derive(Debug)]
pub struct Settled {
    parameters: Option<Box<Parameters>>,
    processed: [u16; 2],
}

impl Pef {
    /// What is kept: without what is just being set.
    fn settled_parameters(&self) -> Option<&Parameters> {
        self.before.as_deref().or(self.parameters.as_deref())
    }

    /// What is kept, as of now, to be given to `take_back` if it cannot be.
    pub fn settled(&self) -> Settled {
        let processed = [self.processing.by_software, self.processing.by_bmc];
        Settled { parameters: self.settled_parameters().cloned().map(Box::new), processed }
    }

    /// What was set since could not be kept: it is gone; while somebody is setting, it is gone unless it is committed.
    pub(in crate::bmc) fn take_back(&mut self, settled: Settled) {
        [self.processing.by_software, self.processing.by_bmc] = settled.processed;
        if self.before.is_some() {
            self.before = Some(settled.parameters.unwrap_or_default());
        } else {
            self.parameters = settled.parameters;
        }
    }

    /// Items with bytes: name and value.
    pub fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let mut kept = Vec::new();
        let default = Parameters::default();
        let parameters = self.settled_parameters().unwrap_or(&default);
        let mut keep = |name: String, bytes: &[u8], default: &[u8]| {
            if bytes != default {
                kept.push((name, bytes.to_vec()));
            }
        };
        keep("control".into(), &parameters.bytes, &default.bytes);
        keep("guid".into(), &parameters.guid, &default.guid);
        for number in 0..usize::from(ENTRIES) {
            keep(format!("filter.{number}"), &parameters.filters[number], &default.filters[number]);
            keep(format!("policy.{number}"), &parameters.policies[number], &default.policies[number]);
            keep(format!("string_key.{number}"), &parameters.string_keys[number], &default.string_keys[number]);
            let string = number * STRING..(number + 1) * STRING;
            keep(format!("string.{number}"), &parameters.strings[string.clone()], &default.strings[string]);
        }
        let processed = [self.processing.by_software, self.processing.by_bmc].map(u16::to_le_bytes);
        keep("processed".into(), processed.as_flattened(), &[0; 4]);
        kept
    }

    /// Takes what [`kept`](Self::kept) gave, each item that is there and has its length.
    pub fn restore<'f>(&mut self, item: impl Fn(&str) -> Option<&'f [u8]>) {
        fn take<const N: usize>(to: &mut [u8; N], from: Option<&[u8]>) {
            if let Some(bytes) = from.and_then(|bytes| bytes.try_into().ok()) {
                *to = bytes;
            }
        }
        let mut parameters = Parameters::default();
        take(&mut parameters.bytes, item("control"));
        take(&mut parameters.guid, item("guid"));
        for number in 0..usize::from(ENTRIES) {
            take(&mut parameters.filters[number], item(&format!("filter.{number}")));
            take(&mut parameters.policies[number], item(&format!("policy.{number}")));
            take(&mut parameters.string_keys[number], item(&format!("string_key.{number}")));
            if let Some(string) = item(&format!("string.{number}")).filter(|string| string.len() == STRING) {
                parameters.strings[number * STRING..(number + 1) * STRING].copy_from_slice(string);
            }
        }
        let mut processed = [0; 4];
        take(&mut processed, item("processed"));
        let [s0, s1, c0, c1] = processed;
        self.processing.by_software = u16::from_le_bytes([s0, s1]);
        self.processing.by_bmc = u16::from_le_bytes([c0, c1]);
        self.parameters = (parameters != Parameters::default()).then(|| Box::new(parameters));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(kept: &[(String, Vec<u8>)]) -> Pef {
        let mut pef = Pef::default();
        pef.restore(|name| kept.iter().find(|(item, _)| item == name).map(|(_, bytes)| bytes.as_slice()));
        pef
    }

    #[test]
    fn what_was_set_comes_back_and_what_was_not_committed_does_not() {
        let mut pef = Pef::default();
        assert!(pef.kept().is_empty());
        let string: Vec<u8> = [2, 1].into_iter().chain(*b"Too hot").collect();
        let filter: [u8; 21] = std::array::from_fn(|at| if at == 0 { 15 } else { at as u8 | 0x80 });
        let mut guid = [7; 17];
        guid[0] = 1;
        let sets: [(u8, &[u8]); 7] = [
            (1, &[0x0f]),
            (4, &[9]),
            (6, &filter),
            (9, &[3, 0x18, 0x11, 0x02]),
            (10, &guid),
            (12, &[2, 3, 1]),
            (13, &string),
        ];
        for (selector, data) in sets {
            pef.set(selector, data).expect("valid");
        }
        pef.processing.by_software = 0x0102;
        let kept = pef.kept();
        pef.set(0, &[1]).expect("free");
        pef.set(1, &[0]).expect("valid");
        assert_eq!(pef.kept(), kept, "not committed");
        let restored = again(&kept);
        assert_eq!(restored.kept(), kept);
        assert_eq!(restored.get(6, 15, 0, <[u8]>::to_vec), Ok(filter.to_vec()));
        assert_eq!((restored.control(), restored.processing.by_software), (0x0f, 0x0102));
        assert_eq!(restored.string(2), b"Too hot");
    }

    #[test]
    fn items_of_another_length_are_left_out() {
        let mut pef = Pef::default();
        pef.restore(|_| Some(&[1, 2, 3]));
        // String keys have three bytes.
        let names: Vec<String> = pef.kept().into_iter().map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| name.starts_with("string_key.")), "{names:?}");
    }
}
