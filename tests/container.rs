//! `packaging/container/Containerfile`: its lines are carried out as far as they need no registry.
//! The root is made of what is copied, and nothing else; the entry point and the health check run
//! in it as the user it names, as first process of their own process namespace, in a network of
//! their own.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::project;
use support::machine::{self, Need};
use support::namespace::{alone, run};
use support::process::{self, Captured, Guarded, eventually};
use support::{Bench, Ipmitool, Ran};

/// A static program takes a whole build.
const BUILD: Duration = Duration::from_secs(1200);
const LIMIT: Duration = Duration::from_secs(10);

/// The program without shared libraries, and `ipmi_simctl` beside it, with the flags of `packaging/build.sh`. The profile is
/// that of the tests: what is shown is the image, and a release takes minutes.
fn static_program() -> PathBuf {
    let script = fs::read_to_string(project("packaging/build.sh")).expect("build.sh");
    let flags = script.lines().find_map(|line| line.strip_prefix("flags='")).expect("its flags").trim_end_matches('\'');
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("static-test");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--bin", "ipmi_sim", "--bin", "ipmi_simctl", "--target", &triple, "--target-dir"]);
    cargo.arg(&folder);
    cargo.current_dir(project("")).env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", flags);
    Ran::run(&mut cargo, "cargo", BUILD).assert_ok();
    folder.join(triple).join("debug/ipmi_sim")
}

/// What the file says.
#[derive(Default)]
struct Image {
    /// From, to, owner.
    copies: Vec<(String, String, Option<u32>)>,
    labels: BTreeMap<String, String>,
    user: String,
    entry: Vec<String>,
    health: Vec<String>,
    ports: Vec<String>,
    volumes: Vec<String>,
}

/// `["a", "b"]`.
fn list(text: &str) -> Vec<String> {
    let inner =
        text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']')).expect("the form without a shell");
    inner.split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()
}

fn image() -> Image {
    let text = fs::read_to_string(project("packaging/container/Containerfile")).expect("the file");
    let mut image = Image::default();
    let mut target = None;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (word, rest) = line.split_once(' ').expect("an instruction and its words");
        match word {
            "FROM" => assert_eq!(rest, "scratch", "the base is not empty"),
            "ARG" => target = rest.strip_prefix("TARGET=").map(str::to_owned),
            "COPY" => {
                let (owner, rest) = match rest.strip_prefix("--chown=") {
                    Some(rest) => rest.split_once(' ').map(|(owner, rest)| (Some(owner), rest)).expect("an owner"),
                    None => (None, rest),
                };
                let (from, to) = rest.rsplit_once(' ').expect("from and to");
                let owner =
                    owner.map(|owner| owner.split(':').next().and_then(|id| id.parse().ok()).expect("a number"));
                for from in from.split(' ') {
                    let from = from.replace("${TARGET}", target.as_deref().expect("a target"));
                    image.copies.push((from, to.to_owned(), owner));
                }
            }
            "LABEL" => {
                let (name, text) = rest.split_once('=').expect("a name and its value");
                image.labels.insert(name.to_owned(), text.trim_matches('"').to_owned());
            }
            // The one that ipmi_simctl reads: a socket that its user can make.
            "ENV" => assert_eq!(rest, "IPMI_SIM_CONTROL=/var/lib/ipmi_sim/control.sock"),
            "USER" => rest.clone_into(&mut image.user),
            "ENTRYPOINT" => image.entry = list(rest),
            "HEALTHCHECK" => image.health = list(rest.split_once("CMD ").expect("a command").1),
            "EXPOSE" => image.ports.push(rest.to_owned()),
            "VOLUME" => image.volumes.push(rest.to_owned()),
            other => panic!("{other}: what does it do?"),
        }
    }
    image
}

