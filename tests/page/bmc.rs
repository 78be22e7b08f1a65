//! One BMC: what a person does there, from finding it to the event that he made.

use std::io::Write;

use crate::support::browser::key;
use crate::support::sol::Machine;
use crate::{Served, text};

#[test]
fn a_person_finds_a_bmc_and_makes_an_alarm() {
    let served = Served::fleet(200);
    let browser = served.browser();
    browser.until("document.querySelectorAll('.tile').length > 20");
    browser.fill("#search", "bmc00123");
    browser.until("document.querySelectorAll('.tile').length === 1");
    browser.click(".tile");
    browser.until(&format!("{} === 'Power off'", text(".power-word")));
    browser.press("Power on");
    browser.until(&format!("{} === 'Power on'", text(".power-word")));
    browser.until("[...document.querySelectorAll('.happened')].some((it) => it.textContent.includes('Power is on'))");
    // Its sensors are lines, and one is set over its threshold.
    browser.until("document.querySelectorAll('.sensor.analog .trace[d^=M]').length > 10");
    assert_eq!(browser.value("document.querySelectorAll('.badge.warn[hidden]').length"), 1);
    browser.press("Set CPU1 Temp");
    browser.fill("#sensor-value", "91");
    browser.keys(&[key::ENTER]);
    browser.until(&format!("{}.includes('Upper critical')", text("dialog .now")));
    browser.keys(&[key::ESCAPE]);
    browser.until("document.querySelector('dialog') === null");
    assert_eq!(browser.value("document.activeElement.ariaLabel"), "Set CPU1 Temp");
    browser.until(&format!("{} === '▲ 1 alarm'", text(".badge.warn")));
    browser.until("[...document.querySelectorAll('.happened')].some((it) => it.textContent.includes('CPU1 Temp: Upper critical'))");
    browser.click("[data-tab=log]");
    browser.until("[...document.querySelectorAll('tbody tr')].some((row) => row.textContent.includes('Upper critical, going high'))");
    // All see it: the grid, by its filter.
    browser.click(".crumbs a");
    browser.fill("#search", "");
    browser.until(&format!("{} === '1'", text(".stat.alarms b")));
    browser.click(".stat.alarms");
    browser.until("document.querySelectorAll('.tile').length === 1");
    assert_eq!(browser.value(&text(".tile .name")), "bmc00123");
    assert_eq!(browser.value(&text(".tile .crossed")), "▲ 1");
}

#[test]
fn every_power_button_does_what_it_says() {
    let served = Served::fleet(1);
    let browser = served.browser();
    served.open(&browser, "bmc00001");
    browser.press("Power on");
    browser.until(&format!("{} === 'Power on'", text(".power-word")));
    let happened = |what: &str| {
        browser.until(&format!(
            "[...document.querySelectorAll('.happened')].some((it) => it.textContent.includes({what:?}))"
        ));
    };
    for (name, what) in
        [("Power cycle", "Power cycle done"), ("Reset", "Reset done"), ("Soft shutdown", "Soft shutdown asked for")]
    {
        browser.press(name);
        happened(what);
    }
    assert_eq!(browser.value("document.querySelectorAll('.note').length"), 0);
    // The built-in chassis has no such thing, and says so.
    browser.press("Diagnostic interrupt");
    browser.until(&format!("{} === 'Diagnostic interrupt: the chassis cannot do that'", text("[role=alert] p")));
    browser.press("Dismiss this note");
    assert_eq!(browser.value("document.querySelectorAll('.note').length"), 0);
}

#[test]
fn sensors_return_to_order_and_states_are_chosen() {
    let served = Served::fleet(1);
    let browser = served.browser();
    served.open(&browser, "bmc00001/sensors");
    browser.press("Set Fan 1");
    browser.until("document.querySelectorAll('.chip').length > 2");
    browser.click(".chip.warn");
    browser.until(&format!("{}.includes('Lower non-critical')", text("dialog .now")));
    browser.click(".chip.good");
    browser.until(&format!("{}.includes('OK')", text("dialog .now")));
    browser.press("Close");
    browser.press("Set PSU1");
    browser.click("#state-1");
    browser.press("Set");
    browser.until(&format!("{} === 'Present, Failed'", text("dialog .now")));
    browser.press("Close");
    browser.until(
        "[...document.querySelectorAll('.sensor.discrete')].some((it) => it.textContent.includes('Present, Failed'))",
    );
    // A reading is a byte: what the sensor cannot show is not passed over in silence.
    browser.press("Set CPU1 Temp");
    browser.fill("#sensor-value", "100000");
    browser.press("Set");
    browser.until(&format!("{} === 'It shows 255, the nearest value that it has.'", text("dialog .nearest")));
    browser.until(&format!("{}.startsWith('255 °C')", text("dialog .now")));
}

