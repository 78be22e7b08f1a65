//! Whether the page can be used without a mouse, without eyes and in either light: by own assertions, on each of its views.

use std::collections::BTreeSet;

use crate::support::browser::{Browser, Scheme, key};
use crate::{Served, text};

/// Every view of the page, and what shows that it is there.
const VIEWS: [(&str, &str); 7] = [
    ("#/", ".tile"),
    ("#/?q=nothing-has-this-name", ".empty h2"),
    ("#/bmc/bmc00001/sensors", ".sensor.analog .trace[d^=M]"),
    ("#/bmc/bmc00001/log", "tbody tr"),
    ("#/bmc/bmc00001/console", ".screen"),
    ("#/bmc/bmc00001/statements", "#lines"),
    ("#/bmc/bmc00001/hardware", ".hardware + .hardware td"),
];

/// A fleet with something to show: an alarm, records, a BMC that is on.
fn served() -> (Served, Browser) {
    let served = Served::fleet(12);
    let browser = served.browser();
    for (name, line) in [
        ("bmc00001", "sensor_set_value 0x20 0 1 91 1"),
        ("bmc00001", "sensor_set_value 0x20 0 9 16 1"),
        ("bmc00002", "power on"),
    ] {
        let body = format!("{{\"lines\":[{line:?}]}}");
        browser.run(&format!(
            "const came = await fetch('/v1/bmcs/{name}/statements', {{ method: 'POST', body: {body:?}, \
             headers: {{ 'Content-Type': 'application/json' }} }}); return came.status;"
        ));
    }
    (served, browser)
}

fn visit(served: &Served, browser: &Browser, (path, there): (&str, &str)) {
    browser.go("about:blank");
    browser.go(&format!("{}{path}", served.url));
    browser.find(there);
}

#[test]
fn everything_that_can_be_used_has_a_name() {
    let (served, browser) = served();
    for view in VIEWS {
        visit(&served, &browser, view);
        let controls = browser.all("button:not([hidden]), a[href], input, select, textarea, [role=grid]:not([hidden]), dialog, meter, nav:not([hidden]), main [tabindex='0']");
        assert!(controls.len() > 5, "{}: {}", view.0, controls.len());
        for control in controls {
            assert_ne!(browser.name(&control).trim(), "", "{}: {}", view.0, browser.markup(&control));
        }
        let fields = "[...document.querySelectorAll('input, select, textarea')].filter((it) => !it.labels.length && !it.ariaLabel).map((it) => it.outerHTML)";
        assert_eq!(browser.value(fields), serde_json::json!([]), "{}: fields without a label", view.0);
        assert_eq!(browser.value("document.querySelectorAll('h1').length"), 1, "{}", view.0);
        let ids =
            "[...document.querySelectorAll('[id]')].map((it) => it.id).filter((id, at, all) => all.indexOf(id) !== at)";
        assert_eq!(browser.value(ids), serde_json::json!([]), "{}: ids that are there twice", view.0);
    }
}

#[test]
fn the_grid_is_a_grid() {
    let (served, browser) = served();
    visit(&served, &browser, VIEWS[0]);
    let wrong = "[...document.querySelectorAll('[role=gridcell]')].filter((cell) => cell.parentElement.role !== 'row' \
                 || !cell.ariaColIndex || !cell.parentElement.ariaRowIndex || !cell.closest('[role=grid]')).length";
    assert_eq!(browser.value(wrong), 0);
    let indexes = "[...document.querySelectorAll('[role=row]')].map((row) => +row.ariaRowIndex)";
    let rows = browser.value(indexes);
    let rows: Vec<u64> = rows.as_array().expect("a list").iter().filter_map(serde_json::Value::as_u64).collect();
    assert!(!rows.is_empty() && rows.is_sorted(), "they are read in the order of the document: {rows:?}");
    assert_eq!(browser.name(&browser.find(".tile")), "bmc00001, power off, 2 alarms, 3 log records");
}

