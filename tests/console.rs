//! The console in lockstep with the original's: the same lines are typed on both, and what comes back
//! is compared.
//!
//! Where the original complains, ours uses its words and may go on to say what was found and what
//! was expected. Everything else is equal, or listed here with the reason.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use support::bench::{free_port, project};
use support::process::eventually;
use support::simulator::TIMEOUT;
use support::{Bench, Simulator, Stdin, Subject};

/// Lines whose outcome is another one on purpose: the line, ours, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("include \"no-such-file.emu\"", NO_FILE, "named as it was written, with the reason"),
    ("read_cmds \"no-such-file.emu\"", NO_FILE, "named as it was written, with the reason"),
    (
        "include \"/no/such/file.emu\"",
        "Could not read include file /no/such/file.emu: No such file or directory\n\r",
        "the original says nothing",
    ),
    (
        "include \"failing.emu\"",
        "define I \"1\"\n\rnonsense here\n\r**failing.emu:2:1: Unknown command: nonsense\n\rdefine J \"2\"\n\r",
        "the place is told, and the other lines run",
    ),
    (
        "mc_add 0x40 1 has-device-sdrs 1 2 3 0x9f 5 6",
        "**Unable to add the MC, error 0x10: MC 0x40 specified twice\n\r",
        "the complaint says what the original logs before it",
    ),
    (
        "mc_add_fru_data 0x20 5 8 data 1 x 3",
        "**Invalid data byte given: 'x' is not a number such as 31 or 0x1f (data byte 1)\n\r",
        "one line instead of two",
    ),
    (
        "main_sdr_add 0x20 x",
        "**Invalid data byte given: 'x' is not a number such as 31 or 0x1f (data byte 0)\n\r",
        "one line instead of two",
    ),
    (
        "main_sdr_add 0x20 1 0 0x51 0xc0 2 1 x",
        "**Invalid data byte given: 'x' is not a number such as 31 or 0x1f (data byte 6)\n\r",
        "one line instead of two",
    ),
    (
        "mc_dump_fru_data 0x20 7",
        "**Unable to dump FRU data: No such file or directory\n\r",
        "the reason instead of its number",
    ),
    ("sensor_add 0x99", "**No LUN given\n\r", "what is missing is noticed before what does not exist"),
    (
        "sensor_add 0x20 0 9 1 1 poll 1000 file \"x\" depends=0x20,0,1,15",
        "**Error initializing sensor handler: Invalid depends sensor bit: '15' is not in 0 to 14\n\r",
        "the original names the wrong item",
    ),
];

const NO_FILE: &str = "Could not read include file no-such-file.emu: No such file or directory\n\r";

/// A program with a console, and the files its lines are about.
struct Machine {
    simulator: Simulator,
    bench: Bench,
    console: u16,
}

impl Machine {
    /// With a console on TCP; the one on standard input is there when there is a pipe.
    fn start(subject: Subject, arguments: &[&str], stdin: Stdin) -> Self {
        let bench = Bench::new();
        let (port, console) = (free_port(), free_port());
        bench.write(
            "lan.conf",
            format!(
                "name \"small\"\nconsole 127.0.0.1 {console}\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n    \
                 allowed_auths_admin md5\n    guid a123456789abcdefa123456789abcdef\n  endlan\n  \
                 user 2 true \"admin\" \"admin\" admin 10 md5\n"
            ),
        );
        bench.write(
            "sim.emu",
            "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nsel_enable 0x20 100 0x0a\nmc_enable 0x20\n",
        );
        let data = "sel_add 0x20 0xe0 \\\n 1 2 3 4 5 6 7 8 9 10 11 12 13\n";
        bench.write("included.emu", format!("# comment\n{data}\ndefine I \"1\"\n"));
        bench.write("failing.emu", "define I \"1\"\nnonsense here\ndefine J \"2\"\n");
        bench.write("fru.bin", "ABCDEFGHIJ");
        bench.write("value.txt", "30\n");
        let mut all = vec!["-c", "lan.conf", "-f", "sim.emu", "-s", "state"];
        all.extend(arguments);
        let mut simulator = Simulator::spawn(subject, &bench, &all, stdin);
        simulator.wait_until_ready(port);
        Self { simulator, bench, console }
    }

