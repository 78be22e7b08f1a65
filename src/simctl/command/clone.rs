//! `clone`: a copy of a real BMC, by reading it over IPMI.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use ipmi_sim_client::Account;
use serde_json::{Value, json};

use crate::clone::check::{self, Checked};
use crate::clone::link::Link;
use crate::clone::model::{BMC, Machine, Request};
use crate::clone::reads::refusal;
use crate::clone::scrub::Report;
use crate::clone::walk::{self, walk};
use crate::clone::write::{self, Folder, Layout, Settings};
use crate::fleet::slice::Slice;
use crate::fleet::{self, Files, Source};
use crate::progress::Progress;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::number;
use crate::simctl::output::{Form, Output};
use crate::simctl::remote::{Key, PORT, Session, failure, key, resolve};
use crate::simctl::scrubbing::Scrub;
use crate::simctl::secret;

/// Characters of a password that is made: none that looks like another one.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many of them.
const MADE: usize = 16;

/// The options of `clone`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Nothing but commands that read is ever sent, in a session of the given level; docs/CLONE.md has the list.
The folder must not exist. Passwords of users are not known: all users of the copy have one that is made, or --password.
The list of --hosts is a table in CSV with the columns name and host, and any of port, user, password, key, suite. What is
empty is taken from the options. The folder is then one that `ipmi_sim --fleet` reads.
A line of --record is NETFN COMMAND [BYTE...], in hexadecimal with or without 0x; [MC:] in front for another controller.
Exit status 3: nobody answers; 4: not within the time; 6: the login is refused.

Examples:
  ipmi_simctl clone -H 192.0.2.7 -U admin -f password.txt node7
  ipmi_simctl clone -H 192.0.2.7 -U monitor -L user -E node7 --json
  ipmi_simctl clone --hosts nodes.csv -U admin -f password.txt rack --jobs 8
  ipmi_simctl clone -H 192.0.2.7 -U admin -E --record oem.txt node7")]
pub struct Clone {
    /// The folder that is made
    #[arg(value_name = "OUTDIR", value_hint = ValueHint::DirPath)]
    folder: PathBuf,

    #[command(flatten)]
    who: Who,

    /// Several machines, one a line of this table
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "host")]
    hosts: Option<PathBuf>,

    /// What the copy is called [default: the name of the folder]
    #[arg(long, value_name = "NAME", conflicts_with = "hosts")]
    name: Option<String>,

    /// Where the copy listens; of several machines each takes the next address of 127.0.0.0/8, or else the next port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9623")]
    listen: SocketAddr,

    /// The password of the copy's users [default: one that is made]
    #[arg(long, value_name = "WORD", value_parser = password)]
    password: Option<String>,

    /// Record these commands of OEMs as well: they are sent as they stand there
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    record: Option<PathBuf>,

    /// A controller behind the BMC that no record tells of: its IPMB address, and its channel if that is not 0
    #[arg(long = "controller", value_name = "ADDRESS[@CHANNEL]", value_parser = controller)]
    controllers: Vec<(u8, u8)>,

    /// How long a machine may take
    #[arg(long, value_name = "TIME", value_parser = number::duration, default_value = "15m")]
    budget: Duration,

    #[command(flatten)]
    scrub: Scrub,
}

/// Which BMC, who logs in, and how.
#[derive(Clone, Debug, Args)]
pub(super) struct Who {
    /// Host name or address of the BMC
    #[arg(short = 'H', long = "host", value_name = "HOST", value_hint = ValueHint::Hostname, required_unless_present = "hosts")]
    host: Option<String>,

    /// UDP port of the BMC
    #[arg(short = 'p', long, value_name = "PORT", default_value_t = PORT)]
    port: u16,

    /// User name
    #[arg(short = 'U', long, value_name = "USER", default_value = "")]
    user: String,

    /// Password; others on this machine can see it
    #[arg(short = 'P', long = "user-password", value_name = "WORD", conflicts_with_all = ["password_file", "environment"])]
    user_password: Option<String>,

    /// The password is the first line of FILE, or of standard input for -
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "environment")]
    password_file: Option<PathBuf>,

    /// The password is in the environment variable IPMI_PASSWORD
    #[arg(short = 'E', long)]
    environment: bool,

    #[command(flatten)]
    session: Session,
}

fn controller(text: &str) -> Result<(u8, u8), String> {
    let (address, channel) = text.split_once('@').unwrap_or((text, "0"));
    let (address, channel) = (number::byte(address)?, number::byte(channel)?);
    match (address % 2, channel) {
        (0, 0..=0x0b) => Ok((address, channel)),
        (0, _) => Err("expected a channel of at most 11".into()),
        _ => Err("expected an even address".into()),
    }
}

pub(super) fn password(text: &str) -> Result<String, String> {
    let fits = (1..=16).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'$');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 16 printable characters without blanks, \" and $".into())
    }
}

