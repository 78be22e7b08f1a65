//! The program against a stand-in for the control door: what is asked, what is shown, and the exit status.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::completion::{DEVICES, KINDS};
use super::testing::{Reply, StandIn, ok, problem, run};

fn summary(name: &str, power: &str, alarms: u32) -> Value {
    json!({"name": name, "state": "running", "power": power, "sessions": 0, "alarms": alarms, "sel_records": 2, "faults": 0,
           "addresses": ["127.0.0.1:623"]})
}

/// Lines as JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"))).collect()
}

#[test]
fn a_list_comes_in_parts_and_is_shown_as_one() {
    let door = StandIn::new(|request| match request {
        "GET /v1/bmcs?limit=10000&name=n%2A&power=on" => {
            ok(json!({"bmcs": [summary("n1", "on", 1)], "total": 2, "next": "n1"}))
        }
        "GET /v1/bmcs?limit=10000&name=n%2A&power=on&after=n1" => {
            ok(json!({"bmcs": [summary("n2", "on", 0)], "total": 2, "next": null, "new_field": 1}))
        }
        other => problem(500, other),
    });
    let ran = door.run(&["list", "n*", "--power", "on"]);
    let expected = "NAME  STATE    POWER  SESSIONS  ALARMS  SEL  FAULTS  ADDRESS\n\
                    n1    running  on            0       1    2       0  127.0.0.1:623\n\
                    n2    running  on            0       0    2       0  127.0.0.1:623\n";
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, expected, ""));
    assert_eq!(door.run(&["list", "n*", "--power", "on", "--names"]).out, "n1\nn2\n");
    let ran = door.run(&["list", "n*", "--power", "on", "--json"]);
    assert_eq!(lines(&ran.out), [json!({"total": 2, "bmcs": [summary("n1", "on", 1), summary("n2", "on", 0)]})]);
}

#[test]
fn many_are_switched_at_once_within_a_bound_and_each_failure_is_told() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let door = StandIn::new(|request| match request {
        list if list.starts_with("GET /v1/bmcs?") => {
            ok(json!({"bmcs": (0..30).map(|n| summary(&format!("n{n:02}"), "off", 0)).collect::<Vec<_>>()}))
        }
        "POST /v1/bmcs/n07/power {\"control\":\"on\"}" => problem(409, "Its chassis has no such control"),
        power if power.starts_with("POST /v1/bmcs/n") && power.ends_with("/power {\"control\":\"on\"}") => {
            NOW.fetch_add(1, Ordering::Relaxed);
            ok(json!({"control": "on", "power": "on"}))
        }
        other => problem(500, other),
    });
    let ran = door.run(&["power", "n*", "on", "--jobs", "4"]);
    assert_eq!((ran.status, NOW.load(Ordering::Relaxed)), (1, 29), "{ran:?}");
    assert!(ran.out.starts_with("NAME  POWER\nn00   on\nn01   on\n"), "{}", ran.out);
    let said = "ipmi_simctl: error: n07: Its chassis has no such control\nipmi_simctl: 29 of 30 done, 1 not\n";
    assert_eq!(ran.err, said);

    let ran = door.run(&["power", "n*", "on", "--json"]);
    let all = lines(&ran.out);
    assert_eq!(all[0], json!({"bmc": "n00", "control": "on", "power": "on"}));
    let failed = json!({"bmc": "n07", "problem":
        {"status": 409, "title": "T", "detail": "Its chassis has no such control", "exit_status": 1}});
    assert_eq!((all.len(), &all[29]), (30, &failed));
}

