//! The control door of the real program: every path of it, on one BMC and on a fleet, beside clients that speak IPMI.

mod support;

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::bench::free_port;
use support::door::{START, start, write_fleet, write_one};
use support::http::{Events, Http};
use support::process::eventually;
use support::sol::{Console, EchoingMachine};
use support::{Bench, Ipmitool, Ran, Simulator, Stdin, Subject, Transport};

const LIMIT: Duration = Duration::from_secs(30);
/// Sensor 1: CPU1 Temp, too hot at 80 degrees.
const TEMPERATURE: &str = "/v1/bmcs/bmc00001/sensors/0x20/0/1";

/// One BMC with a door.
fn one(more: &str) -> (Bench, Simulator, Http, Ipmitool) {
    let (bench, port) = (Bench::new(), free_port());
    write_one(&bench, port, more);
    let (simulator, door) = start(&bench, &[]);
    (bench, simulator, door, Ipmitool::new(port, "admin", "admin"))
}

/// A fleet with a door, whose BMCs are at `127.NET.0.1` and so on.
fn fleet(net: u8, count: usize, more: &[&str]) -> (Bench, Simulator, Http, u16) {
    let (bench, port) = (Bench::new(), free_port());
    write_fleet(&bench);
    let (addresses, count, ports) = (format!("127.{net}.0.0/16"), count.to_string(), port.to_string());
    let range = ["--count", &count, "--addresses", &addresses, "--ports", &ports];
    let (simulator, door) = start(&bench, &[&range[..], more].concat());
    (bench, simulator, door, port)
}

fn at(host: &str, port: u16) -> Ipmitool {
    Ipmitool { host: host.to_owned(), ..Ipmitool::new(port, "admin", "admin") }
}

/// Names of what a list has.
fn names(list: &Value) -> Vec<&str> {
    list["bmcs"].as_array().expect("BMCs").iter().map(|bmc| bmc["name"].as_str().expect("a name")).collect()
}

