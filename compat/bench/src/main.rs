//! The program `ipmi_sim-bench`: its command line. What it does is in `mod.rs` beside it.

#[path = "mod.rs"]
mod bench;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use bench::Result;
use bench::compare::{Extent, Programs, compare};
use bench::connection::Target;
use bench::load::{Amount, DEVICE_ID, Flow, Load, MIXED};
use bench::process::processor_time;
use bench::{echo, fleet, flood, load, logins, sol, start};
use clap::{Parser, Subcommand};

/// Loads BMCs on the loopback address and measures them.
#[derive(Parser)]
#[command(name = "ipmi_sim-bench")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Commands in sessions
    Load {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        amount: Amount,
        /// SDR, sensor and power in turn and not only the device id
        #[arg(long)]
        mixed: bool,
        /// A process whose processor time is counted
        #[arg(long)]
        pid: Option<u32>,
    },
    /// ASF presence pings
    Ping {
        /// UDP port of the loopback address
        port: u16,
        #[command(flatten)]
        amount: Amount,
        /// A process whose processor time is counted
        #[arg(long)]
        pid: Option<u32>,
    },
    /// A bare echo in place of a BMC: what the machine can do at most
    Echo {
        #[command(flatten)]
        amount: Amount,
        /// Bytes of a request
        #[arg(long, default_value = "64")]
        request: usize,
        /// Bytes of a response
        #[arg(long, default_value = "80")]
        answer: usize,
    },
    /// Logins
    Logins {
        #[command(flatten)]
        target: Target,
        /// Clients at a time
        #[arg(long, default_value = "1")]
        clients: usize,
        /// How long
        #[arg(long, default_value = "5")]
        seconds: f64,
        /// A process whose processor time is counted
        #[arg(long)]
        pid: Option<u32>,
    },
    /// Datagrams of a stranger, so many a second, from 127.0.0.3
    Flood {
        /// UDP port of the loopback address
        port: u16,
        /// What is sent
        kind: flood::Kind,
        /// How many a second
        #[arg(long, default_value = "100000")]
        rate: u32,
        /// How long
        #[arg(long, default_value = "5")]
        seconds: f64,
    },
    /// Serial over LAN
    Sol {
        #[command(flatten)]
        target: Target,
        /// TCP port to listen on, which the simulator's serial port leads to
        serial: u16,
        #[command(flatten)]
        amount: sol::Amount,
    },
    /// Starts a program and waits for its first response, again and again
    Start {
        /// UDP port of the loopback address that it listens on
        port: u16,
        /// How often
        count: usize,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// A fleet of BMCs in one process: its figures beside their bars; fails when one is missed
    Fleet {
        /// This program
        #[arg(long, default_value = "target/release/ipmi_sim")]
        ours: PathBuf,
        /// The folder with the files of the example
        #[arg(long, default_value = "examples/fleet")]
        example: PathBuf,
        /// 1,000 BMCs and not 10,000, and no 100,000
        #[arg(long)]
        quick: bool,
        /// Only these parts
        #[arg(long, value_delimiter = ',')]
        only: Vec<fleet::Part>,
        /// UDP port of all BMCs, whose addresses begin with 127.64.0.1
        #[arg(long, default_value = "24723")]
        port: u16,
        /// How many times as long as the bars say things may take; without it what the machine's other work costs
        #[arg(long)]
        slack: Option<f64>,
    },
    /// The original and this program side by side, as tables
    Compare {
        /// The original
        #[arg(long, default_value = "/usr/bin/ipmi_sim")]
        original: PathBuf,
        /// This program
        #[arg(long, default_value = "target/release/ipmi_sim")]
        ours: PathBuf,
        /// This program built static, whose memory is measured too
        #[arg(long = "static")]
        statically: Option<PathBuf>,
        /// How often everything that varies is measured
        #[arg(long, default_value_t = Extent::FULL.rounds)]
        rounds: usize,
        /// Seconds and not minutes: to see that it works
        #[arg(long)]
        quick: bool,
        /// The first of the ports that are used, on the loopback address
        #[arg(long, default_value = "24623")]
        port: u16,
    },
}

fn print(load: &Load) {
    println!("answered {}", load.answered());
    println!("per-second {:.0}", load.per_second());
    println!("p50-us {:.1}", load.permille(500));
    println!("p99-us {:.1}", load.permille(990));
    println!("p99.9-us {:.1}", load.permille(999));
    println!("lost {}", load.lost);
    if let Some(processor) = load.processor() {
        println!("processor-us-each {processor:.2}");
    }
}

fn run(what: What) -> Result<()> {
    match what {
        What::Load { target, amount, mixed, pid } => {
            print(&load::measure(&target, amount, if mixed { MIXED } else { DEVICE_ID }, pid)?);
        }
        What::Ping { port, amount, pid } => {
            let mut flows = (0..amount.sessions).map(|_| Flow::ping(port)).collect::<Result<Vec<_>>>()?;
            print(&load::run(&mut flows, amount, || pid.map(processor_time).transpose())?);
        }
        What::Echo { amount, request, answer } => {
            let echo = echo::Echo::start(answer)?;
            let flows = (0..amount.sessions).map(|_| Flow::echo(echo.port, request));
            let mut flows = flows.collect::<Result<Vec<_>>>()?;
            print(&load::run(&mut flows, amount, || Ok(Some(echo.processor_time()?)))?);
        }
        What::Logins { target, clients, seconds, pid } => {
            let logins = logins::measure(&target, clients, seconds, pid)?;
            println!("per-second {:.0}", logins.per_second);
            if let Some(processor) = logins.processor {
                println!("processor-us-each {processor:.2}");
            }
        }
        What::Flood { port, kind, rate, seconds } => {
            println!("sent {}", flood::run((Ipv4Addr::LOCALHOST, port).into(), kind, rate, seconds)?);
        }
        What::Sol { target, serial, amount } => {
            let speed = sol::measure(&target, serial, amount)?;
            println!("down-bytes-per-second {:.0}", speed.down);
            println!("up-bytes-per-second {:.0}", speed.up);
            println!("both-bytes-per-second {:.0}", speed.both);
            println!("echo-p50-us {:.0}\necho-p99-us {:.0}", speed.echo[0], speed.echo[1]);
            println!("sent-again {}", speed.sent_again);
        }
        What::Fleet { ours, example, quick, only, port, slack } => {
            let extent = if quick { fleet::Extent::QUICK } else { fleet::Extent::FULL };
            let places = fleet::Places { program: ours, example, port };
            let report = fleet::measure(&places, extent, &only, slack)?;
            print!("{report}");
            let missed = report.missed().count();
            if missed > 0 {
                return Err(format!("{missed} bars are missed").into());
            }
        }
        What::Start { port, count, command } => {
            let (program, arguments) = command.split_first().ok_or("which program?")?;
            for _ in 0..count {
                println!("{:.2}", start::measure(port, Command::new(program).args(arguments))?.1);
            }
        }
        What::Compare { original, ours, statically, rounds, quick, port } => {
            let absolute = |path: PathBuf| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
            let (original, ours) = (absolute(original)?, absolute(ours)?);
            let programs = Programs { original, ours, statically: statically.map(absolute).transpose()? };
            let extent = if quick { Extent::QUICK } else { Extent { rounds: rounds.max(1), ..Extent::FULL } };
            let mut next = port;
            let mut port = || {
                next += 1;
                next - 1
            };
            println!("{}", compare(&programs, extent, &mut port, true)?);
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(Arguments::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipmi_sim-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