/// A machine to be read.
struct Subject {
    name: String,
    host: String,
    port: u16,
    account: Account,
    /// One of its own.
    suite: Option<u8>,
}

/// A machine that was read.
struct Taken {
    machine: Machine,
    way: String,
    sent: u64,
    again: u64,
}

impl Who {
    /// The password as the options have it.
    fn secret(&self) -> Result<String, Failure> {
        match (&self.user_password, &self.password_file) {
            (Some(word), _) => Ok(word.clone()),
            (None, Some(path)) => secret::read(path),
            (None, None) if self.environment => std::env::var("IPMI_PASSWORD")
                .map_err(|_| Failure::Usage("There is no environment variable IPMI_PASSWORD".into())),
            (None, None) => secret::ask_once("Password of the BMC: "),
        }
    }
}

impl Clone {
    /// Makes it.
    pub(in crate::simctl) async fn run(&self, output: &mut Output<'_>, jobs: usize) -> Result<Status, Failure> {
        if self.folder.exists() {
            return Err(Failure::Usage(format!("{} exists already", self.folder.display())));
        }
        let record = self.record.as_deref().map(to_record).transpose()?.unwrap_or_default();
        let subjects = self.subjects()?;
        tokio::select! {
            done = self.take(subjects, record, output, jobs) => done,
            _ = tokio::signal::ctrl_c() => Err(Failure::Local("Interrupted: nothing is written".into())),
        }
    }

    async fn take(
        &self,
        subjects: Vec<Subject>,
        record: Vec<Request>,
        output: &mut Output<'_>,
        jobs: usize,
    ) -> Result<Status, Failure> {
        let made = self.password.clone().map_or_else(made_password, Ok)?;
        let layout = if self.hosts.is_some() { Layout::Fleet } else { Layout::Alone };
        let several = subjects.len() > 1;
        let mut bar = if several { output.progress("Machines", subjects.len()) } else { Progress::none() };
        let alone = !several && output.form == Form::People;
        let (mut taken, mut statuses, mut done) = (Vec::new(), Vec::new(), 0);
        let walks = subjects.iter().map(|subject| async {
            let walked = self.walk_over(subject, &record, alone).await;
            (subject.name.clone(), walked)
        });
        let mut walks = futures_util::StreamExt::buffered(futures_util::stream::iter(walks), jobs.max(1));
        while let Some((name, walked)) = futures_util::StreamExt::next(&mut walks).await {
            done += 1;
            bar.show(done);
            match walked {
                Ok(walked) => taken.push(walked),
                Err(failure) => {
                    bar.end();
                    statuses.push(output.complain(several.then_some(&*name), &failure));
                }
            }
        }
        bar.end();
        if taken.is_empty() {
            return Ok(Status::of_all(statuses));
        }
        let mut notes = self.scrubbed(&mut taken)?.into_iter();
        let (mut folder, mut listen, mut tried) = (Folder::default(), self.listen, Vec::new());
        for taken in taken {
            let notes = notes.next().unwrap_or_default();
            let settings = Settings { listen, password: made.clone(), layout, notes };
            match check::checked(&taken.machine, &settings).await {
                Ok(mut checked) => {
                    folder.join(std::mem::take(&mut checked.folder));
                    listen = next(listen, write::channels(&taken.machine));
                    tried.push((taken, checked));
                }
                // The others are none the worse for it.
                Err(why) => {
                    let name = &taken.machine.name;
                    let failure = Failure::Local(format!("The copy of {name} is no good: {why}"));
                    statuses.push(output.complain(several.then_some(name), &failure));
                }
            }
        }
        if tried.is_empty() {
            return Ok(Status::of_all(statuses));
        }
        // Before anything is said: whoever reads no further has the folder all the same.
        folder
            .save(&self.folder)
            .map_err(|error| Failure::Local(format!("Unable to write {}: {error}", self.folder.display())))?;
        for (taken, checked) in &tried {
            self.report(taken, checked, output)?;
        }
        if output.form == Form::People {
            let name = tried.first().map(|(taken, _)| taken.machine.name.as_str()).unwrap_or_default();
            output.line(&format!("Start it: cd {} && {}", self.folder.display(), write::start(name, layout)))?;
        }
        Ok(Status::of_all(statuses))
    }

    /// Replaces what tells machines apart, if that is wanted. What README says of each.
    fn scrubbed(&self, taken: &mut [Taken]) -> Result<Vec<Vec<String>>, Failure> {
        let mut machines: Vec<&mut Machine> = taken.iter_mut().map(|taken| &mut taken.machine).collect();
        let reports = self.scrub.apply(&mut machines)?.unwrap_or_default();
        if let (Some(name), [machine]) = (&self.name, machines.as_mut_slice()) {
            machine.name.clone_from(name);
        }
        Ok(reports.iter().map(Report::lines).collect())
    }

