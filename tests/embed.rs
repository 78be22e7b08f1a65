//! A BMC inside a test, asked by the client of this project and by ipmitool.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use ipmi_sim::client::{Account, Error as ClientError, SET_SESSION_PRIVILEGE_LEVEL, Session, Way};
use ipmi_sim::host::random::SystemRandom;
use ipmi_sim::ipmi::{ChannelNumber, McAddress, UserNumber, netfn};
use ipmi_sim::oem::{CompletionCode, Context, Entry, Function, Outcome, Request, Response};
use ipmi_sim::{Bmc, BootDevice, Boots, Control, Effect, Effects, Error, Event, Input, Moment, Privilege, StartError};

const LIMIT: Duration = Duration::from_secs(10);

/// A client with a socket of its own.
struct Client {
    socket: UdpSocket,
    session: Session,
    random: SystemRandom,
    seq: u8,
}

#[derive(Debug)]
#[allow(dead_code, reason = "shown when a test fails")]
enum Failure {
    Client(ClientError),
    Io(std::io::Error),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn exchange(socket: &UdpSocket, datagram: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut answer = [0; 1024];
    socket.send(datagram)?;
    let length = socket.recv(&mut answer)?;
    Ok(answer[..length].to_vec())
}

impl Client {
    fn login(address: SocketAddr, way: Way, name: &str, password: &str) -> Result<Self, Failure> {
        let own = if address.is_ipv4() { "127.0.0.1" } else { "::1" };
        let socket = UdpSocket::bind((own, 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut random = SystemRandom::new()?;
        let session =
            Session::login(way, Account::new(name, password), &mut random, |datagram| exchange(&socket, datagram))?;
        let mut client = Self { socket, session, random, seq: 0 };
        client.ask(netfn::APP, SET_SESSION_PRIVILEGE_LEVEL, &[4])?;
        Ok(client)
    }

    fn ask(&mut self, netfn: u8, cmd: u8, data: &[u8]) -> Result<Vec<u8>, Failure> {
        self.seq = (self.seq + 1) % 64;
        let mut datagram = Vec::new();
        self.session.request((self.seq, netfn, cmd), data, &mut self.random, &mut datagram);
        let mut answer = exchange(&self.socket, &datagram)?;
        Ok(self.session.open(&mut answer)?.response()?.done()?.data.to_vec())
    }
}

fn bmc() -> Bmc {
    Bmc::builder().user("admin", "secret").start().expect("a BMC")
}

fn ipmitool(bmc: &Bmc, words: &str) -> String {
    let (host, port) = (bmc.address().ip().to_string(), bmc.address().port().to_string());
    let output = Command::new("ipmitool")
        .args(["-I", "lanplus", "-C", "17", "-H", &host, "-p", &port, "-U", "admin", "-P", "secret"])
        .args(words.split(' '))
        .output()
        .expect("ipmitool runs (apt-get install ipmitool)");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words}: {out}{err}");
    out.into_owned()
}

#[test]
fn a_client_logs_in_and_the_test_sees_what_it_did() {
    let bmc = bmc();
    assert!(bmc.address().ip().is_loopback() && bmc.address().port() != 0);
    let mut events = bmc.events();
    for way in [Way::Suite(3), Way::Suite(17), Way::Md5] {
        let mut client = Client::login(bmc.address(), way, "admin", "secret").expect("a login");
        let from = client.socket.local_addr().unwrap();
        let login = Event::LoggedIn {
            mc: McAddress(0x20),
            channel: ChannelNumber::LAN,
            user: UserNumber::new(2).unwrap(),
            user_name: "admin".into(),
            limit: Privilege::Administrator,
            client: from,
        };
        assert_eq!(events.wait(LIMIT), Some(login));
        let mc = McAddress(0x20);
        for (number, control, then, on) in [
            (1, Control::PowerUp, Event::PowerDone { mc, on: true }, true),
            (3, Control::Reset, Event::Reset { mc, control: Control::Reset }, true),
            (0, Control::PowerDown, Event::PowerDone { mc, on: false }, false),
        ] {
            client.ask(netfn::CHASSIS, 0x02, &[number]).expect("Chassis Control");
            assert_eq!(events.wait(LIMIT), Some(Event::PowerAsked { mc, control }));
            assert_eq!(events.wait(LIMIT), Some(then));
            assert_eq!(bmc.power(), on);
        }
        // Close Session.
        let id = client.session.id.to_le_bytes();
        client.ask(netfn::APP, 0x3c, &id).expect("Close Session");
        assert_eq!(events.wait(LIMIT), Some(Event::LoggedOut { mc: McAddress(0x20), channel: ChannelNumber::LAN }));
    }
    assert_eq!((events.try_next(), events.lost()), (None, 0));
}

#[test]
fn ipmitool_sees_what_the_test_set() {
    let bmc = bmc();
    bmc.control(Control::PowerUp).unwrap();
    assert!(ipmitool(&bmc, "power status").contains("is on"));
    bmc.set_sensor_value(1, 92.4).unwrap();
    let sensors = ipmitool(&bmc, "sdr elist full");
    assert!(sensors.contains("CPU Temp") && sensors.contains("92 degrees C"), "{sensors}");
    let log = ipmitool(&bmc, "sel elist");
    assert!(log.contains("CPU Temp") && log.contains("Upper Critical going high"), "{log}");
    ipmitool(&bmc, "chassis bootdev pxe options=persistent");
    assert_eq!(bmc.boot_device(), Some((BootDevice::PXE, Boots::All)));
    ipmitool(&bmc, "sel clear");
    assert_eq!(bmc.event_log(), []);
    ipmitool(&bmc, "user set name 5 operator");
    let user = bmc.users().into_iter().find(|user| user.number.get() == 5).expect("user 5");
    assert_eq!(user.name, "operator");
    // Nobody looks, and nothing waits for that.
    let events = bmc.events();
    ipmitool(&bmc, "power cycle");
    drop(bmc);
    let asked = |event: &Event| matches!(event, Event::PowerAsked { control: Control::PowerCycle, .. });
    assert_eq!(events.filter(asked).count(), 1);
}

#[test]
fn ipmitool_asks_commands_of_the_tests_own() {
    fn doubled(_: &mut Context<'_>, request: &Request<'_>, response: &mut Response) -> Result<Outcome, CompletionCode> {
        response.put(&[request.data.first().copied().unwrap_or(0).wrapping_mul(2)])?;
        Ok(Outcome::Done)
    }
    static COMMANDS: &[Entry] = &[Entry::new(0x01, "Get Double", doubled).at_least(1).user().reads()];
    let bmc = Bmc::builder().user("admin", "secret").commands(Function::Number(0x3a), COMMANDS).start().expect("a BMC");
    assert_eq!(ipmitool(&bmc, "raw 0x3a 1 21").trim(), "2a");
    // One more for the BMC that runs.
    bmc.call(|system, _, _| system.add_commands(Some(McAddress::BMC), Function::Number(0x3c), COMMANDS));
    assert_eq!(ipmitool(&bmc, "raw 0x3c 1 4").trim(), "08");
}

#[test]
fn sensors_log_and_users_are_values() {
    let bmc = bmc();
    let fan = bmc.sensor(3).expect("a fan");
    assert_eq!((fan.name.as_deref(), fan.value, fan.states), (Some("Fan 1"), Some(5400.0), 0));
    bmc.set_sensor_value(3, 700.0).unwrap();
    let fan = bmc.sensor(3).expect("a fan");
    assert_eq!((fan.raw, fan.value), (Some(12), Some(720.0)));
    assert_eq!(fan.states, 0b011, "lower non-critical and critical");
    assert_eq!(bmc.set_sensor(77, 1), Err(Error::Invalid));
    assert_eq!(bmc.set_sensor_value(77, 1.0), Err(Error::Invalid));
    let events: Vec<_> = bmc.event_log().iter().filter_map(|record| record.event).collect();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| (event.sensor, event.asserted, event.event_type) == (3, true, 1)));