#[test]
fn a_bmc_is_seen_in_short_and_in_full() {
    let (_bench, simulator, door, client) = one("");
    assert_eq!(door.json("/healthz"), json!({ "status": "ok" }));
    assert_eq!(door.json("/readyz"), json!({ "status": "ready", "bmcs": 1, "page": null }));
    let address = format!("127.0.0.1:{}", client.port);
    let summary = json!({
        "name": "bmc00001", "state": "running", "power": "off", "sessions": 0, "alarms": 0, "sel_records": 0, "faults": 0,
        "addresses": [address],
    });
    assert_eq!(door.json("/v1/bmcs"), json!({ "bmcs": [summary], "total": 1, "next": null }));

    let bmc = door.json("/v1/bmcs/bmc00001");
    for (field, value) in summary.as_object().expect("fields") {
        assert_eq!(&bmc[field], value, "{field}");
    }
    assert_eq!(bmc["boot"], json!({ "device": "none", "boots": null }));
    let controller = &bmc["controllers"][0];
    let expected = json!({ "mc": 32, "is_bmc": true, "enabled": true, "ipmi_version": "2.0", "sensors": 23 });
    for (field, value) in expected.as_object().expect("fields") {
        assert_eq!(&controller[field], value, "{field}");
    }
    assert_eq!(controller["sel"], json!({ "used": 0, "room": 1000 }));
    let lan = json!({ "mc": 32, "channel": 1, "address": address, "open": true, "sessions": 0 });
    assert_eq!(bmc["lan"], json!([lan]));

    // Fields are in one order, for people.
    let text = door.get("/v1/bmcs/bmc00001").text();
    let places: Vec<_> = ["name", "state", "addresses", "index", "boot", "controllers", "lan", "sessions_open"]
        .map(|field| text.find(&format!("\"{field}\":")).expect("a field"))
        .to_vec();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(door.get("/v1/bmcs/bmc0001").detail(404), "There is no BMC 'bmc0001', did you mean 'bmc00001'?");
    assert!(door.get("/nowhere").detail(404).contains("/openapi.json"));
    assert_eq!(door.delete("/healthz").assert(405).header("allow"), Some("GET,HEAD"));
    let head = door.send("HEAD", "/v1/bmcs/bmc00001", None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    // There is one BMC here.
    for answer in [door.put("/v1/bmcs/new", &json!({})), door.delete("/v1/bmcs/bmc00001")] {
        assert!(answer.detail(409).contains("--fleet or --count"));
    }
    simulator.signal(Signal::SIGTERM);
}

#[test]
fn sessions_are_seen_while_they_last() {
    let (_bench, _simulator, door, client) = one("");
    let mut console = support::sol::Terminal::start(client.command(&["shell"]), "ipmitool", "ipmitool>");
    let session = eventually(LIMIT, || door.json("/v1/bmcs/bmc00001")["sessions_open"].get(0).cloned());
    let session = session.expect("a session");
    assert_eq!((&session["user_name"], &session["privilege"]), (&"admin".into(), &"administrator".into()), "{session}");
    assert_eq!((&session["ipmi_version"], &session["sol"]), (&"2.0".into(), &false.into()), "{session}");
    assert_eq!(door.json("/v1/bmcs")["bmcs"][0]["sessions"], 1);
    console.terminal.write("exit\r");
    console.ends();
    assert!(eventually(LIMIT, || (door.json("/v1/bmcs")["bmcs"][0]["sessions"] == 0).then_some(())).is_some());
}

#[test]
fn the_sessions_of_one_that_goes_end() {
    let (_bench, _simulator, door, port) = fleet(103, 1, &[]);
    let _shell = support::sol::Terminal::start(at("127.103.0.1", port).command(&["shell"]), "ipmitool", "ipmitool>");
    let session = eventually(LIMIT, || door.json("/v1/bmcs/bmc00001")["sessions_open"].get(0).cloned());
    assert!(session.is_some(), "nobody is logged in");
    let mut events = door.follow("/v1/events?kind=logout,bmc_removed");
    door.delete("/v1/bmcs/bmc00001").assert(204);
    assert_eq!([events.next().event, events.next().event], ["logout", "bmc_removed"]);
    assert_eq!(door.json("/v1/bmcs"), json!({ "bmcs": [], "total": 0, "next": null }));
}

#[test]
fn sensors_are_read_and_set_and_their_events_follow() {
    let (_bench, _simulator, door, client) = one("");
    let sensors = door.json("/v1/bmcs/bmc00001/sensors?mc=32");
    assert_eq!(sensors["sensors"].as_array().expect("sensors").len(), 23);
    let sensor = door.json(TEMPERATURE);
    assert_eq!(
        (&sensor["name"], &sensor["unit"], &sensor["raw"]),
        (&"CPU1 Temp".into(), &"degrees C".into(), &45.into())
    );
    assert_eq!((&sensor["value"], &sensor["thresholds"]["upper_critical"]), (&45.0.into(), &90.0.into()));

    let hot = door.put(TEMPERATURE, &json!({ "value": 92.5 })).assert(200).json();
    assert_eq!(hot["crossed"], json!(["upper_non_critical", "upper_critical"]), "{hot}");
    client.ok("sdr get CPU1\\ Temp").all();
    client.ok("sel list").assert_says("Upper Critical going high");
    let list = door.json("/v1/bmcs");
    assert_eq!((&list["bmcs"][0]["alarms"], &list["bmcs"][0]["sel_records"]), (&1.into(), &2.into()), "{list}");
    let cool = door.put(TEMPERATURE, &json!({ "raw": 40 })).assert(200).json();
    assert_eq!((&cool["value"], &cool["crossed"]), (&40.0.into(), &json!([])));

    // What it follows is told in the words that it was said in.
    let signal = "line from 50 to 50 over 0 max 60";
    let follows = door.put(TEMPERATURE, &json!({ "follow": signal })).assert(200).json();
    assert_eq!((&follows["value"], &follows["follows"]), (&50.0.into(), &signal.into()));
    client.ok("sdr elist").assert_says("CPU1 Temp        | 01h | ok  |  3.1 | 50 degrees C");
    let listed = door.json("/v1/bmcs/bmc00001/sensors");
    let of = |number: u8| listed["sensors"].as_array().and_then(|all| all.iter().find(|one| one["number"] == number));
    assert_eq!((&of(1).expect("it")["follows"], &of(2).expect("it")["follows"]), (&signal.into(), &Value::Null));
    let detail = door.put(TEMPERATURE, &json!({ "follow": "sinus" })).detail(422);
    assert!(detail.contains("did you mean 'sine'?"), "{detail}");
    let still = door.put(TEMPERATURE, &json!({ "follow": "none" })).assert(200).json();
    assert_eq!((&still["value"], &still["follows"]), (&50.0.into(), &Value::Null));
    door.put("/v1/bmcs/bmc00001/sensors/32/0/200", &json!({ "follow": "none" })).problem(404);

    // The power and its meter.
    let line = "mc_power_model 0x20 idle 100 max 400 standby 10";
    door.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": ["mc_load 0x20 constant 50", line] })).assert(200);
    let power = "/v1/bmcs/bmc00001/power";
    let meter = door.json(power);
    assert_eq!((&meter["power"], &meter["watts"]), (&"off".into(), &10.into()), "{meter}");
    door.post(power, &json!({ "control": "on" })).assert(200);
    let meter = door.json(power);
    assert_eq!((&meter["watts"], &meter["lowest"], &meter["highest"]), (&250.into(), &10.into(), &250.into()));
    let before = meter["energy_joules"].as_f64().expect("joules");
    let risen = eventually(Duration::from_secs(15), || {
        door.json(power)["energy_joules"].as_f64().filter(|joules| *joules > before + 50.0)
    });
    assert!(risen.is_some(), "{meter}");

    // One with states: power supply 1.
    let supply = "/v1/bmcs/bmc00001/sensors/32/0x0/20";
    assert_eq!(door.json(supply)["states"], json!([0]));
    let failed = door.put(supply, &json!({ "states": [0, 1, 3] })).assert(200).json();
    assert_eq!((&failed["states"], &failed["thresholds"]), (&json!([0, 1, 3]), &Value::Null));
    assert_eq!(door.put(supply, &json!({ "states": [] })).assert(200).json()["states"], json!([]));

    for (body, status, why) in [
        (json!({}), 400, "expected one of value, raw, states and follow"),
        (json!({ "raw": 1, "value": 1 }), 400, "expected one of"),
        (json!({ "raw": 256 }), 400, "expected 0 to 255"),
        (json!({ "hot": true }), 400, "unknown field `hot`"),
        (json!({ "states": [1] }), 422, "set its reading"),
    ] {
        let detail = door.put(TEMPERATURE, &body).detail(status);
        assert!(detail.contains(why), "{body}: {detail}");
    }
    assert!(door.put(supply, &json!({ "states": [15] })).detail(422).contains("states are 0 to 14"));
    door.get("/v1/bmcs/bmc00001/sensors/32/0/200").problem(404);
    door.get("/v1/bmcs/bmc00001/sensors/0x21/0/1").problem(404);
    door.get("/v1/bmcs/bmc00001/sensors/32/0/x").problem(404);
}

#[test]
fn the_event_log_is_read_written_and_cleared() {
    let (_bench, _simulator, door, client) = one("");
    let log = "/v1/bmcs/bmc00001/sel";
    let data = "00000000200004010101576064";
    let record = door.post(log, &json!({ "record_type": 2, "data": data })).assert(201).json();
    assert_eq!((&record["id"], &record["event"]["name"]), (&1.into(), &"CPU1 Temp".into()), "{record}");
    assert_eq!((&record["event"]["asserted"], &record["event"]["data"]), (&true.into(), &"576064".into()), "{record}");
    assert!(record["time"].as_str().is_some_and(|time| time.ends_with("Z")), "{record}");
    for _ in 0..4 {
        door.post(log, &json!({ "record_type": 0xe0, "data": "ff".repeat(13), "mc": 32 })).assert(201);
    }
    client.ok("sel list").assert_says("#0x01");
    let page = door.json("/v1/bmcs/bmc00001/sel?limit=2&mc=0x20");
    assert_eq!((&page["used"], &page["room"], &page["next"]), (&5.into(), &1000.into(), &2.into()), "{page}");
    let page = door.json("/v1/bmcs/bmc00001/sel?limit=10&after=2");
    assert_eq!((page["records"].as_array().map(Vec::len), &page["next"]), (Some(3), &Value::Null), "{page}");
    assert_eq!((&page["records"][0]["time"], &page["records"][0]["event"]), (&Value::Null, &Value::Null), "{page}");
    for (path, status) in [("after=9", 404), ("limit=0", 400), ("limit=-1", 400), ("mc=0x21", 404), ("what=1", 400)] {
        door.get(&format!("{log}?{path}")).problem(status);
    }
    door.post(log, &json!({ "record_type": 2, "data": "00" })).problem(400);
    assert_eq!(door.delete(log).assert(204).body, b"");
    client.ok("sel info").assert_says("Entries : 0");
}

#[test]
fn a_full_log_takes_no_more() {
    let bench = Bench::new();
    write_one(&bench, free_port(), "");
    let emu = bench.read("sim.emu").replace("sel_enable 0x20 1000", "sel_enable 0x20 2");
    bench.write("sim.emu", emu);
    let (_simulator, door) = start(&bench, &[]);
    let add = || door.post("/v1/bmcs/bmc00001/sel", &json!({ "record_type": 2, "data": "00".repeat(13) }));
    assert_eq!([add().status, add().status], [201, 201]);
    assert_eq!(add().detail(409), "the log is full");
}

#[test]
fn the_inventory_is_read() {
    let (_bench, _simulator, door, _) = one("");
    let records = door.json("/v1/bmcs/bmc00001/sdr");
    let records = records["records"].as_array().expect("records");
    assert_eq!(records.len(), 24);
    assert_eq!(
        (&records[2]["name"], &records[2]["type"], &records[2]["version"]),
        (&"CPU1 Temp".into(), &1.into(), &"1.5".into())
    );
    assert!(records[2]["raw"].as_str().is_some_and(|raw| raw.ends_with(&hex(b"CPU1 Temp"))));
    let devices = door.json("/v1/bmcs/bmc00001/fru?mc=0x20");
    let device = &devices["devices"][0];
    assert_eq!((&device["size"], &device["areas"]["board"]["serial"]), (&256.into(), &"MB-1".into()), "{device}");
    assert_eq!((&device["areas"]["product"]["asset_tag"], &device["file"]), (&"bmc00001".into(), &Value::Null));
    door.get("/v1/bmcs/bmc00001/fru?mc=0x21").problem(404);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn power_and_boot_device_are_set() {
    let (_bench, _simulator, door, client) = one("");
    let power = |control: &str| door.post("/v1/bmcs/bmc00001/power", &json!({ "control": control }));
    assert_eq!(power("on").assert(200).text(), "{\"control\":\"on\",\"power\":\"on\"}");
    client.ok("power status").assert_says("is on");
    // The built-in chassis has nobody to interrupt.
    assert_eq!(power("diag").detail(409), "the chassis cannot do that");
    assert_eq!(power("reset").assert(200).json(), json!({ "control": "reset", "power": "on" }));
    // It comes on again by itself.
    assert_eq!(power("cycle").assert(200).json(), json!({ "control": "cycle", "power": "off" }));
    assert!(eventually(LIMIT, || (door.json("/v1/bmcs/bmc00001")["power"] == "on").then_some(())).is_some());
    assert_eq!(power("soft").assert(200).json()["power"], "off");
    client.ok("power status").assert_says("is off");
    assert!(power("explode").detail(400).contains("expected on, off, cycle, reset, diag, soft, found 'explode'"));
    door.post("/v1/bmcs/bmc00001/power", &json!({ "control": "on", "mc": 0x22 })).problem(404);

    let boot = door.put("/v1/bmcs/bmc00001/boot", &json!({ "device": "pxe" })).assert(200).json();
    assert_eq!(boot, json!({ "device": "pxe", "boots": "next" }));
    client.ok("chassis bootparam get 5").assert_says("Force PXE");
    door.put("/v1/bmcs/bmc00001/boot", &json!({ "device": "disk", "boots": "all" })).assert(200);
    assert_eq!(door.json("/v1/bmcs/bmc00001")["boot"], json!({ "device": "disk", "boots": "all" }));
    door.put("/v1/bmcs/bmc00001/boot", &json!({ "device": "none" })).assert(200);
    assert!(door.put("/v1/bmcs/bmc00001/boot", &json!({ "device": "tape" })).detail(400).contains("remote_floppy"));
}

#[test]
fn power_is_answered_when_the_program_is_done() {
    let (bench, _simulator, door, _) = one("  chassis_control \"./power.sh\"");
    bench.write("power", "0");
    let program = "#!/bin/sh
case $1 in
get) echo \"$2:$(cat power)\" ;;
set) sleep 1; echo \"$3\" >power ;;
esac
";
    bench.write_program("power.sh", program);
    let power = |control: &str| door.post("/v1/bmcs/bmc00001/power", &json!({ "control": control }));
    let started = Instant::now();
    let asked = thread::scope(|scope| {
        let asked = scope.spawn(|| power("on"));
        thread::sleep(Duration::from_millis(100));
        // Nobody waits for the program but who asked.
        let looked = Instant::now();
        door.json("/v1/bmcs/bmc00001");
        assert!(looked.elapsed() < Duration::from_millis(700), "{:?}", looked.elapsed());
        asked.join().expect("an answer")
    });
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(asked.assert(200).json()["power"], "on");
    assert_eq!(bench.read("power").trim(), "1");

    bench.write_program("power.sh", "#!/bin/sh\necho 'the relay is stuck' >&2\nexit 3\n");
    let detail = power("off").detail(502);
    assert!(detail.contains("the relay is stuck") && detail.contains('3'), "{detail}");
}