/// Every text that can be seen, with the contrast of its colour to what is behind it (WCAG 2.2, 1.4.3), where it is too low.
const FAINT: &str = "
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            layers.push(rgba(getComputedStyle(at).backgroundColor));
            if (layers.at(-1)[3] === 1) break;
        }
        return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
    };
    const light = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((it) => (it / 255 <= .04045 ? it / 255 / 12.92 : ((it / 255 + .055) / 1.055) ** 2.4));
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const found = [];
    let seen = 0;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.textContent.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest('.unseen, noscript, canvas')) continue;
        const ground = behind(element);
        const style = getComputedStyle(element);
        const ink = over(rgba(element instanceof SVGElement ? style.fill : style.color), ground);
        const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a);
        const contrast = (high + .05) / (low + .05);
        seen += 1;
        if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${element.className} ${node.textContent.slice(0, 40)}`);
    }
    return [seen, found];";

#[test]
fn every_text_can_be_read_in_either_light() {
    let (served, browser) = served();
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.scheme(scheme);
        for view in VIEWS {
            visit(&served, &browser, view);
            let came = browser.script(FAINT, &[]);
            assert!(came[0].as_u64().is_some_and(|seen| seen > 10), "{}: {came}", view.0);
            assert_eq!(came[1], serde_json::json!([]), "{scheme:?} {}", view.0);
        }
        visit(&served, &browser, VIEWS[2]);
        browser.press("Set CPU1 Temp");
        browser.find("dialog .marks text");
        assert_eq!(browser.script(FAINT, &[])[1], serde_json::json!([]), "{scheme:?}, the dialog of a sensor");
    }
}

#[test]
fn light_and_dark_are_chosen_and_kept() {
    let (served, browser) = served();
    browser.scheme(Scheme::Dark);
    visit(&served, &browser, VIEWS[0]);
    let ground = "getComputedStyle(document.body).backgroundColor";
    let dark = browser.value(ground);
    browser.click("#theme");
    let light = browser.value(ground);
    assert_ne!(light, dark, "the system is dark, this is light");
    visit(&served, &browser, VIEWS[4]);
    assert_eq!(browser.value(ground), light, "kept");
    browser.click("#theme");
    assert_eq!(browser.value(ground), dark);
    assert_eq!(browser.name(&browser.find("#theme")), "Colours: dark. Change");
}

/// Where the Tab key leads from the beginning of the page until it begins again, and what cannot be seen of it.
fn tabbed(browser: &Browser) -> Vec<String> {
    let mut places = Vec::new();
    for _ in 0..60 {
        browser.keys(&[key::TAB]);
        let place = browser.script(
            "const it = document.activeElement;
            if (it === document.body) return null;
            const style = getComputedStyle(it);
            const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
            return `${it.tagName} ${it.id || it.ariaLabel || it.textContent.trim().slice(0, 20)}${seen ? '' : ' NOT SEEN'}`",
            &[],
        );
        let Some(place) = place.as_str() else { break };
        if places.first().is_some_and(|first| first == place) {
            break;
        }
        places.push(place.to_owned());
    }
    places
}

#[test]
fn the_tab_key_goes_everywhere_and_is_seen() {
    let (served, browser) = served();
    visit(&served, &browser, VIEWS[0]);
    let places = tabbed(&browser);
    assert_eq!(places[0], "A skip");
    assert!(places.iter().all(|place| !place.contains("NOT SEEN")), "{places:?}");
    assert!(places.iter().any(|place| place == "INPUT search"), "{places:?}");
    assert_eq!(
        places.iter().filter(|place| place.starts_with("A bmc0000")).count(),
        1,
        "the grid is one stop: {places:?}"
    );
    visit(&served, &browser, VIEWS[2]);
    let places = tabbed(&browser);
    assert!(places.iter().all(|place| !place.contains("NOT SEEN")), "{places:?}");
    for wanted in ["BUTTON Power on", "A Event log3", "BUTTON Set CPU1 Temp", "SELECT device"] {
        assert!(places.iter().any(|place| place == wanted), "{wanted}: {places:?}");
    }
    // The way past the bar.
    visit(&served, &browser, VIEWS[0]);
    browser.keys(&[key::TAB, key::ENTER]);
    assert_eq!(browser.value("document.activeElement.id"), "main");
    assert_eq!(browser.value("location.hash"), "#/");
}

#[test]
fn all_is_done_by_keys_alone() {
    let (served, browser) = served();
    visit(&served, &browser, VIEWS[0]);
    browser.until("document.querySelectorAll('.tile').length === 12");
    browser.keys(&["/", "0", "0", "0", "7", key::ENTER]);
    browser.until(&format!("{} === 'Power off'", text(".power-word")));
    assert_eq!(
        browser.value("document.activeElement.id"),
        "main",
        "who cannot see that the page is another one is told"
    );
    let to = |name: &str| {
        for _ in 0..50 {
            browser.keys(&[key::TAB]);
            if browser.value("document.activeElement.ariaLabel ?? document.activeElement.textContent") == name {
                return;
            }
        }
        panic!("the Tab key does not come to {name}");
    };
    to("Power on");
    browser.keys(&[key::SPACE]);
    browser.until(&format!("{} === 'Power on'", text(".power-word")));
    browser.until(&format!("{} !== ''", text("#said")));
    to("Set CPU2 Temp");
    browser.keys(&[key::ENTER]);
    browser.until("document.activeElement.id === 'sensor-value'");
    browser.chord(key::CONTROL, "a");
    browser.keys(&["9", "2", key::ENTER]);
    browser.until(&format!("{}.includes('Upper critical')", text("dialog .now")));
    browser.keys(&[key::ESCAPE]);
    browser.until("document.activeElement.ariaLabel === 'Set CPU2 Temp'");
    browser.until(&format!("{} === '▲ 1 alarm'", text(".badge.warn")));
}

#[test]
fn nothing_moves_for_whom_motion_is_too_much() {
    let (served, browser) = served();
    browser.media("prefers-reduced-motion", "reduce");
    for view in VIEWS {
        visit(&served, &browser, view);
        let moving = "document.getAnimations().filter((it) => it.playState === 'running').length";
        assert_eq!(browser.value(moving), 0, "{}", view.0);
    }
}

#[test]
fn a_phone_shows_it_without_going_sideways() {
    let (served, browser) = served();
    browser.resize(390, 844);
    for view in VIEWS {
        visit(&served, &browser, view);
        let wide =
            "[document.documentElement, document.querySelector('main')].map((it) => it.scrollWidth - it.clientWidth)";
        assert_eq!(browser.value(wide), serde_json::json!([0, 0]), "{}", view.0);
    }
}

#[test]
fn the_browser_finds_nothing_to_complain_about() {
    let (served, browser) = served();
    let mut complaints = BTreeSet::new();
    for view in VIEWS {
        visit(&served, &browser, view);
        browser.until(&format!("{} === 'Live'", text("#link")));
        // A BMC without a SOL port has no console.
        complaints.extend(browser.log().into_iter().filter(|line| !line.contains("/console")));
    }
    assert_eq!(complaints, BTreeSet::new());
    let inline = "document.querySelectorAll('script:not([src]), style').length";
    assert_eq!(browser.value(inline), 0);
    let foreign =
        "performance.getEntriesByType('resource').filter((it) => !it.name.startsWith(location.origin)).length";
    assert_eq!(browser.value(foreign), 0);
}
