//! `GET /metrics`: what is counted, as OpenMetrics for those who ask for it, else in the older text format of Prometheus.
//!
//! Of a fleet there is one number for all BMCs; those of single ones come only when they are asked for by name, so that ten
//! thousand do not become a million lines.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};
use serde::Deserialize;

use super::Control;
use super::pattern::Pattern;
use super::problem::Problem;
use super::query::Query;
use crate::bmc::chassis::PowerState;
use crate::runtime::door::{Entry, Turn};
use crate::sim::{Answered, Histogram, Overview, Requests, Tally};

/// The media types.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How many BMCs are told one by one.
const MOST_NAMED: usize = 1000;

/// Which BMCs are wanted one by one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    bmc: Option<Pattern>,
}

/// Tells everything that is counted.
pub(super) async fn scrape(
    State(control): State<Control>,
    Query(Wanted { bmc }): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut metrics = control.door.turn(Metrics::of).await?;
    if let Some(pattern) = bmc {
        let look = move |named: &mut Vec<Named>, entry: &Entry<'_>| {
            if pattern.matches(entry.name()) && named.len() <= MOST_NAMED {
                named.push(Named::of(entry));
            }
        };
        metrics.named = control.door.each(None, Vec::new(), look).await?;
        if metrics.named.len() > MOST_NAMED {
            let detail = format!("bmc: more than {MOST_NAMED} BMCs are like that; ask for fewer at a time");
            return Err(Problem::malformed(detail));
        }
    }
    let mut registry = Registry::default();
    registry.register_collector(Box::new(metrics));
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no metrics"))?;
    let accepts = |accepted: &HeaderValue| accepted.to_str().is_ok_and(|accepted| accepted.contains("openmetrics"));
    Ok(match headers.get_all(header::ACCEPT).iter().any(accepts) {
        true => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        false => ([(header::CONTENT_TYPE, PROMETHEUS)], older(&text)).into_response(),
    })
}

/// The older format: a counter is described by the name that its samples have, and there are neither units nor an end.
fn older(text: &str) -> String {
    let counters: HashSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let line = |out: &mut String, line: &str| {
        let described = ["# HELP ", "# TYPE "].into_iter().find_map(|word| Some((word, line.strip_prefix(word)?)));
        match described.and_then(|(word, rest)| Some((word, rest.split_once(' ')?))) {
            Some((word, (name, rest))) if counters.contains(name) => *out += &format!("{word}{name}_total {rest}\n"),
            _ if line.starts_with("# UNIT ") || line == "# EOF" => {}
            _ => *out += &format!("{line}\n"),
        }
    };
    text.lines().fold(String::with_capacity(text.len()), |mut out, next| {
        line(&mut out, next);
        out
    })
}

/// A text as the value of a label, where the encoder takes it as it is.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A reason as the value of a label.
fn word(reason: &str) -> String {
    reason.replace(' ', "_")
}

/// What is counted at one moment.
#[derive(Debug)]
struct Metrics {
    bmcs: usize,
    tally: Tally,
    named: Vec<Named>,
}

/// One BMC.
#[derive(Debug)]
struct Named {
    /// Its name as the value of a label.
    name: String,
    overview: Overview,
    requests: Requests,
    failed_logins: u64,
}

impl Named {
    fn of(entry: &Entry<'_>) -> Self {
        let system = entry.system();
        let (requests, failed_logins) =
            system.counts().map(|counts| (counts.requests.clone(), counts.failed_logins)).unwrap_or_default();
        Self { name: escaped(entry.name()), overview: system.overview(), requests, failed_logins }
    }
}

/// Where numbers are written.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    /// One number that only grows.
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter(&value, None::<&Exemplar<NoLabelSet, u64>>)
    }

    /// Numbers that only grow, one for each set of labels.
    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        values.into_iter().try_for_each(|(labels, value)| {
            metric.encode_family(&labels)?.encode_counter(&value, None::<&Exemplar<NoLabelSet, u64>>)
        })
    }

    /// One number as it is.
    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// Numbers as they are, one for each BMC.
    fn gauges<'n>(&mut self, name: &str, help: &str, values: impl Iterator<Item = (&'n str, u64)>) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (bmc, value) in values {
            metric.encode_family(&[("bmc", bmc)])?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// Durations; `at_once` took no time at all.
    fn histogram(&mut self, name: &str, help: &str, durations: &Histogram, at_once: u64) -> fmt::Result {
        let mut buckets: Vec<(f64, u64)> = durations
            .buckets()
            .map(|(bound, count)| (bound.map_or(f64::MAX, |bound: Duration| bound.as_secs_f64()), count))
            .collect();
        if let Some((_, count)) = buckets.first_mut() {
            *count += at_once;
        }
        let (sum, total) = (durations.sum().as_secs_f64(), durations.total() + at_once);
        let mut metric = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, total, &buckets, None)
    }
}

