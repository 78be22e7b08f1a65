//! freeipmi's `ipmi-config`: what it reads it can write back unchanged, a change it commits is
//! there when it reads again, and then there is no difference left, category by category.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::bench::free_port;
use support::client::FREEIPMI_PACKAGE;
use support::config::{Places, adapt};
use support::{Bench, Freeipmi, Ran, Simulator, Subject};

/// The longest category, with its 63 users, is some hundred commands.
const LIMIT: Duration = Duration::from_secs(60);

/// The minimal example and the tools.
struct Running {
    bench: Bench,
    tools: Freeipmi,
    _simulator: Simulator,
}

/// Settings by section and key.
type Settings = BTreeMap<(String, String), String>;

/// A value to be changed: section, key, value.
type Change = (&'static str, &'static str, &'static str);

impl Running {
    fn start() -> Self {
        let bench = Bench::new();
        bench.copy_tree("examples/minimal", ".");
        let port = free_port();
        bench.write("lan.conf", adapt(&bench.read("lan.conf"), &Places { lan: vec![port], ..Places::default() }));
        let files = ["-p", "-c", "lan.conf", "-f", "sim.emu"];
        let simulator = Simulator::start(Subject::under_test(), &bench, port, &files);
        let tools = Freeipmi::new(port, "admin", "admin", "LAN_2_0").with(&["-l", "ADMIN"]);
        Self { bench, tools, _simulator: simulator }
    }

    fn run(&self, category: &str, words: &[&str]) -> Ran {
        let category = format!("--category={category}");
        let words: Vec<&str> = [&[category.as_str()], words].concat();
        Ran::run(&mut self.tools.command("ipmi-config", &words), FREEIPMI_PACKAGE, LIMIT)
    }

    /// Reads everything into a file.
    #[track_caller]
    fn checkout(&self, category: &str, file: &str) -> PathBuf {
        let ran = self.run(category, &["--checkout"]);
        // It ends with 1 when there is a single thing it cannot read, whatever the completion code: K_R, which
        // nobody has here (84h, IPMI 2.0 section 22.25), or a parameter that is optional.
        ran.assert_not_says("ERROR").assert_not_says("FATAL").assert_says("EndSection");
        self.bench.write(file, &ran.stdout)
    }

    /// Writes a file back and sees that nothing is different then.
    #[track_caller]
    fn commit(&self, category: &str, file: &Path) {
        let name = format!("--filename={}", file.display());
        let ran = self.run(category, &["--commit", &name]);
        ran.assert_ok().assert_not_says("ERROR");
        let ran = self.run(category, &["--diff", &name]);
        ran.assert_ok();
        assert_eq!(ran.stdout.trim(), "", "{category}: nothing is different after a commit");
    }

    /// Reads, writes back, changes, commits, reads again.
    #[track_caller]
    fn round_trip(&self, category: &str, changes: &[Change]) {
        let first = self.checkout(category, "first");
        self.commit(category, &first);
        let text = changed(&self.bench.read("first"), changes);
        let second = self.bench.write("second", &text);
        let different = self.run(category, &["--diff", &format!("--filename={}", second.display())]);
        for (section, key, value) in changes {
            assert!(different.stdout.contains(key), "{section}:{key} is told to differ: {}", different.stdout);
            let _ = value;
        }
        self.commit(category, &second);
        self.checkout(category, "third");
        let (wanted, found) = (settings(&text), settings(&self.bench.read("third")));
        for (place, value) in &wanted {
            assert_eq!(found.get(place), Some(value), "{category}: {place:?}");
        }
        assert_eq!(wanted.len(), found.len(), "{category}: as many settings as before");
    }
}

/// The settings of a file.
fn settings(text: &str) -> Settings {
    let mut section = String::new();
    let mut settings = Settings::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match key {
            "Section" => value.trim().clone_into(&mut section),
            "EndSection" => section.clear(),
            _ => {
                settings.insert((section.clone(), key.to_owned()), value.trim().to_owned());
            }
        }
    }
    settings
}

/// The text with some values changed.
#[track_caller]
fn changed(text: &str, changes: &[Change]) -> String {
    let mut left: Vec<&Change> = changes.iter().collect();
    let mut section = "";
    let mut lines = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["Section", name] = words[..] {
            section = name;
        }
        // What it cannot read back, such as a password, stands there as a comment.
        let key = words.iter().find(|word| **word != "##").copied().unwrap_or_default();
        match left.iter().position(|change| change.0 == section && change.1 == key) {
            Some(index) => {
                let (_, key, value) = left.remove(index);
                lines.push(format!("\t{key} {value}"));
            }
            None => lines.push(line.to_owned()),
        }
    }
    assert!(left.is_empty(), "not to be found: {left:?} in\n{text}");
    lines.join("\n") + "\n"
}

#[test]
fn dcmi_is_read_written_and_changed() {
    Running::start().round_trip(
        "dcmi",
        &[
            ("DCMI_Conf", "Asset_Tag", "rack-7"),
            ("DCMI_Conf", "Management_Controller_Identifier_String", "bmc-7"),
            ("DCMI_Conf", "Power_Limit_Requested", "300"),
            ("DCMI_Conf", "Correction_Time_Limit", "2000"),
            ("DCMI_Conf", "Exception_Actions", "LOG_EVENT_TO_SEL_ONLY"),
        ],
    );
}