#[test]
fn one_is_told_in_a_sentence_and_an_absent_one_is_not_found() {
    let door = StandIn::new(|request| match request {
        "GET /v1/bmcs/n1" => ok(summary("n1", "off", 0)),
        "POST /v1/bmcs/n1/power {\"control\":\"on\",\"mc\":48}" => ok(json!({"control": "on", "power": "on"})),
        "GET /v1/bmcs?limit=10000&name=x%2A" => ok(json!({"bmcs": [], "total": 0})),
        _ => problem(404, "There is no BMC 'a b/c', did you mean 'abc'?"),
    });
    assert_eq!(door.run(&["power", "n1"]).out, "n1: power off\n");
    assert_eq!(door.run(&["power", "n1", "on", "--mc", "0x30"]).out, "n1: power on\n");
    let ran = door.run(&["power", "a b/c", "off"]);
    let said = "ipmi_simctl: error: There is no BMC 'a b/c', did you mean 'abc'?\n";
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (5, "", said));
    assert_eq!(door.requests().last().unwrap(), "POST /v1/bmcs/a%20b%2Fc/power {\"control\":\"off\"}");
    let ran = door.run(&["power", "x*", "on"]);
    assert_eq!((ran.status, ran.err.as_str()), (5, "ipmi_simctl: error: No BMC's name matches 'x*'\n"));
}