#[test]
fn users_are_changed_and_kept_when_it_is_answered() {
    let (bench, simulator, door, client) = one("");
    let users = door.json("/v1/bmcs/bmc00001/users");
    let admin = json!({ "id": 2, "name": "admin", "limit": "administrator", "enabled": true });
    assert!(users["users"].as_array().expect("users").contains(&admin), "{users}");
    let carol = json!({ "name": "carol", "password": "tr0ub4dor&3", "limit": "operator", "enabled": true });
    let user = door.put("/v1/bmcs/bmc00001/users/5?mc=0x20", &carol);
    assert_eq!(user.assert(200).json(), json!({ "id": 5, "name": "carol", "limit": "operator", "enabled": true }));
    // The answer is a promise.
    simulator.signal(Signal::SIGKILL);
    drop(simulator);
    assert!(bench.path("control").exists());
    let (_simulator, door) = start(&bench, &[]);
    let carol = Ipmitool::new(client.port, "carol", "tr0ub4dor&3").with(&["-L", "OPERATOR"]);
    carol.ok("power status");

    door.put("/v1/bmcs/bmc00001/users/5", &json!({ "password": "another" })).assert(200);
    carol.run("power status").assert_failed();
    let user =
        door.put("/v1/bmcs/bmc00001/users/5", &json!({ "limit": "no_access", "enabled": false })).assert(200).json();
    assert_eq!(
        (&user["limit"], &user["enabled"], &user["name"]),
        (&"no_access".into(), &false.into(), &"carol".into())
    );
    for (id, body, status) in [
        ("64", json!({}), 404),
        ("0", json!({}), 404),
        ("5", json!({ "name": "a name that is too long" }), 422),
        ("5", json!({ "name": "a\u{0}b" }), 422),
        ("5", json!({ "password": "x".repeat(21) }), 422),
        ("1", json!({ "name": "x" }), 422),
        ("5", json!({ "limit": "king" }), 400),
    ] {
        let detail = door.put(&format!("/v1/bmcs/bmc00001/users/{id}"), &body).detail(status);
        assert!(!detail.contains("xxx"), "{detail}");
    }
}

