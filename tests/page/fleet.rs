//! All BMCs: the grid with ten thousand of them, searched, filtered, gone through by keys, and told of what happens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::browser::{Browser, key};
use crate::{Served, text};

/// How many elements the whole page may have, however many BMCs there are: some eighty cells with ten elements each.
const ELEMENTS: u64 = 2500;

fn elements(browser: &Browser) -> u64 {
    browser.value("document.querySelectorAll('*').length").as_u64().expect("a count")
}

/// Names of the cells that are in sight.
fn in_sight(browser: &Browser) -> Vec<String> {
    let script = "const grid = document.querySelector('.grid').getBoundingClientRect();
        return [...document.querySelectorAll('.tile')].filter((tile) => {
            const box = tile.getBoundingClientRect();
            return box.bottom > grid.top && box.top < grid.bottom;
        }).map((tile) => tile.querySelector('.name').textContent)";
    let names = browser.script(script, &[]);
    names.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

fn focused(browser: &Browser) -> Value {
    browser.value("document.activeElement.querySelector?.('.name')?.textContent ?? document.activeElement.id")
}

fn ipmitool(served: &Served, host: &str, words: &str) -> Ran {
    let mut command = std::process::Command::new("ipmitool");
    command.args(["-I", "lanplus", "-H", host, "-p", &served.port.to_string(), "-U", "admin", "-P", "admin"]);
    Ran::run(command.args(words.split(' ')), "ipmitool", Duration::from_secs(30))
}

#[test]
fn ten_thousand_bmcs_are_a_page_like_any_other() {
    let served = Served::fleet(10_000);
    let browser = served.browser();
    browser.until(&format!("{} === '10,000'", text(".stat.all b")));
    browser.until("document.querySelectorAll('.tile').length > 20");
    let first = elements(&browser);
    assert!(first < ELEMENTS, "{first} elements");
    assert_eq!(in_sight(&browser)[0], "bmc00001");
    // From the top to the end by leaps and by steps: no more elements, and the right ones.
    for (top, expected) in [("grid.scrollHeight / 2", "bmc05"), ("grid.scrollHeight", "bmc09"), ("0", "bmc00")] {
        browser.script(&format!("const grid = document.querySelector('.grid'); grid.scrollTop = {top}"), &[]);
        browser.until(&format!("document.querySelectorAll('.tile .name')[30].textContent.startsWith('{expected}')"));
        assert!(elements(&browser) < ELEMENTS, "{} elements", elements(&browser));
    }
    let most = browser.run(
        "const grid = document.querySelector('.grid');
        let most = 0;
        for (let top = 0; top < 12000; top += 300) {
            grid.scrollTop = top;
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            most = Math.max(most, document.querySelectorAll('*').length);
        }
        return most;",
    );
    assert!(most.as_u64().is_some_and(|most| most < ELEMENTS), "{most} elements while it is scrolled");
    // What is read aloud says how many there are, not how many are drawn.
    let columns = browser.value("+document.querySelector('[role=grid]').ariaColCount").as_u64().expect("a number");
    assert_eq!(browser.value("+document.querySelector('[role=grid]').ariaRowCount"), 10_000_u64.div_ceil(columns));
    browser.fill("#search", "bmc09999");
    browser.until("document.querySelectorAll('.tile').length === 1");
    assert_eq!(in_sight(&browser), ["bmc09999"]);
}

#[test]
fn searches_and_filters_are_addresses() {
    let served = Served::fleet(30);
    let browser = served.browser();
    browser.until("document.querySelectorAll('.tile').length === 30");
    ipmitool(&served, "127.90.0.4", "chassis power on").assert_ok();
    browser.until(&format!("{} === '1'", text(".stat.on b")));
    browser.click(".stat.on");
    browser.until("document.querySelectorAll('.tile').length === 1");
    assert_eq!(in_sight(&browser), ["bmc00004"]);
    assert_eq!(browser.value("location.hash"), "#/?show=on");
    assert_eq!(browser.value("document.querySelector('.stat.on').ariaPressed"), "true");
    browser.fill("#search", "bmc0002*");
    browser.until("!document.querySelector('.empty').hidden");
    assert_eq!(browser.value(&text(".empty h2")), "No BMC matches");
    browser.press("Show all");
    browser.until("document.querySelectorAll('.tile').length === 30");
    assert_eq!(focused(&browser), "search");
    // A link leads to the same.
    browser.go("about:blank");
    browser.go(&format!("{}#/?q=bmc0002*&show=off", served.url));
    browser.until("document.querySelectorAll('.tile').length === 10");
    assert_eq!(browser.value("document.querySelector('#search').value"), "bmc0002*");
}

#[test]
fn the_grid_is_gone_through_by_keys() {
    let served = Served::fleet(300);
    let browser = served.browser();
    browser.until("document.querySelectorAll('.tile').length > 20");
    let columns = browser.value("+document.querySelector('[role=grid]').ariaColCount").as_u64().expect("a number");
    browser.keys(&["/"]);
    assert_eq!(focused(&browser), "search");
    browser.keys(&[key::DOWN]);
    assert_eq!(focused(&browser), "bmc00001");
    browser.keys(&[key::RIGHT, key::DOWN, key::LEFT]);
    assert_eq!(focused(&browser), format!("bmc{:05}", columns + 1));
    browser.keys(&[key::END]);
    assert_eq!(focused(&browser), format!("bmc{:05}", 2 * columns));
    browser.chord(key::CONTROL, key::END);
    assert_eq!(focused(&browser), "bmc00300");
    assert!(in_sight(&browser).contains(&"bmc00300".to_owned()));
    browser.chord(key::CONTROL, key::HOME);
    browser.keys(&[key::PAGE_DOWN]);
    let paged = focused(&browser).as_str().expect("a name").to_owned();
    assert!(paged > format!("bmc{:05}", 3 * columns) && in_sight(&browser).contains(&paged), "{paged}");
    // One stop for the Tab key, and the focus is not lost where the cell is scrolled out of sight.
    assert_eq!(browser.value("document.querySelectorAll('.tile[tabindex=\"0\"]').length"), 1);
    browser.script("document.querySelector('.grid').scrollTop = 100000", &[]);
    browser.until("[...document.querySelectorAll('.tile .name')].some((name) => name.textContent === 'bmc00300')");
    assert_eq!(focused(&browser), paged);
    browser.keys(&[key::RIGHT, key::ENTER]);
    browser.until("location.hash.startsWith('#/bmc/')");
    browser.until(&format!("{} === 'Power off'", text(".power-word")));
    // Back comes to the same place.
    browser.value("history.back()");
    browser.until("document.querySelectorAll('.tile').length > 20");
    assert!(in_sight(&browser).contains(&paged));
}

#[test]
fn what_happens_is_seen() {
    let served = Served::fleet(40);
    let browser = served.browser();
    browser.until("document.querySelectorAll('.tile').length > 20");
    browser.until(&format!("{} === 'Live'", text("#link")));
    ipmitool(&served, "127.90.0.7", "chassis power on").assert_ok();
    browser.until("document.querySelector('.tile[href$=bmc00007] .lamp.on')");
    browser.until(
        "[...document.querySelectorAll('.happened')].some((it) => it.textContent.includes('bmc00007 Power is on'))",
    );
    browser.until(
        "[...document.querySelectorAll('.happened')].some((it) => it.textContent.includes('bmc00007 admin logged in'))",
    );
    let label = browser.value("document.querySelector('.tile[href$=bmc00007]').ariaLabel");
    assert!(label.as_str().is_some_and(|label| label.starts_with("bmc00007, power on")), "{label}");
}

#[test]
fn a_server_that_goes_is_waited_for() {
    let mut served = Served::fleet(5);
    let browser = served.browser();
    browser.until(&format!("{} === 'Live'", text("#link")));
    browser.until("document.querySelectorAll('.tile').length === 5");
    served.stop();
    browser.until(&format!("{} === 'Reconnecting'", text("#link")));
    assert_eq!(browser.value("document.querySelectorAll('.tile').length"), 5, "what is known stays");
    served.start();
    browser.press("Try now");
    browser.until(&format!("{} === 'Live'", text("#link")));
    ipmitool(&served, "127.90.0.2", "chassis power on").assert_ok();
    browser.until("document.querySelector('.tile[href$=bmc00002] .lamp.on')");
    assert_eq!(browser.value("document.querySelector('#again').hidden"), json!(true));
}

#[test]
fn what_is_not_there_is_said() {
    let served = Served::fleet(2);
    let browser = served.browser();
    served.open(&browser, "bmc00009");
    browser.until(&format!("{} === 'There is no such BMC'", text("h1")));
    browser.go(&format!("{}#/elsewhere", served.url));
    browser.until(&format!("{} === 'There is no such page'", text("h1")));
    browser.click("main a");
    browser.until("document.querySelectorAll('.tile').length === 2");
}