/// Labels and numbers of requests of each kind; of those that are not told apart, too.
fn kinds(requests: &Requests) -> impl Iterator<Item = ([(&'static str, String); 3], u64)> {
    const LABELS: [&str; 3] = ["netfn", "cmd", "completion_code"];
    let of = |(Answered { netfn, cmd, code }, count)| {
        let [a, b, c] = [netfn, cmd, code].map(|byte: u8| format!("{byte:#04x}"));
        ([(LABELS[0], a), (LABELS[1], b), (LABELS[2], c)], count)
    };
    let others = (LABELS.map(|label| (label, "other".to_owned())), requests.others());
    requests.iter().map(of).chain((others.1 > 0).then_some(others))
}

impl Metrics {
    fn of(turn: &mut Turn<'_>) -> Self {
        Self { bmcs: turn.count(), tally: turn.tally(), named: Vec::new() }
    }

    fn all(&self, out: &mut Out<'_>) -> fmt::Result {
        let tally = &self.tally;
        out.gauge("ipmi_sim_bmcs", "BMCs there are", self.bmcs as u64)?;
        let open = tally.sessions_opened.saturating_sub(tally.sessions_closed);
        out.gauge("ipmi_sim_sessions", "Sessions that are open", open)?;
        out.counter("ipmi_sim_sessions_opened", "Sessions that were opened", tally.sessions_opened)?;
        out.counters("ipmi_sim_requests", "Requests that were answered", kinds(&tally.requests))?;
        let waited = tally.waited.total();
        out.histogram(
            "ipmi_sim_request_duration",
            "How long requests waited for helper programs, files or state; most are answered at once",
            &tally.waited,
            tally.requests.total().saturating_sub(waited),
        )?;
        out.counters(
            "ipmi_sim_failed_logins",
            "Logins that failed",
            tally.failed_logins().map(|(reason, count)| ([("reason", word(reason.text()))], count)),
        )?;
        out.counter("ipmi_sim_datagrams_received", "Datagrams that came", tally.datagrams_received)?;
        out.counter("ipmi_sim_datagrams_sent", "Datagrams that were sent", tally.datagrams_sent)?;
        out.counter("ipmi_sim_traps_sent", "Platform Event Traps that were sent", tally.traps_sent)?;
        out.counters(
            "ipmi_sim_datagrams_dropped",
            "Datagrams that got no response",
            tally.dropped().map(|(reason, count)| ([("reason", word(reason.text()))], count)),
        )?;
        out.histogram("ipmi_sim_program_duration", "How long helper programs ran", &tally.programs, 0)?;
        out.counter("ipmi_sim_program_failures", "Helper programs that failed", tally.program_failures)?;
        out.counter("ipmi_sim_state_writes", "State files that were written", tally.state_writes)?;
        out.counter("ipmi_sim_state_write_failures", "Writes of state files that failed", tally.state_write_failures)?;
        let sol = [("from_port", tally.sol_from_ports), ("to_port", tally.sol_to_ports)];
        let sol = sol.map(|(direction, count)| ([("direction", direction)], count));
        out.counters("ipmi_sim_sol_bytes", "Bytes of serial over LAN", sol)?;
        out.counters(
            "ipmi_sim_faults_struck",
            "How often faults on purpose struck",
            tally.faults_struck().map(|(kind, count)| ([("kind", kind)], count)),
        )
    }

    fn each(&self, out: &mut Out<'_>) -> fmt::Result {
        if self.named.is_empty() {
            return Ok(());
        }
        let each = |value: fn(&Named) -> u64| self.named.iter().map(move |named| (&*named.name, value(named)));
        let is_on = |named: &Named| u64::from(named.overview.power == PowerState::On);
        out.gauges("ipmi_sim_bmc_power_on", "Whether the power is on", each(is_on))?;
        out.gauges("ipmi_sim_bmc_sessions", "Sessions that are open", each(|named| named.overview.sessions as u64))?;
        out.gauges("ipmi_sim_bmc_alarms", "Crossed thresholds", each(|named| named.overview.alarms as u64))?;
        out.gauges("ipmi_sim_bmc_sel_records", "Records in the log", each(|named| named.overview.log_records as u64))?;
        out.gauges("ipmi_sim_bmc_faults", "Faults on purpose in force", each(|named| named.overview.faults as u64))?;
        let failed = each(|named| named.failed_logins).map(|(name, count)| ([("bmc", name)], count));
        out.counters("ipmi_sim_bmc_failed_logins", "Logins that failed", failed)?;
        let requests = self.named.iter().flat_map(|named| {
            kinds(&named.requests)
                .map(|([netfn, cmd, code], count)| ([("bmc", named.name.clone()), netfn, cmd, code], count))
        });
        out.counters("ipmi_sim_bmc_requests", "Requests that were answered", requests)
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        self.all(&mut out)?;
        self.each(&mut out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_describe_each_metric_by_its_name() {
        let named = Named {
            name: escaped("n\"1"),
            overview: Overview { power: PowerState::On, sessions: 1, alarms: 2, log_records: 3, faults: 0 },
            requests: Requests::default(),
            failed_logins: 4,
        };
        let mut registry = Registry::default();
        let metrics = Metrics { bmcs: 2, tally: Tally::default(), named: vec![named] };
        registry.register_collector(Box::new(metrics));
        let mut new = String::new();
        encode(&mut new, &registry).unwrap();
        let old = older(&new);
        for (text, lines) in [
            (&new, ["# TYPE ipmi_sim_bmcs gauge", "# TYPE ipmi_sim_state_writes counter", "# EOF"]),
            (&old, ["# TYPE ipmi_sim_bmcs gauge", "# TYPE ipmi_sim_state_writes_total counter", "ipmi_sim_bmcs 2"]),
        ] {
            for line in lines {
                assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
            }
        }
        assert!(!old.contains("# UNIT") && !old.contains("# EOF"));
        assert!(new.contains("ipmi_sim_bmc_failed_logins_total{bmc=\"n\\\"1\"} 4\n"), "{new}");
        assert!(old.contains("ipmi_sim_request_duration_seconds_bucket{le=\"0.001\"} 0\n"), "{old}");
        assert!(new.contains("ipmi_sim_failed_logins_total{reason=\"wrong_password\"} 0\n"), "{new}");
    }
}