    bmc.clear_event_log();
    bmc.set_sensor_state(5, 1).unwrap();
    assert_eq!(bmc.sensor(5).map(|supply| supply.states), Some(0b11), "present and failed");
    bmc.clear_sensor_state(5, 1).unwrap();
    assert_eq!(bmc.sensor(5).map(|supply| supply.states), Some(0b01));
    let events: Vec<_> = bmc.event_log().iter().filter_map(|record| record.event).collect();
    let told: Vec<_> = events.iter().map(|event| (event.sensor, event.data[0] & 0x0f, event.asserted)).collect();
    assert_eq!(told, [(5, 1, true), (5, 1, false)]);
    assert_eq!(bmc.set_sensor_state(5, 15), Err(Error::Invalid));

    let id = bmc.log_record(0xc0, [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
    let record = *bmc.event_log().last().unwrap();
    assert_eq!((record.id, record.record_type, record.event), (id, 0xc0, None));
    bmc.clear_event_log();
    assert_eq!(bmc.event_log(), []);

    let monitor = UserNumber::new(3).unwrap();
    bmc.set_user(monitor, "monitor", "looks", Privilege::User).unwrap();
    assert!(Client::login(bmc.address(), Way::Md5, "monitor", "looks").is_err(), "no administrator");
    bmc.set_user(monitor, "monitor", "looks", Privilege::Administrator).unwrap();
    let mut client = Client::login(bmc.address(), Way::Suite(17), "monitor", "looks").expect("a login");
    bmc.disable_user(monitor);
    assert!(client.ask(netfn::APP, 0x01, &[]).is_err(), "its session has ended");
    assert!(Client::login(bmc.address(), Way::Suite(17), "monitor", "looks").is_err());
    assert_eq!(bmc.set_user(monitor, &"x".repeat(17), "", Privilege::User), Err(Error::Invalid));
    assert_eq!(bmc.set_user(UserNumber::NULL, "x", "", Privilege::User), Err(Error::Invalid));
    assert_eq!(bmc.set_boot_device(BootDevice(16), Boots::Next), Err(Error::Invalid));
}

#[test]
fn a_runtime_that_is_gone_takes_nobody_with_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bmc = Bmc::builder().user("admin", "secret").start_in(runtime.handle()).unwrap();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || drop(runtime.block_on(ended)));
    Client::login(bmc.address(), Way::Suite(17), "admin", "secret").expect("a login");
    drop(end);
    thread.join().unwrap();
    bmc.control(Control::PowerUp).unwrap();
    assert!(bmc.power());
    bmc.run("sensor_set_value 0x20 0 1 50 0").unwrap();
    let address = bmc.address();
    drop(bmc);
    assert!(UdpSocket::bind(address).is_ok(), "the socket is closed");
}