    fn connect(&self) -> Client {
        let stream = eventually(TIMEOUT, || TcpStream::connect((Ipv4Addr::LOCALHOST, self.console)).ok());
        let stream = stream.unwrap_or_else(|| panic!("no console\n{}", self.simulator.report()));
        stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a time limit");
        Client { stream }
    }
}

/// A connection to a console.
struct Client {
    stream: TcpStream,
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the console reads");
    }

    /// What comes back up to the given number of prompts and nothing behind them, or up to the end,
    /// which is then marked.
    fn receive(&mut self, prompts: usize) -> Vec<u8> {
        let started = Instant::now();
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => all.extend_from_slice(b"<end>"),
                Ok(count) => all.extend_from_slice(&piece[..count]),
                Err(_) if started.elapsed() < TIMEOUT => {}
                Err(why) => panic!("{why}; so far: {:?}", String::from_utf8_lossy(&all)),
            }
            let found = all.windows(2).filter(|two| *two == b"> ").count();
            if all.ends_with(b"<end>") || (found >= prompts && all.ends_with(b"> ")) {
                return all;
            }
        }
    }

    fn exchange(&mut self, bytes: &[u8], prompts: usize) -> Vec<u8> {
        self.send(bytes);
        self.receive(prompts)
    }
}

/// Whether what ours said is what the original said, or begins with it, line by line.
fn says_as_much(theirs: &str, ours: &str) -> bool {
    let (theirs, ours): (Vec<&str>, Vec<&str>) =
        (theirs.split_inclusive("\n\r").collect(), ours.split("\n\r").collect());
    let ours = &ours[..ours.len() - 1];
    theirs.len() == ours.len()
        && theirs.iter().zip(ours).all(|(theirs, ours)| {
            // The original leaves out the end of some of its lines.
            let words = theirs.trim_end_matches(['\n', '\r']);
            let more = ours.strip_prefix(words);
            more.is_some_and(|more| {
                more.is_empty() || words.starts_with("**") || words.starts_with(|c: char| c.is_uppercase())
            })
        })
}

fn lines() -> Vec<String> {
    let text = fs::read_to_string(project("tests/data/console.txt")).expect("the lines to type");
    text.lines().skip(1).map(str::to_owned).collect()
}

/// Compares what was said to each line.
fn compare(said: &[(String, String, String)]) {
    let mut faults = Vec::new();
    let mut used = 0;
    for (line, theirs, ours) in said {
        match DIFFERENT.iter().find(|(known, _, _)| known == line) {
            Some((_, expected, _)) => {
                used += 1;
                if ours != expected || says_as_much(theirs, ours) {
                    faults.push(format!("{line}\n  original: {theirs:?}\n  ours: {ours:?}\n  listed: {expected:?}"));
                }
            }
            None if says_as_much(theirs, ours) => {}
            None => faults.push(format!("{line}\n  original: {theirs:?}\n  ours: {ours:?}")),
        }
    }
    assert!(faults.is_empty(), "{} lines:\n{}", faults.len(), faults.join("\n"));
    assert!(used == DIFFERENT.len() && said.len() > 200, "{used} of the listed lines, {} in all", said.len());
}

#[test]
fn every_command_says_on_a_tcp_console_what_the_original_says() {
    let mut machines = [Subject::Original, Subject::Ours].map(|subject| Machine::start(subject, &[], Stdin::Pipe));
    let [mut theirs, mut ours] = [machines[0].connect(), machines[1].connect()];
    let greeting = theirs.receive(1);
    assert_eq!(greeting, b"\xff\xfb\x03\xff\xfb\x01\xff\xfe\x01> ");
    assert_eq!(ours.receive(1), greeting);
    let mut said = Vec::new();
    for line in lines() {
        let answer = |client: &mut Client| {
            let bytes = client.exchange(format!("{line}\n").as_bytes(), 1);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let inner = text.strip_prefix(&format!("{line}\n\r")).and_then(|text| text.strip_suffix("> "));
            inner.unwrap_or_else(|| panic!("neither echo nor prompt: {text:?}")).to_owned()
        };
        said.push((line.clone(), answer(&mut theirs), answer(&mut ours)));
    }
    compare(&said);
    machines.iter_mut().for_each(|machine| machine.simulator.assert_alive());
}