/// The image's root below a folder.
fn compose(image: &Image, root: &Path, program: &Path) {
    fs::create_dir_all(root).expect("a folder");
    for (from, to, owner) in &image.copies {
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        // build.sh puts programs there.
        if from.starts_with("target/dist/") {
            let name = Path::new(from).file_name().expect("a program");
            match fs::copy(program.with_file_name(name), &to) {
                Ok(_) => {}
                // What build.sh says of the C library is no program's affair.
                Err(_) if name == "copyright.static" => fs::write(&to, "").expect("a file"),
                Err(why) => panic!("{from}: {why}"),
            }
            continue;
        }
        // A file, into a folder.
        if let Some(file) = project(from).file_name().filter(|_| project(from).is_file()) {
            fs::create_dir_all(&to).expect("a folder");
            fs::copy(project(from), to.join(file)).expect("a copy");
            continue;
        }
        // A folder's content is copied.
        fs::create_dir_all(&to).expect("a folder");
        for entry in fs::read_dir(project(from)).expect("a folder of the project") {
            let entry = entry.expect("an entry");
            let copy = to.join(entry.file_name());
            fs::copy(entry.path(), &copy).expect("a copy");
            if let Some(owner) = owner {
                chown(&copy, Some(*owner), Some(*owner)).expect("an owner, as root");
            }
        }
        if let Some(owner) = owner {
            chown(&to, Some(*owner), Some(*owner)).expect("an owner, as root");
        }
    }
}

/// What is copied is not kept from the engine.
#[test]
fn the_engine_is_given_what_the_container_file_copies() {
    let ignored = fs::read_to_string(project(".dockerignore")).expect("the file");
    let given: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for (from, ..) in image().copies {
        let covers = |given: &&str| from == **given || from.starts_with(&format!("{given}/"));
        assert!(given.iter().any(covers), "{from} is in no line of .dockerignore");
    }
}

/// `packaging/image.sh` makes what the file says, for several processors, with labels, and twice the same.
#[test]
fn the_image_without_an_engine_is_what_the_container_file_says() {
    let bench = Bench::new();
    for processor in ["x86_64", "armv7"] {
        for program in ["ipmi_sim", "ipmi_simctl"] {
            fs::copy("/bin/true", bench.write(&format!("programs/{processor}/{program}"), "")).expect("a program");
        }
        bench.write(&format!("programs/{processor}/copyright.static"), "What is in them.\n");
    }
    let make = |out: &str| {
        let mut script = Command::new(project("packaging/image.sh"));
        script.args(["x86_64", "armv7"]).env("PROGRAMS", bench.path("programs")).env("OUT", bench.path(out));
        script.env("SOURCE_DATE_EPOCH", "1764489600").env("REVISION", "0123456789abcdef").env("LEVEL", "1");
        Ran::run(&mut script, "python3", LIMIT).assert_ok();
        bench.path(out).join(format!("ipmi_sim-{}-oci.tar", env!("CARGO_PKG_VERSION")))
    };
    let archive = make("one");
    assert!(fs::read(&archive).expect("the image") == fs::read(make("two")).expect("the image"), "two that differ");
    let skopeo = |options: &[&str]| -> serde_json::Value {
        let mut command = Command::new("skopeo");
        command.args(options).arg("inspect").args(["--config", &format!("oci-archive:{}", archive.display())]);
        let ran = Ran::run(&mut command, "skopeo", LIMIT);
        ran.assert_ok();
        serde_json::from_str(&ran.stdout).expect("JSON")
    };
    let image = image();
    for (options, architecture) in
        [(&["--override-arch", "amd64"][..], "amd64"), (&["--override-arch", "arm", "--override-variant", "v7"], "arm")]
    {
        let told = skopeo(options);
        assert_eq!((&told["architecture"], &told["os"]), (&architecture.into(), &"linux".into()));
        assert_eq!(told["created"], "2025-11-30T08:00:00Z");
        let config = &told["config"];
        assert_eq!(config["User"], image.user);
        assert_eq!(config["Entrypoint"], serde_json::json!(image.entry));
        assert_eq!(config["Env"], serde_json::json!(["IPMI_SIM_CONTROL=/var/lib/ipmi_sim/control.sock"]));
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
        };
        assert_eq!(
            (keys(&config["ExposedPorts"]), keys(&config["Volumes"])),
            (image.ports.clone(), image.volumes.clone())
        );
        let mut labels = image.labels.clone();
        labels.insert("org.opencontainers.image.created".into(), "2025-11-30T08:00:00Z".into());
        labels.insert("org.opencontainers.image.revision".into(), "0123456789abcdef".into());
        assert_eq!(config["Labels"], serde_json::json!(labels));
    }
    let manifest = fs::read_to_string(project("Cargo.toml")).expect("Cargo.toml");
    let licence = manifest.lines().find_map(|line| line.strip_prefix("license = \"")).expect("a licence");
    assert_eq!(image.labels["org.opencontainers.image.licenses"], licence.trim_end_matches('"'));
    assert_eq!(image.labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_layer_is(&image, &bench, &archive);
}