#[test]
fn each_way_to_fail_has_its_exit_status() {
    let door = StandIn::new(|request| match request {
        "GET /v1/bmcs/token" => problem(401, "A token is needed"),
        "GET /v1/bmcs/host" => problem(403, "Not this Host"),
        "GET /v1/bmcs/starting" => problem(503, "It is starting"),
        "GET /v1/bmcs/slow" => Reply::Never,
        "GET /v1/bmcs/odd" => ok(json!("a text")),
        "GET /readyz" => ok(json!({"status": "ready", "bmcs": 1, "page": null})),
        other => problem(500, other),
    });
    for (arguments, status, said) in [
        (&["show", "token"][..], 6, "A token is needed: --token-file FILE or IPMI_SIM_TOKEN_FILE names the file"),
        (&["show", "host"], 6, "Not this Host"),
        (&["show", "starting"], 3, "It is starting"),
        (&["show", "slow", "--request-timeout", "50ms"], 4, "No response within 0.05 s"),
        (&["show", "odd"], 1, "The response makes no sense"),
        (&["show"], 2, "<NAME>"),
        (&["power", "n1", "up"], 2, "'up'"),
        (&["show", "n1", "--token-file", "/nonexistent/token"], 6, "Unable to read the token in /nonexistent/token"),
        (&["open"], 2, "--http 127.0.0.1:8080"),
    ] {
        let ran = door.run(arguments);
        assert!(ran.status == status && ran.err.contains(said), "{arguments:?}: {ran:?}");
        assert!(ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
    let ran = door.run(&["metrics", "--json"]);
    assert!(ran.status == 2 && ran.out.starts_with("{\"problem\":{"), "{ran:?}");
    let ran = run(&["--socket", "/nonexistent/door", "list"]);
    assert_eq!((ran.status, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains("There is no socket /nonexistent/door: start ipmi_sim with --control"), "{}", ran.err);
    // Nobody listens any more, but the socket is there.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("door");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let ran = run(&["--socket", path.to_str().unwrap(), "list"]);
    assert!(ran.status == 3 && ran.err.contains("Nobody listens at"), "{ran:?}");
    let ran = run(&["--http", "https://x", "list"]);
    assert!(ran.status == 2 && ran.err.contains("no TLS"), "{ran:?}");
}

#[test]
fn help_and_version_are_asked_for() {
    let ran = run(&["--version"]);
    assert_eq!((ran.status, ran.out), (0, format!("ipmi_simctl {}\n", env!("CARGO_PKG_VERSION"))));
    let ran = run(&["wait", "--help"]);
    assert!(ran.status == 0 && ran.out.contains("power=on") && ran.err.is_empty(), "{ran:?}");
    assert_eq!(run(&[]).status, 2);
}

#[test]
fn a_token_of_a_file_goes_with_each_request() {
    let door = StandIn::new(|_| ok(json!({"bmcs": []})));
    let token = door.file("token", "secret\nmore\n");
    assert_eq!(door.run(&["list", "--token-file", &token]).status, 0);
    assert_eq!(door.requests(), ["GET /v1/bmcs?limit=10000 Bearer secret"]);
}

#[test]
fn a_sensor_is_found_by_its_name_and_set() {
    let sensor = |value: f64, crossed: &[&str]| {
        json!({"mc": 32, "lun": 0, "number": 1, "name": "CPU Temp", "sensor_type": 1, "event_type": 1, "raw": 92,
               "value": value, "unit": "degrees C", "present": true, "scanning": true, "states": [], "crossed": crossed,
               "thresholds": {"upper_non_critical": 85.0, "upper_critical": null}})
    };
    let low = sensor(40.0, &[]);
    let high = sensor(92.5, &["upper_non_critical"]);
    let door = StandIn::new(move |request| match request {
        "GET /v1/bmcs/n1/sensors" | "GET /v1/bmcs/n1/sensors?mc=32" => ok(json!({"sensors": [low]})),
        "GET /v1/bmcs/n1/sensors/32/0/1" => ok(low.clone()),
        "PUT /v1/bmcs/n1/sensors/32/0/1 {\"value\":92.5}" => ok(high.clone()),
        "PUT /v1/bmcs/n1/sensors/32/0/1 {\"raw\":112}" => ok(high.clone()),
        "PUT /v1/bmcs/n1/sensors/32/0/1 {\"follow\":\"constant 40 off 0\"}" => {
            let mut follows = sensor(40.0, &[]);
            follows["follows"] = "constant 40 off 0".into();
            ok(follows)
        }
        "PUT /v1/bmcs/n1/sensors/32/0/1 {\"states\":[0,3]}" => problem(409, "It is threshold-based"),
        other => problem(500, other),
    });
    let ran = door.run(&["sensor", "n1"]);
    let expected =
        "SENSOR    NAME      VALUE  UNIT        RAW  STATE\n0x20/0/1  CPU Temp     40  degrees C  0x5c  ok\n";
    assert_eq!((ran.status, ran.out.as_str()), (0, expected), "{}", ran.err);
    let ran = door.run(&["sensor", "n1", "cpu temp", "--value", "92.5"]);
    assert!(ran.out.contains("92.5  degrees C  0x5c  upper non critical\n"), "{ran:?}");
    assert!(
        ran.out.contains("\nThresholds\nTHRESHOLD           VALUE  STATE\nupper non critical     85  crossed\n"),
        "{ran:?}"
    );
    assert_eq!(door.run(&["sensor", "n1", "1", "--raw", "0x70"]).status, 0);
    let ran = door.run(&["sensor", "n1", "1", "--follow", "constant 40 off 0"]);
    let (titles, row) = ("  STATE  FOLLOWS\n", "  ok     constant 40 off 0\n");
    assert!(ran.out.contains(titles) && ran.out.contains(row), "{ran:?}");
    assert_eq!(door.run(&["sensor", "n1", "1", "--follow", "none", "--raw", "1"]).status, 2);
    assert_eq!(door.run(&["sensor", "n1", "0x20/0/1", "--states", "0,3"]).status, 1);
    assert_eq!(door.run(&["sensor", "n1", "1", "--mc", "32"]).status, 0);
    let ran = door.run(&["sensor", "n1", "CPU Tmp", "--value", "1"]);
    assert!(ran.status == 5 && ran.err.contains("did you mean 'CPU Temp'?"), "{ran:?}");
    assert_eq!(door.run(&["sensor", "n1", "--value", "1"]).status, 2);
    assert_eq!(door.run(&["sensor", "n1", "1", "--value", "1", "--raw", "1"]).status, 2);
}

#[test]
fn an_event_log_is_listed_whole_added_to_and_cleared() {
    let record = |id: u16| {
        json!({"id": id, "record_type": 2, "time": "2026-11-30T03:27:04.000Z", "raw": "00",
               "event": {"generator": 32, "sensor_type": 1, "sensor": 1, "name": "CPU Temp", "event_type": 1,
                         "asserted": true, "data": "576064"}})
    };
    let door = StandIn::new(move |request| match request {
        "GET /v1/bmcs/n1/sel" => ok(json!({"mc": 32, "records": [record(1)], "used": 2, "room": 200, "next": 1})),
        "GET /v1/bmcs/n1/sel?after=1" => {
            ok(json!({"mc": 32, "records": [record(2)], "used": 2, "room": 200, "next": null}))
        }
        "GET /v1/bmcs/n1/sel?after=1&limit=1" => {
            ok(json!({"mc": 32, "records": [record(2)], "used": 3, "room": 200, "next": 2}))
        }
        "POST /v1/bmcs/n1/sel {\"data\":\"0000000020000401015a5a5a5a\",\"record_type\":2}" => {
            Reply::Json(201, record(3))
        }
        "DELETE /v1/bmcs/n1/sel?mc=32" => Reply::Json(204, Value::Null),
        other => problem(500, other),
    });
    let ran = door.run(&["sel", "n1"]);
    let row = "2026-11-30T03:27:04.000Z  0x02  CPU Temp  upper non-critical going high, asserted  576064\n";
    assert!(ran.out.ends_with(&format!(" 1  {row} 2  {row}")), "{ran:?}");
    let whole = lines(&door.run(&["sel", "n1", "--json"]).out);
    assert_eq!((whole[0]["records"].as_array().unwrap().len(), &whole[0]["next"]), (2, &Value::Null));
    let part = lines(&door.run(&["sel", "n1", "list", "--after", "1", "--limit", "1", "--json"]).out);
    assert_eq!((part[0]["records"].as_array().unwrap().len(), &part[0]["next"]), (1, &json!(2)));
    let ran = door.run(&["sel", "n1", "add", "0000000020000401015A5A5A5A"]);
    assert!(ran.status == 0 && ran.out.contains(&format!(" 3  {row}")), "{ran:?}");
    assert_eq!(door.run(&["sel", "n1", "--mc", "0x20", "clear"]).out, "n1: event log cleared\n");
    assert_eq!(door.run(&["sel", "n1", "add", "00"]).status, 2);
}

#[test]
fn a_user_is_changed_and_the_password_comes_from_a_file() {
    let door = StandIn::new(|request| match request {
        "GET /v1/bmcs/n1/users" => ok(json!({"mc": 32, "users": [
            {"id": 2, "name": "admin", "limit": "administrator", "enabled": true},
            {"id": 3, "name": "monitor", "limit": "user", "enabled": false}]})),
        "PUT /v1/bmcs/n1/users/3 {\"enabled\":true,\"limit\":\"operator\",\"password\":\"pass word\"}" => {
            ok(json!({"id": 3, "name": "monitor", "limit": "operator", "enabled": true}))
        }
        other => problem(500, other),
    });
    let ran = door.run(&["user", "n1"]);
    let expected = "ID  NAME     LIMIT          LOGIN\n 2  admin    administrator  enabled\n 3  monitor  user           disabled\n";
    assert_eq!(ran.out, expected, "{}", ran.err);
    let ran = door.run(&["user", "n1", "monitor"]);
    assert_eq!(ran.out, "ID  NAME     LIMIT  LOGIN\n 3  monitor  user   disabled\n");
    let password = door.file("password", "pass word\n");
    for user in ["3", "monitor"] {
        let arguments = ["user", "n1", user, "--enable", "--limit", "operator", "--password-file", &password];
        let ran = door.run(&arguments);
        assert_eq!(ran.out, "ID  NAME     LIMIT     LOGIN\n 3  monitor  operator  enabled\n", "{}", ran.err);
    }
    assert_eq!(door.run(&["user", "n1", "nobody", "--enable"]).status, 5);
    assert_eq!(door.run(&["user", "n1", "--enable"]).status, 2);
}

#[test]
fn statements_print_and_one_that_fails_says_where() {
    let door = StandIn::new(|request| match request {
        "POST /v1/bmcs/n1/statements {\"lines\":[\"power\",\"mc_add x\"]}" => ok(json!({"lines": [
            {"line": "power", "output": "The power is on\r\n", "faults": []},
            {"line": "mc_add x", "output": "", "faults": [
                {"file": "statement", "line": 1, "column": 8, "severity": "error", "message": "expected a number"}]}]})),
        "POST /v1/bmcs/n1/statements {\"lines\":[\"power\"]}" => ok(json!({"lines": [
            {"line": "power", "output": "The power is on\n", "faults": []}]})),
        other => problem(500, other),
    });
    let ran = door.run(&["run", "n1", "power", "mc_add x"]);
    let said = "ipmi_simctl: statement:1:8: error: expected a number\n  mc_add x\n";
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (1, "The power is on\n", said));
    assert_eq!(door.run(&["run", "n1", "power"]).status, 0);
}

#[test]
fn a_bmc_is_created_of_files_and_variables_and_removed() {
    let door = StandIn::new(|request| match request.split_once(' ').unwrap() {
        ("PUT", _) if request.contains("wrong") => Reply::Json(
            422,
            json!({"title": "T", "status": 422, "detail": "lan.conf has an error", "faults": [
                {"file": "lan.conf", "line": 3, "column": 5, "severity": "error", "message": "expected a port"}]}),
        ),
        ("PUT", _) => Reply::Json(201, summary("n9", "off", 0)),
        ("DELETE", "/v1/bmcs/n9") => Reply::Json(204, Value::Null),
        _ => problem(500, request),
    });
    let conf = door.file("lan.conf", "name n9\n");
    let ran = door.run(&["create", "n9", "-v", "addr=127.0.0.9", "--lan-conf", &conf]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "n9: created at 127.0.0.1:623\n"), "{}", ran.err);
    let sent = "PUT /v1/bmcs/n9 {\"lan_conf\":\"name n9\\n\",\"variables\":{\"addr\":\"127.0.0.9\"}}";
    assert_eq!(door.requests(), [sent]);
    let ran = door.run(&["create", "n9", "-v", "addr=wrong"]);
    let said = "ipmi_simctl: error: lan.conf has an error\n  lan.conf:3:5: error: expected a port\n";
    assert_eq!((ran.status, ran.err.as_str()), (1, said));
    assert_eq!(door.run(&["create", "n9", "--emu", "/nonexistent"]).status, 1);
    assert_eq!(door.run(&["delete", "n9"]).out, "n9: removed\n");
}

const LOGIN: &str = "id: 7\nevent: login\ndata: {\"id\":7,\"time\":\"T1\",\"bmc\":\"n1\",\"kind\":\"login\",\"mc\":32,\
                     \"user_name\":\"admin\"}\n\n";

#[test]
fn what_was_kept_is_shown_and_ends() {
    let door = StandIn::new(|request| match request {
        "GET /v1/events?bmc=n1&kind=login&follow=false" => Reply::EndedEvents(LOGIN),
        "GET /v1/events?follow=false 6" => Reply::EndedEvents(LOGIN),
        other => problem(500, other),
    });
    let ran = door.run(&["events", "n1", "--kind", "login"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "T1  n1  login  mc=0x20 user_name=admin\n"), "{}", ran.err);
    assert_eq!(lines(&door.run(&["events", "n1", "--kind", "login", "--json"]).out)[0]["id"], 7);
    assert_eq!(lines(&door.run(&["events", "--after", "6", "--json"]).out)[0]["id"], 7);
}

#[test]
fn events_go_on_where_the_connection_was_lost() {
    let door = StandIn::new(|request| match request {
        "GET /v1/events" => Reply::EndedEvents(LOGIN),
        "GET /v1/events 7" => Reply::Events(
            "event: lost\ndata: {\"lost\":3}\n\nid: 11\nevent: logout\n\
                                             data: {\"id\":11,\"kind\":\"logout\",\"bmc\":\"n1\",\"time\":\"T2\"}\n\n",
        ),
        other => problem(500, other),
    });
    let ran = door.run(&["events", "--follow", "--count", "2"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "T1  n1  login  mc=0x20 user_name=admin\nT2  n1  logout\n"));
    assert!(ran.err.contains("it is tried again") && ran.err.contains("There is a connection again"), "{}", ran.err);
    assert!(ran.err.contains("3 events were lost"), "{}", ran.err);
    let ran = door.run(&["events", "--follow", "--count", "2", "--json"]);
    assert_eq!(lines(&ran.out)[1], json!({"kind": "lost", "lost": 3}));
}

#[test]
fn a_console_is_bytes_and_its_history_comes_once() {
    let door = StandIn::new(|request| match request {
        "GET /v1/bmcs/n1/console?mc=32&history=true" => Reply::EndedEvents(
            "event: output\ndata: {\"data\":\"bG9naW46IA==\"}\n\nevent: trouble\ndata: {\"detail\":\"No ttyS9\"}\n\n\
                 event: lost\ndata: {\"lost\":5}\n\n",
        ),
        _ => problem(404, "It is gone"),
    });
    let ran = door.run(&["console", "n1", "--mc", "0x20", "--history"]);
    assert_eq!((ran.status, ran.out.as_str()), (5, "login: "), "{}", ran.err);
    assert!(ran.err.starts_with("ipmi_simctl: No ttyS9\nipmi_simctl: 5 bytes were lost\n"), "{}", ran.err);
    assert_eq!(door.requests()[1], "GET /v1/bmcs/n1/console?mc=32");
    let all = lines(&door.run(&["console", "n1", "--mc", "0x20", "--history", "--json"]).out);
    assert_eq!(
        all[..3],
        [json!({"data": "bG9naW46IA=="}), json!({"trouble": {"detail": "No ttyS9"}}), json!({"lost": {"lost": 5}})]
    );
}

#[test]
fn events_are_listened_for_before_the_first_look() {
    let door = StandIn::new(|request| match request {
        "GET /v1/events?bmc=n1" => Reply::Events(
            "id: 1\nevent: power_done\n\
            data: {\"id\":1,\"kind\":\"power_done\",\"bmc\":\"n1\",\"power\":\"on\"}\n\n",
        ),
        "GET /v1/bmcs/n1" => ok(summary("n1", "off", 0)),
        other => problem(500, other),
    });
    let ran = door.run(&["wait", "n1", "--for", "power=on"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "n1: power=on\n"), "{}", ran.err);
    assert_eq!(door.requests(), ["GET /v1/events?bmc=n1", "GET /v1/bmcs/n1"]);
    // What holds is met at once, each condition by itself, or the first one.
    let ran = door.run(&["wait", "n1", "--for", "power=off", "--for", "power=on", "--json"]);
    let all = lines(&ran.out);
    assert_eq!((ran.status, all[0]["for"].as_str(), all[1]["for"].as_str()), (0, Some("power=off"), Some("power=on")));
    assert_eq!((&all[0]["by"]["name"], &all[1]["by"]["id"]), (&json!("n1"), &json!(1)));
    assert_eq!(door.run(&["wait", "n1", "--for", "power=on", "--for", "power=off", "--any"]).out, "n1: power=off\n");
}

#[test]
fn what_does_not_happen_in_time_is_named() {
    let door = StandIn::new(|request| match request {
        "GET /v1/events?bmc=n%2A" => Reply::Events(": hello\n\n"),
        "GET /v1/bmcs?limit=10000&name=n%2A" => {
            ok(json!({"bmcs": [summary("n1", "on", 0), summary("n2", "off", 0)], "total": 2}))
        }
        other => problem(500, other),
    });
    let ran = door.run(&["wait", "n*", "--for", "power=on", "--timeout", "0.2"]);
    let said = "ipmi_simctl: error: Not within 0.2 s: n2: power=on\n";
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (4, "", said));
    let ran = door.run(&["wait", "n*", "--for", "power=on", "--timeout", "0.2", "--json"]);
    assert_eq!((ran.status, lines(&ran.out)[0]["bmc"].as_str()), (4, Some("n1")), "{ran:?}");
    assert_eq!(door.run(&["wait", "n*", "--for", "running"]).out, "2 BMCs: running\n");
    assert_eq!(door.run(&["wait", "n*", "--for", "power=on", "--any"]).out, "n1: power=on\n");
    let ran = door.run(&["wait", "n*", "--for", "power=up"]);
    assert!(ran.status == 2 && ran.err.contains("expected one of ready, running, power=on"), "{ran:?}");
}