/// The other console echoes LF alone; its complaints are the same.
#[test]
fn every_command_says_on_standard_input_what_the_original_says() {
    let mut said: Vec<Vec<String>> = Vec::new();
    for subject in [Subject::Original, Subject::Ours] {
        let mut machine = Machine::start(subject, &[], Stdin::Pipe);
        for line in lines() {
            machine.simulator.type_in(&format!("{line}\n"));
        }
        machine.simulator.type_in("quit\n");
        let status = machine.simulator.wait(TIMEOUT).unwrap_or_else(|| panic!("{}", machine.simulator.report()));
        assert_eq!(status.code(), Some(0), "{subject:?}");
        // Logs and prints of the start, and the original's own late or stray ones, are not answers.
        let text = machine.simulator.stdout.text();
        let begin = text.find("> ").expect("a prompt");
        let text: String =
            text[begin..].split_inclusive('\n').filter(|line| !line.starts_with("Hysteresis: ")).collect();
        said.push(text.split("> ").skip(1).map(str::to_owned).collect());
    }
    let lines = lines();
    let mut rows = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let inner = |said: &[String]| {
            let text = said.get(index).unwrap_or_else(|| panic!("no answer to {line}"));
            let answer = text.strip_prefix(&format!("{line}\n"));
            answer.unwrap_or_else(|| panic!("no echo of {line:?}: {text:?}")).to_owned()
        };
        rows.push((line.clone(), inner(&said[0]), inner(&said[1])));
    }
    compare(&rows);
    for said in &said {
        assert!(said[lines.len()].starts_with("quit\n"), "{:?}", said[lines.len()]);
    }
}

#[test]
fn keys_and_telnet_are_taken_as_by_the_original() {
    let machines = [Subject::Original, Subject::Ours].map(|subject| Machine::start(subject, &[], Stdin::Pipe));
    let [mut theirs, mut ours] = [machines[0].connect(), machines[1].connect()];
    assert_eq!(ours.receive(1), theirs.receive(1));
    // Two bytes more than a line may have, behind what is looked at.
    let start = b"sel_enable 0x20 100 0x0a ".to_vec();
    let long = [start.clone(), vec![b'x'; 1025 - start.len()], b"\n".to_vec()].concat();
    // What is typed, and how many prompts that makes.
    let rows: &[(&[u8], usize)] = &[
        (b"\n", 1),
        (b"\r", 1),
        (b"\r\n", 2),
        (b"\n\n\n", 3),
        (b"foo\r", 1),
        (b"foo\r\nbar\r\n", 4),
        (b"fop\x08o\n", 1),
        (b"fop\x7fo\n", 1),
        (b"\x08\x7f\n", 1),
        (b"ab\x08\x08\x08\x08c\n", 1),
        (b"a\x04b\n", 1),
        (b"a\0b\n", 1),
        (b"\x03\n", 1),
        (b"\x1b[A\n", 1),
        (b"\tfoo \t bar\n", 1),
        (b"\xc3\xa9\n", 1),
        (&long, 1),
        (b"\xff\xfd\x03\xff\xfd\x01\n", 1),
        (b"\xff\xfd\x18\n", 1),
        (b"\xff\xfb\x1f\n", 1),
        (b"\xff\xfc\x01\xff\xfe\x03\n", 1),
        (b"fo\xff\xfd\x18o\n", 1),
        (b"foo \\\n", 1),
        (b"#\n", 1),
        (b" noecho\n", 1),
        (b"define A \"1\"\ndefine A\n", 2),
        (b"noecho\n", 1),
        (b"foo\n", 1),
        (b"fop\x08o\r\n", 2),
    ];
    for (bytes, prompts) in rows {
        let [theirs, ours] = [&mut theirs, &mut ours].map(|client| client.exchange(bytes, *prompts));
        let [theirs, ours] = [theirs, ours].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        // Here, too, a complaint may go on.
        let ours = ours.replace(": missing string value", "").replace(": it has to be the whole line", "");
        let theirs = theirs.replace(": missing string value", "");
        // Ours shows a picture of a control character instead of sending it to the terminal.
        let ours = ours.replace('\u{2403}', "\x03").replace('\u{241b}', "\x1b");
        assert_eq!(ours, theirs, "typed: {:?}", String::from_utf8_lossy(bytes));
    }
    // The end of input ends this console only.
    for client in [&mut theirs, &mut ours] {
        assert_eq!(client.exchange(b"\x04", 1), b"<end>");
    }
    for machine in &machines {
        let mut another = machine.connect();
        assert!(another.receive(1).ends_with(b"> "));
    }
}