/// A client that is connected takes responses only from the address it asked.
#[test]
fn a_bmc_on_every_address_answers_from_the_one_that_was_asked() {
    for (every, asked) in [("0.0.0.0:0", "127.0.0.7"), ("[::]:0", "127.0.0.8"), ("[::]:0", "::1")] {
        let bmc = Bmc::builder().user("admin", "secret").address(every.parse().unwrap()).start().unwrap();
        let address = SocketAddr::new(asked.parse().unwrap(), bmc.address().port());
        Client::login(address, Way::Suite(17), "admin", "secret")
            .unwrap_or_else(|error| panic!("{address}: {error:?}"));
    }
}

#[test]
fn many_threads_use_one_bmc_at_once() {
    let bmc = bmc();
    let events = bmc.events();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..50u8 {
                    let control = if round % 2 == 0 { Control::PowerUp } else { Control::PowerDown };
                    bmc.control(control).unwrap();
                    bmc.set_sensor(1, round).unwrap();
                    let _ = (bmc.power(), bmc.sensors(), bmc.event_log());
                }
            });
            scope.spawn(|| {
                let mut client = Client::login(bmc.address(), Way::Suite(17), "admin", "secret").expect("a login");
                for _ in 0..50 {
                    client.ask(netfn::APP, 0x01, &[]).expect("Get Device ID");
                }
            });
        }
    });
    drop(bmc);
    assert_eq!(events.filter(|event| matches!(event, Event::PowerAsked { .. })).count(), 200);
}

