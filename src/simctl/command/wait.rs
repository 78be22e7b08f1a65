//! `wait`: until something holds or happens. What happens is listened for before the first look, so that nothing
//! between the two is missed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::events;
use crate::progress::Progress;
use crate::simctl::completion;
use crate::simctl::condition::{Condition, Detail, Kind};
use crate::simctl::context::Context;
use crate::simctl::door::{Door, bmc_path};
use crate::simctl::failure::{Failure, Status};
use crate::simctl::feed::{Feed, News};
use crate::simctl::model::{Sensor, Summary, read};
use crate::simctl::number;
use crate::simctl::output::{Form, Output};
use crate::simctl::sensor_choice::sensors;
use crate::simctl::several::{is_pattern, names};

/// How often sensors are looked at: a new reading is no event.
const LOOK: Duration = Duration::from_millis(250);
/// How often a server that is not ready is asked again.
const READY: Duration = Duration::from_millis(50);
/// How many BMCs are named that have not met a condition.
const NAMED: usize = 5;

/// The options of `wait`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Conditions:
  power=on, power=off          the power is so
  running                      the BMC is there and runs
  ready                        the server is ready; it may not even have started
  sensor:NAME>VALUE            its value is so; also >= < <= =. NAME may be a number or MC/LUN/NUMBER
  sensor:NAME=upper_critical   that threshold is crossed; =crossed: some is; =ok: none is; =state3: bit 3 holds
  login, login=USER            somebody, or USER, logs in
  sel, sel=SENSOR              a record is added to the event log, or one of SENSOR
  kind=KIND                    an event of this kind, as `events` shows it
What holds already is met at once; what happens is met by what happens from now on, or behind --after ID.
Exit status 4: not in time.

Examples:
  ipmi_simctl wait --for ready --timeout 10s
  ipmi_simctl wait node1 --for power=on --timeout 30s
  ipmi_simctl wait 'node*' --for running --for power=off --timeout 5m
  ipmi_simctl wait node1 --for 'sensor:CPU Temp>=90' --json")]
pub struct Wait {
    /// A BMC, or several by a pattern of * and ?: all of them
    #[arg(value_name = "NAME", default_value = "*", hide_default_value = true, add = ArgValueCompleter::new(completion::bmcs))]
    name: String,

    /// What is waited for, see below; several: until each was met
    #[arg(long = "for", value_name = "CONDITION", required = true, add = ArgValueCompleter::new(completion::conditions))]
    conditions: Vec<Condition>,

    /// The first one that is met ends it
    #[arg(long)]
    any: bool,

    /// How long at most; 0 for as long as it takes
    #[arg(long, value_name = "TIME", value_parser = number::duration, default_value = "30s")]
    timeout: Duration,

    /// Count what happened behind the event with this id as well
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

/// What is still waited for.
struct Pending<'a> {
    options: &'a Wait,
    names: Vec<String>,
    /// By BMC and condition.
    open: BTreeSet<(usize, usize)>,
    met: usize,
    /// How many BMCs are asked at once.
    jobs: usize,
    /// Shown to a person where each BMC of many would be a line.
    progress: Option<Progress>,
}

impl Wait {
    /// Waits.
    pub(super) async fn run(&self, context: &mut Context<'_, '_>) -> Result<Status, Failure> {
        let mut pending = Pending {
            options: self,
            names: Vec::new(),
            open: BTreeSet::new(),
            met: 0,
            jobs: context.jobs,
            progress: None,
        };
        let limit = if self.timeout.is_zero() { Duration::MAX } else { self.timeout };
        match timeout(limit, pending.wait(context)).await {
            Ok(result) => result.map(|()| Status::Done),
            Err(_) => Err(Failure::TimedOut(pending.missing(limit))),
        }
    }

    /// What sensors of a BMC meet now, with how they are.
    async fn sensors_of(&self, name: &str, door: &Door) -> Result<Vec<(&Condition, Value)>, Failure> {
        // By controller: most conditions are about one.
        let mut known: BTreeMap<Option<u8>, Vec<Sensor>> = BTreeMap::new();
        let mut met = Vec::new();
        for condition in &self.conditions {
            let Kind::Sensor(choice, test) = &condition.kind else { continue };
            let mc = choice.controller();
            let all = match known.entry(mc) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(sensors(door, name, mc).await?),
            };
            let path = choice.find(name, all)?;
            let is_it = |it: &&Sensor| path == format!("/sensors/{}/{}/{}", it.mc, it.lun, it.number);
            if let Some(sensor) = all.iter().find(is_it).filter(|sensor| test.is_met_by(sensor)) {
                met.push((
                    condition,
                    json!({"value": sensor.value, "states": sensor.states, "crossed": sensor.crossed}),
                ));
            }
        }
        Ok(met)
    }

    fn is_about_bmcs(&self) -> bool {
        self.conditions.iter().any(|condition| condition.kind != Kind::Ready)
    }

    fn waits_for(&self, kind: &Kind) -> bool {
        self.conditions.iter().any(|condition| condition.kind == *kind)
    }
}

