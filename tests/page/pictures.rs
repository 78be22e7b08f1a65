//! The pictures of the README. They are made by hand, `docs/pictures/make.sh`, as they look like the fonts of a machine.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::bench::project;
use crate::support::browser::{Browser, Scheme};
use crate::support::process::{self, Guarded};
use crate::{Served, text};

/// What a picture may take, in bytes.
const MOST: usize = 200_000;

fn keep(browser: &Browser, name: &str) {
    let picture = browser.picture();
    assert!(picture.len() < MOST, "{name}: {} bytes", picture.len());
    let folder = project("docs/pictures");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), picture).expect("a picture");
}

/// Runs a script in the page that has `post(name, path, body)` and `put`.
fn prepare(browser: &Browser, script: &str) {
    browser.run(&format!(
        "const send = (method) => (name, path, body) => fetch(`/v1/bmcs/${{name}}/${{path}}`, {{ method, body: JSON.stringify(body), \
         headers: {{ 'Content-Type': 'application/json' }} }});
        const [post, put] = [send('POST'), send('PUT')];
        const name = (number) => `bmc${{String(number).padStart(5, '0')}}`;
        {script}"
    ));
}

/// A client that stays logged in.
fn session(served: &Served, end: u8) -> Guarded {
    let mut shell = Command::new("ipmitool");
    let (host, port) = (format!("127.90.0.{end}"), served.port.to_string());
    shell.args(["-I", "lanplus", "-H", &host, "-p", &port, "-U", "admin", "-P", "admin", "shell"]);
    process::spawn(shell.stdin(Stdio::piped()).stdout(Stdio::null()), "ipmitool")
}

#[test]
#[ignore = "writes docs/pictures"]
fn pictures() {
    let served = Served::fleet(10_000);
    let browser = served.browser();
    browser.until("document.querySelectorAll('.tile').length > 20");
    for first in (1..10_000).step_by(1000) {
        prepare(
            &browser,
            &format!(
                "let seed = {first} * 7919;
                const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
                const on = [];
                for (let at = {first}; at < {first} + 1000; at += 1) if (chance() < .78 || at === 42) on.push(at);
                while (on.length > 0) await Promise.all(on.splice(0, 60).map((at) => post(name(at), 'power', {{ control: 'on' }})));"
            ),
        );
    }
    prepare(
        &browser,
        "for (const at of [17, 903, 2210, 2211, 2212, 4804, 7200, 9312]) await put(name(at), 'sensors/32/0/1', { value: 84 });
        await put(name(8), 'sensors/32/0/9', { value: 840 });",
    );
    let _sessions: Vec<_> = [5, 14, 14, 23, 29, 38].map(|end| session(&served, end)).into_iter().collect();
    for (scheme, name) in [(Scheme::Light, "fleet.png"), (Scheme::Dark, "fleet-dark.png")] {
        browser.scheme(scheme);
        browser.go("about:blank");
        browser.go(&served.url);
        browser.until("document.querySelectorAll('.tile').length > 20");
        prepare(&browser, "for (const at of [31, 12, 44]) await post(name(at), 'power', { control: 'reset' });");
        browser.until("document.querySelectorAll('.happened').length > 2");
        keep(&browser, name);
    }
    browser.scheme(Scheme::Light);
    let _sessions: Vec<_> = [42, 42].map(|end| session(&served, end)).into_iter().collect();
    served.open(&browser, "bmc00042");
    browser.until(&format!("{} === 'Power on'", text(".power-word")));
    for second in 0..70 {
        let value = 45.0 + 8.0 * (f64::from(second) / 9.0).sin() + if second > 48 { 34.0 } else { 0.0 };
        let fan = 5340 + 60 * (second % 7) + if second > 50 { 1800 } else { 0 };
        prepare(
            &browser,
            &format!(
                "await put('bmc00042', 'sensors/32/0/1', {{ value: {} }}); await put('bmc00042', 'sensors/32/0/9', {{ value: {fan} }});
                await put('bmc00042', 'sensors/32/0/2', {{ value: {} }});",
                value.round(),
                (47.0 + 3.0 * (f64::from(second) / 5.0).cos()).round()
            ),
        );
        std::thread::sleep(Duration::from_millis(700));
    }
    keep(&browser, "bmc.png");
}
