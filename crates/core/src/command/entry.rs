//! One row of a command table: everything there is to say about a command.

use super::privilege::Required;
use super::{Context, Outcome};
use crate::ipmi::{CompletionCode, Nature, Privilege, Request, Response};

/// A command's implementation. `request.data` is at least the entry's minimum length long.
pub type Handler = fn(&mut Context<'_>, &Request<'_>, &mut Response) -> Result<Outcome, CompletionCode>;

/// Whether a controller has a command at all; a closed gate is C1h, before any other check.
pub type Gate = fn(&Context<'_>) -> bool;

/// One command: a number, a name and a handler, and what is not as usual.
///
/// Usual is: every controller has it, it needs no data and an administrator, executing it twice does no more than
/// once, no state file keeps what it changes, the original has it, and the log shows its data as bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Command number.
    pub cmd: u8,
    /// Name in the IPMI specification.
    pub name: &'static str,
    /// Capability the controller must have.
    pub gate: Gate,
    /// Fewest data bytes; fewer are C7h (C1h for a command the original does not have), more
    /// are never an error.
    pub min_length: usize,
    /// What a session needs to send it.
    pub privilege: Required,
    /// What executing it once more does.
    pub nature: Nature,
    /// Whether it changes what a state file keeps.
    pub keeps: bool,
    /// Whether the original has it, too.
    pub in_original: bool,
    /// Its data for the log.
    pub fields: Option<Fields>,
    /// The implementation.
    pub handler: Handler,
}

/// The data of a command, for the log; see [`Entry::fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Those of the request.
    pub request: &'static str,
    /// Those of the response, without the completion code.
    pub response: &'static str,
}

/// The request of the commands that read a record in parts.
pub(super) const READ_RECORD: &str = "reservation:2 record:2 offset:d1 count:d1";

fn always(_: &Context<'_>) -> bool {
    true
}

fn answered_elsewhere(_: &mut Context<'_>, _: &Request<'_>, _: &mut Response) -> Result<Outcome, CompletionCode> {
    Err(CompletionCode::INVALID_COMMAND)
}

impl Entry {
    /// A command that is as usual.
    pub const fn new(cmd: u8, name: &'static str, handler: Handler) -> Self {
        Self {
            cmd,
            name,
            gate: always,
            min_length: 0,
            privilege: Required::Level(Privilege::Administrator),
            nature: Nature::Sets,
            keeps: false,
            in_original: true,
            fields: None,
            handler,
        }
    }

    /// A command that a LAN channel or the simulator answers before the tables are asked. To whom it
    /// comes all the same, it is C1h.
    pub(super) const fn elsewhere(cmd: u8, name: &'static str) -> Self {
        Self::new(cmd, name, answered_elsewhere)
    }

    /// Only controllers that pass have it.
    pub const fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Fewest data bytes of a request, the group or IANA number included.
    pub const fn at_least(mut self, bytes: usize) -> Self {
        self.min_length = bytes;
        self
    }

    const fn level(mut self, level: Privilege) -> Self {
        self.privilege = Required::Level(level);
        self
    }

    /// Any established session may send it, callback included.
    pub const fn any_level(mut self) -> Self {
        self.privilege = Required::Any;
        self
    }

    /// User level is enough.
    pub const fn user(self) -> Self {
        self.level(Privilege::User)
    }

    /// Operator level is enough.
    pub const fn operator(self) -> Self {
        self.level(Privilege::Operator)
    }

    /// It needs an administrator, as without a word.
    pub const fn administrator(self) -> Self {
        self.level(Privilege::Administrator)
    }

    /// It never comes over a session, only by the system interface.
    pub const fn system_interface(mut self) -> Self {
        self.privilege = Required::SystemInterface;
        self
    }

    /// It only reads, or reserves: executed again when a client sends it again.
    pub const fn reads(mut self) -> Self {
        self.nature = Nature::Reads;
        self
    }

    /// It does the same once more each time (an event, a record, a reset): not executed for a client that
    /// only sends it again.
    pub const fn acts(mut self) -> Self {
        self.nature = Nature::Acts;
        self
    }

