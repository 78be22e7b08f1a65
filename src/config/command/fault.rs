//! `fault`: what goes wrong on purpose, for whom, how often and how long; and the profiles.

mod profiles;

use std::time::Duration;

use super::Command;
use super::words::{uchar_of, uint_of};
use crate::config::arguments::{Arguments, Fault as Wrong, Found};
use crate::config::grammar::Rule;
use crate::config::suggest::nearest;
use crate::config::text::quote;
use crate::ipmi::{ChannelNumber, McAddress};
use crate::settings::fault::{Chance, Fault, FaultCommand, Kind, Prefix, Way, Which};

pub use profiles::{PROFILES, Profile};

/// The options that all kinds have.
const OPTIONS: [&str; 11] =
    ["in", "out", "mc", "channel", "from", "command", "chance", "count", "for", "jitter", "sensor"];

pub(super) fn fault(words: &mut Arguments<'_>) -> Result<Command, Wrong> {
    let command = match following(words, "fault: a kind, profile or end")? {
        kind if kind.text == "end" => end(words)?,
        kind if kind.text == "profile" => FaultCommand::Set(profile(words)?),
        kind => {
            let mut fault = plain(kind_of(&kind, words)?);
            options(words, std::slice::from_mut(&mut fault))?;
            FaultCommand::Set(vec![fault])
        }
    };
    match words.unknown_variable() {
        Some((name, range)) => Err(Wrong::new(range, format!("there is no variable {}", quote(name)))),
        None => Ok(Command::Fault(command)),
    }
}

/// A fault that strikes all, always, for ever.
fn plain(kind: Kind) -> Fault {
    Fault { kind, scope: Default::default(), chance: Chance::ALWAYS, count: None, lasts: None }
}

/// The next word, of which there has to be one.
fn following<'a>(words: &mut Arguments<'a>, what: &str) -> Result<Found<'a>, Wrong> {
    words.next().map_err(|missing| missing.fault(format!("No {what} given")))
}

/// A wrong word where one of some is expected.
fn unexpected<'a>(word: &Found<'_>, what: &str, names: impl Iterator<Item = &'a str> + Clone) -> Wrong {
    let hint = nearest(word.text, names.clone()).map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
    let all = names.collect::<Vec<_>>().join(", ");
    word.fault(format!("Invalid {what}: {}, expected {all}{hint}", word.quoted()))
}

fn end(words: &mut Arguments<'_>) -> Result<FaultCommand, Wrong> {
    let word = following(words, "fault to end: its number, or all")?;
    match word.text {
        "all" => Ok(FaultCommand::EndAll),
        _ => uint_of(&word.sorted_as(Rule::uint), "number of a fault").map(FaultCommand::End),
    }
}

fn kind_of(word: &Found<'_>, words: &mut Arguments<'_>) -> Result<Kind, Wrong> {
    Ok(match word.text {
        "lose" => Kind::Lose,
        "delay" => Kind::Delay { by: milliseconds(words, "delay")?, jitter: Duration::ZERO },
        "duplicate" => Kind::Duplicate,
        "reorder" => Kind::Reorder { within: milliseconds(words, "longest time to be overtaken in")? },
        "corrupt" => Kind::Corrupt,
        "truncate" => Kind::Truncate,
        "wrong_code" => Kind::WrongCode,
        "hang" => Kind::Hang,
        "code" => {
            Kind::Code(uchar_of(&following(words, "completion code")?.sorted_as(Rule::uchar), "completion code")?)
        }
        "slow" => Kind::Slow { by: milliseconds(words, "delay")?, jitter: Duration::ZERO },
        "power_ignored" => Kind::PowerIgnored,
        "drop_session" => Kind::DropSession,
        "power_fails" => Kind::PowerFails { after: milliseconds(words, "delay")? },
        "refuse_session" => Kind::RefuseSession,
        "offline_after_reset" => Kind::OfflineAfterReset { lasts: milliseconds(words, "duration")? },
        "sel_full" => Kind::SelFull,
        "sdr_busy" => Kind::SdrBusy,
        "sensor_unavailable" => Kind::SensorUnavailable { sensor: None },
        "sensor_disabled" => Kind::SensorDisabled { sensor: None },
        "clock" => Kind::Clock { by: seconds(words)? },
        "sol_lose" => Kind::SolLose,
        "sol_duplicate" => Kind::SolDuplicate,
        "sol_stall" => Kind::SolStall,
        _ => {
            let names = Kind::WORDS.into_iter().chain(["profile", "end"]);
            return Err(unexpected(word, "fault", names));
        }
    })
}

