//! The program `sdrcomp` (`sdrcomp.md` section 1): options, files and exit status.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::compile::{Compiled, compile};
use super::decompile::decompile;
use super::id_string::Packing;
use crate::bmc::sensor::record_name;
use crate::config::text::{decode, encode, os_string};
use crate::state::Items;
use crate::store::directory::message;

const USAGE: &str = "[-r] [-e] [-8] [-d] [-I DIR]... [-o OUTFILE] INFILE";

const HELP: &str = "\
Compiles a text about sensors and devices into sensor data records (SDRs).

  -o FILE        write to FILE instead of standard output
  -r             write the records alone, one after another, instead of a state
                 file for ipmi_sim (STATEDIR/ipmi_sim/NAME/sdr.20.main)
  -e             write a command file for ipmi_sim: a line main_sdr_add 0x20 for
                 each record
  -8             write all names as 8-bit text, which every client can read,
                 instead of the shortest form
  -I DIR         look in DIR for included files; may be given again
  -d             the other way round: INFILE has records, or is a state file,
                 and source text comes out
  -h, --help     print this text and exit
      --version  print the version and exit
";

/// Success.
const OK: u8 = 0;
/// Anything else.
const FAILED: u8 = 1;

/// What records are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// A state file of `ipmi_sim`.
    #[default]
    State,
    /// The records alone.
    Raw,
    /// Statements of a command file.
    Commands,
}

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    form: Form,
    decompile: bool,
    packing: Packing,
    folders: Vec<PathBuf>,
    output: Option<PathBuf>,
    input: PathBuf,
}

/// A command line that is not to be carried out.
#[derive(Debug, PartialEq, Eq)]
enum Instead {
    Help,
    Version,
    Fault(String),
}

/// Runs the program. `arguments` begin with its name. The result is the exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let mut arguments = arguments.into_iter();
    let name = arguments.next().unwrap_or_else(|| "sdrcomp".into());
    let name = name.to_string_lossy();
    // Nowhere is left to say that standard error cannot be written to.
    match read(arguments) {
        Ok(options) => carry_out(&options, out, err),
        Err(Instead::Help) => told(write!(out, "Usage: {name} {USAGE}\n\n{HELP}"), err),
        Err(Instead::Version) => told(writeln!(out, "sdrcomp {}", env!("CARGO_PKG_VERSION")), err),
        Err(Instead::Fault(fault)) => {
            let _ = writeln!(err, "{fault}");
            if fault.starts_with("No input") || fault.starts_with("Invalid option") {
                let _ = writeln!(err, "{name} {USAGE}");
            }
            FAILED
        }
    }
}

fn told(result: io::Result<()>, err: &mut impl Write) -> u8 {
    match result {
        Ok(()) => OK,
        Err(error) => {
            let _ = writeln!(err, "Unable to write output: {}", message(&error));
            FAILED
        }
    }
}

/// Options come first, one in a word; then one file.
fn read(arguments: impl Iterator<Item = OsString>) -> Result<Options, Instead> {
    let mut options = Options::default();
    let mut arguments = arguments.peekable();
    while let Some(word) = arguments.next_if(|word| word.as_encoded_bytes().first() == Some(&b'-')) {
        let option = word.to_string_lossy().into_owned();
        let mut value = || {
            arguments.next().ok_or_else(|| Instead::Fault(format!("No value supplied for {option}"))).map(PathBuf::from)
        };
        match option.as_str() {
            "-r" => options.form = Form::Raw,
            "-e" => options.form = Form::Commands,
            "-8" => options.packing = Packing::EightBit,
            "-d" => options.decompile = true,
            "-I" => options.folders.push(value()?),
            "-o" => options.output = Some(value()?),
            "-h" | "--help" => return Err(Instead::Help),
            "--version" => return Err(Instead::Version),
            "--" => break,
            _ => return Err(Instead::Fault(format!("Invalid option: {option}"))),
        }
    }
    options.input = arguments.next().ok_or_else(|| Instead::Fault("No input file given".into()))?.into();
    match arguments.next() {
        Some(more) => Err(Instead::Fault(format!("Extra arguments at end: {}", more.to_string_lossy()))),
        None => Ok(options),
    }
}

fn carry_out(options: &Options, out: &mut impl Write, err: &mut impl Write) -> u8 {
    let input = &options.input;
    let text = match fs::read(input) {
        Ok(text) => text,
        Err(error) => {
            let _ = writeln!(err, "Unable to open input file {}: {}", input.display(), message(&error));
            return FAILED;
        }
    };
    let (bytes, complete) = if options.decompile {
        let result = decompile(&text);
        for warning in &result.warnings {
            let _ = writeln!(err, "{warning}");
        }
        if let Some(error) = &result.error {
            let _ = writeln!(err, "{error}");
        }
        (Some(result.text), result.error.is_none())
    } else {
        let name = decode(input.as_os_str().as_encoded_bytes());
        let result = compile(&name, &text, options.packing, &mut |name| open(name, &options.folders));
        for diagnostic in &result.diagnostics {
            let _ = writeln!(err, "{diagnostic}");
        }
        let complete = !result.failed();
        (complete.then(|| written(&result, options.form, &name)), complete)
    };
    let status = match (bytes, &options.output) {
        (Some(bytes), None) => told(out.write_all(&bytes).and_then(|()| out.flush()), err),
        (Some(bytes), Some(path)) => match fs::write(path, bytes) {
            Ok(()) => OK,
            Err(error) => {
                let _ = writeln!(err, "Unable to open output file {}: {}", path.display(), message(&error));
                FAILED
            }
        },
        (None, Some(path)) => {
            // An old result must not pass for the new one.
            if fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
                let _ = fs::remove_file(path);
            }
            FAILED
        }
        (None, None) => FAILED,
    };
    if complete { status } else { FAILED }
}