    /// It changes what a state file keeps, so that its response waits for the disk.
    ///
    /// What waits is bounded, and whether there is room has to be known before such a command is executed.
    pub const fn keeps(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// The original does not have it. It is here for clients, which send whole requests: one that is too short
    /// gets the response the original gives to every request of such a command, C1h.
    pub(super) const fn ours(mut self) -> Self {
        self.in_original = false;
        self
    }

    /// The response to a request with fewer bytes than it needs.
    pub(super) const fn too_short(&self) -> CompletionCode {
        if self.in_original { CompletionCode::INVALID_LENGTH } else { CompletionCode::INVALID_COMMAND }
    }

    /// What the data of request and response are, for the log. What is secret is never shown.
    ///
    /// Words are fields in their order: `name` one byte, `name:N` N bytes with the least significant first,
    /// `name:dN` the same in decimal, `name:xN` bytes as they are, `name:sN` text, `name:*` all that
    /// is left, `name:!N` and `name:!` secrets, `-:N` bytes that mean nothing. `a&0f|b&80` are parts of one
    /// byte; `{first,second}` names the values from 0 on.
    ///
    /// # Panics
    /// A word is not of this form. In a constant or static table that is an error of compilation.
    pub const fn fields(mut self, request: &'static str, response: &'static str) -> Self {
        check(request);
        check(response);
        self.fields = Some(Fields { request, response });
        self
    }
}

/// Checks the words of [`Entry::fields`]: a table with a wrong one does not compile.
const fn check(layout: &str) {
    let bytes = layout.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b' ' {
            at += 1;
            continue;
        }
        let start = at;
        at = skip_name(bytes, at);
        assert!(at > start, "a field without a name");
        at = if at < bytes.len() && bytes[at] == b':' { skip_kind(bytes, at + 1) } else { skip_parts(bytes, at) };
        assert!(at == bytes.len() || bytes[at] == b' ', "a field does not end where it should");
    }
}

const fn skip_name(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && !matches!(bytes[at], b' ' | b':' | b'&' | b'|' | b'{' | b'}') {
        at += 1;
    }
    at
}

/// Behind `name:`: `N`, `dN`, `xN`, `sN`, `!N`, or `*` or nothing in place of the number behind a letter, or `*`.
const fn skip_kind(bytes: &[u8], mut at: usize) -> usize {
    let start = at;
    if at < bytes.len() && matches!(bytes[at], b'd' | b'x' | b's' | b'!') {
        at += 1;
    }
    if at < bytes.len() && bytes[at] == b'*' {
        at += 1;
    } else {
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
    }
    assert!(at > start, "a field whose length is not said behind its colon");
    at
}

/// Behind the name of a part of a byte: `&MASK`, `{VALUES}`, and `|` before the next part.
const fn skip_parts(bytes: &[u8], mut at: usize) -> usize {
    loop {
        if at < bytes.len() && bytes[at] == b'&' {
            assert!(
                at + 2 < bytes.len() && bytes[at + 1].is_ascii_hexdigit() && bytes[at + 2].is_ascii_hexdigit(),
                "a mask is two hexadecimal digits"
            );
            at += 3;
        }
        if at < bytes.len() && bytes[at] == b'{' {
            while at < bytes.len() && bytes[at] != b'}' {
                at += 1;
            }
            assert!(at < bytes.len(), "names of values without a closing brace");
            at += 1;
        }
        if at == bytes.len() || bytes[at] != b'|' {
            return at;
        }
        at = skip_name(bytes, at + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn fields_are_what_the_page_of_their_function_says() {
        for right in ["", "a", "a b:2 c:d1 d:x16 e:s3 f:* g:! h:!16 -:4 i:s*", "a&0f|b&80{no,yes} c{x,y}"] {
            check(right);
        }
        for wrong in [":2", "a:", "a:q", "a:2b", "a&f", "a&0g", "a{b", "a|b:2", "a&0f&1", "a}"] {
            let checked = std::panic::catch_unwind(|| check(wrong));
            assert!(checked.is_err(), "{wrong}");
        }
    }
}