#[test]
fn statements_are_run_and_their_faults_have_a_place() {
    let bmc = bmc();
    assert!(bmc.run("power").unwrap().contains("power off"));
    let faults = bmc.run("# first\nsensor_set_value 0x20 0 1\nsensor_set_value 0x20 0 1 50 0\n").unwrap_err();
    let [fault] = &faults.faults.0[..] else { panic!("{faults}") };
    assert_eq!((fault.file.as_str(), fault.span.line), ("<statements>", 2));
    assert!(fault.span.column > 1);
    assert_eq!(bmc.sensor(1).and_then(|sensor| sensor.value), Some(50.0), "what follows is run");
    let refused = bmc.run("sensor_set_value 0x20 0 99 1 0").unwrap_err();
    assert!(refused.to_string().contains("there is no sensor 99"), "{refused}");
    let beside = bmc.run("power\nbogus\n").unwrap_err();
    assert!(beside.printed.contains("power off"), "{beside:?}");
    assert!(!bmc.run("help noecho").unwrap().contains("power off"), "it was printed once");
}

#[test]
fn texts_set_a_bmc_up_and_their_faults_have_a_place() {
    let lan_conf = "name \"texts\"\nset_working_mc 0x20\nstartlan 1\naddr 127.0.0.1 0\nendlan\n\
                    user 2 true \"root\" \"calvin\" admin 10 md5\n";
    let commands = "mc_setbmc 0x20\nmc_add 0x20 1 no-device-sdrs 2 3 4 0x9f 0x1234 0x5678\nmc_enable 0x20\n";
    let bmc = Bmc::builder().lan_conf(lan_conf).command_file(commands).user("second", "x").start().unwrap();
    let mut client = Client::login(bmc.address(), Way::Suite(3), "second", "x").expect("a login");
    assert_eq!(client.ask(netfn::APP, 0x01, &[]).unwrap()[..2], [1, 2]);
    let users: Vec<_> = bmc.users().into_iter().map(|user| (user.number.get(), user.name)).collect();
    assert_eq!(users, [(2, "root".to_owned()), (3, "second".to_owned())]);

    let Err(StartError::Configuration(faults)) = Bmc::builder().lan_conf("name \"x\"\nstartlam 1\n").start() else {
        panic!("a BMC");
    };
    assert_eq!((faults.0[0].span.line, faults.0[0].span.column), (2, 1));
    let Err(StartError::Commands(faults)) = Bmc::builder().command_file("mc_setbmc 0x20\nmc_ad 0x20\n").start() else {
        panic!("a BMC");
    };
    assert_eq!(faults.0[0].span.line, 2);
    let taken = bmc.address();
    assert!(matches!(Bmc::builder().address(taken).start(), Err(StartError::Open(_))));
    assert!(matches!(Bmc::builder().command_file("").start(), Err(StartError::Open(_))));
    assert!(matches!(Bmc::builder().user("x".repeat(17), "").start(), Err(StartError::User(_))));
}

#[test]
fn a_bmc_is_gone_with_its_value_and_its_state_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Bmc::builder().user("admin", "secret").state_dir(folder.path());
    let bmc = builder.clone().start().unwrap();
    let address = bmc.address();
    let held = builder.clone().start();
    assert!(matches!(held, Err(StartError::State(_))), "the folder is one BMC's: {held:?}");
    let id = bmc.log_record(0xc0, [0; 13]).unwrap();
    drop(bmc);
    let again = builder.address(address).start().expect("the address is free, and so is the folder");
    assert_eq!(again.event_log().first().map(|record| (record.id, record.record_type)), Some((id, 0xc0)));
}

