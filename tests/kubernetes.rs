//! `packaging/kubernetes`: its manifests are valid, and what they have a cluster do is done here, as far as it needs none. Each pod is
//! a network namespace behind a link to that of the test, which is the node; in it runs what the pod's ordinal makes of the manifest.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::bench::project;
use support::namespace::{alone, run};
use support::process::{self, Captured, Guarded, eventually};
use support::{Bench, Ran, Subject};

const LIMIT: Duration = Duration::from_secs(60);
/// Installing the validator takes the network.
const INSTALL: Duration = Duration::from_secs(600);
/// The oldest version in which all that is used is there without a feature gate, and the newest that the validator knows.
const VERSIONS: [&str; 2] = ["1.32.0", "1.37.0"];

/// The folder with `kubernetes-validate`, which `validator.sh` makes.
fn validator() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes-validate");
        let mut script = Command::new("sh");
        script.arg(project("tests/kubernetes/validator.sh")).arg(&folder);
        Ran::run(&mut script, "python3-venv", INSTALL).assert_ok();
        folder.join("bin")
    };
    FOLDER.get_or_init(make).clone()
}

fn manifest(name: &str) -> PathBuf {
    project("packaging/kubernetes").join(name)
}

#[test]
fn the_manifests_are_valid() {
    for version in VERSIONS {
        let mut command = Command::new(validator().join("kubernetes-validate"));
        command.args(["--strict", "-k", version]).args(["ports.yaml", "routed.yaml"].map(manifest));
        let ran = Ran::run(&mut command, "python3-venv", LIMIT);
        ran.assert_ok();
        assert_eq!(ran.all().matches(" passed for resource statefulset/bmcs ").count(), 2, "{}", ran.report());
    }
}

/// The values of a manifest by their paths.
struct Manifest(BTreeMap<String, String>);

impl Manifest {
    fn read(name: &str) -> Self {
        let mut command = Command::new(validator().join("python"));
        command.arg(project("tests/kubernetes/flat.py")).arg(manifest(name));
        let ran = Ran::run(&mut command, "python3-venv", LIMIT);
        ran.assert_ok();
        let values = ran.stdout.lines().filter_map(|line| line.split_once('\t'));
        Self(values.map(|(path, value)| (path.to_owned(), value.to_owned())).collect())
    }

    fn find(&self, path: &str) -> Option<&str> {
        self.0.get(&format!("StatefulSet.spec.{path}")).map(String::as_str)
    }

    fn value(&self, path: &str) -> &str {
        self.find(path).unwrap_or_else(|| panic!("no {path}"))
    }

    fn number(&self, path: &str) -> u32 {
        self.value(path).parse().expect("a number")
    }

    /// What is at the paths with 0, 1 and so on in the place of `*`.
    fn all(&self, path: &str) -> Vec<&str> {
        (0..).map_while(|number: u32| self.find(&path.replace('*', &number.to_string()))).collect()
    }

