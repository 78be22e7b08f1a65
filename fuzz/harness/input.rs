//! An input read as a small program: numbers and pieces, one after the other.

/// What is left of an input. At its end every number is 0 and every piece empty.
pub struct FuzzData<'a>(&'a [u8]);

impl<'a> FuzzData<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// As many bytes, or what is left.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        piece
    }

    /// A piece with its length in front: one byte, or FFh and two bytes.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = match self.byte() {
            0xff => usize::from(self.word()),
            length => usize::from(length),
        };
        self.take(length)
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Writes what [`FuzzData::piece`] reads.
pub fn piece(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.len() < 0xff {
        out.push(bytes.len() as u8);
    } else {
        out.push(0xff);
        out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    }
    out.extend_from_slice(bytes);
}
