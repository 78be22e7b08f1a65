//! `compare`: what two BMCs, or copies of BMCs, have that is not the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};
use ipmi_sim_client::Account;
use serde_json::{Value, json};

use super::clone::Shown;
use crate::clone::compare::{Class, Difference, compare};
use crate::clone::link::{Link, Target};
use crate::clone::model::Machine;
use crate::clone::replay;
use crate::clone::walk::{self, walk};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::number;
use crate::simctl::output::{Form, Output};
use crate::simctl::remote::{PORT, Session, failure, resolve};
use crate::simctl::secret;
use crate::simctl::table::Table;

/// Characters of a value that are shown in a table.
const WIDTH: usize = 40;

/// The options of `compare`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A and B are each a folder that clone or import made, or one with a lan.conf and a command file, which is started inside
this program at the loopback address; or a BMC: [USER[:PASSWORD]@]HOST[:PORT], with [] around an IPv6 address.
A password there can be seen by others on this machine. Nothing but commands that read is sent.

Not compared is where a BMC listens, its name, and, unless --ignore says otherwise, what nobody can make the same:
  time      times, clocks, counters that run
  guid      GUIDs
  readings  what sensors read, and their states
These can be left out as well:
  log       the records of event logs, and how full these are
  identity  serial numbers, asset tags, MAC and IP addresses, host and system names
--ignore replaces the three; --ignore none leaves out nothing.

Exit status: 0 the same, 1 different, 3 nobody answers, 4 not within the time, 6 the login is refused,
7 it could not be compared for another reason.

Examples:
  ipmi_simctl compare admin@192.0.2.7 node7 -f password.txt
  ipmi_simctl compare before after --ignore time,guid,readings,log
  ipmi_simctl compare admin@192.0.2.7 admin@192.0.2.8 -f password.txt --ignore time,guid,readings,log,identity
  ipmi_simctl compare admin@192.0.2.7 node7 -E --json")]
pub struct Compare {
    /// A folder, or [USER[:PASSWORD]@]HOST[:PORT]
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    a: String,

    /// What it is compared with
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    b: String,

    /// User name where A or B has none
    #[arg(short = 'U', long, value_name = "USER", default_value = "")]
    user: String,

    /// The password is the first line of FILE, or of standard input for -
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "environment")]
    password_file: Option<PathBuf>,

    /// The password of B is the first line of FILE, where it is another one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file_b: Option<PathBuf>,

    /// The password is in the environment variable IPMI_PASSWORD
    #[arg(short = 'E', long)]
    environment: bool,

    #[command(flatten)]
    session: Session,

    /// How long each of the two may take
    #[arg(long, value_name = "TIME", value_parser = number::duration, default_value = "15m")]
    budget: Duration,

    /// What is left out, separated by commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = ignored, default_value = "time,guid,readings")]
    ignore: Vec<Ignored>,
}

/// A word of `--ignore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ignored(Option<Class>);

fn ignored(word: &str) -> Result<Ignored, String> {
    if word == "none" {
        return Ok(Ignored(None));
    }
    let names = Class::NAMED.map(Class::name).join(", ");
    let found = Class::NAMED.into_iter().find(|class| class.name() == word);
    found.map(|class| Ignored(Some(class))).ok_or_else(|| format!("expected {names} or none"))
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Side {
    Folder(PathBuf),
    Bmc(Address),
}

/// Where a BMC is, as it was written.
#[derive(Clone, PartialEq, Eq)]
struct Address {
    user: Option<String>,
    password: Option<String>,
    host: String,
    port: u16,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}@{}:{}", self.user, self.host, self.port)
    }
}

impl Side {
    /// A folder is one that is there, or is written as a path.
    fn of(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        if path.is_dir() || text.starts_with(['.', '/']) {
            return Ok(Self::Folder(path.to_owned()));
        }
        Address::of(text).map(Self::Bmc)
    }

    /// What it is called in tables and messages: never with a password.
    fn name(&self) -> String {
        match self {
            Self::Folder(path) => path.display().to_string(),
            Self::Bmc(address) if address.port == PORT => address.host.clone(),
            Self::Bmc(address) => format!("{}:{}", address.host, address.port),
        }
    }
}

impl Address {
    fn of(text: &str) -> Result<Self, String> {
        // A password may have an @.
        let (account, place) = text.rsplit_once('@').map_or((None, text), |(account, place)| (Some(account), place));
        let (user, password) = match account
            .map(|account| account.split_once(':').map_or((account, None), |(user, word)| (user, Some(word))))
        {
            Some((user, password)) => (Some(user.to_owned()), password.map(str::to_owned)),
            None => (None, None),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or("expected ] behind an IPv6 address")?;
                (host, behind.strip_prefix(':').or(behind.is_empty().then_some("")).ok_or("expected :PORT behind ]")?)
            }
            None if place.matches(':').count() > 1 => (place, ""),
            None => place.split_once(':').unwrap_or((place, "")),
        };
        let port = match port {
            "" => PORT,
            port => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("'{port}' is no port"))?,
        };
        if host.is_empty() {
            return Err("expected a folder, or [USER[:PASSWORD]@]HOST[:PORT]".into());
        }
        Ok(Self { user, password, host: host.to_owned(), port })
    }
}

