//! What a channel writes to the log: sessions that begin and end, logins that fail, datagrams that are dropped.

use std::fmt::Arguments;

use super::sessions::End;
use super::{Call, LanChannel};
use crate::ipmi::{ChannelNumber, LoginFailure, Moment, Peer};
use crate::lan::half_open::{Login, Step};
use crate::lan::report::{Report, Summary};
use crate::lan::session::Session;
use crate::lan::{Event, Outbox, Weight};

/// Why a login failed: for whoever watches, and in words for the log.
#[derive(Clone, Copy)]
pub(in crate::lan) struct Why(pub(in crate::lan) LoginFailure, pub(in crate::lan) &'static str);

/// Tells whoever watches or counts.
fn report_refused(from: Peer, reason: LoginFailure, out: &mut Outbox) {
    out.report(|| Event::Refused { from, reason });
}

impl LanChannel {
    /// A guess was wrong: its source, which receives our answers, has one less that costs nothing, and the log says so.
    pub(in crate::lan) fn login_failed(&mut self, now: Moment, from: Peer, name: &[u8], why: Why, out: &mut Outbox) {
        self.verdicts.failed(now, from.ip());
        self.login_refused(now, from, name, why, out);
    }

    /// A login is refused that guesses nothing, of somebody who receives our answers.
    pub(in crate::lan) fn login_refused(&mut self, now: Moment, from: Peer, name: &[u8], why: Why, out: &mut Outbox) {
        let Why(reason, why) = why;
        report_refused(from, reason, out);
        let channel = self.settings.channel;
        let name = shown(name);
        let line = format_args!("LAN channel {channel}: login of user \"{name}\" from {from} failed: {why}");
        write_log(self.report.failed(now, from), Weight::Warning, out, line);
        self.ends_with_report();
    }

    /// The same for what anybody may have sent in somebody else's name: nobody waits for it.
    pub(in crate::lan) fn claim_refused(&mut self, call: &mut Call<'_>, name: &[u8], why: Why) {
        let Why(reason, why) = why;
        report_refused(call.from, reason, call.out);
        let channel = self.settings.channel;
        let (name, from) = (shown(name), call.from);
        let line = format_args!(
            "LAN channel {channel}: login of user \"{name}\" from {from} failed: {why} (the address may be forged)"
        );
        write_log(self.report.claimed(call.now), Weight::Warning, call.out, line);
    }

    pub(super) fn log_summary(&mut self, summary: &Summary, out: &mut Outbox) {
        let channel = self.settings.channel;
        let Summary { address, failures, seconds, held_back } = summary;
        let logins = if *failures == 1 { "login" } else { "logins" };
        let line =
            format_args!("LAN channel {channel}: {failures} more {logins} from {address} failed in {seconds} seconds");
        write_log(Some(*held_back), Weight::Warning, out, line);
    }

    fn ends_with_report(&mut self) {
        if let Some(due) = self.report.deadline() {
            self.ends_at(due);
        }
    }

    /// A login ended because nothing more came. One that got RAKP Message 2 was perhaps only
    /// after its code, at which passwords can be guessed elsewhere: that is a failure like others.
    pub(in crate::lan) fn given_up(&mut self, now: Moment, login: &Login, out: &mut Outbox) {
        if let Step::Exchanged(exchanged) = &login.step {
            let why = Why(LoginFailure::GivenUp, "nothing came after RAKP message 2");
            self.login_failed(now, login.peer, &exchanged.name, why, out);
        }
    }

    pub(super) fn log_dropped(&mut self, call: &mut Call<'_>, why: &str) {
        let from = call.from;
        let channel = self.settings.channel;
        write_log(
            self.dropped_datagrams.permit(call.now),
            Weight::Info,
            call.out,
            format_args!("LAN channel {channel}: a datagram from {from} was dropped: {why}"),
        );
    }
}

/// Writes a line if there is leave for it, with the number of those that were left out before.
pub(super) fn write_log(permit: Option<u64>, weight: Weight, out: &mut Outbox, line: Arguments<'_>) {
    if let Some(held_back) = permit {
        out.events.push(Event::Log(
            weight,
            match held_back {
                0 => line.to_string(),
                _ => format!("{line} ({held_back} such lines were left out before)"),
            },
        ));
    }
}

pub(super) fn log_end(
    report: &mut Report,
    now: Moment,
    channel: ChannelNumber,
    session: &Session,
    why: End,
    out: &mut Outbox,
) {
    let (name, peer) = (shown(&session.name), session.peer);
    let why = match why {
        End::Closed => "was closed",
        End::Idle => "was idle too long",
        End::UserChanged => "ended with a change of the user",
        End::MadeRoom => "made room for another",
    };
    let line = format_args!("LAN channel {channel}: the session of user \"{name}\" at {peer} {why}");
    write_log(report.session(now), Weight::Info, out, line);
}

/// A name up to its first zero, without control characters.
pub(super) fn shown(name: &[u8]) -> std::slice::EscapeAscii<'_> {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name[..end].escape_ascii()
}
