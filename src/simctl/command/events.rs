//! `events`: what happens in the BMCs, as it happens.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::{Value, json};

use crate::runtime::log_text::printable;
use crate::simctl::completion;
use crate::simctl::context::Context;
use crate::simctl::door::encoded;
use crate::simctl::event_stream::Message;
use crate::simctl::failure::{Failure, Status};
use crate::simctl::feed::{Feed, News};
use crate::simctl::output::{Form, Output};
use crate::simctl::style::Style;

/// The options of `events`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Without --follow what the server has kept is shown. With it what happens from now on is shown; when the
connection is lost, it goes on from there.

Examples:
  ipmi_simctl events 'node*'
  ipmi_simctl events --follow --kind login,login_failed
  ipmi_simctl events --follow --after 0 --json     what was kept as well
  ipmi_simctl events node1 --follow --kind power_done --count 1")]
pub struct Events {
    /// Only those of BMCs whose names match a pattern of * and ?
    #[arg(value_name = "PATTERN", add = ArgValueCompleter::new(completion::bmcs))]
    pattern: Option<String>,

    /// Only these kinds, with commas between them: power_done, login, sel_added ...
    #[arg(long, value_name = "KINDS", add = ArgValueCompleter::new(completion::kinds))]
    kind: Option<String>,

    /// Go on with what happens
    #[arg(short, long)]
    follow: bool,

    /// Begin behind the event with this id; 0 is the oldest that was kept
    #[arg(long, value_name = "ID")]
    after: Option<u64>,

    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

impl Events {
    /// Shows them.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let path = path(self.pattern.as_deref(), self.kind.as_deref());
        let after = self.after.map(|id| id.to_string());
        if !self.follow {
            return self.kept(context, &path, after.as_deref()).await;
        }
        let mut feed = Feed::open(&context.door, path, after).await?;
        let output = &mut *context.output;
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            match feed.next().await? {
                News::Message(message) if message.event == "lost" => {
                    lost(output, &message, "were lost")?;
                }
                News::Message(message) => {
                    show(output, &message)?;
                    left -= 1;
                }
                News::Lost(failure) => output.remark(&format!("{failure}; it is tried again")),
                News::Back => output.remark("There is a connection again"),
            }
        }
        Ok(Status::Done)
    }

    /// Shows what the server has kept.
    async fn kept(&self, context: &mut Context<'_, '_>, path: &str, after: Option<&str>) -> Result<Status, Failure> {
        let path = format!("{path}{}follow=false", if path.contains('?') { '&' } else { '?' });
        let mut stream = context.door.events(&path, after).await?;
        let output = &mut *context.output;
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0
            && let Some(message) = stream.next().await?
        {
            if message.event == "lost" {
                lost(output, &message, "before these are no longer kept")?;
            } else {
                show(output, &message)?;
                left -= 1;
            }
        }
        Ok(Status::Done)
    }
}

/// The path of the events of a pattern, of some kinds.
pub(super) fn path(pattern: Option<&str>, kinds: Option<&str>) -> String {
    let parts = [("bmc", pattern), ("kind", kinds)];
    let query: Vec<String> =
        parts.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?)))).collect();
    if query.is_empty() { "/v1/events".into() } else { format!("/v1/events?{}", query.join("&")) }
}

fn value(message: &Message) -> Result<Value, Failure> {
    serde_json::from_str(&message.data).map_err(|error| Failure::Local(format!("An event makes no sense: {error}")))
}

fn show(output: &mut Output<'_>, message: &Message) -> Result<(), Failure> {
    let event = value(message)?;
    match output.form {
        Form::Programs => output.value(&event),
        Form::People => {
            let line = sentence(output, &event);
            output.line_now(&line)
        }
    }
}

/// Says how many there would have been.
fn lost(output: &mut Output<'_>, message: &Message, are: &str) -> Result<(), Failure> {
    let count = &value(message)?["lost"];
    match output.form {
        Form::Programs => output.value(&json!({"kind": "lost", "lost": count})),
        Form::People => {
            output.remark(&format!("{count} events {are}"));
            Ok(())
        }
    }
}

/// An event in a line: when, whose, what, and its fields.
pub(super) fn sentence(output: &Output<'_>, event: &Value) -> String {
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    let kind = text("kind");
    let style = match kind {
        "watchdog_expired" | "login_failed" | "fault_set" => Style::Bad,
        "sel_added" => Style::Warning,
        _ => Style::Heading,
    };
    let time = output.paint(Style::Quiet, &printable(text("time")));
    let kind = output.paint(style, &printable(kind));
    let fields = event.as_object().into_iter().flatten();
    let known = ["id", "time", "bmc", "kind"];
    let fields = fields.filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
    let fields: Vec<String> = fields.map(|(name, value)| field(name, value)).collect();
    format!("{time}  {}  {kind}  {}", printable(text("bmc")), fields.join(" ")).trim_end().to_owned()
}

fn field(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => format!("{name}={}", printable(text)),
        Value::Number(number) if name == "mc" => {
            number.as_u64().map_or_else(|| number.to_string(), |mc| format!("mc={mc:#04x}"))
        }
        // A record of the event log, of which a person wants to know the sensor.
        Value::Object(record) if name == "record" => {
            let told = record.get("event").unwrap_or(&Value::Null);
            let mut text = format!("record={}", record.get("id").unwrap_or(&Value::Null));
            if let Some(sensor) = told["name"].as_str() {
                text.push_str(&format!(" sensor='{}'", printable(sensor)));
            }
            if let Some(asserted) = told["asserted"].as_bool() {
                text.push_str(if asserted { " asserted" } else { " deasserted" });
            }
            text
        }
        other => format!("{name}={other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_what_is_asked_for() {
        assert_eq!(path(None, None), "/v1/events");
        assert_eq!(path(Some("a b*"), Some("login,logout")), "/v1/events?bmc=a%20b%2A&kind=login%2Clogout");
    }

    #[test]
    fn a_field_is_short_and_moves_no_cursor() {
        assert_eq!(field("user_name", &json!("a\x1b[2J")), "user_name=a\\u{1b}[2J");
        assert_eq!(field("mc", &json!(32)), "mc=0x20");
        assert_eq!(field("user", &json!(2)), "user=2");
        let record = json!({"id": 7, "raw": "00", "event": {"name": "CPU Temp", "asserted": true}});
        assert_eq!(field("record", &record), "record=7 sensor='CPU Temp' asserted");
        assert_eq!(field("record", &json!({"id": 7, "event": null})), "record=7");
    }
}