/// Two machines, and what they have that is not the same.
struct Outcome {
    names: [String; 2],
    shown: Vec<Difference>,
    ignored: BTreeMap<Class, usize>,
}

impl Compare {
    /// Does it.
    pub(in crate::simctl) async fn run(&self, output: &mut Output<'_>) -> Result<Status, Failure> {
        // An exit status of 1 says that they differ, so nothing else ends with it.
        let outcome = self.compared(output).await.map_err(|failure| match failure {
            Failure::Local(text) => Failure::Undone(text),
            other => other,
        })?;
        match output.form {
            Form::Programs => output.value(&outcome.json())?,
            Form::People => outcome.show(output)?,
        }
        Ok(if outcome.shown.is_empty() { Status::Done } else { Status::Refused })
    }

    async fn compared(&self, output: &mut Output<'_>) -> Result<Outcome, Failure> {
        let side = |text: &str| Side::of(text).map_err(|why| Failure::Usage(format!("'{}': {why}", hidden(text))));
        let sides = [side(&self.a)?, side(&self.b)?];
        let passwords = self.passwords(&sides)?;
        let mut machines = Vec::new();
        for (side, password) in sides.iter().zip(passwords) {
            let machine = self.machine(side, password, output).await?;
            if !machine.unread.is_empty() {
                let unread: Vec<String> = machine.unread.iter().map(|it| format!("{}: {}", it.what, it.why)).collect();
                output.remark(&format!("{}: not read: {}", side.name(), unread.join("; ")));
            }
            machines.push(machine);
        }
        let [a, b] = machines.as_slice() else { return Err(Failure::Undone("There are not two".into())) };
        let is_ignored = |difference: &Difference| self.ignore.contains(&Ignored(Some(difference.class)));
        let (left_out, shown): (Vec<_>, Vec<_>) = compare(a, b).into_iter().partition(is_ignored);
        let mut ignored: BTreeMap<Class, usize> =
            self.ignore.iter().filter_map(|word| word.0).map(|class| (class, 0)).collect();
        left_out.iter().for_each(|difference| *ignored.entry(difference.class).or_default() += 1);
        Ok(Outcome { names: [sides[0].name(), sides[1].name()], shown, ignored })
    }

    /// The password of each that needs one.
    fn passwords(&self, sides: &[Side; 2]) -> Result<[Option<String>; 2], Failure> {
        let mut both = None;
        let mut found = [None, None];
        for (index, side) in sides.iter().enumerate() {
            let Side::Bmc(address) = side else { continue };
            found[index] = Some(match (&address.password, &self.password_file_b) {
                (Some(word), _) => word.clone(),
                (None, Some(path)) if index == 1 => secret::read(path)?,
                (None, _) => match &both {
                    Some(word) => String::clone(word),
                    None => both.insert(self.password(&side.name())?).clone(),
                },
            });
        }
        Ok(found)
    }

    fn password(&self, name: &str) -> Result<String, Failure> {
        match &self.password_file {
            Some(path) => secret::read(path),
            None if self.environment => std::env::var("IPMI_PASSWORD")
                .map_err(|_| Failure::Usage("There is no environment variable IPMI_PASSWORD".into())),
            None => secret::ask_once(&format!("Password of {name}: ")),
        }
    }

    async fn machine(&self, side: &Side, password: Option<String>, output: &Output<'_>) -> Result<Machine, Failure> {
        let mut shown = Shown::new(output.form == Form::People);
        let mut watch = |what, done, total| shown.show(what, done, total);
        let work = async {
            match side {
                Side::Folder(path) => {
                    let replayed = replay::machine(path, &mut watch).await;
                    replayed.map(|replayed| replayed.machine).map_err(|fault| replay_failure(&fault))
                }
                Side::Bmc(address) => {
                    let place = resolve(&address.host, address.port).await?;
                    let failed = |fault| of_side(side, failure(fault));
                    let mut link = Link::open(self.target(place, address, password)).await.map_err(failed)?;
                    let options = walk::Options { name: side.name(), ..walk::Options::default() };
                    let machine = walk(&mut link, &options, &mut watch).await;
                    link.close().await;
                    machine.map_err(failed)
                }
            }
        };
        let time = humantime::format_duration(self.budget);
        let late = |_| Failure::TimedOut(format!("{}: it is not read within {time}", side.name()));
        tokio::time::timeout(self.budget, work).await.map_err(late)?
    }

    fn target(&self, address: SocketAddr, written: &Address, password: Option<String>) -> Target {
        let user = written.user.as_deref().unwrap_or(&self.user);
        let account = Account::new(user, password.unwrap_or_default());
        self.session.target(address, account, None)
    }
}