/// The faults of a profile, which share options.
fn profile(words: &mut Arguments<'_>) -> Result<Vec<Fault>, Wrong> {
    let word = following(words, "profile")?;
    let names = PROFILES.iter().map(|profile| profile.name);
    let profile = PROFILES.iter().find(|profile| profile.name == word.text);
    let profile = profile.ok_or_else(|| unexpected(&word, "profile", names))?;
    let mut faults = profile.faults();
    options(words, &mut faults)?;
    Ok(faults)
}

/// Reads the options, each of which is set for all `faults`.
fn options(words: &mut Arguments<'_>, faults: &mut [Fault]) -> Result<(), Wrong> {
    while let Some(option) = words.next_if_any() {
        let set = read_option(&option, words)?;
        for fault in faults.iter_mut() {
            set.put(fault).map_err(|why| option.fault(why))?;
        }
    }
    Ok(())
}

/// An option with its value.
enum Set {
    Way(Way),
    Mc(McAddress),
    Channel(ChannelNumber),
    Client(Prefix),
    Command(Which),
    Chance(Chance),
    Count(u32),
    Lasts(Duration),
    Jitter(Duration),
    Sensor(u8),
}

fn read_option(option: &Found<'_>, words: &mut Arguments<'_>) -> Result<Set, Wrong> {
    Ok(match option.text {
        "in" => Set::Way(Way::In),
        "out" => Set::Way(Way::Out),
        "mc" => {
            let word = following(words, "MC address")?;
            Set::Mc(McAddress(uchar_of(&word.sorted_as(Rule::uchar), "MC address")?))
        }
        "channel" => {
            let word = following(words, "channel")?;
            let number = ChannelNumber::new(uchar_of(&word.sorted_as(Rule::uchar), "channel")?);
            Set::Channel(number.ok_or_else(|| word.fault("Invalid channel given: expected 0 to 15"))?)
        }
        "from" => {
            let word = following(words, "address of clients")?;
            let expected = "expected an IP address, or one with /BITS behind it";
            let wrong = || word.fault(format!("Invalid address of clients given: {}, {expected}", word.quoted()));
            Set::Client(Prefix::parse(word.text).ok_or_else(wrong)?)
        }
        "command" => Set::Command(which(&following(words, "command")?)?),
        "chance" => {
            let word = following(words, "chance")?;
            let expected = "expected percent, more than 0 and at most 100";
            let wrong = || word.fault(format!("Invalid chance given: {}, {expected}", word.quoted()));
            Set::Chance(Chance::percent(word.text).ok_or_else(wrong)?)
        }
        "count" => {
            let word = following(words, "count")?;
            match uint_of(&word.sorted_as(Rule::uint), "count")? {
                0 => return Err(word.fault("Invalid count given: expected 1 or more")),
                count => Set::Count(count),
            }
        }
        "for" => Set::Lasts(milliseconds(words, "duration")?),
        "sensor" => Set::Sensor(uchar_of(&following(words, "sensor number")?.sorted_as(Rule::uchar), "sensor number")?),
        "jitter" => Set::Jitter(milliseconds(words, "jitter")?),
        _ => return Err(unexpected(option, "option", OPTIONS.into_iter())),
    })
}