#[test]
fn a_sensor_is_looked_at_until_it_is_so() {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    let door = StandIn::new(|request| match request {
        "GET /v1/events?bmc=n1" => Reply::Events(": hello\n\n"),
        "GET /v1/bmcs/n1" => ok(summary("n1", "off", 0)),
        "GET /v1/bmcs/n1/sensors" => {
            let value = 80 + LOOKS.fetch_add(1, Ordering::Relaxed) * 10;
            ok(
                json!({"sensors": [{"mc": 32, "lun": 0, "number": 1, "name": "CPU Temp", "value": value, "present": true}]}),
            )
        }
        other => problem(500, other),
    });
    let ran = door.run(&["wait", "n1", "--for", "sensor:CPU Temp>=100"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, "n1: sensor:CPU Temp>=100\n"), "{}", ran.err);
    assert_eq!(LOOKS.load(Ordering::Relaxed), 3);
    let ran = door.run(&["wait", "n1", "--for", "sensor:Fan>1"]);
    assert!(ran.status == 5 && ran.err.contains("n1 has no sensor 'Fan'"), "{ran:?}");
}

/// The words that the interface of the control door allows are those that are offered.
#[test]
fn what_is_offered_is_what_the_door_understands() {
    let document: Value = serde_json::from_str(include_str!("../control/openapi.json")).unwrap();
    let sorted = |words: &mut dyn Iterator<Item = &str>| {
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        words.sort();
        words
    };
    let parameters = document["paths"]["/v1/events"]["get"]["parameters"].as_array().unwrap();
    let kinds = parameters.iter().find(|parameter| parameter["name"] == "kind").unwrap();
    let kinds = kinds["schema"]["items"]["enum"].as_array().unwrap();
    assert_eq!(sorted(&mut KINDS.into_iter()), sorted(&mut kinds.iter().filter_map(Value::as_str)));
    let devices = document["components"]["schemas"]["BootWanted"]["properties"]["device"]["enum"].as_array().unwrap();
    assert_eq!(sorted(&mut DEVICES.into_iter()), sorted(&mut devices.iter().filter_map(Value::as_str)));
}