#[tokio::test]
async fn in_a_runtime_of_one_thread_nothing_waits_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Handle::current();
    let builder = Bmc::builder().user("admin", "secret").state_dir(folder.path());
    let bmc = builder.clone().start_in(&runtime).unwrap();
    let mut events = bmc.events();
    let address = bmc.address();
    let client = tokio::task::spawn_blocking(move || {
        let mut client = Client::login(address, Way::Suite(17), "admin", "secret").expect("a login");
        client.ask(netfn::CHASSIS, 0x02, &[1]).expect("Chassis Control");
    });
    assert!(matches!(events.recv().await, Some(Event::LoggedIn { .. })));
    assert!(matches!(events.recv().await, Some(Event::PowerAsked { control: Control::PowerUp, .. })));
    assert!(bmc.power());
    client.await.unwrap();
    let id = bmc.log_record(0xc0, [0; 13]).unwrap();
    bmc.stop().await;
    assert!(UdpSocket::bind(address).is_ok(), "the socket is closed");
    while events.recv().await.is_some() {}
    let again = builder.start_in(&runtime).expect("the folder is free");
    assert_eq!(again.event_log().first().map(|record| record.id), Some(id));
    // A thread of its own is possible from here as well, and an error.
    let other = Bmc::builder().start().unwrap();
    assert!(Bmc::builder().address(other.address()).start().is_err());
}

#[test]
fn who_opens_a_console_is_seen() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lan_conf = format!(
        "name \"console\"\nset_working_mc 0x20\nstartlan 1\naddr 127.0.0.1 0\nendlan\nsol \"tcp:{}\" 115200\n",
        port.local_addr().unwrap()
    );
    let bmc = Bmc::builder().lan_conf(lan_conf).user("admin", "secret").start().unwrap();
    let mut events = bmc.events();
    let mut client = Client::login(bmc.address(), Way::Suite(17), "admin", "secret").expect("a login");
    assert!(matches!(events.wait(LIMIT), Some(Event::LoggedIn { .. })));
    // Activate and Deactivate Payload: SOL, encrypted and authenticated.
    client.ask(netfn::APP, 0x48, &[1, 1, 0xc0, 0, 0, 0]).expect("Activate Payload");
    assert_eq!(events.wait(LIMIT), Some(Event::ConsoleOpened { mc: McAddress(0x20), instance: 1 }));
    client.ask(netfn::APP, 0x49, &[1, 1, 0, 0, 0, 0]).expect("Deactivate Payload");
    assert_eq!(events.wait(LIMIT), Some(Event::ConsoleClosed { mc: McAddress(0x20), instance: 1 }));
}