/// The layer for this machine has the files that the lines copy, with their owners and modes.
fn assert_layer_is(image: &Image, bench: &Bench, archive: &Path) {
    if !machine::has("the_image_without_an_engine_is_what_the_container_file_says: owners", Need::Root) {
        return;
    }
    compose(image, &bench.path("composed"), &bench.path("programs/x86_64/ipmi_sim"));
    let layout = format!("dir:{}", bench.path("layout").display());
    let mut copy = Command::new("skopeo");
    copy.args(["--override-arch", "amd64", "copy", "-q", &format!("oci-archive:{}", archive.display()), &layout]);
    copy.arg("--insecure-policy");
    Ran::run(&mut copy, "skopeo", LIMIT).assert_ok();
    let manifest: serde_json::Value = serde_json::from_str(&bench.read("layout/manifest.json")).expect("JSON");
    let layer = manifest["layers"][0]["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
    let layer = bench.path("layout").join(layer.expect("a layer"));
    let root = bench.path("unpacked");
    fs::create_dir(&root).expect("a folder");
    run("tar", &["-xpf", layer.to_str().expect("a path"), "-C", root.to_str().expect("a path")], "tar");
    let everything = |root: &str| {
        let mut find = Command::new("find");
        find.arg(bench.path(root)).args(["-mindepth", "1", "-printf", "%P %U:%G %m %s\\n"]);
        let ran = Ran::run(&mut find, "findutils", LIMIT);
        let mut lines: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
        // How large a folder is is the file system's affair.
        for line in lines.iter_mut().filter(|line| line.contains(" 755 ") && !line.contains("usr/bin/ipmi")) {
            line.truncate(line.rfind(' ').expect("a size"));
        }
        lines.sort();
        lines
    };
    assert_eq!(everything("unpacked"), everything("composed"));
}

/// Twenty of them, healthy by the same word, on as many ports.
#[test]
fn the_compose_file_has_a_port_for_each_of_its_containers() {
    let text = fs::read_to_string(project("packaging/container/compose.yaml")).expect("the file");
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key}")).trim().to_owned()
    };
    assert_eq!(value("replicas:"), "20");
    let ports = value("- \"127.0.0.1:");
    let (range, inside) = ports.trim_end_matches('"').split_once(':').expect("two sides");
    let (first, last) = range.split_once('-').expect("a range");
    let number = |text: &str| text.parse::<u16>().expect("a port");
    assert_eq!((number(last) - number(first) + 1, inside), (20, "9623/udp"));
    let mut health = vec!["CMD".to_owned()];
    health.extend(image().health);
    assert_eq!(list(&value("test:")), health);
    for line in
        text.lines().filter_map(|line| line.trim().strip_prefix("- ../../").or(line.trim().strip_prefix("- ./")))
    {
        let (from, to) = line.split_once(':').expect("two sides");
        let folder = if from.starts_with("examples/") { "" } else { "packaging/container/" };
        assert!(project(&format!("{folder}{from}")).is_file(), "{from}");
        assert!(to.starts_with("/etc/ipmi/") && to.ends_with(":ro"), "{to}");
    }
}

/// The devices that every engine gives a container and this program could use.
struct Devices(Vec<PathBuf>);

impl Devices {
    fn below(root: &Path) -> Self {
        let mut devices = Self(Vec::new());
        fs::create_dir_all(root.join("dev")).expect("a folder");
        for name in ["null", "random", "urandom"] {
            let place = root.join("dev").join(name);
            fs::write(&place, "").expect("a place");
            let words = ["--bind", &format!("/dev/{name}"), place.to_str().expect("a path")];
            run("mount", &words, "mount");
            devices.0.push(place);
        }
        devices
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        for place in &self.0 {
            run("umount", &["--lazy", place.to_str().expect("a path")], "mount");
        }
    }
}

