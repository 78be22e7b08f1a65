//! Writes what the fuzzers begin with: `seeds FOLDER` makes inputs of the recorded exchanges,
//! configurations and state files of this repository; `seeds record PORT FILE` is a simulator on
//! loopback that writes what clients send it as an input, and ends at end of input. Its
//! randomness is the target's, so that a recorded login works when it is replayed.

mod harness;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::input::piece;
use harness::rig::{CONFIGURATIONS, Rig};
use harness::sim::step;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["record", port, file] => record(port.parse().expect("a port"), Path::new(file)),
        [folder] => write_seeds(Path::new(folder)),
        _ => {
            eprintln!("usage: seeds FOLDER | seeds record PORT FILE");
            std::process::exit(2);
        }
    }
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Seeds of a target, numbered.
struct Seeds {
    folder: PathBuf,
    count: usize,
}

impl Seeds {
    fn new(folder: &Path, target: &str) -> Self {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder).expect("a folder for seeds");
        Self { folder, count: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        let name = format!("seed-{:03}", self.count);
        self.count += 1;
        std::fs::write(self.folder.join(name), bytes).expect("a place for a seed");
    }
}

/// The files below some folders whose names end so.
fn files(folders: &[&str], ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(project(folder)) else { continue };
        let paths = entries.map(|entry| entry.expect("a readable folder").path());
        found.extend(paths.filter(|path| ends.iter().any(|end| path.display().to_string().ends_with(end))));
    }
    found.sort();
    found
}

