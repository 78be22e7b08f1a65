//! The README of a clone: what it is of, what could not be read, and how it is started.

use std::fmt::Write;

use super::{Layout, Settings, inventories, lan_conf, of_controller};
use crate::clone::check::Difference;
use crate::clone::model::{Machine, Response};

/// The text of the file.
pub(super) fn text(machine: &Machine, settings: &Settings, differences: &[Difference]) -> String {
    let mut out = format!("{} is a copy of a machine, made by ipmi_simctl.\n\n", machine.name);
    let place = match settings.layout {
        Layout::Alone => "in this folder",
        Layout::Fleet => "with the others, in the folder above",
    };
    let _ = writeln!(out, "Start it {place}:\n\n  {}\n", start(&machine.name, settings.layout));
    let _ = writeln!(out, "Its users have the password {}; those of the machine are not known.\n", settings.password);
    if lan_conf::is_user_made(machine) {
        out.push_str("Nobody of the machine's users is known who can log in, so there is one called admin.\n\n");
    }
    out.push_str("What was seen:\n\n");
    for controller in &machine.controllers {
        let behind =
            if controller.channel == 0 { String::new() } else { format!(", on channel {}", controller.channel) };
        let _ = writeln!(out, "  controller {:#04x}{behind}: {}", controller.address, of_controller(controller));
    }
    let _ = writeln!(out, "  {} other responses", machine.exchanges.len());
    let dropped = machine.controllers.iter().flat_map(|controller| {
        let kept: Vec<_> = inventories(controller).map(|fru| (fru.lun, fru.device)).collect();
        let left = controller.frus.iter().filter(move |fru| !kept.contains(&(fru.lun, fru.device)));
        left.map(|fru| {
            format!("inventory {} of controller {:#04x} behind LUN {}", fru.device, controller.address, fru.lun)
        })
    });
    list("What has no place in the copy, as another one has its number", dropped, &mut out);
    list("What else there is to say", settings.notes.iter().cloned(), &mut out);
    list(
        "What could not be read",
        machine.unread.iter().map(|unread| format!("{}: {}", unread.what, unread.why)),
        &mut out,
    );
    let otherwise = grouped(differences).into_iter().map(|(first, count)| {
        let Difference { request, machine, clone } = first;
        let more = if count > 1 { format!(", and {} more of this command", count - 1) } else { String::new() };
        format!("{request}: {}, and here {}{more}", told(machine), told(clone))
    });
    list("What the copy says otherwise, as it cannot be made to say it and go on living", otherwise, &mut out);
    out.push_str(NOTES);
    if machine.controllers.iter().any(|controller| controller.channel != 0) {
        out.push_str(CHANNELS);
    }
    out
}

/// What holds for every copy.
const NOTES: &str = "
What a copy is not:

  Readings, power and log are those of the moment, and go their own way from then on. There is no console behind serial
  over LAN: a `sol` line in lan.conf gives it one.

  OpenIPMI's ipmi_sim starts from the same files. It stops reading the command file at the first oem_add, which are its last
  lines; it does not look at the state files dcmi, chassis, pef and sysinfo; and it numbers SDRs anew, from 1 on.
";

/// What holds where there are controllers on other channels.
const CHANNELS: &str = "
  Controllers on other channels than 0 are on channel 0 here.
";

/// The first difference of each command, and how many of it there are.
fn grouped(differences: &[Difference]) -> Vec<(&Difference, usize)> {
    let mut groups: Vec<(&Difference, usize)> = Vec::new();
    for difference in differences {
        let command = |of: &Difference| (of.request.mc, of.request.netfn, of.request.cmd);
        match groups.iter_mut().find(|(first, _)| command(first) == command(difference)) {
            Some((_, count)) => *count += 1,
            None => groups.push((difference, 1)),
        }
    }
    groups
}

fn told(response: &Response) -> String {
    match (response.code, response.data.is_empty()) {
        (0, false) => response.data.to_string(),
        (0, true) => "nothing".into(),
        (code, _) => format!("completion code {code:02x}h"),
    }
}

fn list(title: &str, lines: impl Iterator<Item = String>, out: &mut String) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        let _ = writeln!(out, "\n{title}:\n");
        lines.for_each(|line| {
            let _ = writeln!(out, "  {line}");
        });
    }
}

/// The line that starts a clone, given in its folder.
pub fn start(name: &str, layout: Layout) -> String {
    match layout {
        Layout::Alone => format!("ipmi_sim -n -c ./lan.conf -f ./{name}.emu -s ./state"),
        Layout::Fleet => "ipmi_sim -n --fleet . -s ./state".into(),
    }
}