    async fn walk_over(&self, subject: &Subject, record: &[Request], alone: bool) -> Result<Taken, Failure> {
        let address = resolve(&subject.host, subject.port).await?;
        let work = async {
            let mut link = Link::open(self.who.session.target(address, subject.account.clone(), subject.suite))
                .await
                .map_err(failure)?;
            let options = walk::Options {
                name: subject.name.clone(),
                controllers: self.controllers.clone(),
                record: record.to_vec(),
            };
            let mut shown = Shown::new(alone);
            let machine = walk(&mut link, &options, &mut |what, at, of| shown.show(what, at, of)).await;
            let taken =
                machine.map(|machine| Taken { machine, way: link.way.clone(), sent: link.sent, again: link.again });
            link.close().await;
            taken.map_err(failure)
        };
        match tokio::time::timeout(self.budget, work).await {
            Ok(done) => done,
            Err(_) => Err(Failure::TimedOut(format!(
                "{}: it is not read within {}",
                subject.host,
                humantime::format_duration(self.budget)
            ))),
        }
    }

    fn subjects(&self) -> Result<Vec<Subject>, Failure> {
        let Some(list) = &self.hosts else {
            let name = match &self.name {
                Some(name) => name.clone(),
                None => self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            };
            fit(&name)?;
            let account = Account::new(&self.who.user, self.who.secret()?);
            let host = self.who.host.clone().unwrap_or_default();
            return Ok(vec![Subject { name, host, port: self.who.port, account, suite: None }]);
        };
        self.listed(list)
    }

    /// The machines of a list.
    fn listed(&self, list: &Path) -> Result<Vec<Subject>, Failure> {
        let files = Files { lan_conf: Arc::from(Path::new("lan.conf")), commands: None };
        let rows = Source::List(list.to_owned()).read(&files, Slice::default());
        let rows = rows.map_err(|fault| match fault {
            fleet::Fault::Other(text) => Failure::Usage(text),
            fleet::Fault::List(faults) => {
                Failure::Usage(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            }
        })?;
        let needs_password =
            |row: &fleet::Row| row.variables().all(|(name, value)| name != "password" || value.is_empty());
        let shared = if rows.rows.iter().any(needs_password) { self.who.secret()? } else { String::new() };
        rows.rows.iter().map(|row| self.subject(row, &shared)).collect()
    }

    fn subject(&self, row: &fleet::Row, shared: &str) -> Result<Subject, Failure> {
        let value = |name: &str| {
            row.variables().find(|(column, text)| *column == name && !text.is_empty()).map(|(_, text)| text)
        };
        let wrong = |what: &str, why: String| Failure::Usage(format!("{}: {what}: {why}", row.name));
        fit(&row.name)?;
        let host = value("host")
            .ok_or_else(|| wrong("host", "there is none, expected a column with a name or address".into()))?;
        let port = value("port").map(number::number::<u16>).transpose().map_err(|why| wrong("port", why))?;
        let suite = value("suite").map(number::byte).transpose().map_err(|why| wrong("suite", why))?;
        let key = value("key").map(key).transpose().map_err(|why| wrong("key", why))?;
        let user = value("user").unwrap_or(&self.who.user);
        let account =
            Account { key: key.as_ref().map(Key::secret), ..Account::new(user, value("password").unwrap_or(shared)) };
        Ok(Subject {
            name: row.name.to_string(),
            host: host.to_owned(),
            port: port.unwrap_or(self.who.port),
            account,
            suite,
        })
    }

    fn report(&self, taken: &Taken, checked: &Checked, output: &mut Output<'_>) -> Result<(), Failure> {
        let machine = &taken.machine;
        let count = write::count(machine);
        let unread = machine.unread.len();
        let differences = checked.differences.len();
        match output.form {
            Form::Programs => output.value(&summary(taken, checked, &self.folder)),
            Form::People => {
                let name = &machine.name;
                output.line(&format!("{name}: {count} ({})", taken.way))?;
                if unread > 0 {
                    output.line(&format!("{name}: {unread} could not be read; README says which"))?;
                }
                if differences > 0 {
                    output.line(&format!("{name}: the copy says {differences} otherwise; README says which"))?;
                }
                Ok(())
            }
        }
    }
}

/// What is told of a machine to programs.
fn summary(taken: &Taken, checked: &Checked, folder: &Path) -> Value {
    let machine = &taken.machine;
    let count = write::count(machine);
    let unread: Vec<Value> =
        machine.unread.iter().map(|unread| json!({"what": unread.what, "why": unread.why})).collect();
    let differences: Vec<Value> =
        checked.differences.iter().map(|difference| Value::from(difference.request.to_string())).collect();
    json!({
        "bmc": machine.name,
        "folder": folder.display().to_string(),
        "session": taken.way,
        "requests": taken.sent,
        "resent": taken.again,
        "controllers": machine.controllers.len(),
        "sdrs": count.records,
        "sensors": count.sensors,
        "inventories": count.inventories,
        "sel": count.log,
        "same": checked.same,
        "differences": differences,
        "unread": unread,
    })
}

/// Where the next machine listens.
fn next(listen: SocketAddr, channels: usize) -> SocketAddr {
    match listen {
        SocketAddr::V4(address) if address.ip().is_loopback() => {
            let next = u32::from(*address.ip()).wrapping_add(1);
            SocketAddr::new(std::net::Ipv4Addr::from(next).into(), address.port())
        }
        other => {
            let channels = u16::try_from(channels).unwrap_or(1);
            SocketAddr::new(other.ip(), other.port().saturating_add(channels))
        }
    }
}

/// Whether a name can be that of a BMC in texts of every kind.
pub(super) fn fit(name: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match name {
        "" | "." | ".." => Err(Failure::Usage("A copy needs a name: take --name".into())),
        name if name.chars().all(fits) && name.len() <= 64 => Ok(()),
        name => Err(Failure::Usage(format!(
            "'{name}' cannot be the name of a copy: expected at most 64 letters, digits, '-', '_' and '.'; take --name"
        ))),
    }
}

pub(super) fn made_password() -> Result<String, Failure> {
    let mut bytes = [0; MADE];
    let mut random = crate::host::random::SystemRandom::new()
        .map_err(|error| Failure::Local(format!("Unable to make a password: {error}")))?;
    crate::ipmi::Random::fill(&mut random, &mut bytes);
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// The requests of a file: a line each.
fn to_record(path: &Path) -> Result<Vec<Request>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Local(format!("Unable to read {}: {error}", path.display())))?;
    let mut requests = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |why: &str| Failure::Usage(format!("{}:{number}: {why}", path.display()));
        let (mc, rest) = match line.split_once(':') {
            Some((mc, rest)) => (byte(mc.trim()).ok_or_else(|| wrong("expected the address of a controller"))?, rest),
            None => (BMC, line),
        };
        let bytes: Option<Vec<u8>> = rest.split_whitespace().map(byte).collect();
        let bytes = bytes.ok_or_else(|| wrong("expected bytes in hexadecimal: NETFN COMMAND [BYTE...]"))?;
        let [netfn, cmd, data @ ..] = bytes.as_slice() else {
            return Err(wrong("expected NETFN COMMAND [BYTE...]"));
        };
        if let Some(why) = refusal(*netfn, *cmd, data) {
            return Err(wrong(why));
        }
        requests.push(Request { mc, lun: 0, netfn: *netfn, cmd: *cmd, data: data.into() });
    }
    Ok(requests)
}

