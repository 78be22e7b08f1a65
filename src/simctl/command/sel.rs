//! `sel`: the system event log.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::{Mc, Target};
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::model::{Sel as Told, SelEvent, SelRecord, read};
use crate::simctl::number;
use crate::simctl::output::Output;
use crate::simctl::several;
use crate::simctl::table::Table;

/// The options of `sel`.
#[derive(Clone, Debug, Args)]
#[command(
    subcommand_precedence_over_arg = false,
    after_help = "\
Without a subcommand the records are listed.

Examples:
  ipmi_simctl sel node1
  ipmi_simctl sel node1 list --after 10 --limit 5
  ipmi_simctl sel node1 add 0000000020000401015a5a5a5a
  ipmi_simctl sel 'node*' clear"
)]
pub struct Sel {
    #[command(flatten)]
    target: Target,

    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    mc: Mc,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// List the records, the oldest first
    #[command(after_help = "Example:\n  ipmi_simctl sel node1 list --after 10")]
    List {
        /// Only records after the one with this id
        #[arg(long, value_name = "ID", value_parser = number::number::<u16>)]
        after: Option<u16>,

        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Add a record
    #[command(after_help = "\
DATA of a system event record (type 2), byte by byte: time (4, 0 for now), generator (2), event message format,
sensor type, sensor number, event type, event data (3).

Example:
  ipmi_simctl sel node1 add 0000000020000401015a5a5a5a")]
    Add {
        /// The 13 bytes behind the record type, in hex
        #[arg(value_name = "DATA", value_parser = data)]
        data: String,

        /// Record type
        #[arg(long = "type", value_name = "TYPE", value_parser = number::byte, default_value = "2")]
        record_type: u8,
    },
    /// Remove all records
    #[command(after_help = "Example:\n  ipmi_simctl sel 'node*' clear")]
    Clear,
}

/// 13 bytes; blanks, colons and commas may stand between them.
fn data(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | ',')).collect();
    match digits.len() == 26 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(digits.to_lowercase()),
        false => Err("expected 13 bytes in hex, 26 digits".into()),
    }
}

impl Sel {
    /// Does it.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let name = &self.target.name;
        match &self.action {
            None => self.list(context, None, None).await,
            Some(Action::List { after, limit }) => self.list(context, *after, *limit).await,
            Some(Action::Add { data, record_type }) => {
                let mut body = json!({"record_type": record_type, "data": data});
                if let Some(mc) = self.mc.address {
                    body["mc"] = mc.into();
                }
                let work = async |door: &Door, name: &str| {
                    Ok(door.ask(Method::POST, &bmc_path(name, "/sel"), Some(&body)).await?.1)
                };
                several::each(context, name, "Adding", work, present_added).await
            }
            Some(Action::Clear) => {
                let rest = format!("/sel{}", self.mc.query());
                let work =
                    async |door: &Door, name: &str| Ok(door.ask(Method::DELETE, &bmc_path(name, &rest), None).await?.1);
                several::each(context, name, "Clearing", work, |output, bmcs| {
                    bmcs.iter().try_for_each(|(name, _)| output.line(&format!("{name}: event log cleared")))
                })
                .await
            }
        }
    }

    async fn list(
        &self,
        context: &mut Context<'_, '_>,
        after: Option<u16>,
        limit: Option<u32>,
    ) -> Result<Status, Failure> {
        let work = async |door: &Door, name: &str| self.records(door, name, after, limit).await;
        several::each(context, &self.target.name, "Asking", work, present).await
    }

    /// All records, or as many as wanted: the server gives them in parts.
    async fn records(
        &self,
        door: &Door,
        name: &str,
        mut after: Option<u16>,
        limit: Option<u32>,
    ) -> Result<Value, Failure> {
        let mut whole: Option<Value> = None;
        loop {
            let mut query: Vec<String> = self.mc.address.map(|mc| format!("mc={mc}")).into_iter().collect();
            query.extend(after.map(|after| format!("after={after}")));
            query.extend(limit.map(|limit| format!("limit={limit}")));
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            let mut part = door.get(&bmc_path(name, &format!("/sel{query}"))).await?;
            let next = read::<Told>(&part)?.next.filter(|next| limit.is_none() && Some(*next) != after);
            match whole.as_mut().and_then(|whole| whole["records"].as_array_mut()) {
                None => whole = Some(part),
                Some(records) => records.extend(part["records"].as_array_mut().map(std::mem::take).unwrap_or_default()),
            }
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut whole = whole.unwrap_or_default();
        if limit.is_none() {
            whole["next"] = Value::Null;
        }
        Ok(whole)
    }
}

