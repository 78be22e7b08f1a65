//! From source text to records (`sdrcomp.md` section 2).
//!
//! Owns the statements and what they do to the record being made. Opens no file: whoever calls
//! hands over a function that does.

use std::io;

use super::fields::{ID_STRING, RecordType, TYPES};
use super::id_string::{self, Packing};
use super::record::Record;
use super::value;
use crate::config::arguments::{Arguments, Fault, Found, Head, head};
use crate::config::command::Variables;
use crate::config::grammar::Rule;
use crate::config::suggest::nearest;
use crate::config::text::{decode, encode, lines, quote};
use crate::config::{Diagnostic, Severity, Span};

/// Files that may include one another.
const DEEPEST: usize = 64;
/// Records of one run: ids 0 and FFFFh have a meaning of their own.
const MOST_RECORDS: usize = 0xfffe;

/// What a run has come to.
#[derive(Debug, Default)]
pub struct Compiled {
    /// The records in the order of the source, each from its id to its end.
    pub records: Vec<Vec<u8>>,
    /// What was found on the way. The records are of use only if none of it is an error.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiled {
    /// Whether any of the findings is an error.
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Opens an included file by the name in the source: what it was found as, and its content.
pub type Open<'a> = &'a mut dyn FnMut(&str) -> io::Result<(String, Vec<u8>)>;

/// Compiles `text`, which was read from `file`. All errors are told, not only the first.
pub fn compile(file: &str, text: &[u8], packing: Packing, open: Open<'_>) -> Compiled {
    let mut compiler =
        Compiler { packing, open, variables: Variables::new(), out: Compiled::default(), depth: 0, too_many: false };
    compiler.file(file, text);
    compiler.out
}

struct Compiler<'a> {
    packing: Packing,
    open: Open<'a>,
    variables: Variables,
    out: Compiled,
    depth: usize,
    too_many: bool,
}

/// A line of a file.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    number: u32,
    text: &'a str,
}

/// A record that has begun, and where.
struct Begun {
    /// `None`: of a type that does not exist; its lines are passed over.
    record: Option<Record>,
    start: Span,
    line: String,
}