/// The original tells a level for unused users that the tool cannot read, and refuses the
/// authentication types it told.
#[test]
fn core_is_read_written_and_changed() {
    Running::start().round_trip(
        "core",
        &[
            ("Lan6_Conf", "IPv6_IPv4_Addressing_Enables", "IPv6_and_IPv4"),
            ("Lan6_Conf", "IPv6_Static_Address_Enable", "Yes"),
            ("Lan6_Conf", "IPv6_Static_Address", "2001:db8::9"),
            ("Lan6_Conf", "IPv6_Static_Address_Prefix_Length", "64"),
            ("Lan6_Conf", "IPv6_Static_Router_Address_Enable", "No"),
            ("Lan6_Conf", "IPv6_Static_Router_Mac_Address_1", "02:00:00:00:00:01"),
            ("Lan6_Conf", "IPv6_Static_Router_Prefix_Value_2", "2001:db8::"),
            ("User3", "Username", "carol"),
            ("User3", "Lan_Enable_IPMI_Msgs", "Yes"),
            ("User3", "Lan_Privilege_Limit", "Operator"),
            ("Lan_Conf", "IP_Address_Source", "Static"),
            ("Lan_Conf", "IP_Address", "192.0.2.17"),
            ("Lan_Conf", "Subnet_Mask", "255.255.255.128"),
            ("Lan_Conf", "MAC_Address", "02:00:00:00:00:11"),
            ("Lan_Conf", "Default_Gateway_IP_Address", "192.0.2.1"),
            ("Lan_Conf", "Default_Gateway_MAC_Address", "02:00:00:00:00:01"),
            ("Lan_Channel", "Non_Volatile_Channel_Privilege_Limit", "Operator"),
            ("Rmcpplus_Conf_Privilege", "Maximum_Privilege_Cipher_Suite_Id_1", "User"),
        ],
    );
}

/// The original knows neither of the first two sections.
#[test]
fn chassis_is_read_written_and_changed() {
    Running::start().round_trip(
        "chassis",
        &[
            ("Chassis_Power_Conf", "Power_Restore_Policy", "On_State_AC_Apply"),
            ("Chassis_Boot_Flags", "Boot_Flags_Persistent", "Yes"),
            ("Chassis_Boot_Flags", "BIOS_Boot_Type", "EFI"),
            ("Chassis_Boot_Flags", "Boot_Device", "PXE"),
            ("Chassis_Boot_Flags", "Lock_Keyboard", "Yes"),
        ],
    );
}

/// Buttons are told once one is disabled: the original's chassis status has no room for them.
#[test]
fn front_panel_buttons_are_disabled_and_told() {
    let running = Running::start();
    running.checkout("chassis", "before");
    let before = settings(&running.bench.read("before"));
    assert!(before.keys().all(|(section, _)| section != "Chassis_Front_Panel_Buttons"), "{before:?}");
    let text = "Section Chassis_Front_Panel_Buttons\n\
        \tEnable_Standby_Button_For_Entering_Standby Yes\n\
        \tEnable_Diagnostic_Interrupt_Button Yes\n\
        \tEnable_Reset_Button No\n\
        \tEnable_Power_Off_Button_For_Power_Off_Only No\n\
        EndSection\n";
    let file = running.bench.write("buttons", text);
    running.commit("chassis", &file);
    running.checkout("chassis", "after");
    let after = settings(&running.bench.read("after"));
    for (place, value) in settings(text) {
        assert_eq!(after.get(&place), Some(&value), "{place:?}");
    }
}

/// The original answers most of the requests that a commit makes with unset memory.
#[test]
fn sensors_are_read_written_and_changed() {
    Running::start().round_trip(
        "sensors",
        &[
            ("3_CPU_Temp", "Upper_Non_Critical_Threshold", "75.000000"),
            ("3_CPU_Temp", "Positive_Going_Threshold_Hysteresis", "3.000000"),
            ("5_Fan_1", "Enable_Assertion_Event_Lower_Critical_Going_Low", "No"),
            ("6_+12V", "Upper_Critical_Threshold", "12.900000"),
        ],
    );
}

/// The original has no alert destinations and keeps no community string.
#[test]
fn event_filters_are_read_written_and_changed() {
    Running::start().round_trip(
        "pef",
        &[
            ("PEF_Conf", "Enable_PEF", "Yes"),
            ("PEF_Conf", "Startup_Delay", "7"),
            ("Community_String", "Community_String", "private"),
            ("Lan_Alert_Destination_2", "Alert_Destination_Type", "OEM1"),
            ("Lan_Alert_Destination_2", "Alert_IP_Address", "192.0.2.99"),
            ("Alert_String_3", "Event_Filter_Number", "5"),
            ("Alert_String_3", "Alert_String", "too_hot_in_here_is_it_not_so"),
            ("Alert_Policy_4", "Policy_Number", "2"),
            ("Alert_Policy_4", "Policy_Enabled", "Yes"),
            ("Event_Filter_5", "Enable_Filter", "Yes"),
            ("Event_Filter_5", "Sensor_Type", "Temperature"),
        ],
    );
}