#[test]
fn the_container_runs_as_its_file_says() {
    if !machine::has("the_container_runs_as_its_file_says", Need::Root) {
        return;
    }
    // Out here there is a network, should cargo want one.
    let program = static_program();
    alone("the_container_runs_as_its_file_says", || {
        let needs = Ran::run(Command::new("readelf").arg("-l").arg(&program), "binutils", LIMIT);
        needs.assert_ok().assert_not_says("INTERP");
        let image = image();
        let bench = Bench::new();
        let root = bench.path("root");
        compose(&image, &root, &program);
        let _devices = Devices::below(&root);
        let (user, _) = image.user.split_once(':').expect("user and group by number");
        assert!(user.parse::<u32>().expect("a number") > 0, "it runs as root");
        assert_eq!(
            (&*image.ports, &*image.volumes),
            (&["9623/udp".to_owned()][..], &["/var/lib/ipmi_sim".to_owned()][..])
        );

        let command = |program: &str| {
            let mut command = Command::new(program);
            command.env_clear().env("PATH", std::env::var_os("PATH").expect("a path"));
            command
        };
        let health = || {
            let mut chroot = command("chroot");
            chroot.arg(format!("--userspec={}", image.user)).arg("--groups=").arg(&root).args(&image.health);
            Ran::run(&mut chroot, "coreutils", LIMIT)
        };
        health().assert_failed().assert_says("LAN channel 1 of MC 0x20 at 127.0.0.1:9623");
        let engine = || {
            let mut engine = command("unshare");
            engine.args(["--pid", "--fork", "--kill-child", "chroot"]).arg(format!("--userspec={}", image.user));
            engine.arg("--groups=").arg(&root).args(&image.entry);
            engine.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            process::spawn(&mut engine, "util-linux")
        };
        let first_process = |child: &Guarded| -> u32 {
            let parent = child.0.id();
            let inside = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).expect("its child");
            inside.trim().parse().expect("one process")
        };

        // Without a word it is the smallest example, which keeps nothing.
        {
            let mut child = engine();
            let stderr = Captured::from(child.0.stderr.take().expect("stderr"));
            let _stdout = Captured::from(child.0.stdout.take().expect("stdout"));
            let healthy = eventually(LIMIT, || health().succeeded().then_some(()));
            assert!(healthy.is_some(), "{}\n{}", stderr.text(), health().report());
            let told = "LAN channel 1 of MC 0x20: UDP 0.0.0.0:9623; user admin can log in";
            assert!(stderr.wait_for(told, LIMIT), "{}", stderr.text());
            let client = Ipmitool::new(9623, "admin", "admin");
            client.ok("sdr list").assert_says("CPU Temp");
            client.ok("sel info").assert_says("Entries : 3");
            let kept = fs::read_dir(root.join("var/lib/ipmi_sim/demo")).expect("a folder");
            let kept: Vec<_> = kept.flatten().map(|entry| entry.file_name()).collect();
            // The folder is taken all the same, and given back at the end.
            assert_eq!(kept, ["lock"]);
            process::signal(first_process(&child), Signal::SIGTERM);
            process::wait(&mut child.0, LIMIT).expect("it ends");
        }
        // What is mounted: a configuration, which its user can read and nothing more.
        fs::remove_dir_all(root.join("etc/ipmi")).expect("the folder it is mounted over");
        for file in ["lan.conf", "sim.emu"] {
            let text = fs::read_to_string(project(&format!("examples/minimal/{file}"))).expect("the example");
            let name = if file == "sim.emu" { "minimal.emu" } else { file };
            bench.write(&format!("root/etc/ipmi/{name}"), text.replace("addr 127.0.0.1", "addr 0.0.0.0"));
        }
        let mut child = engine();
        let stderr = Captured::from(child.0.stderr.take().expect("stderr"));
        let _stdout = Captured::from(child.0.stdout.take().expect("stdout"));
        let healthy = eventually(LIMIT, || health().succeeded().then_some(()));
        assert!(healthy.is_some(), "{}\n{}", stderr.text(), health().report());
        let client = Ipmitool::new(9623, "admin", "admin");
        client.ok("mc info");
        client.ok("user set name 4 somebody");
        assert!(root.join("var/lib/ipmi_sim/minimal/users.mc20").exists(), "no state in the volume");
        // Nothing but the volume can be written to.
        let written = Command::new("find").arg(&root).args(["-uid", user]).output().expect("find runs");
        let written = String::from_utf8_lossy(&written.stdout).into_owned();
        assert!(written.lines().all(|path| path.contains("/var/lib/ipmi_sim")), "{written}");

        // Stopped as an engine stops it: the first process gets SIGTERM.
        let inside = first_process(&child);
        // What the log says goes where an engine collects it.
        process::signal(inside, Signal::SIGHUP);
        assert!(stderr.wait_for("SIGHUP: no changes", LIMIT), "no log on standard error: {}", stderr.text());
        process::signal(inside, Signal::SIGTERM);
        let status = process::wait(&mut child.0, LIMIT).expect("it ends");
        assert_eq!(status.code(), Some(143), "{}", stderr.text());
        health().assert_failed();
    });
}
