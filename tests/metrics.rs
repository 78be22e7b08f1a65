//! What the control door counts, held against what clients did, and read by Prometheus and its checker.

mod support;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use support::bench::free_port;
use support::door::{start, write_fleet, write_one};
use support::http::{Event, Http};
use support::process::eventually;
use support::sol::{Console, EchoingMachine};
use support::{Bench, Ipmitool, Simulator};

const LIMIT: Duration = Duration::from_secs(30);

/// What is typed at a machine that echoes it.
const TYPED: &str = "hello";

/// The value of a sample, by the beginning of its line.
fn sample(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

/// Says that Prometheus' own checker has nothing against a text.
fn check(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: apt-get install prometheus");
    promtool.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{text}");
}

#[test]
fn what_clients_do_is_counted() {
    let machine = EchoingMachine::at(0);
    let (bench, port) = (Bench::new(), free_port());
    write_one(&bench, port, &format!("  sol \"tcp:127.0.0.1:{}\" 115200", machine.port));
    let (_simulator, door) = start(&bench, &[]);
    let client = Ipmitool::new(port, "admin", "admin");
    let before = door.get("/metrics").text();
    check(&before);
    assert_eq!(sample(&before, "ipmi_sim_bmcs"), 1.0);
    client.ok("power on");
    client.ok("user set name 6 dora");
    client.run("raw 0x30 0x7f").assert_failed();
    let wrong = Ipmitool { password: "wrong".into(), ..client.clone() };
    wrong.run("mc info").assert_failed();

    let answer = door.get("/metrics?bmc=bmc*");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    check(&text);
    let chassis_control = "{netfn=\"0x00\",cmd=\"0x02\",completion_code=\"0x00\"}";
    assert_eq!(sample(&text, &format!("ipmi_sim_requests_total{chassis_control}")), 1.0);
    let refused = "{netfn=\"0x30\",cmd=\"0x7f\",completion_code=\"0xc1\"}";
    assert_eq!(sample(&text, &format!("ipmi_sim_requests_total{refused}")), 1.0);
    assert_eq!(sample(&text, "ipmi_sim_sessions_opened_total"), 3.0);
    assert_eq!(sample(&text, "ipmi_sim_sessions"), 0.0);
    assert!(sample(&text, "ipmi_sim_state_writes_total") >= 1.0, "the user is kept");
    assert_eq!(sample(&text, "ipmi_sim_state_write_failures_total"), 0.0);
    assert!(sample(&text, "ipmi_sim_request_duration_seconds_count") >= 20.0);
    assert_eq!(sample(&text, "ipmi_sim_bmc_power_on{bmc=\"bmc00001\"}"), 1.0);
    let own = "ipmi_sim_bmc_requests_total{bmc=\"bmc00001\",netfn=\"0x00\",cmd=\"0x02\",completion_code=\"0x00\"}";
    assert_eq!(sample(&text, own), 1.0);

    let answer = door.with("Accept", "application/openmetrics-text; version=1.0.0").get("/metrics");
    assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE ipmi_sim_requests counter\n"), "{text}");
    assert!(!text.contains("ipmi_sim_bmc_"), "nobody asked for them");
    door.get("/metrics?bmcs=x").problem(400);
}

/// What a console says in an event.
fn said(event: &Event) -> String {
    assert_eq!(event.event, "output", "{event:?}");
    let bytes = BASE64_STANDARD.decode(event.data["data"].as_str().expect("a text")).expect("base64");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_console_is_looked_on_at_live_and_its_bytes_are_counted() {
    let machine = EchoingMachine::at(0);
    let (bench, port) = (Bench::new(), free_port());
    write_one(&bench, port, &format!("  sol \"tcp:127.0.0.1:{}\" 115200 history=4000", machine.port));
    let (_simulator, door) = start(&bench, &[]);
    let mut console = door.follow("/v1/bmcs/bmc00001/console");
    let mut session = Console::open(&Ipmitool::new(port, "admin", "admin"));
    session.terminal.write(TYPED);
    let mut seen = said(&console.next());
    while !seen.contains(TYPED) {
        seen += &said(&console.next());
    }
    session.close();
    let mut later = door.follow("/v1/bmcs/bmc00001/console?history=true");
    assert!(said(&later.next()).contains(TYPED));
    assert!(sample(&door.get("/metrics").text(), "ipmi_sim_sol_bytes_total{direction=\"to_port\"}") >= 6.0);
    door.get("/v1/bmcs/bmc00001/console?mc=0x30").problem(404);
    door.get("/v1/bmcs/other/console").problem(404);
}

/// A program that is ended with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn prometheus_scrapes_a_fleet() {
    let bench = Bench::new();
    write_fleet(&bench);
    let (http, own, port) = (free_port(), free_port(), free_port().to_string());
    let token = bench.write("token", "0123456789abcdef0123456789abcdef\n");
    fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http)).to_string();
    let range = ["--count", "3", "--addresses", "127.99.0.0/16", "--ports", &port];
    let (_simulator, _door): (Simulator, Http) =
        start(&bench, &[&range[..], &["--http", &address, "--http-token-file", "token"]].concat());
    let configuration = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: ipmi_sim\n    params:\n      bmc: ['bmc*2']\n    \
         authorization:\n      credentials_file: {}\n    static_configs:\n      - targets: ['{address}']\n",
        token.display()
    );
    bench.write("prometheus.yml", configuration);
    let file = |name: &str| bench.path(name).display().to_string();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", file("prometheus.yml")))
        .arg(format!("--storage.tsdb.path={}", file("prometheus")))
        .arg(format!("--web.listen-address=127.0.0.1:{own}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus: apt-get install prometheus");
    let _prometheus = Running(prometheus);
    let api = Http::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, own)));
    for (query, expected) in [("ipmi_sim_bmcs", "3"), ("up", "1"), ("ipmi_sim_bmc_power_on", "0")] {
        let value = eventually(LIMIT, || {
            api.try_connect().ok()?;
            let answer = api.get(&format!("/api/v1/query?query={query}"));
            let found = (answer.status == 200).then(|| answer.json())?;
            Some(found["data"]["result"][0]["value"][1].as_str()?.to_owned()).filter(|value| value == expected)
        });
        assert_eq!(value.as_deref(), Some(expected), "{query}");
    }
}