impl Pending<'_> {
    async fn wait(&mut self, context: &mut Context<'_, '_>) -> Result<(), Failure> {
        let (door, output) = (&context.door, &mut *context.output);
        if self.options.waits_for(&Kind::Ready) {
            ready(door).await?;
            if !self.options.is_about_bmcs() {
                return say(output, None, "ready", &Value::Null);
            }
        }
        let path = events::path(Some(&self.options.name), None);
        let mut feed = Feed::open(door, path, self.options.after.map(|id| id.to_string())).await?;
        self.names = names(door, &self.options.name).await?;
        self.names.sort();
        self.open = (0..self.names.len())
            .flat_map(|bmc| (0..self.options.conditions.len()).map(move |condition| (bmc, condition)))
            .collect();
        if is_pattern(&self.options.name) && output.form == Form::People && !self.options.any {
            self.progress = Some(output.progress("Waiting", self.open.len()));
        }
        self.look(door, output).await?;
        while !self.is_over() {
            match self.next(&mut feed, door, output).await? {
                News::Message(message) if message.event != "lost" => {
                    let mut event: Value = serde_json::from_str(&message.data).unwrap_or_default();
                    self.add_record(&mut event, door).await?;
                    self.happened(&event, output)?;
                }
                News::Message(_) => {
                    output.remark("Some events were lost; one that is waited for may be among them");
                    self.look(door, output).await?;
                }
                News::Lost(failure) => output.remark(&format!("{failure}; it is tried again")),
                News::Back => self.look(door, output).await?,
            }
        }
        self.sum_up(output)
    }

    /// What many have met, in a line for each condition.
    fn sum_up(&mut self, output: &mut Output<'_>) -> Result<(), Failure> {
        if let Some(mut progress) = self.progress.take() {
            progress.end();
            for condition in &self.options.conditions {
                output.line(&format!("{} BMCs: {condition}", self.names.len()))?;
            }
        }
        Ok(())
    }

    /// What comes next, while sensors are looked at now and then.
    async fn next(&mut self, feed: &mut Feed<'_>, door: &Door, output: &mut Output<'_>) -> Result<News, Failure> {
        let mut next = pin!(feed.next());
        loop {
            let pause = if self.has_sensors() { LOOK } else { Duration::MAX };
            match timeout(pause, &mut next).await {
                Ok(news) => return news,
                Err(_) => match self.look_at_sensors(door, output).await {
                    // The feed tells of a connection that is lost.
                    Err(failure) if failure.status() == Status::Unreachable => {}
                    Err(failure) => return Err(failure),
                    Ok(()) if self.is_over() => return Ok(News::Back),
                    Ok(()) => {}
                },
            }
        }
    }

    fn is_over(&self) -> bool {
        self.open.is_empty() || self.options.any && self.met > 0
    }

    fn has_sensors(&self) -> bool {
        self.open.iter().any(|(_, index)| matches!(self.options.conditions[*index].kind, Kind::Sensor(..)))
    }

    /// Looks at everything that can be looked at.
    async fn look(&mut self, door: &Door, output: &mut Output<'_>) -> Result<(), Failure> {
        let bmcs = if is_pattern(&self.options.name) {
            door.list(Some(&self.options.name), "").await?
        } else {
            match door.get(&bmc_path(&self.options.name, "")).await {
                Ok(bmc) => vec![bmc],
                // It may come.
                Err(failure) if failure.status() == Status::NotFound && self.options.waits_for(&Kind::Running) => {
                    Vec::new()
                }
                Err(failure) => return Err(failure),
            }
        };
        for bmc in &bmcs {
            let summary: Summary = read(bmc)?;
            self.meet(&summary.name, output, bmc, |condition| condition.is_met_by(&summary))?;
        }
        self.look_at_sensors(door, output).await
    }

    async fn look_at_sensors(&mut self, door: &Door, output: &mut Output<'_>) -> Result<(), Failure> {
        let is_sensor = |index: usize| matches!(self.options.conditions[index].kind, Kind::Sensor(..));
        let bmcs: BTreeSet<usize> =
            self.open.iter().filter(|(_, index)| is_sensor(*index)).map(|(bmc, _)| *bmc).collect();
        let names: Vec<String> = bmcs.into_iter().map(|bmc| self.names[bmc].clone()).collect();
        let options = self.options;
        let looks = names.iter().map(|name| async move { (name, options.sensors_of(name, door).await) });
        let mut looks = futures_util::stream::iter(looks).buffered(self.jobs);
        while let Some((name, looked)) = looks.next().await {
            match looked {
                Ok(met) => {
                    for (condition, by) in met {
                        self.meet(name, output, &by, |it| it == condition)?;
                    }
                }
                // It may come.
                Err(failure) if failure.status() == Status::NotFound && options.waits_for(&Kind::Running) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// An event of the log has the id of its record; who waits for one of a sensor needs the record.
    async fn add_record(&self, event: &mut Value, door: &Door) -> Result<(), Failure> {
        let wants = |condition: &Condition| matches!(condition.kind, Kind::Event(_, Some(Detail::Sensor(_))));
        let id = event["record"].as_u64().filter(|_| event["kind"] == "sel_added");
        if let (Some(id), true) = (id, self.options.conditions.iter().any(wants)) {
            let name = event["bmc"].as_str().unwrap_or_default().to_owned();
            event["record"] = record(door, &name, &event["mc"], id).await?;
        }
        Ok(())
    }

    fn happened(&mut self, event: &Value, output: &mut Output<'_>) -> Result<(), Failure> {
        let name = event["bmc"].as_str().unwrap_or_default();
        let added = event["kind"] == "bmc_added";
        self.meet(name, output, event, |condition| {
            condition.is_met_by_event(event) || added && condition.kind == Kind::Running
        })
    }

    /// What a BMC has met is no longer waited for, and is said.
    fn meet(
        &mut self,
        name: &str,
        output: &mut Output<'_>,
        by: &Value,
        is_met: impl Fn(&Condition) -> bool,
    ) -> Result<(), Failure> {
        let Ok(bmc) = self.names.binary_search_by(|it| it.as_str().cmp(name)) else { return Ok(()) };
        for (index, condition) in self.options.conditions.iter().enumerate() {
            if !self.is_over() && is_met(condition) && self.open.remove(&(bmc, index)) {
                self.met += 1;
                match &mut self.progress {
                    Some(progress) => progress.show(self.met),
                    None => say(output, Some(name), &condition.to_string(), by)?,
                }
            }
        }
        Ok(())
    }

    /// What was not met in time.
    fn missing(&self, limit: Duration) -> String {
        let seconds = limit.as_secs_f64();
        if self.names.is_empty() {
            return format!("The server was not ready within {seconds} s");
        }
        let named = self.open.iter().take(NAMED);
        let named: Vec<String> =
            named.map(|(bmc, index)| format!("{}: {}", self.names[*bmc], self.options.conditions[*index])).collect();
        let more = match self.open.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("Not within {seconds} s: {}{more}", named.join(", "))
    }
}

/// A record of an event log, or null where it has been cleared since.
async fn record(door: &Door, name: &str, mc: &Value, id: u64) -> Result<Value, Failure> {
    let before = id.saturating_sub(1);
    let mut part = door.get(&bmc_path(name, &format!("/sel?mc={mc}&after={before}&limit=1"))).await;
    // It is the first.
    if part.as_ref().is_err_and(|failure| failure.status() == Status::NotFound) {
        part = door.get(&bmc_path(name, &format!("/sel?mc={mc}"))).await;
    }
    let mut part = part?;
    let records = part["records"].as_array_mut().map(std::mem::take).unwrap_or_default();
    Ok(records.into_iter().find(|record| record["id"] == id).unwrap_or_default())
}

/// Waits until the server is ready. Nobody may be there yet.
async fn ready(door: &Door) -> Result<(), Failure> {
    loop {
        match door.get("/readyz").await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.status() == Status::Unreachable => sleep(READY).await,
            Err(failure) => return Err(failure),
        }
    }
}

/// Says what was met, and by what.
fn say(output: &mut Output<'_>, name: Option<&str>, condition: &str, by: &Value) -> Result<(), Failure> {
    match output.form {
        Form::Programs => output.value(&json!({"bmc": name, "for": condition, "by": by})),
        Form::People => {
            let whose = name.map(|name| format!("{name}: ")).unwrap_or_default();
            output.line_now(&format!("{whose}{condition}"))
        }
    }
}