#[test]
fn a_record_of_a_sensor_is_looked_up() {
    let record = |id: u16, name: &str| json!({"id": id, "record_type": 2, "event": {"name": name, "asserted": true}});
    let door = StandIn::new(move |request| match request {
        "GET /v1/events?bmc=n1" => Reply::Events(
            "id: 1\nevent: sel_added\n\
            data: {\"kind\":\"sel_added\",\"bmc\":\"n1\",\"mc\":32,\"record\":1}\n\nid: 2\nevent: sel_added\n\
            data: {\"kind\":\"sel_added\",\"bmc\":\"n1\",\"mc\":32,\"record\":2}\n\n",
        ),
        "GET /v1/bmcs/n1" => ok(summary("n1", "off", 0)),
        "GET /v1/bmcs/n1/sel?mc=32&after=0&limit=1" => problem(404, "There is no record 0"),
        "GET /v1/bmcs/n1/sel?mc=32" => ok(json!({"records": [record(1, "CPU"), record(2, "Fan")]})),
        "GET /v1/bmcs/n1/sel?mc=32&after=1&limit=1" => ok(json!({"records": [record(2, "Fan")]})),
        other => problem(500, other),
    });
    let ran = door.run(&["wait", "n1", "--for", "sel=Fan", "--json"]);
    assert_eq!((ran.status, &lines(&ran.out)[0]["by"]["record"]), (0, &record(2, "Fan")), "{}", ran.err);
    assert_eq!(door.requests().len(), 5);
}

#[test]
fn a_server_that_is_not_yet_there_can_be_waited_for() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let door = StandIn::new(|request| match request {
        "GET /readyz" if ASKED.fetch_add(1, Ordering::Relaxed) == 0 => problem(503, "It is starting"),
        "GET /readyz" => ok(json!({"status": "ready", "bmcs": 1})),
        other => problem(500, other),
    });
    assert_eq!(door.run(&["wait", "--for", "ready"]).out, "ready\n");
    assert_eq!(door.requests(), ["GET /readyz", "GET /readyz"]);
    let ran = run(&["--socket", "/nonexistent/door", "wait", "--for", "ready", "--timeout", "0.1"]);
    assert!(ran.status == 4 && ran.err.contains("The server was not ready within 0.1 s"), "{ran:?}");
}
