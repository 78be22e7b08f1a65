//! What other threads ask of the loop.

use super::*;
use crate::bmc::watch::Event;
use crate::ipmi::McAddress;
use crate::runtime::door::history::What;
use crate::runtime::door::{Absent, Door, State, Unmade};
use crate::store::directory::WriteError;

/// A door into the loop of a plan.
fn door(plan: &mut Plan) -> Door {
    let (door, end) = Door::new(vec!["/run/door".into()]);
    plan.door = Some(end);
    door
}

/// A fleet of so many, with a door; `commands` are those of all.
fn fleet(count: usize, commands: &str) -> (Box<Driver>, mpsc::Sender<Signal>, Door) {
    let port = free_udp_port();
    let (systems, mut plans): (Vec<_>, Vec<_>) =
        (0..count).map(|index| member(index, port, commands)).map(|(system, plan, _)| (system, plan)).unzip();
    let mut plan = plans.swap_remove(0);
    let door = door(&mut plan);
    let (driver, signals) = driver(systems, plan);
    (driver, signals, door)
}

/// Runs the loop beside somebody who asks.
async fn beside(mut driver: Box<Driver>, signals: mpsc::Sender<Signal>, ask: impl Future<Output = ()>) {
    let user = async {
        ask.await;
        terminate(&signals).await;
    };
    let (ending, ()) = tokio::join!(driver.drive(), user);
    assert_eq!(ending, TERMINATED);
    driver.finish(ending).await;
}

/// Adds a record to the event log, which is kept.
async fn save(door: &Door, name: &str) -> Result<Option<String>, Absent> {
    let add = |system: &mut Simulator, now, out: &mut _| system.log_record_of(now, McAddress::BMC, (2, [0; 13]), out);
    let done = door.call(name, add).await?;
    done.value.unwrap();
    Ok(done.unsaved)
}