fn present(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    let mut table = titles();
    for (bmc, value) in bmcs {
        let sel: Told = read(value)?;
        for record in &sel.records {
            row(&mut table, bmc, &read(record)?);
        }
        if bmcs.len() == 1 && sel.records.is_empty() {
            return output.line(&format!("{bmc}: no records, room for {}", sel.room));
        }
    }
    output.table(&if bmcs.len() > 1 { table } else { table.of_one() })
}

fn present_added(output: &mut Output<'_>, bmcs: &[(String, Value)]) -> Result<(), Failure> {
    let mut table = titles();
    for (bmc, value) in bmcs {
        row(&mut table, bmc, &read(value)?);
    }
    output.table(&if bmcs.len() > 1 { table } else { table.of_one() })
}

fn titles() -> Table {
    Table::new(&["BMC", "#ID", "TIME", "TYPE", "SENSOR", "EVENT", "DATA"])
}

fn row(table: &mut Table, bmc: &str, record: &SelRecord) {
    let (mut sensor, mut event, mut data) = (String::new(), String::new(), record.raw.clone());
    if let Some(told) = &record.event {
        let number = format!("sensor {:#04x}", told.sensor);
        sensor = told.name.clone().unwrap_or(number);
        event = words(told);
        data.clone_from(&told.data);
    }
    table.row([
        bmc.into(),
        record.id.to_string().into(),
        record.time.clone().unwrap_or_default().into(),
        format!("{:#04x}", record.record_type).into(),
        sensor.into(),
        event.into(),
        data.into(),
    ]);
}

/// What an event says: its offset, in words where it is that of a threshold (IPMI 2.0 tables 29-6 and 42-2).
fn words(event: &SelEvent) -> String {
    let direction = if event.asserted { "asserted" } else { "deasserted" };
    let first = event.data.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let offset = first.map_or(0, |byte| byte & 0x0f);
    let threshold = ["lower non-critical", "lower critical", "lower non-recoverable"]
        .into_iter()
        .chain(["upper non-critical", "upper critical", "upper non-recoverable"])
        .nth(usize::from(offset / 2));
    match threshold.filter(|_| event.event_type == 1) {
        Some(threshold) => format!("{threshold} going {}, {direction}", if offset % 2 == 0 { "low" } else { "high" }),
        None => format!("state {offset}, {direction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_in_words() {
        let event = |event_type, asserted, data: &str| {
            words(&SelEvent { event_type, asserted, data: data.into(), ..SelEvent::default() })
        };
        assert_eq!(event(1, true, "576064"), "upper non-critical going high, asserted");
        assert_eq!(event(1, false, "52ffff"), "lower critical going low, deasserted");
        assert_eq!(event(0x6f, true, "03ffff"), "state 3, asserted");
        assert_eq!(event(1, true, ""), "lower non-critical going low, asserted");
    }

    #[test]
    fn data_of_a_record_is_13_bytes_in_hex() {
        let expected = Ok("0000000020000401015a5a5a5a".to_owned());
        assert_eq!(data("0000000020000401015A5a5a5a"), expected);
        assert_eq!(data("00 00 00 00 20:00:04,01 01 5a 5a 5a 5a"), expected);
        assert!(data("00").is_err() && data("zz00000020000401015a5a5a5a").is_err());
    }
}