fn write_seeds(folder: &Path) {
    const CONFIGURED: [&str; 5] =
        ["compat/nanokvm", "compat/qemu", "examples/minimal", "tests/data/raw/cfg", "tests/data"];
    let mut seeds = Seeds::new(folder, "lan_conf");
    for path in files(&CONFIGURED, &[".conf"]) {
        seeds.add(&std::fs::read(path).expect("a readable file"));
    }
    (0..CONFIGURATIONS).for_each(|which| seeds.add(harness::rig::configuration(which).as_bytes()));

    let mut seeds = Seeds::new(folder, "command");
    for path in files(&CONFIGURED, &[".emu"]) {
        let text = std::fs::read(path).expect("a readable file");
        text.chunks(3000).for_each(|chunk| seeds.add(chunk));
    }
    seeds.add(harness::rig::SCRIPT.as_bytes());

    let mut seeds = Seeds::new(folder, "sdrs");
    for path in files(&["tests/data/sdrs", "tests/data/sdrs/more"], &[".sdrs"]) {
        let text = std::fs::read(path).expect("a readable file");
        for record in text.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>().chunks(40) {
            seeds.add(&[&[0], record.concat().as_slice()].concat());
        }
        seeds.add(&[&[2], text.as_slice()].concat());
    }
    seeds.add(b"\x01\x01\x00Q\x12\x14 \x00\x00\x8f\x00\x00\x00\x07\x01\x00\xc9IPMI sim1");

    let mut seeds = Seeds::new(folder, "state");
    let mut rig = Rig::configured(0, Default::default());
    rig.start();
    harness::client::use_every_file(&mut rig);
    let mut all = Vec::new();
    for (name, content) in &rig.files {
        let Some(number) = harness::languages::STATE_FILES.iter().position(|file| file == name) else { continue };
        let mut seed = vec![number as u8, (content.len() / 16) as u8];
        seed.extend_from_slice(content);
        seed.resize(2 + content.len() / 16 * 16 + 15, b'\n');
        seeds.add(&seed);
        all.extend_from_slice(&seed);
    }
    seeds.add(&all);

    let mut seeds = Seeds::new(folder, "serial");
    let mut wire = Seeds::new(folder, "wire");
    for kind in 0..12u8 {
        for lines in recorded("core-vm-HEAD").chunks(40) {
            let mut seed = vec![kind, 0x20];
            for (netfn_lun, cmd, data) in lines {
                let mut bytes = Vec::new();
                match kind & 3 {
                    0 => ipmi_sim::wire::vm::Message {
                        sequence: 1,
                        netfn: netfn_lun >> 2,
                        lun: netfn_lun & 3,
                        cmd: *cmd,
                        data,
                    }
                    .emit(&mut bytes),
                    1 => {
                        bytes.push(0xa0);
                        for byte in ipmb(*netfn_lun, *cmd, data) {
                            match byte {
                                0xa0 | 0xa5 | 0xa6 | 0xaa => bytes.extend([0xaa, byte | 0x10]),
                                0x1b => bytes.extend([0xaa, 0x3b]),
                                byte => bytes.push(byte),
                            }
                        }
                        bytes.push(0xa5);
                    }
                    _ => {
                        bytes.push(b'[');
                        if kind & 3 == 2 {
                            let message = [netfn_lun, &0x04, cmd].into_iter().chain(data);
                            bytes.extend(message.flat_map(|byte| format!("{byte:02x} ").into_bytes()));
                        } else {
                            let message = ipmb(*netfn_lun, *cmd, data);
                            bytes.extend(message.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()));
                        }
                        bytes.extend(b"]\r\n");
                    }
                }
                piece(&bytes, &mut seed);
            }
            seeds.add(&seed);
        }
    }
    for which in 0..18u8 {
        for length in [0, 4, 8, 16, 28, 32, 40, 60] {
            let mut bytes = vec![which];
            bytes.extend((0..length).map(|at| if at == 0 { 6 } else { at }));
            wire.add(&bytes);
        }
        let mut message = vec![which];
        message.extend(ipmb(0x18, 1, &[1, 2, 3]));
        wire.add(&message);
    }
    wire.add(b"\x00\x06\x00\xff\x07");
    wire.add(b"\x01\x00\x00\x11\xbe\x80\x00\x00\x00");
    wire.add(&[&[4], &b"\x00\0\0\0\0\0\0\0\0\x09\x20\x18\xc8\x81\x00\x38\x8e\x04\xb5"[..]].concat());
    let open = [
        &[6u8, 1, 0, 0, 0, 1, 2, 3, 4][..],
        &[0, 0, 0, 8, 1, 0, 0, 0],
        &[1, 0, 0, 8, 1, 0, 0, 0],
        &[2, 0, 0, 8, 1, 0, 0, 0],
    ];
    wire.add(&open.concat());

    let mut seeds = Seeds::new(folder, "sim");
    for (name, which) in
        [("core-HEAD", 0), ("core-chassis-HEAD", 0), ("storage-HEAD", 0), ("core-HEAD", 0x80), ("core-HEAD", 5)]
    {
        for lines in recorded(name).chunks(60).step_by(if which == 0 { 1 } else { 4 }) {
            let mut seed = vec![which];
            seed.extend([step::LOG_IN, 0, 0, 0, 3, 0x14]);
            seed.extend([step::REQUEST, 0, 6, 0x3b, 1, 4]);
            for (netfn_lun, cmd, data) in lines {
                seed.extend([step::REQUEST, 0, netfn_lun >> 2, *cmd]);
                piece(data, &mut seed);
            }
            seed.extend([step::JOBS, 0, step::TIME, 0xff, 0x00]);
            seeds.add(&seed);
        }
    }
    for lines in recorded("core-vm-HEAD").chunks(40) {
        let mut seed = vec![0, step::HOST_LINE, 0];
        for (netfn_lun, cmd, data) in lines {
            seed.extend([step::HOST_MESSAGE, netfn_lun >> 2, *cmd]);
            piece(data, &mut seed);
        }
        seed.extend([step::TIME, 0xff, 0x0f]);
        seeds.add(&seed);
    }
    for which in (0..CONFIGURATIONS as u8).flat_map(|which| [which, which | 0x80]) {
        // Every suite and every authentication type; SOL; a session closed.
        for suite in [0, 1, 2, 3, 6, 7, 8, 11, 12, 15, 16, 17] {
            let mut seed = vec![which, step::LOG_IN, suite & 3, 0, suite, suite, 0x14];
            seed.extend([step::REQUEST, suite & 3, 6, 0x3b, 1, 4]);
            seed.extend([step::SOL_PORT, 1, 0]);
            seed.extend([step::REQUEST, suite & 3, 6, 0x48, 6, 1, 1, 0xc0, 0, 0, 0]);
            seed.extend([step::PAYLOAD, suite & 3, 1, 6, 1, 0, 0, 0, b'h', b'i']);
            seed.extend([step::SOL_PORT, 0, 5, b'h', b'e', b'l', b'l', b'o']);
            seed.extend([step::REPLAY, 0, 0, 0, step::TIME, 0x00, 0x80, step::PAYLOAD, suite & 3, 1, 4, 0, 1, 5, 0]);
            seed.extend([step::CHANGED_PACKET, suite & 3, 2, 8, 0x20, 0x18, 0xc8, 0x81, 0, 1, 0x7e, 0, 2, 15, 1, 0]);
            seed.extend([step::CHANGED_MESSAGE, suite & 3, 6, 1, 0, 2, 2, 0x40, 0, step::SEQUENCE, suite & 3, 9, 0]);
            seed.extend([
                step::BRIDGED,
                suite & 3,
                0x40,
                0x30,
                6,
                1,
                0,
                step::REQUEST,
                suite & 3,
                6,
                0x3c,
                4,
                0,
                0,
                0,
                0,
            ]);
            seeds.add(&seed);
        }
        for how in 0..4 {
            let mut seed = vec![which, step::LOG_IN_15, 0, 0, 0, how | 4 << 2];
            seed.extend([step::REQUEST, 0, 6, 0x3b, 1, 4, step::REQUEST, 0, 6, 1, 0, step::REPLAY, 0, 1, 5]);
            seed.extend([step::CONSOLE, 4]);
            seed.extend(b"help");
            seeds.add(&seed);
        }
        let mut seed = vec![which];
        for how in [0, 2, 4, 2, 4, 1, 3, 5, 6] {
            seed.extend([step::HANDSHAKE, how]);
            if how == 0 {
                seed.extend([0, 0, 3, 0x14]);
            }
            seed.extend([0, 0]);
        }
        seed.extend([step::OUTSIDE, 0, 6, 0x38, 2, 0x8e, 4, step::OUTSIDE, 0, 6, 0x54, 3, 0x0e, 0, 0x80]);
        seeds.add(&seed);
    }
    for line in harness::rig::SCRIPT.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().chunks(6) {
        let mut seed = vec![0];
        for line in line {
            seed.push(step::CONSOLE);
            piece(line.as_bytes(), &mut seed);
        }
        seed.extend([step::TIME, 0xff, 0, step::JOBS, 3, 0, 1, 0x40]);
        seeds.add(&seed);
    }
}

