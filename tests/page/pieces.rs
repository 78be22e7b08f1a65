//! The pieces that take text apart, as modules of the page: what they make of given input.

use serde_json::json;

use crate::Served;

#[test]
fn events_are_read_however_they_are_cut() {
    let served = Served::fleet(1);
    let browser = served.browser();
    let all = "const { Reader } = await import('/stream.js');
        const text = ': hello\\n\\nid: 7\\nevent: login\\ndata: {\"a\":1}\\n\\ndata: x\\r\\ndata:  y\\r\\n\\r\\nid: 8\\n\\ndata: half';
        const whole = new Reader().feed(text);
        const each = [];
        const reader = new Reader();
        for (const character of text) each.push(...reader.feed(character));
        return [whole, each];";
    let expected = json!([{ "id": "7", "event": "login", "data": "{\"a\":1}" }, { "data": "x\n y" }]);
    assert_eq!(browser.run(all), json!([expected, expected]));
}

#[test]
fn a_terminals_output_becomes_plain_text() {
    let served = Served::fleet(1);
    let browser = served.browser();
    let plain = |bytes: &str| {
        browser.run(&format!(
            "const {{ Plain }} = await import('/console.js');
            const bytes = Uint8Array.from('{bytes}', (c) => c.charCodeAt(0));
            const [whole, cut] = [new Plain(), new Plain()];
            whole.feed(bytes);
            for (const byte of bytes) cut.feed(Uint8Array.of(byte));
            return [whole.lines, cut.lines];"
        ))
    };
    for (bytes, lines) in [
        (r"one\r\ntwo", json!(["one", "two"])),
        (r"\x1b[1;32mgreen\x1b[0m \x1b[2J\x1b[10;5Hplain", json!(["green plain"])),
        (r"\x1b]0;title\x07shown \x1b]8;;http://x\x1b\\link", json!(["shown link"])),
        (r"\x1b(Bcharset\x1b=keypad\x1b7", json!(["charsetkeypad"])),
        (r"50%\r60%", json!(["60%"])),
        (r"longer\rab", json!(["abnger"])),
        (r"abc\b\bX", json!(["aXc"])),
        (r"a\tb", json!(["a       b"])),
        (r"\xc3\xa9\x00\x07\x7f", json!(["é"])),
        (r"<b>&amp;", json!(["<b>&amp;"])),
        (r"\x1b[\x1b[31mred", json!(["red"])),
    ] {
        assert_eq!(plain(bytes), json!([lines, lines]), "{bytes}");
    }
}

#[test]
fn a_console_that_never_ends_keeps_its_newest_lines() {
    let served = Served::fleet(1);
    let browser = served.browser();
    let kept = browser.run(
        "const { Plain } = await import('/console.js');
        const plain = new Plain();
        for (let at = 0; at < 500; at += 1) plain.feed(new TextEncoder().encode(`${at}\\r\\n`.repeat(10)));
        plain.feed(new TextEncoder().encode('x'.repeat(100000)));
        return [plain.lines.length, plain.lines[plain.lines.length - 2], plain.lines.at(-1).length];",
    );
    assert_eq!((&kept[0], &kept[1]), (&json!(2000), &json!("499")));
    assert!(kept[2].as_u64().is_some_and(|length| length < 5000), "{kept}");
}

#[test]
fn a_search_is_a_part_or_a_pattern() {
    let served = Served::fleet(1);
    let browser = served.browser();
    let finds = |text: &str| {
        let names = "[['rack1-n1', '10.0.0.1:623'], ['rack1-n10', '10.0.0.10:623'], ['Rack2+n1', '']]";
        browser.run(&format!(
            "const {{ matcher }} = await import('/fleet.js');
            const items = {names}.map(([name, address]) => ({{ name, addresses: [address], found: `${{name}} ${{address}}`.toLowerCase() }}));
            return items.filter(matcher({text:?})).map(({{ name }}) => name);"
        ))
    };
    assert_eq!(finds(""), json!(["rack1-n1", "rack1-n10", "Rack2+n1"]));
    assert_eq!(finds(" N10"), json!(["rack1-n10"]));
    assert_eq!(finds("rack2"), json!(["Rack2+n1"]));
    assert_eq!(finds("10.0.0.1:"), json!(["rack1-n1"]));
    assert_eq!(finds("*n1"), json!(["rack1-n1", "Rack2+n1"]));
    assert_eq!(finds("rack?+n1"), json!(["Rack2+n1"]));
    assert_eq!(finds("10.0.0.1?:623"), json!(["rack1-n10"]));
    assert_eq!(finds("n1["), json!([]));
    assert_eq!(finds("*["), json!([]));
}