#[test]
fn what_ends_the_original_ends_ours() {
    for subject in [Subject::Original, Subject::Ours] {
        let mut machine = Machine::start(subject, &[], Stdin::Pipe);
        let mut client = machine.connect();
        client.receive(1);
        client.send(b"quit\n");
        let status = machine.simulator.wait(TIMEOUT);
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{subject:?}: quit on TCP");

        let mut machine = Machine::start(subject, &[], Stdin::Pipe);
        machine.simulator.type_in("foo\n\x04");
        let status = machine.simulator.wait(TIMEOUT);
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{subject:?}: byte 4 on standard input");
        assert!(machine.simulator.stdout.text().ends_with("**Unknown command: foo\n\r> \n"), "{subject:?}");

        let mut machine = Machine::start(subject, &[], Stdin::Pipe);
        machine.simulator.close_stdin();
        let status = machine.simulator.wait(TIMEOUT);
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{subject:?}: end of standard input");
    }
}

/// A sensor that cannot be read is told on every console, in the original's words.
#[test]
fn every_console_hears_of_a_sensor_that_cannot_be_read() {
    for subject in [Subject::Original, Subject::Ours] {
        let machine = Machine::start(subject, &[], Stdin::Pipe);
        let mut clients = [machine.connect(), machine.connect()];
        clients.iter_mut().for_each(|client| drop(client.receive(1)));
        for line in [
            "sensor_add 0x20 0 1 1 1 poll 100 file \"missing.txt\"\n",
            "sensor_set_event_support 0x20 0 1 enable scanning none 000000000000000 000000000000000 000000000000000 000000000000000\n",
        ] {
            clients[0].send(line.as_bytes());
        }
        let mut heard = Vec::new();
        let told = eventually(TIMEOUT, || {
            let mut piece = [0; 512];
            let count = clients[1].stream.read(&mut piece).unwrap_or_default();
            heard.extend_from_slice(&piece[..count]);
            heard.windows(2).any(|two| two == b"\n\r").then_some(())
        });
        let heard = String::from_utf8_lossy(&heard).into_owned();
        let expected = "Error getting sensor value (20,0,1): No such file or directory, Unable to open sensor file\n\r";
        assert!(
            told.is_some() && heard.starts_with(expected),
            "{subject:?}: {heard:?}\n{}",
            machine.simulator.report()
        );
    }
}

/// Lines that crash or hang the original, and `help`, which it does not know.
#[test]
fn what_the_original_does_not_survive_is_answered() {
    let mut machine = Machine::start(Subject::under_test(), &["-p"], Stdin::Pipe);
    let mut client = machine.connect();
    client.receive(1);
    let mut say = |line: &str| {
        let bytes = client.exchange(format!("{line}\n").as_bytes(), 1);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.replace("\n\r", "\n")
            .strip_prefix(&format!("{line}\n"))
            .expect("an echo")
            .trim_end_matches("> ")
            .to_owned()
    };
    let help = say("help");
    for command in lines().iter().filter_map(|line| line.split(' ').next()).filter(|word| word.contains('_')) {
        let known = !command.starts_with("set_") && !command.starts_with('$');
        let listed = help.lines().any(|line| line.split(' ').next() == Some(command));
        assert!(!known || listed, "{command} in\n{help}");
    }
    assert!(help.lines().all(|line| line.trim_end() == line), "{help}");
    assert_eq!(say("help mc_delete"), "mc_delete MC\n    remove a management controller\n");
    assert_eq!(say("help sel").lines().count(), 2);
    assert_eq!(say("help sensor_set_bit").lines().count(), 2);
    assert_eq!(say("help mc_d").lines().count(), 8);
    assert_eq!(say("help dance"), "There is no such command; help lists them all\n");
    assert_eq!(
        say("power on"),
        "**Invalid MC address given: 'on' is not a number such as 31 or 0x1f; this command shows the power, \
         and clients switch it\n"
    );
    assert_eq!(say("sleep 20"), "");
    assert!(say("mc_set_guid 0x20 \"").starts_with("**ASCII GUID doesn't end in '\"'"));
    assert_eq!(say("mc_add 0x30 1 no-device-sdrs 1 2 3 0x9f 5 6"), "");
    assert_eq!(say("mc_delete 0x30"), "");
    assert!(say("mc_delete 0x30").starts_with("**Invalid MC address"));
    assert_eq!(say("mc_add 0x30 1 no-device-sdrs 1 2 3 0x9f 5 6"), "");
    assert_eq!(say("mc_enable 0x20"), "");
    assert_eq!(say("persist on"), "");
    assert_eq!(say("sel_add 0x20 0xe0 1 2 3 4 5 6 7 8 9 10 11 12 13"), "Added record 1\n");
    machine.simulator.assert_alive();
    machine.simulator.type_in("quit\n");
    assert_eq!(machine.simulator.wait(TIMEOUT).and_then(|status| status.code()), Some(0));
    drop(machine.bench);
}