#[test]
fn a_power_cycle_goes_on_by_the_clock() {
    let bmc = bmc();
    bmc.control(Control::PowerUp).unwrap();
    bmc.control(Control::PowerCycle).unwrap();
    assert!(!bmc.power());
    let start = std::time::Instant::now();
    while !bmc.power() {
        assert!(start.elapsed() < LIMIT, "the power stays off");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(bmc.control(Control::DiagnosticInterrupt), Err(Error::NotSupported));
}

#[test]
fn a_helper_program_is_asked_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let (program, log) = (folder.path().join("chassis"), folder.path().join("log"));
    std::fs::write(&program, format!("echo \"$@\" >> {}\n[ \"$2\" = get ] && echo power:1\nexit 0\n", log.display()))
        .unwrap();
    let lan_conf = format!(
        "name \"program\"\nset_working_mc 0x20\nchassis_control \"sh {}\"\nstartlan 1\naddr 127.0.0.1 0\nendlan\n",
        program.display()
    );
    let bmc = Bmc::builder().lan_conf(lan_conf).start().unwrap();
    bmc.control(Control::PowerUp).unwrap();
    bmc.set_boot_device(BootDevice::PXE, Boots::Next).unwrap();
    let start = std::time::Instant::now();
    while bmc.boot_device().is_none() {
        assert!(start.elapsed() < LIMIT, "the program did not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(bmc.power());
    let asked = std::fs::read_to_string(log).unwrap();
    assert!(asked.contains("set power 1") && asked.contains("set boot pxe"), "{asked}");
}

#[test]
fn without_input_and_output_the_time_is_the_tests() {
    let mut out = Effects::default();
    let start = Moment::new(Duration::from_secs(1000));
    let random = || Box::new(SystemRandom::new().unwrap());
    let mut system = Bmc::builder().user("admin", "secret").simulator(random(), start, &mut out).unwrap();
    assert!(out.list.iter().any(|effect| matches!(effect, Effect::OpenLan { .. })));
    system.set_boot_device(start, BootDevice::CD, Boots::Next, &mut out).unwrap();
    assert!(system.boot_device().is_some());
    let end = start + Duration::from_secs(60);
    assert_eq!(system.deadline(), Some(end));
    system.handle(end, Input::Timeout, &mut out);
    assert_eq!(system.boot_device(), None, "the flags are valid for 60 s");
}

#[test]
fn the_example_programs_do_what_they_say() {
    for (example, says) in [
        ("embed_in_a_test", "Upper Critical going high"),
        ("oem_command", "The fans turn at 80 %."),
        ("virtual_time", "After an hour of 3600s the watchdog has switched off."),
        ("many", "Power is on in: [7]"),
    ] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--example", example]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = cargo.output().expect("cargo runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains(says), "{example}: {out}{err}");
    }
}

/// Adds three records to a log with room for two. Whoever asks, the operation is one (`bmc::sel::add_entry`), and so is
/// what comes of it.
fn adds_records(mut add: impl FnMut(&Bmc, u8, [u8; 13]) -> Result<u16, Error>) {
    let bmc = bmc();
    bmc.run("sel_enable 0x20 2 0").unwrap();
    let data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
    let mut events = bmc.events();
    let added = [0xe0, 0xe1, 0xe2].map(|record_type| add(&bmc, record_type, data));
    assert_eq!(added, [Ok(1), Ok(2), Err(Error::Full)]);
    let log: Vec<_> = bmc.event_log().iter().map(|record| (record.id, record.record_type, record.bytes[15])).collect();
    assert_eq!(log, [(1, 0xe0, 13), (2, 0xe1, 13)]);
    let told: Vec<_> = std::iter::from_fn(|| events.try_next())
        .filter_map(|event| if let Event::RecordAdded { id, .. } = event { Some(id) } else { None })
        .collect();
    assert_eq!(told, [1, 2]);
}

#[test]
fn a_statement_adds_records() {
    adds_records(|bmc, record_type, data| {
        let data: Vec<String> = data.iter().map(u8::to_string).collect();
        match bmc.run(&format!("sel_add 0x20 {record_type} {}", data.join(" "))) {
            Ok(printed) => {
                let id = printed.strip_prefix("Added record ").and_then(|id| id.trim_end().parse().ok());
                Ok(id.unwrap_or_else(|| panic!("{printed}")))
            }
            Err(error) if error.to_string().contains(&Error::Full.to_string()) => Err(Error::Full),
            Err(error) => panic!("{error}"),
        }
    });
}

#[test]
fn a_command_adds_records() {
    adds_records(|bmc, record_type, data| {
        let mut client = Client::login(bmc.address(), Way::Suite(3), "admin", "secret").expect("a login");
        let record = [&[0, 0, record_type][..], &data].concat();
        // Add SEL Entry.
        match client.ask(netfn::STORAGE, 0x44, &record) {
            Ok(id) => Ok(u16::from_le_bytes(id.try_into().expect("an id"))),
            Err(Failure::Client(ClientError::Command(CompletionCode::OUT_OF_SPACE))) => Err(Error::Full),
            Err(error) => panic!("{error:?}"),
        }
    });
}

#[test]
fn an_embedded_bmc_adds_records() {
    adds_records(|bmc, record_type, data| bmc.log_record(record_type, data));
}
