//! Hostile clients at the control door: what is too long, too slow, too many, malformed or from elsewhere is refused, nobody who
//! speaks IPMI waits for it, no secret is told, and afterwards the program is as it was.

mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use serde_json::{Value, json};
use support::bench::free_port;
use support::door::{START, start, write_fleet, write_one};
use support::http::{Answer, Connection, Http};
use support::process::eventually;
use support::rmcp_client::RmcpClient;
use support::{Bench, Ipmitool, Simulator};

const LIMIT: Duration = Duration::from_secs(60);
const TOKEN: &str = "Token-4711-swordfish-0815";

/// One BMC with a door by both ways.
struct Victim {
    bench: Bench,
    simulator: Simulator,
    unix: Http,
    tcp: Http,
    address: SocketAddr,
    port: u16,
}

impl Victim {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(more: &[&str]) -> Self {
        let (bench, port) = (Bench::new(), free_port());
        write_one(&bench, port, "");
        bench.write("token", TOKEN);
        std::process::Command::new("chmod").arg("600").arg(bench.path("token")).status().expect("chmod");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let (simulator, unix) = start(&bench, &[&["--http", &address.to_string()], more].concat());
        Self { bench, simulator, unix, tcp: Http::tcp(address), address, port }
    }

    /// It is there and serves everybody.
    #[track_caller]
    fn serves(&mut self) {
        self.simulator.assert_alive();
        self.unix.get("/healthz").assert(200);
        assert_eq!(self.unix.json("/v1/bmcs")["total"], 1);
        assert!(RmcpClient::open(self.port, "admin", "admin", 4).is_ok(), "{}", self.simulator.report());
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

const STATEMENTS: &str = "/v1/bmcs/bmc00001/statements";

#[test]
fn bodies_are_bounded_and_of_one_kind() {
    let mut victim = Victim::new();
    let body = |length: usize| {
        let mut body = b"{\"lines\":[]}".to_vec();
        body.resize(length, b' ');
        body
    };
    let json = "application/json";
    for door in [&victim.unix, &victim.tcp] {
        door.send("POST", STATEMENTS, Some((json, &body(1 << 20)))).assert(200);
        door.send("POST", STATEMENTS, Some((json, &body((1 << 20) + 1)))).problem(413);
        // Who only says so is refused before it comes.
        let head = format!(
            "POST {STATEMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {json}\r\nContent-Length: 99999999999\r\n\r\n"
        );
        door.raw("a length", head.as_bytes()).problem(413);
        // In pieces, without a length.
        let head = format!(
            "POST {STATEMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {json}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let whole = [head.clone().into_bytes(), chunk(&body(1 << 20)), b"0\r\n\r\n".to_vec()].concat();
        let mut connection = door.connect();
        connection.write_all(&whole).expect("a request");
        assert_eq!(Answer::parse("pieces", &connection.read_all(Duration::from_secs(1))).status, 200);
        let mut many = head.into_bytes();
        (0..40).for_each(|_| many.extend(chunk(&body(1 << 16))));
        door.raw("pieces", &many).problem(413);
        for (kind, body, status) in [
            (json, &b""[..], 400),
            (json, b"{", 400),
            (json, b"{}", 400),
            (json, b"[[]]", 400),
            (json, b"null", 400),
            (json, b"\"lines\"", 400),
            (json, b"{\"lines\":[],\"lines\":[]}", 400),
            (json, b"{\"lines\":[],\"more\":1}", 400),
            (json, b"{\"lines\":[]} {}", 400),
            (json, b"{\"lines\":[\"\xff\xfe\"]}", 400),
            (json, b"{\"lines\":[\"\\ud800\"]}", 400),
            (json, b"{\"lines\":{\"0\":1}}", 400),
            ("text/plain", b"{\"lines\":[]}", 415),
            ("application/x-www-form-urlencoded", b"lines=", 415),
            ("application/json-seq", b"{\"lines\":[]}", 415),
            ("Application/JSON; charset=utf-8", b"{\"lines\":[]}", 200),
        ] {
            let answer = door.send("POST", STATEMENTS, Some((kind, body)));
            assert_eq!(answer.status, status, "{kind} {}: {}", String::from_utf8_lossy(body), answer.text());
        }
        door.send("POST", STATEMENTS, None).problem(415);
        let deep = format!("{{\"lines\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        door.send("POST", STATEMENTS, Some((json, deep.as_bytes()))).problem(400);
        let deep = format!("{{\"lines\":[],\"x\":{}", "{\"x\":".repeat(100_000));
        door.send("POST", STATEMENTS, Some((json, deep.as_bytes()))).problem(400);
    }
    victim.serves();
}

#[test]
fn requests_have_to_come_in_time() {
    let mut victim = Victim::new();
    let door = &victim.tcp;
    let head = format!(
        "POST {STATEMENTS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    );
    let done = AtomicBool::new(false);
    // A byte a second of each, until it is over.
    let trickle = |connection: &Connection, first: &[u8]| {
        let mut writer = match connection {
            Connection::Tcp(stream) => stream.try_clone().expect("a second handle"),
            Connection::Unix(_) => unreachable!("by TCP"),
        };
        writer.write_all(first).expect("the beginning");
        let begun = Instant::now();
        while !done.load(Ordering::Relaxed) && begun.elapsed() < LIMIT {
            if writer.write_all(b"x").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(500));
        }
    };
    thread::scope(|scope| {
        let (mut slow_body, mut slow_head, mut idle) = (door.connect(), door.connect(), door.connect());
        let (body, line) = (clone(&slow_body), clone(&slow_head));
        scope.spawn(move || trickle(&body, head.as_bytes()));
        scope.spawn(move || trickle(&line, b"GET /healthz HTTP/1.1\r\nX-Slow: "));
        let started = Instant::now();
        let answer = Answer::parse("a slow body", &slow_body.read_all(LIMIT));
        assert!(answer.detail(408).contains("10 s"), "{}", answer.text());
        assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
        let came = slow_head.read_all(LIMIT);
        assert!(came.is_empty() || came.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&came));
        assert!(idle.read_all(LIMIT).is_empty());
        assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
        done.store(true, Ordering::Relaxed);
    });
    victim.serves();
}

fn clone(connection: &Connection) -> Connection {
    match connection {
        Connection::Tcp(stream) => Connection::Tcp(stream.try_clone().expect("a second handle")),
        Connection::Unix(stream) => Connection::Unix(stream.try_clone().expect("a second handle")),
    }
}

#[test]
fn connections_are_bounded_and_come_free_again() {
    let mut victim = Victim::new();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut open = Vec::new();
    let mut statuses = Vec::new();
    for _ in 0..1100 {
        let mut connection = victim.tcp.connect();
        // Who is turned away may be so before it asks.
        let _ = connection.write_all(request);
        let mut head = [0; 12];
        if connection.read_exact(&mut head).is_ok() {
            statuses.push(String::from_utf8_lossy(&head[9..]).into_owned());
        }
        open.push(connection);
    }
    let count = |status: &str| statuses.iter().filter(|own| *own == status).count();
    assert_eq!(count("200"), 1024, "{statuses:?}");
    assert!(count("503") >= 50, "{}", count("503"));
    // Nobody who speaks IPMI notices, nor the owner of the unix socket.
    victim.unix.json("/v1/bmcs");
    Ipmitool::new(victim.port, "admin", "admin").ok("power status");
    drop(open);
    let free = eventually(LIMIT, || (victim.tcp.get("/healthz").status == 200).then_some(()));
    assert!(free.is_some());

    // Readers of events have a bound of their own, which leaves room for others.
    let mut readers: Vec<_> = (0..256).map(|_| victim.unix.follow("/v1/events")).collect();
    victim.unix.get("/v1/events").problem(429);
    victim.unix.json("/v1/bmcs");
    readers.pop();
    let free = eventually(LIMIT, || {
        let mut connection = victim.unix.connect();
        connection.write_all(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        let mut head = [0; 12];
        connection.read_exact(&mut head).ok()?;
        (&head == b"HTTP/1.1 200").then_some(())
    });
    assert!(free.is_some());
    drop(readers);
    victim.serves();
}

#[test]
fn who_does_not_read_holds_nobody_up() {
    let (bench, port) = (Bench::new(), free_port());
    write_fleet(&bench);
    let ports = port.to_string();
    let range = ["--count", "5000", "--addresses", "127.96.0.0/16", "--ports", &ports];
    let (mut simulator, door) = start(&bench, &range);
    let client = Ipmitool { host: "127.96.0.1".into(), ..Ipmitool::new(port, "admin", "admin") };
    client.ok("power status");
    // Lists of more than a connection holds, and events, that nobody reads.
    let ask = |path: &str| {
        let mut connection = door.connect();
        connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).expect("a request");
        connection
    };
    let mut unread: Vec<Connection> = (0..40).map(|_| ask("/v1/bmcs?limit=100000")).collect();
    unread.extend((0..40).map(|_| ask("/v1/events")));
    for name in 1..=400 {
        door.post(&format!("/v1/bmcs/bmc{name:05}/power"), &json!({ "control": "on" })).assert(200);
    }
    // Others are served as if there were none of them.
    let slowest = (0..20)
        .map(|_| {
            let started = Instant::now();
            client.ok("power status");
            assert_eq!(door.json("/v1/bmcs?limit=1")["total"], 5000);
            started.elapsed()
        })
        .max();
    assert!(slowest < Some(Duration::from_secs(2)), "{slowest:?}");
    // And who reads at last has all of it.
    let mut first = unread.swap_remove(0);
    let list = Answer::parse("a list", &first.read_all(Duration::from_secs(2))).json();
    assert_eq!((list["bmcs"].as_array().map(Vec::len), &list["total"]), (Some(5000), &5000.into()));
    drop(unread);
    simulator.assert_alive();
    assert!(simulator.wait(Duration::ZERO).is_none());
}

#[test]
fn pages_of_other_sites_ask_nothing() {
    let mut victim = Victim::new();
    let own = victim.address.to_string();
    let power = json!({ "control": "on" });
    for (name, value) in [
        ("Host", "evil.example"),
        ("Host", "127.0.0.1.evil.example"),
        ("Host", "localhost.evil.example:80"),
        ("Host", ""),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
    ] {
        let page = victim.tcp.with(name, value);
        for path in ["/", "/healthz", "/openapi.json", "/v1/bmcs", "/v1/events", "/nowhere"] {
            page.get(path).problem(403);
        }
        page.post("/v1/bmcs/bmc00001/power", &power).problem(403);
        page.send("OPTIONS", "/v1/bmcs", None).problem(403);
    }
    victim.unix.with("Origin", "http://evil.example").get("/v1/bmcs").problem(403);
    // The page of the door itself may.
    victim.tcp.with("Origin", &format!("http://{own}")).get("/v1/bmcs").assert(200);
    victim.tcp.with("Host", "localhost").get("/v1/bmcs").assert(200);
    // Nobody is let in by a preflight, and what a form can send is no request.
    let answer = victim.tcp.send("OPTIONS", "/v1/bmcs/bmc00001/power", None);
    answer.problem(405);
    assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{:?}", answer.headers);
    let form = Some(("text/plain", &b"{\"control\":\"on\"}"[..]));
    victim.tcp.send("POST", "/v1/bmcs/bmc00001/power", form).problem(415);
    assert_eq!(victim.unix.json("/v1/bmcs/bmc00001")["power"], "off");
    let page = victim.tcp.get("/");
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    assert_eq!(
        (page.header("x-frame-options"), page.header("x-content-type-options")),
        (Some("DENY"), Some("nosniff"))
    );
    victim.serves();
}

#[test]
fn tokens_are_not_guessed() {
    let mut victim = Victim::with(&["--http-token-file", "token"]);
    let with = |value: &str| victim.tcp.with("Authorization", value);
    with(&format!("Bearer {TOKEN}")).get("/v1/bmcs").assert(200);
    for value in ["", "Bearer", "Bearer ", "Basic dTpw", "Token-4711"] {
        with(value).get("/v1/bmcs").problem(401);
    }
    // By name or in the address it is no token.
    victim.tcp.get(&format!("/v1/bmcs?token={TOKEN}")).problem(401);
    let mut seen = Vec::new();
    for number in 0..15 {
        let answer = with(&format!("Bearer {TOKEN}{number}")).get("/v1/bmcs");
        assert!(!answer.text().contains(TOKEN), "{}", answer.text());
        seen.push(answer.status);
    }
    assert!(seen.starts_with(&[401; 5]) && seen.ends_with(&[429; 5]), "{seen:?}");
    let path = victim.unix.clone();
    path.get("/v1/bmcs").assert(200);
    let again = eventually(LIMIT, || (with(&format!("Bearer {TOKEN}")).get("/v1/bmcs").status == 200).then_some(()));
    assert!(again.is_some());
    let log = victim.simulator.stderr.text();
    assert!(!log.contains(TOKEN), "{log}");
    victim.serves();
}

#[test]
fn no_answer_has_a_secret() {
    let (bench, port) = (Bench::new(), free_port());
    write_fleet(&bench);
    let secrets = ["Zz-hunter2-Qq", "Yy-swordfish-9", "Xx-correct-horse-12"];
    bench.write(
        "lan.conf",
        bench.read("lan.conf").replace("\"monitor\" \"monitor\"", &format!("\"monitor\" \"{}\"", secrets[0])),
    );
    let ports = port.to_string();
    let (_simulator, door) = start(&bench, &["--count", "2", "--addresses", "127.97.0.0/16", "--ports", &ports]);
    let mut events = door.follow("/v1/events");
    let mut told = String::new();
    let mut tell = |answer: Answer| {
        told += &format!("{}: {}\n", answer.asked, answer.text());
        answer.status
    };
    let users = "/v1/bmcs/bmc00001/users";
    assert_eq!(tell(door.put(&format!("{users}/5"), &json!({ "name": "eve", "password": secrets[1] }))), 200);
    for body in [
        json!({ "password": format!("{}-and-much-more", secrets[1]) }),
        json!({ "password": secrets[1], "nam": "x" }),
        json!({ "password": [secrets[1]] }),
        json!({ "password": secrets[1], "limit": 7 }),
        json!({ "password": format!("{}\u{0}", secrets[1]) }),
    ] {
        let status = tell(door.put(&format!("{users}/5"), &body));
        assert!((400..500).contains(&status), "{status}");
    }
    // Texts with mistakes beside secrets, and in them.
    let mut refused = 0;
    for line in [
        format!("user 2 true \"a\" \"{}\" king 10 md5", secrets[2]),
        format!("user 2 true \"a\" \"{}-and-much-more\" admin 10 md5", secrets[2]),
        format!("user 2 true \"a\" {} admin 10 md5", secrets[2]),
        format!("user 2 true \"a\" \"{} admin 10 md5", secrets[2]),
        format!("user 2 maybe \"a\" \"{}\"", secrets[2]),
        format!("set_working_mc 0x20\nstartlan 1\nbmc_key \"{}-and-much-more\"\nendlan", secrets[2]),
    ] {
        let body = json!({ "lan_conf": format!("name $name\nset_working_mc 0x20\n{line}\n") });
        refused += usize::from(tell(door.put("/v1/bmcs/own", &body)) == 422);
    }
    // A password that is too long is cut off, as the original does, with a warning.
    assert_eq!(refused, 5);
    for path in ["", "/users", "/sensors", "/sel", "/sdr", "/fru"] {
        assert_eq!(tell(door.get(&format!("/v1/bmcs/bmc00001{path}"))), 200);
    }
    let lines = ["status", "sessions", "help", "debug", "sel", "sensors", "power"];
    assert_eq!(tell(door.post(STATEMENTS, &json!({ "lines": lines }))), 200);
    assert_eq!(tell(door.get("/v1/bmcs")), 200);
    while let Some(event) = events.next_within(Duration::from_millis(200)) {
        told += &format!("{event:?}\n");
    }
    assert!(told.contains("user_changed"), "{told}");
    for secret in secrets {
        assert!(
            !told.contains(secret),
            "{secret} is told: {}",
            told.lines().find(|line| line.contains(secret)).unwrap_or_default()
        );
    }
}

#[test]
fn paths_lead_nowhere_else() {
    let mut victim = Victim::new();
    let outside = victim.bench.write("outside", "precious");
    for path in [
        "/../outside",
        "/..%2foutside",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/v1/bmcs/..",
        "/v1/bmcs/../../etc/passwd",
        "/v1/bmcs/..%2f..%2fetc%2fpasswd/users",
        "/v1/bmcs/bmc00001%00/users",
        "/v1/bmcs/bmc00001/users/..%2f..",
        "/v1/bmcs/bmc00001/",
        "//v1/bmcs",
        "/v1//bmcs",
        "/v1/bmcs/%ff%fe",
        "/v1/bmcs/%",
        "/v1/bmcs/%zz",
        "/style.css/../index.html",
        "/V1/bmcs",
        "/v1/bmcs;/",
    ] {
        let answer = victim.tcp.get(path);
        assert!([400, 404, 405].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("precious") && !answer.text().contains("root:"), "{path}: {}", answer.text());
    }
    let long = format!("/v1/bmcs/{}", "x".repeat(20_000));
    victim.tcp.get(&long).problem(404);
    let long = "/v1/bmcs?name=".to_owned() + &"*a".repeat(15_000);
    let started = Instant::now();
    assert_eq!(victim.tcp.json(&long)["total"], 0);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(std::fs::read(outside).expect("it is still there"), b"precious");
    victim.serves();
}

/// The status codes of what comes on a connection.
fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    text.match_indices("HTTP/1.").filter_map(|(place, _)| text.get(place + 9..place + 12)?.parse().ok()).collect()
}

#[test]
fn a_request_is_one_request() {
    let mut victim = Victim::new();
    let host = format!("Host: {}\r\n", victim.address);
    let post = format!("POST {STATEMENTS} HTTP/1.1\r\n{host}Content-Type: application/json\r\n");
    // What stands behind the body in the eyes of somebody who counts otherwise.
    let hidden = format!(
        "POST /v1/bmcs/bmc00001/power HTTP/1.1\r\n{host}Content-Type: application/json\r\n\
                          Content-Length: 16\r\n\r\n{{\"control\":\"on\"}}"
    );
    let body = "{\"lines\":[]}";
    let length = body.len();
    for (what, request) in [
        ("two lengths", format!("{post}Content-Length: {length}\r\nContent-Length: 0\r\n\r\n{body}{hidden}")),
        ("a list of lengths", format!("{post}Content-Length: {length}, 0\r\n\r\n{body}{hidden}")),
        ("a signed length", format!("{post}Content-Length: +{length}\r\n\r\n{body}{hidden}")),
        ("a negative length", format!("{post}Content-Length: -1\r\n\r\n{body}{hidden}")),
        ("a length in hexadecimal", format!("{post}Content-Length: 0xc\r\n\r\n{body}{hidden}")),
        ("a blank in front of the colon", format!("{post}Content-Length : {length}\r\n\r\n{body}{hidden}")),
        ("a folded line", format!("{post}Content-Length:\r\n {length}\r\n\r\n{body}{hidden}")),
        ("an unknown coding", format!("{post}Transfer-Encoding: xchunked\r\n\r\n{body}{hidden}")),
        (
            "chunked and something behind it",
            format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "chunks in HTTP/1.0",
            format!("{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}", post.replace("1.1", "1.0")),
        ),
        ("a chunk of no size", format!("{post}Transfer-Encoding: chunked\r\n\r\nx\r\n{body}\r\n0\r\n\r\n{hidden}")),
        ("a chunk that is too large", format!("{post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}")),
        ("a name with a NUL", format!("{post}X\u{0}: 1\r\nContent-Length: 0\r\n\r\n{hidden}")),
        ("another version", format!("GET / HTTP/3.0\r\n{host}\r\n{hidden}")),
        ("the preface of HTTP/2", format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{hidden}")),
        ("no version", format!("GET /\r\n\r\n{hidden}")),
        ("blanks in the path", format!("GET /a b HTTP/1.1\r\n{host}\r\n{hidden}")),
    ] {
        let mut connection = victim.tcp.connect();
        connection.write_all(request.as_bytes()).expect("a request");
        let came = statuses(&connection.read_all(Duration::from_millis(300)));
        assert!(came.iter().all(|status| *status != 200) && came.len() <= 1, "{what}: {came:?}");
        assert_eq!(victim.unix.json("/v1/bmcs/bmc00001")["power"], "off", "{what}");
    }
    // Both length and chunks: the chunks count (RFC 9112 section 6.3), and nothing is left over.
    let both = format!("{post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{body}\r\n0\r\n\r\n");
    let mut connection = victim.tcp.connect();
    connection.write_all(both.as_bytes()).expect("a request");
    let came = statuses(&connection.read_all(Duration::from_millis(300)));
    assert!(came == [200] || came == [400], "{came:?}");

    for (what, head) in [
        ("long", format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(200_000))),
        ("many", format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X: 1\r\n".repeat(2_000))),
        ("a long path", format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(200_000))),
    ] {
        let mut connection = victim.tcp.connect();
        let _ = connection.write_all(head.as_bytes());
        let came = statuses(&connection.read_all(Duration::from_secs(1)));
        assert!(came.is_empty() || [400, 414, 431].contains(&came[0]), "{what}: {came:?}");
    }
    victim.serves();
}

#[test]
fn old_and_hasty_clients_are_served() {
    let mut victim = Victim::new();
    let mut connection = victim.tcp.connect();
    connection.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("a request");
    let came = connection.read_all(LIMIT);
    assert!(came.starts_with(b"HTTP/1.0 200 OK\r\n") && came.ends_with(b"{\"status\":\"ok\"}"));
    // A list has no length, and ends with the connection then.
    let mut connection = victim.tcp.connect();
    connection.write_all(b"GET /v1/bmcs HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("a request");
    let came = String::from_utf8_lossy(&connection.read_all(LIMIT)).into_owned();
    let body = came.split_once("\r\n\r\n").expect("a body").1;
    assert_eq!(serde_json::from_str::<Value>(body).expect("JSON")["total"], 1, "{came}");
    // Without a Host there is no way to say whose page asks.
    let mut connection = victim.tcp.connect();
    connection.write_all(b"GET /v1/bmcs HTTP/1.0\r\n\r\n").expect("a request");
    assert_eq!(statuses(&connection.read_all(LIMIT)), [403]);
    // A hundred at once, answered in their order.
    let mut connection = victim.unix.connect();
    let requests: String = (0..100).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    connection.write_all(requests.as_bytes()).expect("requests");
    let came = String::from_utf8_lossy(&connection.read_all(Duration::from_secs(2))).into_owned();
    let places: Vec<_> =
        (0..100).map(|number| came.find(&format!("nothing at /{number};")).expect("a response")).collect();
    assert!(places.is_sorted());
    victim.serves();
}

#[test]
fn garbage_does_no_harm() {
    let mut victim = Victim::new();
    let mut random = StdRng::seed_from_u64(15);
    let requests = [
        format!("GET /v1/bmcs?limit=1&name=a* HTTP/1.1\r\nHost: {}\r\n\r\n", victim.address),
        format!(
            "GET /v1/bmcs/bmc00001/sel?mc=0x20&after=1 HTTP/1.1\r\nHost: {}\r\nLast-Event-ID: 1\r\n\r\n",
            victim.address
        ),
        format!(
            "PUT /v1/bmcs/bmc00001/sensors/0x20/0/1 HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: 14\r\n\r\n{{\"value\":92.5}}",
            victim.address
        ),
    ];
    for round in 0..1500 {
        let mut bytes = requests[round % requests.len()].clone().into_bytes();
        match round % 5 {
            0 => {
                bytes = vec![0; random.random_range(1..2000)];
                random.fill_bytes(&mut bytes);
            }
            1 => bytes.truncate(random.random_range(1..bytes.len())),
            _ => {
                for _ in 0..random.random_range(1..8) {
                    let place = random.random_range(0..bytes.len());
                    bytes[place] = random.random();
                }
            }
        }
        let mut stream = TcpStream::connect(victim.address).expect("a connection");
        let _ = stream.write_all(&bytes);
        if round % 3 == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
            let _ = stream.read(&mut [0; 4096]);
        }
    }
    victim.serves();
    let open = eventually(START, || {
        let path = format!("/proc/{}/fd", victim.simulator.pid());
        (std::fs::read_dir(path).expect("its descriptors").count() < 60).then_some(())
    });
    assert!(open.is_some(), "connections are left over");
}