/// A failure that says which of the two it is about.
fn of_side(side: &Side, failure: Failure) -> Failure {
    let text = format!("{}: {failure}", side.name());
    match failure {
        Failure::Unreachable(_) => Failure::Unreachable(text),
        Failure::NotAllowed(_) => Failure::NotAllowed(text),
        Failure::Local(_) => Failure::Local(text),
        other => other,
    }
}

/// Why a folder could not be walked over.
pub(super) fn replay_failure(fault: &replay::ReplayFault) -> Failure {
    match fault {
        replay::ReplayFault::NoFolder(..) => Failure::Usage(fault.to_string()),
        _ => Failure::Local(fault.to_string()),
    }
}

/// Without the password that may be in it.
fn hidden(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((account, place)) => format!("{}@{place}", account.split(':').next().unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Outcome {
    fn json(&self) -> Value {
        let ignored: BTreeMap<&str, usize> = self.ignored.iter().map(|(class, count)| (class.name(), *count)).collect();
        json!({
            "a": self.names[0],
            "b": self.names[1],
            "same": self.shown.is_empty(),
            "differences": self.shown,
            "ignored": ignored,
        })
    }

    fn show(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        if !self.shown.is_empty() {
            let mut table = Table::new(&["SUBJECT", "WHAT", "A", "B"]);
            for difference in &self.shown {
                let [a, b] = shortened(difference.a.as_deref(), difference.b.as_deref());
                table.row([difference.subject.as_str().into(), difference.what.as_str().into(), a.into(), b.into()]);
            }
            output.table(&table)?;
        }
        let left_out: Vec<String> = self
            .ignored
            .iter()
            .map(|(class, count)| if *count > 0 { format!("{class} ({count} different)") } else { class.to_string() })
            .collect();
        let left_out = if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
        match self.shown.len() {
            0 => output.line(&format!("The same{left_out}")),
            1 => output.line(&format!("1 difference{left_out}")),
            count => output.line(&format!("{count} differences{left_out}")),
        }
    }
}

/// Two values with what they have in front of the first difference left out, if they are long. What is absent is a dash.
fn shortened(a: Option<&str>, b: Option<&str>) -> [String; 2] {
    /// Of what is the same so much stays.
    const BEFORE: usize = 9;
    let same = match (a, b) {
        (Some(a), Some(b)) => a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let is_long = |text: &str| text.chars().count() > WIDTH;
    let skipped = if a.is_some_and(is_long) || b.is_some_and(is_long) { same.saturating_sub(BEFORE) } else { 0 };
    [a, b].map(|text| {
        let Some(text) = text else { return "-".to_owned() };
        let mut shown: String = if skipped > 0 { "...".into() } else { String::new() };
        shown.extend(text.chars().skip(skipped).take(WIDTH));
        if text.chars().count() > skipped + WIDTH {
            shown.push_str("...");
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_a_folder_or_a_bmc() {
        let bmc = |user: Option<&str>, password: Option<&str>, host: &str, port| {
            Ok(Side::Bmc(Address {
                user: user.map(str::to_owned),
                password: password.map(str::to_owned),
                host: host.into(),
                port,
            }))
        };
        assert_eq!(Side::of("./x"), Ok(Side::Folder("./x".into())));
        assert_eq!(Side::of("node7.example.org"), bmc(None, None, "node7.example.org", 623));
        assert_eq!(Side::of("admin@192.0.2.7:9623"), bmc(Some("admin"), None, "192.0.2.7", 9623));
        assert_eq!(Side::of("admin:p@ss:w@[2001:db8::1]:99"), bmc(Some("admin"), Some("p@ss:w"), "2001:db8::1", 99));
        assert_eq!(Side::of("2001:db8::1"), bmc(None, None, "2001:db8::1", 623));
        for wrong in ["", "a@", "a@h:0", "h:x", "[::1", "[::1]9"] {
            assert!(Side::of(wrong).is_err(), "{wrong}");
        }
        let shown = format!("{:?}", Side::of("admin:secret@h").unwrap());
        assert!(!shown.contains("secret") && hidden("admin:secret@h:x") == "admin@h:x", "{shown}");
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let (a, b) = ("0".repeat(60) + "x", "0".repeat(60) + "y");
        assert_eq!(shortened(Some(&a), Some(&b)), ["...000000000x", "...000000000y"]);
        assert_eq!(shortened(Some(&a), None), ["0".repeat(40) + "...", "-".into()]);
        assert_eq!(shortened(Some("ab"), Some("ac")), ["ab", "ac"]);
    }

    #[test]
    fn what_is_left_out_is_known() {
        assert_eq!((ignored("none"), ignored("guid")), (Ok(Ignored(None)), Ok(Ignored(Some(Class::Guid)))));
        assert!(ignored("settings").unwrap_err().contains("identity"));
    }
}