#[test]
fn statements_are_executed_line_by_line() {
    let (_bench, _simulator, door, _) = one("");
    let lines = ["sensor_set_value 0x20 0 1 0x70 0", "sensor_set_valu 0x20 0 1", "", "help", "sleep 300", "quit now"];
    let started = Instant::now();
    let done = door.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": lines })).assert(200).json();
    assert!(started.elapsed() >= Duration::from_millis(300), "a line waits for the one in front of it");
    let done = done["lines"].as_array().expect("lines");
    let line: Vec<_> = done.iter().map(|done| done["line"].as_str().expect("a line")).collect();
    assert_eq!(line, lines);
    assert_eq!((&done[0]["output"], &done[0]["faults"]), (&"".into(), &json!([])));
    let fault = &done[1]["faults"][0];
    assert_eq!(
        (&fault["file"], &fault["line"], &fault["column"]),
        (&"<statements>".into(), &2.into(), &1.into()),
        "{fault}"
    );
    assert!(fault["message"].as_str().is_some_and(|text| text.contains("sensor_set_value")), "{fault}");
    assert!(done[3]["output"].as_str().is_some_and(|text| text.contains("sensor_add")), "{}", done[3]);
    assert_eq!(door.json(TEMPERATURE)["raw"], 0x70);
    assert_eq!(door.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": [] })).json(), json!({ "lines": [] }));
    door.get("/healthz").assert(200);
}

#[test]
fn a_fleet_is_listed_by_pages_patterns_and_power() {
    let (_bench, _simulator, door, _) = fleet(91, 30, &[]);
    let list = door.json("/v1/bmcs");
    assert_eq!((names(&list).len(), &list["total"]), (30, &30.into()));
    assert!(names(&list).is_sorted());
    let page = door.json("/v1/bmcs?limit=3&after=bmc00004");
    assert_eq!((names(&page), &page["total"]), (vec!["bmc00005", "bmc00006", "bmc00007"], &30.into()));
    assert_eq!(page["next"], "bmc00007");
    assert_eq!(door.json("/v1/bmcs?after=bmc00028&limit=2")["next"], Value::Null);
    let some = door.json("/v1/bmcs?name=bmc0002?");
    assert_eq!((names(&some).len(), &some["total"]), (10, &10.into()));
    door.post("/v1/bmcs/bmc00007/power", &json!({ "control": "on" })).assert(200);
    assert_eq!(names(&door.json("/v1/bmcs?power=on")), ["bmc00007"]);
    assert_eq!(door.json("/v1/bmcs?power=off&name=*7")["total"], 2);
    for query in ["limit=0", "limit=100001", "limit=x", "power=maybe", "nam=x", "limit=1&limit=2"] {
        door.get(&format!("/v1/bmcs?{query}")).problem(400);
    }
}

#[test]
fn bmcs_are_made_replaced_and_removed_at_run_time() {
    let (_bench, simulator, door, port) = fleet(92, 2, &[]);
    let mut events = door.follow("/v1/events?kind=bmc_added,bmc_removed");
    let ports = port.to_string();
    let recipe = |end: &str| json!({ "variables": { "addr": format!("127.92.{end}"), "port": ports } });
    let bmc = door.put("/v1/bmcs/made", &recipe("9.1")).assert(201).json();
    assert_eq!((&bmc["name"], &bmc["state"]), (&"made".into(), &"running".into()), "{bmc}");
    at("127.92.9.1", port).ok("fru print").assert_says("Product Asset Tag : made");

    // With texts of its own.
    let own = json!({
        "variables": { "addr": "127.92.9.2" },
        "lan_conf": format!("name $name\nset_working_mc 0x20\nstartlan 1\naddr $addr {port}\npriv_limit admin\n\
            allowed_auths_admin md5\nendlan\nuser 2 true \"eve\" \"pw\" admin 10 md5\n"),
        "emu": "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 1 2 3 0x9f 0x1234 0x5678\nmc_enable 0x20\n",
    });
    let bmc = door.put("/v1/bmcs/own", &own).assert(201).json();
    assert_eq!(bmc["controllers"][0]["manufacturer_id"], 0x1234, "{bmc}");
    Ipmitool { user: "eve".into(), password: "pw".into(), ..at("127.92.9.2", port) }.ok("mc info").assert_says("4660");

    // What is wrong is told with its place, and nothing has changed.
    let mut wrong = own.clone();
    wrong["lan_conf"] = "name $name\nset_working_mc 0x20\nstartlan 1\n  addr nowhere\nendlan\n".into();
    let problem = door.put("/v1/bmcs/own", &wrong).problem(422);
    let fault = &problem["faults"][0];
    assert_eq!((&fault["file"], &fault["line"]), (&"lan_conf".into(), &4.into()), "{problem}");
    let mut wrong = own.clone();
    wrong["emu"] = "mc_setbmc 0x20\nmc_add 0x20 0 nonsense\n".into();
    let problem = door.put("/v1/bmcs/own", &wrong).problem(422);
    assert_eq!((&problem["faults"][0]["file"], &problem["faults"][0]["line"]), (&"emu".into(), &2.into()), "{problem}");
    let taken = door.put("/v1/bmcs/own", &recipe("0.1")).detail(422);
    assert!(taken.contains("bmc00001"), "{taken}");
    assert_eq!(door.json("/v1/bmcs/own")["controllers"][0]["manufacturer_id"], 0x1234);
    Ipmitool { user: "eve".into(), password: "pw".into(), ..at("127.92.9.2", port) }.ok("mc info");

    // Another in its place.
    door.put("/v1/bmcs/own", &recipe("9.2")).assert(200);
    at("127.92.9.2", port).ok("fru print").assert_says("Product Asset Tag : own");
    for (name, why) in [("..", "no name"), ("a%2Fb", "'/'"), ("a%00b", "control"), ("a%0Ab", "control")] {
        let answer = door.put(&format!("/v1/bmcs/{name}"), &recipe("9.7"));
        assert!(answer.detail(422).contains(why), "{name}: {}", answer.text());
    }
    assert!(door.put("/v1/bmcs/x", &json!({ "variables": { "name": "y" } })).detail(422).contains("$name"));

    // SIGHUP keeps what was made, and brings back what is of the list.
    door.delete("/v1/bmcs/bmc00002").assert(204);
    at("127.92.0.2", port).with(&["-N", "1", "-R", "1"]).run("mc info").assert_failed();
    door.get("/v1/bmcs/bmc00002").problem(404);
    assert_eq!(names(&door.json("/v1/bmcs")), ["bmc00001", "made", "own"]);
    simulator.signal(Signal::SIGHUP);
    assert!(simulator.stderr.wait_for("1 new, 0 gone", START), "{}", simulator.report());
    let all = eventually(START, || (door.json("/v1/bmcs")["total"] == 4).then_some(()));
    assert!(all.is_some(), "{}", door.json("/v1/bmcs"));
    at("127.92.9.1", port).ok("mc info");
    door.delete("/v1/bmcs/made").assert(204);
    door.delete("/v1/bmcs/made").problem(404);
    let log = simulator.stderr.text();
    for line in ["\"own\" was made in the place of one", "\"made\" was made\n", "\"made\" was removed\n"] {
        assert!(log.contains(&format!("The control door: BMC {line}")), "{line}: {log}");
    }
    // A trial that failed leaves the BMC that was there, which comes back.
    let told: Vec<_> = (0..11)
        .map(|_| events.next())
        .map(|event| format!("{} {}", event.data["bmc"].as_str().unwrap_or_default(), event.event))
        .collect();
    let expected = [
        "made bmc_added",
        "own bmc_added",
        "own bmc_removed",
        "own bmc_added",
        "own bmc_removed",
        "own bmc_added",
        "own bmc_removed",
        "own bmc_added",
        "bmc00002 bmc_removed",
        "bmc00002 bmc_added",
        "made bmc_removed",
    ];
    assert_eq!(told, expected);
}

#[test]
fn everything_that_happens_is_told() {
    let machine = EchoingMachine::at(0);
    let (_bench, _simulator, door, client) = one(&format!("  sol \"tcp:127.0.0.1:{}\" 115200", machine.port));
    let mut events = door.follow("/v1/events");
    client.ok("power on");
    let login = events.next();
    assert_eq!((login.id, login.event.as_str()), (Some(1), "login"));
    let expected = json!({
        "id": 1, "time": login.data["time"], "bmc": "bmc00001", "kind": "login", "mc": 32, "channel": 1, "user": 2,
        "user_name": "admin", "limit": "administrator", "client": login.data["client"],
    });
    assert_eq!(login.data, expected);
    let told: Vec<_> = (0..3).map(|_| events.next().event).collect();
    assert_eq!(told, ["power_asked", "power_done", "logout"]);

    client.ok("power reset");
    assert_eq!(events.next_of("reset").data["control"], "reset");
    client.ok("chassis bootdev pxe");
    assert_eq!(events.next_of("boot_device_set").data["device"], "pxe");
    let wrong = Ipmitool { password: "wrong".into(), ..client.clone() };
    wrong.by(Transport::LanAuth("MD5")).run("mc info").assert_failed();
    assert_eq!(events.next_of("login_failed").data["reason"], "wrong password");
    client.ok("user set name 6 dora");
    assert_eq!(events.next_of("user_changed").data["user"], 6);
    client.ok("event 1");
    assert_eq!(events.next_of("sel_added").data["record"], 1);
    // SMS/OS, hard reset, 100 ms.
    client.ok("raw 6 0x24 4 1 0 0 1 0");
    client.ok("raw 6 0x22");
    events.next_of("watchdog_expired");
    let console = Console::open(&client);
    assert_eq!(events.next_of("sol_opened").data["instance"], 1);
    console.close();
    let last = events.next_of("sol_closed");

    // From the start on once more, in order and without a gap.
    let mut again = door.with("Last-Event-ID", "0").follow("/v1/events");
    for id in 1..=last.id.expect("a number") {
        assert_eq!(again.next().id, Some(id));
    }
    let kept = door.get("/v1/events?follow=false").text();
    let last = format!("\nid: {}\n", last.id.expect("a number"));
    assert!(kept.starts_with("id: 1\n") && kept.contains(&last), "{kept}");
    let mut some = door.with("Last-Event-ID", "1").follow("/v1/events?kind=power_done,login&bmc=bmc*");
    assert_eq!(some.next().event, "power_done");
    assert_eq!(some.next().event, "login");
    assert!(door.get("/v1/events?kind=explosion").detail(400).contains("power_asked"));
    door.with("Last-Event-ID", "x").get("/v1/events").problem(400);
    let mut nobody = door.with("Last-Event-ID", "0").follow("/v1/events?bmc=other*");
    assert_eq!(nobody.next_within(Duration::from_millis(300)), None);
}

#[test]
fn who_comes_too_late_learns_how_many_events_were_lost() {
    let bench = Bench::new();
    write_one(&bench, free_port(), "");
    bench.write("sim.emu", bench.read("sim.emu").replace("sel_enable 0x20 1000", "sel_enable 0x20 60000"));
    let (_simulator, door) = start(&bench, &[]);
    let line = "sel_add 0x20 2 0 0 0 0 0x20 0 4 1 1 1 0x57 0 0";
    let many = |count: usize| {
        let lines = vec![line; count];
        door.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": lines })).assert(200);
    };
    // Nothing is written, which would be the whole log each time.
    door.post("/v1/bmcs/bmc00001/statements", &json!({ "lines": ["persist off"] })).assert(200);
    many(10_000);
    many(7_000);
    let mut events = door.with("Last-Event-ID", "1").follow("/v1/events");
    let lost = events.next();
    assert_eq!((lost.id, lost.event.as_str()), (None, "lost"));
    let count = lost.data["lost"].as_u64().expect("a number");
    assert_eq!(events.next().id, Some(count + 2), "the first that is kept");
    assert_eq!(count, 17_000 - 16_384 - 1);
}

/// Follows events until each of these BMCs has been seen.
fn see(events: &mut Events, mut missing: HashSet<String>, limit: Duration) {
    let end = Instant::now() + limit;
    while !missing.is_empty() {
        let event = events.next_within(end.saturating_duration_since(Instant::now()));
        let event = event.unwrap_or_else(|| panic!("{} are missing: {missing:?}", missing.len()));
        assert_eq!((event.event.as_str(), &event.data["power"]), ("power_done", &"on".into()));
        missing.remove(event.data["bmc"].as_str().expect("a name"));
    }
}

#[test]
fn two_hundred_are_switched_on_and_a_waiter_sees_them_all() {
    let (_bench, _simulator, door, port) = fleet(94, 200, &[]);
    let all: HashSet<String> = (1..=200).map(|number| format!("bmc{number:05}")).collect();
    let mut events = door.follow("/v1/events?kind=power_done");
    thread::scope(|scope| {
        scope.spawn(|| {
            let hosts = format!("127.94.0.[1-200]:{port}");
            let mut command = Command::new("ipmipower");
            command.args(["-D", "LAN_2_0", "-h", &hosts, "-u", "admin", "-p", "admin", "--on"]);
            Ran::run(&mut command, "freeipmi-tools", LIMIT * 2).assert_ok();
        });
        see(&mut events, all.clone(), LIMIT * 2);
    });
    assert_eq!(door.json("/v1/bmcs?power=on&limit=1")["total"], 200);
    // And off and on by the door, by many at once.
    let names: Vec<&String> = all.iter().collect();
    thread::scope(|scope| {
        for part in names.chunks(50) {
            let door = &door;
            scope.spawn(move || {
                for (name, control) in part.iter().flat_map(|name| [(name, "off"), (name, "on")]) {
                    let done = door.post(&format!("/v1/bmcs/{name}/power"), &json!({ "control": control }));
                    assert_eq!(done.assert(200).json()["power"], control);
                }
            });
        }
    });
    assert_eq!(door.json("/v1/bmcs?power=on&limit=1")["total"], 200);
}

#[test]
fn a_socket_is_of_one_program_and_its_owner() {
    let (bench, simulator, door, _) = one("");
    let path = bench.path("control");
    let mode = || fs::symlink_metadata(&path).expect("a socket").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    write_one(&bench, free_port(), "");
    let arguments = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "other", "--control", "control"];
    let mut second = Simulator::spawn(Subject::under_test(), &bench, &arguments, Stdin::Null);
    assert_eq!(second.wait(START).and_then(|status| status.code()), Some(1), "{}", second.report());
    assert!(second.stderr.text().contains("another program answers there"), "{}", second.report());
    door.get("/healthz").assert(200);

    // What is left over is taken over.
    simulator.signal(Signal::SIGKILL);
    drop(simulator);
    assert!(path.exists() && door.try_connect().is_err());
    let (mut simulator, door) = start(&bench, &[]);
    door.get("/healthz").assert(200);
    assert_eq!(mode(), 0o600);
    simulator.signal(Signal::SIGTERM);
    assert!(simulator.wait(START).is_some(), "{}", simulator.report());
    assert!(!path.exists(), "it is removed at the end");
}