    /// The environment of a pod's container, in which `$(NAME)` is what stands before.
    fn environment(&self, ordinal: u32) -> Vec<(String, String)> {
        let env = "template.spec.containers.0.env";
        let mut all: Vec<(String, String)> = Vec::new();
        for (number, name) in self.all(&format!("{env}.*.name")).into_iter().enumerate() {
            let value = match self.find(&format!("{env}.{number}.value")) {
                Some(value) => {
                    all.iter().fold(value.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
                }
                None => {
                    let field = self.value(&format!("{env}.{number}.valueFrom.fieldRef.fieldPath"));
                    assert_eq!(field, "metadata.labels['apps.kubernetes.io/pod-index']");
                    ordinal.to_string()
                }
            };
            all.push((name.to_owned(), value));
        }
        all
    }
}

/// What stands before the arguments in the container file.
fn entry_point() -> Vec<String> {
    let text = fs::read_to_string(project("packaging/container/Containerfile")).expect("the file");
    let words = text.lines().find_map(|line| line.strip_prefix("ENTRYPOINT [")).expect("an entry point");
    words.trim_end_matches(']').split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()
}

/// The list that the page makes for a manifest.
fn list(manifest: &str) -> String {
    let page = fs::read_to_string(project("packaging/kubernetes/README.md")).expect("the page");
    let section = page.split(&format!(": `{manifest}`\n")).nth(1).expect("a section on it");
    let line = section.lines().find(|line| line.starts_with("awk ")).expect("how its list is made");
    let line = line.strip_suffix(" >nodes.csv").expect("the name of the list");
    let ran = Ran::run(Command::new("sh").args(["-c", line]), "dash", LIMIT);
    ran.assert_ok();
    ran.stdout
}

/// What a pod does before its program: its link appears, then its init container runs.
const BEGIN: &str = "\
echo apart
until ip link set eth0 up 2>/dev/null; do sleep 0.02; done
ip link set lo up && ip address add $POD_IP/24 dev eth0 && ip route add default via $NODE_IP || exit 1
[ -z \"$INIT\" ] || busybox $INIT || exit 1
exec \"$0\" \"$@\"";

struct Pod<'a> {
    cluster: &'a Cluster,
    ordinal: u32,
    environment: Vec<(String, String)>,
    child: Guarded,
    stderr: Captured,
}

/// A node with a manifest.
struct Cluster {
    bench: Bench,
    manifest: Manifest,
}

impl Cluster {
    fn new(name: &str) -> Self {
        let bench = Bench::new();
        for file in ["lan.conf", "sim.emu"] {
            bench.write(file, fs::read(project("examples/fleet").join(file)).expect("the example"));
        }
        bench.write("nodes.csv", list(name));
        let manifest = Manifest::read(name);
        let slices = format!("$(POD_INDEX)/{}", manifest.value("replicas"));
        assert_eq!(manifest.value("template.spec.containers.0.env.1.value"), slices);
        Self { bench, manifest }
    }

    fn ordinals(&self) -> std::ops::Range<u32> {
        let first = self.manifest.number("ordinals.start");
        first..first + self.manifest.number("replicas")
    }

    /// Words of the manifest with the places of this machine.
    fn words<'a>(&self, ordinal: u32, words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mounts = self.manifest.all("template.spec.containers.0.volumeMounts.*.mountPath");
        assert!(mounts.contains(&"/var/lib/ipmi_sim"), "{mounts:?}");
        let place = |word: &str| {
            let (option, path) =
                word.split_once("=/").map_or(("", word), |(option, _)| word.split_at(option.len() + 1));
            let path = match path {
                "/usr/bin/ipmi_sim" => Subject::under_test().program().display().to_string(),
                "/var/lib" => self.bench.path(&format!("pod-{ordinal}")).display().to_string(),
                path if path.starts_with('/') => {
                    assert!(mounts.contains(&path), "{path} is not mounted");
                    let file = Path::new(path).file_name().expect("a file");
                    self.bench.folder().join(file).display().to_string()
                }
                other => other.to_owned(),
            };
            format!("{option}{path}")
        };
        words.into_iter().map(place).collect()
    }

    fn start(&self, ordinal: u32) -> Pod<'_> {
        let entry = entry_point();
        let args = self.manifest.all("template.spec.containers.0.args.*");
        let words = self.words(ordinal, entry.iter().map(String::as_str).chain(args));
        let environment = self.manifest.environment(ordinal);
        let init = self.manifest.all("template.spec.initContainers.0.command.*").join(" ");
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sh", "-c", BEGIN]).args(words);
        command.env("POD_IP", format!("10.244.{ordinal}.2")).env("NODE_IP", format!("10.244.{ordinal}.1"));
        command.env("INIT", init).envs(environment.iter().cloned()).env_remove("RUST_LOG");
        command.current_dir(self.bench.folder());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(&mut command, "util-linux");
        let stdout = Captured::from(child.0.stdout.take().expect("stdout"));
        let stderr = Captured::from(child.0.stderr.take().expect("stderr"));
        assert!(stdout.wait_for("apart\n", LIMIT), "{}", stderr.text());
        let (link, process) = (format!("pod{ordinal}"), child.0.id().to_string());
        let pair = ["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &process];
        run("ip", &pair, "iproute2");
        run("ip", &["address", "add", &format!("10.244.{ordinal}.1/24"), "dev", &link], "iproute2");
        run("ip", &["link", "set", &link, "up"], "iproute2");
        Pod { cluster: self, ordinal, environment, child, stderr }
    }
}