fn byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.starts_with('+') { None } else { u8::from_str_radix(digits, 16).ok() }
}

/// A bar for each thing that is read of one machine.
pub(super) struct Shown {
    wanted: bool,
    what: &'static str,
    bar: Progress,
}

impl Shown {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, what: "", bar: Progress::none() }
    }

    pub(super) fn show(&mut self, what: &'static str, done: usize, total: usize) {
        if self.what != what {
            self.bar.end();
            self.what = what;
            self.bar = if self.wanted { Progress::new(what, total) } else { Progress::none() };
        }
        self.bar.show(done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_to_record_has_only_what_reads_or_is_an_oems() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            to_record(&path)
        };
        let found = read("# of the board\n0x30 45 00  # fans\n\n2c:30 0x70\n06 01\n").unwrap();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["command 0x30 0x45 (00)", "command 0x30 0x70 of controller 0x2c", "Get Device ID"]);
        for (text, why) in [
            ("30 45\n00 02 01", ":2: this is no command that reads"),
            ("30", "NETFN COMMAND"),
            ("30 4x", "hexadecimal"),
            ("31 00", "even"),
        ] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn controllers_and_passwords() {
        assert_eq!((controller("0x2c@6"), controller("0x82")), (Ok((0x2c, 6)), Ok((0x82, 0))));
        assert!(controller("0x81").is_err() && controller("0x2c@15").is_err());
        assert!(password("a b").is_err() && password("").is_err());
    }

    #[test]
    fn each_machine_listens_elsewhere() {
        let next = |text: &str| next(text.parse().unwrap(), 2).to_string();
        assert_eq!(next("127.0.0.255:623"), "127.0.1.0:623");
        assert_eq!(next("0.0.0.0:9000"), "0.0.0.0:9002");
    }

    #[test]
    fn a_made_password_is_one_that_can_be_given() {
        let made = made_password().unwrap();
        assert_eq!(password(&made), Ok(made.clone()));
        assert_ne!(made_password().unwrap(), made);
    }
}