#[test]
fn who_comes_by_tcp_has_the_token() {
    let bench = Bench::new();
    write_fleet(&bench);
    let token = bench.write("token", "0123456789abcdef0123456789abcdef\n");
    let (address, port) = (SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())), free_port().to_string());
    let (http, range) = (address.to_string(), ["--count", "3", "--addresses", "127.95.0.0/16", "--ports", &port]);
    let door = ["--http", &http, "--http-token-file", "token"];
    let spawn = || {
        let files = ["-n", "-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
        Simulator::spawn(Subject::under_test(), &bench, &[&files[..], &range, &door].concat(), Stdin::Null)
    };
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).expect("a mode");
    let mut open = spawn();
    assert_eq!(open.wait(START).and_then(|status| status.code()), Some(1), "{}", open.report());
    assert!(open.stderr.text().contains("chmod 600"), "{}", open.report());
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("a mode");

    let (_simulator, unix) = start(&bench, &[&range[..], &door].concat());
    let tcp = Http::tcp(address);
    assert_eq!(unix.json("/v1/bmcs")["total"], 3);
    for path in ["/", "/healthz", "/openapi.json"] {
        tcp.get(path).assert(200);
    }
    for path in ["/readyz", "/v1/bmcs", "/v1/bmcs/bmc00001", "/v1/bmcs/x/users", "/v1/events"] {
        let answer = tcp.get(path);
        answer.problem(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"ipmi_sim\""));
    }
    tcp.post("/v1/bmcs/bmc00001/power", &json!({ "control": "on" })).problem(401);
    let known = tcp.with("Authorization", "Bearer 0123456789abcdef0123456789abcdef");
    assert_eq!(known.json("/v1/bmcs")["total"], 3);
    known.post("/v1/bmcs/bmc00001/power", &json!({ "control": "on" })).assert(200);
    assert_eq!(known.follow("/v1/events").next_within(Duration::from_millis(10)), None);
}

#[test]
fn it_is_ready_when_it_serves() {
    let bench = Bench::new();
    write_one(&bench, free_port(), "");
    bench.write("sim.emu", bench.read("sim.emu") + "sleep 2000\n");
    let arguments = ["-n", "--ready-line", "-c", "lan.conf", "-f", "sim.emu", "-s", "state", "--control", "control"];
    let mut simulator = Simulator::spawn(Subject::under_test(), &bench, &arguments, Stdin::Null);
    let door = Http::unix(&bench.path("control"));
    let opened = eventually(START, || door.try_connect().ok());
    assert!(opened.is_some(), "{}", simulator.report());
    door.get("/readyz").problem(503);
    assert_eq!(door.json("/v1/bmcs")["bmcs"][0]["state"], "starting");
    door.get("/healthz").assert(200);
    assert!(simulator.stdout.wait_for("is ready\n", START), "{}", simulator.report());
    door.get("/readyz").assert(200);
    assert_eq!(door.json("/v1/bmcs")["bmcs"][0]["state"], "running");
    simulator.assert_alive();
}