impl Pod<'_> {
    /// A probe, as the kubelet runs it in the pod.
    fn probe(&self, kind: &str) -> Ran {
        let manifest = &self.cluster.manifest;
        let words = manifest.all(&format!("template.spec.containers.0.{kind}.exec.command.*"));
        assert!(words.iter().all(|word| !word.contains("$(")), "{words:?}: nothing is put in here");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.child.0.id()));
        command.args(self.cluster.words(self.ordinal, words)).envs(self.environment.iter().cloned());
        Ran::run(&mut command, "util-linux", LIMIT)
    }

    fn is_ready(&self) {
        let probe = eventually(LIMIT, || Some(self.probe("startupProbe")).filter(Ran::succeeded));
        assert!(probe.is_some(), "{}\n{}", self.probe("startupProbe").report(), self.stderr.text());
        for kind in ["startupProbe", "readinessProbe", "livenessProbe"] {
            self.probe(kind).assert_ok().assert_says("250 of 250 LAN channels of 250 BMCs answer");
        }
    }

    /// Ends it as the kubelet does. Its link goes with it.
    fn end(mut self) {
        process::signal(self.child.0.id(), Signal::SIGTERM);
        let limit = self.cluster.manifest.number("template.spec.terminationGracePeriodSeconds");
        assert!(
            process::wait(&mut self.child.0, Duration::from_secs(limit.into())).is_some(),
            "{}",
            self.stderr.text()
        );
        let link = format!("pod{}@", self.ordinal);
        // The namespace is taken down behind the last process in it.
        let gone = eventually(LIMIT, || {
            let links = Ran::run(Command::new("ip").args(["link", "show"]), "iproute2", LIMIT);
            (!links.stdout.contains(&link)).then_some(())
        });
        assert!(gone.is_some(), "{link} is still there");
    }
}

fn ipmitool(host: &str, port: u16, words: &str) -> Ran {
    let mut command = Command::new("ipmitool");
    command.args(["-I", "lanplus", "-H", host, "-p", &port.to_string(), "-U", "admin", "-P", "admin"]);
    command.args(words.split(' '));
    Ran::run(&mut command, "ipmitool", LIMIT)
}

/// Which BMC answers: its name, and its number in the whole list.
fn is_at(host: &str, port: u16, name: &str, index: u32) {
    let fru = ipmitool(host, port, "fru print");
    fru.assert_ok().assert_says(&format!("Product Asset Tag : {name}")).assert_says(&format!(": SN-{index}\n"));
}

#[test]
fn pods_serve_their_slices_of_one_list_on_ports() {
    // Out here there is a network, should the validator not be there.
    validator();
    alone("pods_serve_their_slices_of_one_list_on_ports", || {
        let cluster = Cluster::new("ports.yaml");
        let mut pods: Vec<_> = cluster.ordinals().map(|ordinal| cluster.start(ordinal)).collect();
        pods.iter().for_each(Pod::is_ready);
        is_at("10.244.1.2", 6230, "node0001", 1);
        is_at("10.244.1.2", 6479, "node0250", 250);
        is_at("10.244.3.2", 6730, "node0501", 501);
        is_at("10.244.4.2", 7229, "node1000", 1000);
        // What a BMC keeps is on the claim of its pod, and there for the next one.
        ipmitool("10.244.3.2", 6730, "user set name 5 guest").assert_ok();
        assert!(cluster.bench.read("pod-3/ipmi_sim/node0501/users.mc20").contains("guest"));
        pods.remove(2).end();
        let again = cluster.start(3);
        again.is_ready();
        ipmitool("10.244.3.2", 6730, "user list").assert_ok().assert_says("guest");
    });
}

#[test]
fn pods_serve_their_slices_of_one_list_on_a_routed_prefix() {
    validator();
    alone("pods_serve_their_slices_of_one_list_on_a_routed_prefix", || {
        let cluster = Cluster::new("routed.yaml");
        let pods: Vec<_> = cluster.ordinals().map(|ordinal| cluster.start(ordinal)).collect();
        for ordinal in cluster.ordinals() {
            // As the page has it.
            let (prefix, pod) = (format!("10.64.{ordinal}.0/24"), format!("10.244.{ordinal}.2"));
            run("ip", &["route", "add", &prefix, "via", &pod], "iproute2");
        }
        pods.iter().for_each(Pod::is_ready);
        is_at("10.64.1.1", 623, "pod1-001", 1);
        is_at("10.64.1.250", 623, "pod1-250", 250);
        is_at("10.64.2.1", 623, "pod2-001", 251);
        is_at("10.64.4.250", 623, "pod4-250", 1000);
    });
}