#[tokio::test]
async fn a_call_is_over_when_what_it_changed_is_on_the_disk() {
    let gate = Gate::default();
    let (mut system, mut plan, ..) =
        bench("mc_enable 0x20\n", None).configured(&configuration(0, "")).kept(gate.writer()).planned();
    system.announcement.name = "test".into();
    let door = door(&mut plan);
    let (driver, signals) = driver(vec![system], plan);
    beside(driver, signals, async {
        let mut saved = std::pin::pin!(save(&door, "test"));
        tokio::select! {
            biased;
            early = &mut saved => panic!("nothing is written: {early:?}"),
            // Others have their turns meanwhile.
            found = door.look("test", |entry| entry.state()) => assert_eq!(found, Ok(State::Running)),
        }
        gate.open();
        assert_eq!(saved.await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn what_could_not_be_kept_is_told() {
    let (mut system, mut plan, ..) = bench("", None).kept(|_, _| {}).planned();
    system.announcement.name = "test".into();
    system.state = Some(Arc::new(|_, _| Err(WriteError::Untouched(std::io::ErrorKind::StorageFull.into()))));
    let door = door(&mut plan);
    let (driver, signals) = driver(vec![system], plan);
    beside(driver, signals, async {
        assert_eq!(save(&door, "test").await, Ok(Some("no storage space".into())));
    })
    .await;
}

#[tokio::test]
async fn lines_are_executed_one_after_the_other_and_each_has_its_own_result() {
    let (driver, signals, door) = fleet(2, "mc_enable 0x20\n");
    beside(driver, signals, async {
        let lines = ["sleep 20", "bogus", "bmc bmc0", "bmcs bmc1", "quit", "# nothing", "power 0x20"];
        let ran = door.run("bmc1", lines.map(str::to_owned).to_vec()).await.unwrap();
        let faults: Vec<(&str, u32, &str)> = ran
            .iter()
            .flat_map(|ran| ran.faults.iter().map(|fault| (&*ran.line, fault.span.line, &*fault.message)))
            .collect();
        assert_eq!(
            faults,
            [
                ("bogus", 2, "Unknown command: bogus"),
                ("bmc bmc0", 3, crate::runtime::statement::BY_ADDRESS),
                ("quit", 5, crate::runtime::statement::NO_END),
            ]
        );
        let printed: Vec<&str> = ran.iter().map(|ran| &*ran.output).filter(|output| !output.is_empty()).collect();
        assert!(
            matches!(printed[..], [listed, power] if listed.starts_with("bmc1  127.") && power.contains("power off"))
        );
        assert_eq!(door.run("bmc1", Vec::new()).await, Ok(Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn who_asks_for_a_bmc_that_is_not_there_is_told() {
    let (driver, signals, door) = fleet(1, "mc_enable 0x20\n");
    beside(driver, signals, async {
        let absent = Absent::NoBmc { name: "bmc1".into(), near: Some("bmc0".into()) };
        assert_eq!(absent.to_string(), "There is no BMC 'bmc1', did you mean 'bmc0'?");
        assert_eq!(door.look("bmc1", |_| ()).await, Err(absent.clone()));
        assert_eq!(save(&door, "bmc1").await, Err(absent.clone()));
        assert_eq!(door.run("bmc1", vec!["help".into()]).await, Err(absent.clone()));
        assert_eq!(door.remove("bmc1").await, Err(absent));
    })
    .await;
    assert_eq!(door.look("bmc0", |_| ()).await, Err(Absent::Gone), "the loop has ended");
}

#[tokio::test]
async fn all_are_looked_at_in_order_of_their_names() {
    let (driver, signals, door) = fleet(40, "mc_enable 0x20\n");
    beside(driver, signals, async {
        let look =
            |names: &mut Vec<String>, entry: &crate::runtime::door::Entry<'_>| names.push(entry.name().to_string());
        let names = door.each(None, Vec::new(), look).await.unwrap();
        let mut sorted: Vec<String> = (0..40).map(|index| format!("bmc{index}")).collect();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        let names = door.each(Some("bmc38".into()), Vec::new(), look).await.unwrap();
        assert_eq!(names.first().map(String::as_str), Some("bmc39"));
    })
    .await;
}

/// Nobody who waits for one that goes waits for ever.
#[tokio::test]
async fn one_that_goes_lets_go_of_those_who_wait_for_it() {
    let (driver, signals, door) = fleet(2, "mc_enable 0x20\n");
    let mut reader = door.history().reader();
    beside(driver, signals, async {
        let run = door.run("bmc1", vec!["sleep 60000".into()]);
        let (ran, removed) = tokio::join!(run, door.remove("bmc1"));
        assert_eq!((ran, removed), (Err(Absent::Gone), Ok(())));
        let mut told = Vec::new();
        reader.take(10, &mut told);
        assert!(told.iter().any(|happened| &*happened.bmc == "bmc1" && happened.what == What::Removed), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn one_that_is_added_serves_or_is_gone_again() {
    let (driver, signals, door) = fleet(1, "mc_enable 0x20\n");
    beside(driver, signals, async {
        let place = door.look("bmc0", |entry| entry.places().next().unwrap().1).await.unwrap();
        let (good, ..) = member(1, place.port(), "mc_enable 0x20\n");
        assert_eq!(door.add(good).await, Ok(Ok(())));
        ask(1, place.port()).await;
        let (twice, ..) = member(1, place.port(), "mc_enable 0x20\n");
        assert!(matches!(door.add(twice).await, Ok(Err(Unmade::Other(why))) if why.contains("already")));
        let (mut taken, ..) = member(1, place.port(), "mc_enable 0x20\n");
        taken.announcement.name = "bmc2".into();
        assert!(matches!(door.add(taken).await, Ok(Err(Unmade::Other(why))) if why.contains("is that of bmc1")));
        let (faulty, ..) = member(3, place.port(), "bogus\nmc_enable 0x20\n");
        assert!(matches!(door.add(faulty).await, Ok(Err(Unmade::Faults(faults))) if faults.len() == 1));
        for gone in ["bmc2", "bmc3"] {
            assert!(matches!(door.look(gone, |_| ()).await, Err(Absent::NoBmc { .. })), "{gone}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_happens_is_told_with_its_name() {
    let (driver, signals, door) = fleet(2, "mc_enable 0x20\n");
    let mut reader = door.history().reader();
    beside(driver, signals, async {
        save(&door, "bmc1").await.unwrap();
        reader.wait().await;
        let mut told = Vec::new();
        assert_eq!(reader.take(10, &mut told), 0);
        let [happened] = &told[..] else { panic!("{told:?}") };
        assert_eq!((&*happened.bmc, happened.id), ("bmc1", 1));
        assert_eq!(happened.what, What::Event(Event::RecordAdded { mc: McAddress::BMC, id: 1 }));
    })
    .await;
}