/// Opens an included file: as it is named, or else in one of the folders.
fn open(name: &str, folders: &[PathBuf]) -> io::Result<(String, Vec<u8>)> {
    let name = os_string(name);
    let mut places = vec![PathBuf::from(&name)];
    // The folder is put before any name, also one that begins with a slash.
    places.extend(folders.iter().map(|folder| {
        let mut path = folder.clone().into_os_string();
        path.push("/");
        path.push(&name);
        PathBuf::from(path)
    }));
    // That it is nowhere says less than why one that is there cannot be read.
    let mut failure: Option<io::Error> = None;
    for place in places {
        match fs::read(&place) {
            Ok(text) => return Ok((shown(&place), text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && failure.is_some() => {}
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

fn shown(path: &Path) -> String {
    decode(OsStr::as_encoded_bytes(path.as_os_str()))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The records in the form that is asked for; `source` is the name of the file they were made from.
fn written(compiled: &Compiled, form: Form, source: &str) -> Vec<u8> {
    match form {
        Form::State => state_file(compiled, now()),
        Form::Raw => compiled.records.concat(),
        Form::Commands => command_file(compiled, source),
    }
}

/// The records as statements of a command file, 16 bytes in a line. They are those of the BMC.
fn command_file(compiled: &Compiled, source: &str) -> Vec<u8> {
    // Only its last part, so that the result does not depend on where somebody has the file.
    let source = source.rsplit('/').next().unwrap_or_default().lines().next().unwrap_or_default();
    let mut text = format!("# Made by sdrcomp -e from {source}; change that, not this.\n");
    for record in &compiled.records {
        text.push('\n');
        // What a name has in it must not end the comment.
        if let Some(name) = record_name(record).filter(|name| !name.chars().any(char::is_control)) {
            text.push_str(&format!("# {name}\n"));
        }
        text.push_str("main_sdr_add 0x20");
        for line in record.chunks(16) {
            text.push_str(" \\\n\t");
            let bytes: Vec<String> = line.iter().map(|byte| format!("0x{byte:02x}")).collect();
            text.push_str(&bytes.join(" "));
        }
        text.push('\n');
    }
    encode(&text).into_owned()
}

/// The records as a state file of `ipmi_sim`, made at `time`, in seconds of the real time.
fn state_file(compiled: &Compiled, time: i64) -> Vec<u8> {
    let mut items = Items::new();
    for (number, record) in (1..).zip(&compiled.records) {
        items.push_bytes(format!("{number}"), record.as_slice());
    }
    items.push_integer("last_add_time", time);
    items.emit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, Instead> {
        read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_come_first_and_apart() {
        let all = Options {
            form: Form::Raw,
            decompile: true,
            packing: Packing::EightBit,
            folders: vec!["a".into(), "-b".into()],
            output: Some("-o".into()),
            input: "in".into(),
        };
        assert_eq!(options("-r -8 -d -I a -I -b -o x -o -o in"), Ok(all));
        assert_eq!(options("-- -r"), Ok(Options { input: "-r".into(), ..Options::default() }));
        for (line, fault) in [
            ("", "No input file given"),
            ("-r", "No input file given"),
            ("-o", "No value supplied for -o"),
            ("-I", "No value supplied for -I"),
            ("-r8 x", "Invalid option: -r8"),
            ("-", "Invalid option: -"),
            ("x -r", "Extra arguments at end: -r"),
        ] {
            assert_eq!(options(line), Err(Instead::Fault(fault.into())), "{line}");
        }
        assert_eq!(options("-r --help x"), Err(Instead::Help));
        assert_eq!(options("--version"), Err(Instead::Version));
    }

    #[test]
    fn a_command_file_has_a_statement_for_each_record() {
        let mut named = vec![1, 0, 0x51, 0x12, 13, 0x20, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0xc3];
        named.extend_from_slice(b"BMC");
        let compiled = Compiled { records: vec![named, vec![2, 0, 0x51, 8, 0]], diagnostics: vec![] };
        let text = String::from_utf8(command_file(&compiled, "some/where/a.sdrs")).unwrap();
        assert_eq!(
            text,
            "# Made by sdrcomp -e from a.sdrs; change that, not this.\n\
             \n# BMC\nmain_sdr_add 0x20 \\\n\
             \t0x01 0x00 0x51 0x12 0x0d 0x20 0x00 0x00 0x00 0x00 0x00 0x00 0x07 0x01 0x00 0xc3 \\\n\
             \t0x42 0x4d 0x43\n\
             \nmain_sdr_add 0x20 \\\n\t0x02 0x00 0x51 0x08 0x00\n"
        );
    }

    #[test]
    fn the_state_file_has_the_last_record_first() {
        let compiled = Compiled { records: vec![vec![1, 0, b'Q'], vec![2, 0, 0xff]], diagnostics: vec![] };
        assert_eq!(state_file(&compiled, 7), b"last_add_time:i:7\n2:d:\\02\\00\\ff\n1:d:\\01\\00Q\n");
    }
}
