//! `docs/CONTROL.md`: its blocks marked `sh` do what they say, its table has every path of the document, and nginx
//! passes events on as it is set up there.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::bench::{free_port, project};
use support::door::{start, write_fleet};
use support::machine::left_out;
use support::process::{self, eventually};
use support::{Bench, Ran, Subject};

const LIMIT: Duration = Duration::from_secs(60);

fn page() -> String {
    fs::read_to_string(project("docs/CONTROL.md")).expect("the page")
}

/// The blocks of a language below a heading.
fn blocks(heading: &str, language: &str) -> Vec<String> {
    let page = page();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = section.split("\n## ").next().expect("the section");
    let begin = format!("```{language}\n");
    section.split(&begin).skip(1).map(|rest| rest.split("```").next().expect("its end").to_owned()).collect()
}

/// Executes a text of the page here, and ends what it has started.
fn execute(bench: &Bench, text: &str) -> Ran {
    let program = Subject::under_test().program().display().to_string();
    let here = text
        .replace("/tmp/", &format!("{}/", bench.folder().display()))
        .replace("ipmi_simctl", env!("CARGO_BIN_EXE_ipmi_simctl"))
        .replace("ipmi_sim -n", &format!("{program} -n"))
        .replace("examples/", &format!("{}/", project("examples").display()))
        .replace("6230", &free_port().to_string());
    let script = format!("set -eu\ntrap 'kill $!' EXIT\n{here}");
    Ran::run(Command::new("sh").args(["-c", &script]).current_dir(bench.folder()), "curl", LIMIT)
}

#[test]
fn two_minutes_with_curl_are_as_written() {
    let bench = Bench::new();
    let blocks = blocks("Two minutes with curl", "sh");
    assert_eq!(blocks.len(), 7);
    let ran = execute(&bench, &blocks.concat());
    ran.assert_ok()
        .assert_says("{\"status\":\"ready\",\"bmcs\":100,\"page\":null}")
        .assert_says("\"total\":10,\"next\":\"bmc00012\"}")
        .assert_says("{\"control\":\"on\",\"power\":\"on\"}")
        .assert_says("\"crossed\":[\"upper_non_critical\",\"upper_critical\"]")
        .assert_says("Upper Critical going high")
        .assert_says("{\"id\":5,\"name\":\"carol\",\"limit\":\"operator\",\"enabled\":true}")
        .assert_says("\"output\":\"\",\"faults\":[]}]}")
        .assert_says("ipmi_sim_bmc_alarms{bmc=\"bmc00007\"} 1")
        .assert_says("{\"name\":\"spare\",\"state\":\"running\"");
}

#[test]
fn a_token_lets_in_as_written() {
    let bench = Bench::new();
    let blocks = blocks("Tokens, and a proxy in front", "sh");
    let text = blocks.concat().replace("8080", &free_port().to_string());
    execute(&bench, &text).assert_ok().assert_says("\"total\":3,\"next\":null}");
}

#[test]
fn the_table_has_every_path_of_the_document() {
    let document: Value =
        serde_json::from_str(&fs::read_to_string(project("src/control/openapi.json")).expect("the document"))
            .expect("JSON");
    let mut told = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let path = ["name", "mc", "lun", "number", "id"]
            .iter()
            .fold(path.clone(), |path, word| path.replace(&format!("{{{word}}}"), &word.to_uppercase()));
        told.extend(
            item.as_object().expect("methods").keys().map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    let page = page();
    let rows: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(cell, _)| cell.to_owned())
        .filter(|cell| cell.contains(" /"))
        .collect();
    assert_eq!(rows, told);
    let kinds = document.pointer("/components/schemas/Event/discriminator/mapping").expect("kinds");
    for kind in kinds.as_object().expect("kinds").keys() {
        assert!(page.contains(&format!("`{kind}`")), "{kind}");
    }
}

#[test]
fn nginx_passes_events_on_at_once() {
    if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
        left_out(
            "a proxy in front of the control door",
            "there is no nginx, whose package (nginx-light) would start it here",
        );
        return;
    }
    let (bench, port, http, proxy) = (Bench::new(), free_port(), free_port(), free_port());
    write_fleet(&bench);
    bench.write("token", "0123456789abcdef0123456789abcdef");
    Ran::run(Command::new("chmod").arg("600").arg(bench.path("token")), "coreutils", LIMIT).assert_ok();
    let (ports, http) = (port.to_string(), format!("127.0.0.1:{http}"));
    let range = ["--count", "1", "--addresses", "127.98.0.0/16", "--ports", &ports];
    let (_simulator, door) = start(&bench, &[&range[..], &["--http", &http, "--http-token-file", "token"]].concat());
    let certificate =
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost";
    let mut openssl = Command::new("sh");
    openssl.args(["-c", certificate]).current_dir(bench.folder());
    Ran::run(&mut openssl, "openssl", LIMIT).assert_ok();
    let server = blocks("Tokens, and a proxy in front", "nginx").concat();
    let server = server.replace("8443", &format!("127.0.0.1:{proxy}")).replace("127.0.0.1:8080", &http);
    let here = bench.folder().display();
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {here}/{name};\n"))
        .concat();
    let all = format!(
        "daemon off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{server}}}\n"
    );
    bench.write("nginx.conf", all);
    let mut nginx = Command::new("nginx");
    nginx.args(["-e", "stderr", "-p"]).arg(bench.folder()).args(["-c", "nginx.conf"]).stdin(Stdio::null());
    let _nginx = process::spawn(&mut nginx, "nginx-light");
    let url = format!("https://localhost:{proxy}");
    let curl = |words: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "-k", "--resolve", &format!("localhost:{proxy}:127.0.0.1")]);
        command.args(["-H", "Authorization: Bearer 0123456789abcdef0123456789abcdef"]).args(words);
        command
    };
    let healthy = || Ran::run(&mut curl(&["-f", &format!("{url}/healthz")]), "curl", LIMIT).succeeded().then_some(());
    assert!(eventually(LIMIT, healthy).is_some());
    // The page in a browser says where it comes from.
    let origin = format!("Origin: {url}");
    Ran::run(&mut curl(&["-f", "-H", &origin, &format!("{url}/v1/bmcs")]), "curl", LIMIT).assert_ok();

    let mut follow = curl(&["-N", &format!("{url}/v1/events?kind=power_done")]);
    let mut follower = process::spawn(follow.stdout(Stdio::piped()), "curl");
    let came = process::Captured::from(follower.0.stdout.take().expect("its output"));
    let switch =
        |control: &str| door.post("/v1/bmcs/bmc00001/power", &json!({ "control": control })).assert(200).json();
    // Until the follower is there, nothing comes.
    let mut on = false;
    // What is kept back until there is enough of it comes after minutes.
    let told = eventually(Duration::from_secs(15), || {
        on = !on;
        switch(if on { "on" } else { "off" });
        came.wait_for("event: power_done", Duration::from_millis(500)).then_some(())
    });
    assert!(told.is_some(), "{}", came.text());
}