/// OpenIPMI's own tests start it so, and read nothing but lines and prompts.
#[test]
fn programs_at_the_console_read_what_the_original_prints() {
    let sol = "  sol \"/dev/not-there\" 115200\n  console 0.0.0.0 PORT\n";
    for (lines, warnings) in [("", &["No LAN channel is open"][..]), (sol, &["/dev/not-there", "asks for no password"])]
    {
        let bench = Bench::new();
        let console = free_port();
        bench.write(
            "lan.conf",
            support::config::small_lan_conf(free_port(), &lines.replace("PORT", &console.to_string())),
        );
        let shown = |subject| {
            let mut simulator = Simulator::spawn(
                subject,
                &bench,
                &["-c", "lan.conf", "-s", "state", "-x", "mc_setbmc 0x20"],
                Stdin::Pipe,
            );
            // The prompt is the last thing, for as long as one likes to look.
            std::thread::sleep(Duration::from_millis(700));
            if subject == Subject::Ours {
                for warning in warnings {
                    assert!(simulator.stderr.wait_for(warning, TIMEOUT), "{}", simulator.report());
                }
                assert!(simulator.stdout.text().ends_with("> "), "{}", simulator.report());
            }
            simulator.type_in("mc_add 0x30 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n");
            simulator.type_in("dance\nquit\n");
            assert!(simulator.wait(TIMEOUT).is_some(), "{}", simulator.report());
            simulator.stdout.text()
        };
        // What the released version writes last and without CR, and what only the development version writes.
        let original = shown(Subject::Original).replace("IPMI Simulator version 1.0.13\n", "");
        let ours = shown(Subject::Ours);
        let ours: String = ours.split_inclusive("\n\r").filter(|line| !line.starts_with("Opened UDP port")).collect();
        assert_eq!(ours, format!("IPMI Simulator version 1.0.13\n\r{original}"));
    }
}

/// OpenIPMI's own tests read whatever there is and look for the prompt at its beginning, after the line
/// ends that they know. They begin to read late.
#[test]
fn a_reader_that_looks_for_the_prompt_where_a_read_begins_finds_it() {
    let bench = Bench::new();
    bench.write("lan.conf", support::config::small_lan_conf(free_port(), ""));
    for late in [0, 5, 60] {
        let mut command = std::process::Command::new(Subject::Ours.program());
        command.args(["-c", "lan.conf", "-s", "state", "-x", "mc_setbmc 0x20"]).current_dir(bench.folder());
        let piped = std::process::Stdio::piped;
        command.stdin(piped()).stdout(piped()).stderr(std::process::Stdio::null());
        let mut child = support::process::spawn(&mut command, "openipmi");
        let mut stdin = child.0.stdin.take().expect("a pipe");
        let mut stdout = child.0.stdout.take().expect("a pipe");
        std::thread::sleep(Duration::from_millis(late));
        for line in ["noecho\n", "persist off\n", "dance\n", "help\n", "quit\n"] {
            // What is read of the last command ends in the prompt, which came by itself.
            let mut buffer = [0; 128];
            loop {
                let count = stdout.read(&mut buffer).expect("output");
                assert!(count > 0, "it ended before {line:?}");
                if buffer[..count] == *b"> " {
                    break;
                }
                assert!(!buffer[..count].ends_with(b"\r> "), "{:?}", String::from_utf8_lossy(&buffer[..count]));
            }
            stdin.write_all(line.as_bytes()).expect("input");
        }
    }
}