impl Compiler<'_> {
    fn report(&mut self, place: Place<'_>, severity: Severity, fault: Fault) {
        self.out.diagnostics.push(Diagnostic {
            severity,
            file: place.file.to_string(),
            span: Span::within(place.number, place.text, fault.range),
            message: fault.message,
            source_line: place.text.to_string(),
        });
    }

    fn warn(&mut self, place: Place<'_>, fault: Fault) {
        self.report(place, Severity::Warning, fault);
    }

    fn file(&mut self, file: &str, text: &[u8]) {
        let mut begun: Option<Begun> = None;
        for line in lines(text) {
            let text = decode(line.bytes);
            let place = Place { file, number: line.number, text: &text };
            if line.cut {
                let end = text.len();
                self.warn(place, Fault::new(end..end, "a NUL byte hides the rest of this line"));
            }
            // Put back below; a statement may read the variables while it changes the rest.
            let variables = std::mem::take(&mut self.variables);
            let mut definition = None;
            match head(text.as_str(), &variables) {
                Head::Nothing { unknown_variable: Some((name, range)) } => {
                    let message = format!("line ignored: Unknown variable named {}", quote(name));
                    self.warn(place, Fault::new(range, message));
                }
                Head::Nothing { unknown_variable: None } => {}
                Head::Keyword(keyword) => {
                    let result = match begun.take() {
                        Some(open) => self.inside(place, &keyword, &variables, open, &mut begun),
                        None => self.outside(place, &keyword, &variables, &mut begun, &mut definition),
                    };
                    if let Err(fault) = result {
                        self.report(place, Severity::Error, fault);
                    }
                }
            }
            // An include has put what it defined into what was left in place.
            let included = std::mem::replace(&mut self.variables, variables);
            self.variables.extend(included);
            self.variables.extend(definition);
        }
        if let Some(open) = begun {
            self.out.diagnostics.push(Diagnostic {
                severity: Severity::Error,
                file: file.to_string(),
                span: open.start,
                message: "Unexpected end of file: expected endsdr for this record".into(),
                source_line: open.line,
            });
        }
    }

    /// A statement outside of a record.
    fn outside(
        &mut self,
        place: Place<'_>,
        keyword: &Found<'_>,
        variables: &Variables,
        begun: &mut Option<Begun>,
        definition: &mut Option<(String, String)>,
    ) -> Result<(), Fault> {
        const EXPECTED: &str = "Invalid input, expecting \"sdr type <n>\"";
        let rest = keyword.range.end;
        match keyword.text {
            "sdr" => {
                let mut a = Arguments::new(Rule::sdr, place.text, rest, variables)?;
                // A faulty record is begun all the same, so that its lines are read as what they are.
                let kind = a
                    .next()
                    .map_err(|missing| missing.fault(EXPECTED))
                    .and_then(|word| match word.text {
                        "type" => Ok(()),
                        _ => Err(word.fault(format!("{EXPECTED}: found {}", word.quoted()))),
                    })
                    .and_then(|()| self.record_type(place, &mut a).map_err(|fault| fault.inside(EXPECTED)));
                let (kind, fault) = match kind {
                    Ok(Ok(kind)) => (Some(kind), None),
                    Ok(Err(fault)) | Err(fault) => (None, Some(fault)),
                };
                *begun = Some(Begun {
                    record: kind.map(Record::new),
                    start: Span::within(place.number, place.text, keyword.range.clone()),
                    line: place.text.to_string(),
                });
                fault.map_or(Ok(()), Err)
            }
            "define" => {
                let mut a = Arguments::new(Rule::define, place.text, rest, variables)?;
                let name = a.next().map_err(|missing| missing.fault("Invalid input, expecting variable name"))?;
                let (value, _) =
                    a.string().map_err(|fault| fault.inside("Invalid value, expecting quote delimited string"))?;
                *definition = Some((name.text.to_string(), value));
                Ok(())
            }
            "include" => {
                let mut a = Arguments::new(Rule::include, place.text, rest, variables)?;
                let (name, range) =
                    a.string().map_err(|fault| fault.inside("Invalid filename, expecting quote delimited string"))?;
                if self.depth >= DEEPEST {
                    return Err(Fault::new(range, format!("files include each other more than {DEEPEST} deep")));
                }
                let (file, text) = (self.open)(&name).map_err(|error| {
                    let why = crate::store::directory::message(&error);
                    Fault::new(range, format!("Unable to open included file {}: {why}", quote(&name)))
                })?;
                self.depth += 1;
                self.variables.clone_from(variables);
                self.file(&file, &text);
                self.depth -= 1;
                Ok(())
            }
            "endsdr" => Err(keyword.fault(format!("{EXPECTED}: there is no record to end here"))),
            word => {
                let known = TYPES.iter().flat_map(|kind| kind.fields()).any(|field| field.name == word);
                let hint = match nearest(word, ["sdr", "define", "include"]) {
                    _ if known || word == ID_STRING => format!("; {} belongs in a record", keyword.quoted()),
                    Some(near) => format!("; did you mean '{near}'?"),
                    None => String::new(),
                };
                Err(keyword.fault(format!("{EXPECTED}, define or include{hint}")))
            }
        }
    }

    /// The number after `sdr type`. The outer fault is about the number, the inner about the type.
    fn record_type(
        &mut self,
        place: Place<'_>,
        a: &mut Arguments<'_>,
    ) -> Result<Result<&'static RecordType, Fault>, Fault> {
        let word = value::operation(a, &[])?;
        self.note(place, &word);
        Ok(u32::try_from(word.number).ok().and_then(RecordType::find).ok_or_else(|| {
            let message =
                "Unknown SDR type, supported types are 1, 2, 3, 8, 9, 16 (0x10), 17 (0x11) and 18 (0x12)".to_string();
            Fault::new(word.range.clone(), message)
        }))
    }

    fn note(&mut self, place: Place<'_>, value: &value::Number) {
        if let Some(fault) = &value.doubt {
            self.warn(place, fault.clone());
        }
    }

    /// A line of a record. It stays open unless it is put back into `begun`.
    fn inside(
        &mut self,
        place: Place<'_>,
        keyword: &Found<'_>,
        variables: &Variables,
        mut open: Begun,
        begun: &mut Option<Begun>,
    ) -> Result<(), Fault> {
        if keyword.text == "endsdr" {
            return match open.record {
                Some(record) => self.finish(keyword, record),
                None => Ok(()),
            };
        }
        let result = match &mut open.record {
            Some(record) => self.field(place, keyword, variables, record),
            None => Ok(()),
        };
        *begun = Some(open);
        result
    }

    fn field(
        &mut self,
        place: Place<'_>,
        keyword: &Found<'_>,
        variables: &Variables,
        record: &mut Record,
    ) -> Result<(), Fault> {
        let rest = keyword.range.end;
        let twice = || keyword.fault(format!("Field already set in this SDR: {}", keyword.text));
        if record.kind.named && keyword.text == ID_STRING {
            if !record.given.insert(ID_STRING) {
                return Err(twice());
            }
            // `define` without its name: a delimited string.
            let (text, range) = Arguments::new(Rule::include, place.text, rest, variables)?.string()?;
            let name = encode(&text).into_owned();
            if name.len() > id_string::MOST {
                let message = format!("only the first {} of {} bytes are kept", id_string::MOST, name.len());
                self.warn(place, Fault::new(range, message));
            } else if name.len() > id_string::READABLE {
                let message = format!("clients read at most {} of these {} bytes", id_string::READABLE, name.len());
                self.warn(place, Fault::new(range, message));
            }
            record.name = Some(name);
            return Ok(());
        }
        let Some(field) = record.kind.fields().find(|field| field.name == keyword.text) else {
            let names = record.kind.fields().map(|field| field.name).chain(record.kind.named.then_some(ID_STRING));
            let hint = match nearest(keyword.text, names) {
                _ if matches!(keyword.text, "sdr" | "define" | "include") => {
                    "; it belongs outside of records, and this one has no endsdr yet".to_string()
                }
                Some(near) => format!("; did you mean '{near}'?"),
                None => String::new(),
            };
            let message =
                format!("unknown SDR field {} in a record of type {}{hint}", keyword.quoted(), record.kind.number);
            return Err(keyword.fault(message));
        };
        if !record.given.insert(field.name) {
            return Err(twice());
        }
        if let Some(doubt) = value::set(field, record, place.text, rest, variables)? {
            self.warn(place, doubt);
        }
        Ok(())
    }

    fn finish(&mut self, keyword: &Found<'_>, record: Record) -> Result<(), Fault> {
        let named = record.kind.named.then_some(ID_STRING);
        let missing: Vec<&str> = record
            .kind
            .fields()
            .filter(|field| field.required)
            .map(|field| field.name)
            .chain(named)
            .filter(|name| !record.given.contains(name))
            .collect();
        if !missing.is_empty() {
            return Err(keyword.fault(format!("Missing required field: {}", missing.join(", "))));
        }
        let number = self.out.records.len() + 1;
        if number > MOST_RECORDS {
            let told = std::mem::replace(&mut self.too_many, true);
            return if told { Ok(()) } else { Err(keyword.fault(format!("more than {MOST_RECORDS} records"))) };
        }
        self.out.records.push(record.finish(number as u16, self.packing));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