fn ipmb(netfn_lun: u8, cmd: u8, data: &[u8]) -> Vec<u8> {
    let (netfn, to_lun) = (netfn_lun >> 2, netfn_lun & 3);
    let mut bytes = Vec::new();
    ipmi_sim::wire::ipmb::Message { to: 0x20, to_lun, netfn, from: 0x81, from_lun: 0, seq: 1, cmd, data }
        .emit(&mut bytes);
    bytes
}

/// The requests of a recording: network function with LUN, command, data.
fn recorded(name: &str) -> Vec<(u8, u8, Vec<u8>)> {
    let path = project("tests/data/raw").join(format!("{name}.tsv"));
    let text = std::fs::read_to_string(path).expect("a recording");
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with(['#', '!', '@'])) {
        let words = line.split('\t').next().unwrap_or_default().split_whitespace();
        let bytes: Vec<u8> = words.filter_map(|word| u8::from_str_radix(word, 16).ok()).collect();
        if let [netfn, cmd, data @ ..] = bytes.as_slice() {
            rows.push((netfn << 2, *cmd, data.to_vec()));
        }
    }
    rows
}

/// A simulator for clients to be recorded.
fn record(port: u16, file: &Path) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time limit");
    let mut rig = Rig::configured(0, Default::default());
    rig.start();
    let mut seed = vec![0];
    let (mut idle, mut last) = (Instant::now(), Instant::now());
    let mut datagram = [0; 2048];
    let mut sources: Vec<SocketAddr> = Vec::new();
    while idle.elapsed() < Duration::from_secs(5) || seed.len() == 1 {
        rig.pass(std::mem::replace(&mut last, Instant::now()).elapsed());
        let Ok((length, from)) = socket.recv_from(&mut datagram) else { continue };
        idle = Instant::now();
        if !sources.contains(&from) {
            sources.push(from);
        }
        let source = sources.iter().position(|known| *known == from).unwrap_or(0) as u8;
        seed.extend([step::RAW, source << 2]);
        piece(&datagram[..length], &mut seed);
        rig.datagram(from, &datagram[..length]);
        let mut sent = std::mem::take(&mut rig.sent);
        rig.finish_jobs(&[0]);
        seed.extend([step::JOBS, 0]);
        sent.append(&mut rig.sent);
        for (to, bytes) in sent {
            socket.send_to(&bytes, to).expect("a socket that sends");
        }
    }
    std::fs::write(file, seed).expect("a place for the recording");
}