impl Set {
    fn put(&self, fault: &mut Fault) -> Result<(), &'static str> {
        match *self {
            Self::Way(way) if on_datagrams(fault.kind) => fault.scope.way = Some(way),
            Self::Way(_) => return Err("Only what happens to datagrams goes one way: in or out"),
            Self::Mc(mc) => fault.scope.mc = Some(mc),
            Self::Channel(channel) => fault.scope.channel = Some(channel),
            Self::Client(client) => fault.scope.client = Some(client),
            Self::Command(command) => fault.scope.command = Some(command),
            Self::Sensor(number) => match &mut fault.kind {
                Kind::SensorUnavailable { sensor } | Kind::SensorDisabled { sensor } => *sensor = Some(number),
                _ => return Err("Only sensor_unavailable and sensor_disabled are for a sensor"),
            },
            Self::Chance(_) | Self::Count(_) if fault.kind.is_state() => {
                return Err("This holds all the time: it has neither chance nor count");
            }
            Self::Chance(chance) => fault.chance = chance,
            Self::Count(count) => fault.count = Some(count),
            Self::Lasts(lasts) => fault.lasts = Some(lasts),
            Self::Jitter(own) => match &mut fault.kind {
                Kind::Delay { jitter, .. } | Kind::Slow { jitter, .. } => *jitter = own,
                _ => return Err("Only delay and slow have a jitter"),
            },
        }
        Ok(())
    }
}

/// Whether datagrams are struck, in or out.
fn on_datagrams(kind: Kind) -> bool {
    use Kind::{Corrupt, Delay, Duplicate, Hang, Lose, Reorder, Truncate};
    matches!(kind, Lose | Delay { .. } | Duplicate | Reorder { .. } | Corrupt | Truncate | Hang)
}

/// `NETFN` or `NETFN/CMD`.
fn which(word: &Found<'_>) -> Result<Which, Wrong> {
    let wrong = || {
        let expected = "expected NETFN or NETFN/CMD, an even network function from 0 to 0x3e";
        word.fault(format!("Invalid command given: {}, {expected}", word.quoted()))
    };
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u8::from_str_radix(digits, 16).ok(),
        _ if text.starts_with('+') => None,
        _ => text.parse().ok(),
    };
    let (netfn, cmd) = word.text.split_once('/').map_or((word.text, None), |(netfn, cmd)| (netfn, Some(cmd)));
    let netfn = number(netfn).filter(|netfn| *netfn <= 0x3e && netfn & 1 == 0).ok_or_else(wrong)?;
    let cmd = cmd.map(|cmd| number(cmd).ok_or_else(wrong)).transpose()?;
    Ok(Which { netfn, cmd })
}

/// A number of seconds, which may be negative.
fn seconds(words: &mut Arguments<'_>) -> Result<i32, Wrong> {
    let word = following(words, "jump of the clocks in seconds")?;
    let expected = "expected a number of seconds, negative for back";
    word.text
        .parse()
        .map_err(|_| word.fault(format!("Invalid jump of the clocks given: {}, {expected}", word.quoted())))
}

/// What may stand behind a number that is a duration, and how many milliseconds that is.
const UNITS: [(&str, u32); 4] = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];

/// A number of milliseconds, or of another unit that is written behind it: `5000`, `5s`.
fn milliseconds(words: &mut Arguments<'_>, what: &str) -> Result<Duration, Wrong> {
    let word = following(words, &format!("{what} in milliseconds"))?;
    let end = word.text.find(|c: char| c.is_ascii_alphabetic()).filter(|end| *end > 0);
    if let Some((number, unit)) = end.and_then(|end| word.text.split_at_checked(end))
        && let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit)
        && let Ok(number) = number.parse::<u32>()
    {
        let product = number.checked_mul(*factor).map(|milliseconds| Duration::from_millis(milliseconds.into()));
        let most = u32::MAX / factor;
        return product.ok_or_else(|| word.fault(format!("Invalid {what} given: expected at most {most}{unit}")));
    }
    uint_of(&word.sorted_as(Rule::uint), &format!("{what} in milliseconds"))
        .map(|milliseconds| Duration::from_millis(milliseconds.into()))
}

#[cfg(test)]
mod tests;