#[test]
fn records_are_put_in_words() {
    let served = Served::fleet(1);
    let browser = served.browser();
    let says = |sensor_type: u8, event_type: u8, data: &str| {
        browser.run(&format!(
            "const {{ recordText, recordTone }} = await import('/words.js');
            const record = {{ record_type: 2, event: {{ sensor_type: {sensor_type}, event_type: {event_type}, asserted: true, data: '{data}' }} }};
            return [recordText(record), recordTone(record)];"
        ))
    };
    assert_eq!(says(1, 1, "575550"), json!(["Upper non-critical, going high", "warn"]));
    assert_eq!(says(4, 1, "520a0f"), json!(["Lower critical, going low", "bad"]));
    assert_eq!(says(1, 1, "5b6060"), json!(["Upper non-recoverable, going high", "bad"]));
    assert_eq!(says(8, 0x6f, "01ffff"), json!(["Failed", "plain"]));
    assert_eq!(says(8, 0x6f, "0effff"), json!(["State 14", "plain"]));
    assert_eq!(says(8, 11, "01ffff"), json!(["Redundancy lost", "plain"]));
    let oem =
        "const { recordText } = await import('/words.js'); return recordText({ record_type: 0xc0, event: null });";
    assert_eq!(browser.run(oem), json!("Record type 0xc0"));
}

/// A server in the place of the real one: `events` are what each stream says, one after the other, and `lists` the pages of the list.
const STAND_IN: &str = "
    const asked = [];
    const json = (value) => new Response(JSON.stringify(value), { headers: { 'Content-Type': 'application/json' } });
    const item = (name, power = 'off') => ({ name, state: 'running', power, sessions: 0, alarms: 0, sel_records: 0, faults: 0, addresses: [] });
    const streams = [];
    window.fetch = async (path, options = {}) => {
        asked.push(`${path} ${options.headers?.['Last-Event-ID'] ?? ''}`.trim());
        if (path.startsWith('/v1/events')) {
            const text = streams.shift();
            if (text === undefined) return new Response(new ReadableStream({}));
            return new Response(text);
        }
        return answer(path);
    };
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    const until = async (what) => {
        for (let at = 0; at < 200 && !what(); at += 1) await wait(25);
    };
    const { Fleet } = await import('/store.js');
    const fleet = new Fleet();";

#[test]
fn a_stream_goes_on_where_it_ended_and_tells_what_was_lost() {
    let served = Served::fleet(1);
    let browser = served.browser();
    // A file of the page without the page, whose own requests would come in between.
    browser.go(&format!("{}theme.js", served.url));
    let came = browser.run(&format!(
        "const answer = () => json({{ bmcs: [item('a'), item('b')], total: 2, next: null }});
        {STAND_IN}
        streams.push('id: 41\\nevent: power_done\\ndata: {{\"bmc\":\"b\",\"kind\":\"power_done\",\"power\":\"on\",\"time\":\"2026-11-30T00:00:00Z\"}}\\n\\n');
        streams.push('event: lost\\ndata: {{\"lost\":7}}\\n\\n');
        fleet.start();
        await until(() => fleet.events.length === 2 && asked.filter((it) => it.startsWith('/v1/events')).length === 3);
        const {{ eventText }} = await import('/words.js');
        return [asked.filter((it) => it.startsWith('/v1/events')), fleet.events.map(eventText)];"
    ));
    let streams = json!(["/v1/events", "/v1/events 41", "/v1/events 41"]);
    assert_eq!(came, json!([streams, ["7 events missed", "Power is on"]]));
}

#[test]
fn a_list_of_many_pages_is_put_in_order() {
    let served = Served::fleet(1);
    let browser = served.browser();
    // A file of the page without the page, whose own requests would come in between.
    browser.go(&format!("{}theme.js", served.url));
    let came = browser.run(&format!(
        "const answer = (path) => path.includes('after=n10')
            ? json({{ bmcs: [item('n2', 'on'), item('n9')], total: 4, next: null }})
            : json({{ bmcs: [item('n1'), item('n10')], total: 4, next: 'n10' }});
        {STAND_IN}
        fleet.start();
        await until(() => fleet.loaded);
        return [fleet.items.map((it) => `${{it.name}} ${{it.power}}`), asked.filter((it) => it.startsWith('/v1/bmcs'))];"
    ));
    let asked = json!(["/v1/bmcs?limit=10000", "/v1/bmcs?limit=10000&after=n10"]);
    assert_eq!(came, json!([["n1 off", "n2 on", "n9 off", "n10 off"], asked]));
}