#[test]
fn the_boot_device_is_chosen() {
    let served = Served::fleet(1);
    let browser = served.browser();
    served.open(&browser, "bmc00001");
    browser.until(&format!("{} === 'As the firmware is set up'", text(".boot .now")));
    browser
        .script("document.querySelector('#device').value = 'pxe'; document.querySelector('#boots').value = 'all'", &[]);
    browser.press("Set the boot device");
    browser.until(&format!("{} === 'Network (PXE), all boots'", text(".boot .now")));
    browser.until("[...document.querySelectorAll('.happened')].some((it) => it.textContent.includes('Boots from: Network (PXE)'))");
}

#[test]
fn the_log_is_shown_and_cleared() {
    let served = Served::fleet(1);
    let browser = served.browser();
    served.open(&browser, "bmc00001/log");
    browser.until(&format!("{} === 'The log is empty.'", text(".tab.log .hint")));
    served.open(&browser, "bmc00001/statements");
    let add = "sel_add 0x20 2 0 0 0 0 0x20 0 4 0x01 1 0x01 0x57 85 80";
    browser.fill("#lines", &format!("{add}\n{add}"));
    browser.chord(key::CONTROL, key::ENTER);
    browser.until("document.querySelectorAll('.output li').length === 2");
    browser.click("[data-tab=log]");
    browser.until("document.querySelectorAll('tbody tr').length === 2");
    assert_eq!(browser.value(&text("tbody tr:first-child td")), "2", "the newest first");
    assert_eq!(browser.value(&text("tbody tr:first-child .what")), "Upper non-critical, going high");
    browser.press("Clear the log");
    browser.press("Cancel");
    browser.until("document.querySelector('dialog') === null");
    assert_eq!(browser.value("document.querySelectorAll('tbody tr').length"), 2);
    browser.press("Clear the log");
    browser.press("Clear");
    browser.until(&format!("{} === 'The log is empty.'", text(".tab.log .hint")));
}

#[test]
fn statements_say_what_they_did_and_what_is_wrong() {
    let served = Served::fleet(1);
    let browser = served.browser();
    served.open(&browser, "bmc00001/statements");
    browser.fill("#lines", "status\nsensro_set_value 0x20 0 1 50 0");
    browser.press("Run");
    browser.until("document.querySelectorAll('.output li').length === 2");
    browser.until("document.querySelector('.output').textContent.includes('MC 0x20 (BMC)')");
    browser.until(&format!("{}.includes('sensor_set_value')", text(".output .fault")));
    // What was run comes back, and markup is text.
    browser.fill("#lines", "<img src=x onerror=alert(1)>");
    browser.press("Run");
    browser.until("document.querySelectorAll('.output li').length === 3");
    assert_eq!(browser.value("document.querySelectorAll('.output img').length"), 0);
    assert_eq!(browser.value(&text(".output .typed")), "> <img src=x onerror=alert(1)>");
}

#[test]
fn sessions_and_hardware_are_listed() {
    let served = Served::fleet(1);
    let browser = served.browser();
    served.open(&browser, "bmc00001/hardware");
    browser.until("document.querySelector('.tab').textContent.includes('127.90.0.1')");
    browser.until("document.querySelector('.tab').textContent.includes('Example Works')");
    browser.until("document.querySelector('.tab').textContent.includes('monitor')");
    assert_eq!(browser.value(&text(".session")), "");
    let mut shell = std::process::Command::new("ipmitool");
    shell.args([
        "-I",
        "lanplus",
        "-H",
        "127.90.0.1",
        "-p",
        &served.port.to_string(),
        "-U",
        "admin",
        "-P",
        "admin",
        "shell",
    ]);
    shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let _logged_in = crate::support::process::spawn(&mut shell, "ipmitool");
    browser.until(&format!("{}.includes('admin')", text(".session")));
    assert_eq!(browser.value(&text(".session .badge")), "administrator");
}

#[test]
fn the_console_says_what_the_port_says() {
    let machine = Machine::new();
    let served = Served::one(&format!("  sol \"tcp:127.0.0.1:{}\" 115200 history=1000", machine.port));
    let browser = served.browser();
    served.open(&browser, "bmc00001/console");
    browser.until(&format!("{} === 'Live'", text(".tools .link")));
    let (mut port, _) = machine.connected();
    port.write_all(b"\x1b[2J\x1b[1;32mBooting\x1b[0m kernel 6.12 ...\r\n 50%\r100%\r\n<b>login:</b> ").expect("a line");
    let shown = "Booting kernel 6.12 ...\n100%\n<b>login:</b> ";
    browser.until(&format!("{} === {shown:?}", text(".screen")));
    browser.press("Clear the screen");
    browser.until(&format!("{} === ''", text(".screen")));
    port.write_all(b"\r\nroot@node:~# ").expect("a line");
    browser.until(&format!("{}.endsWith('root@node:~# ')", text(".screen")));
}

#[test]
fn a_bmc_without_a_port_has_no_console() {
    let served = Served::fleet(1);
    let browser = served.browser();
    served.open(&browser, "bmc00001/console");
    browser.until(&format!("{} === 'This BMC has no SOL port'", text(".tools .link")));
}
