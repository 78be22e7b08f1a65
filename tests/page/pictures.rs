//! The pictures of the README. They are made by hand, `docs/pictures/make.sh`, as they look like the fonts of a machine.

use std::fs;
use std::time::Duration;

use crate::browser::{Browser, Scheme};
use crate::support::bench::project;
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

#[test]
#[ignore = "writes docs/pictures"]
fn pictures() {
    let served = Served::fleet(10_000);
    let browser = served.browser();
    browser.until("document.querySelectorAll('.tile').length > 20");
    let chance = "let seed = 7; const chance = () => (seed = (seed * 16807) % 2147483647) / 2147483647;";
    prepare(
        &browser,
        &format!(
            "{chance}
            const off = [];
            for (let at = 1; at <= 10000; at += 1) if (chance() < .22) off.push(at);
            while (off.length > 0) await Promise.all(off.splice(0, 60).map((at) => post(name(at), 'power', {{ control: 'off' }})));
            for (const at of [17, 903, 2210, 2211, 2212, 4804, 7200, 9312]) await put(name(at), 'sensors/32/0/1', {{ value: 84 }});
            await put(name(8), 'sensors/32/0/9', {{ value: 840 }});"
        ),
    );
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
    browser.scheme(Scheme::Dark);
    browser.press("Set CPU1 Temp");
    browser.find("dialog .marks text");
    std::thread::sleep(Duration::from_secs(2));
    keep(&browser, "sensor-dark.png");
}
