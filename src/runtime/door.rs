//! The way into the loop for other threads: what they ask is done in a turn of the loop, and what happens there is told in
//! a history.
//!
//! Owns the two ends of that way; [`Turn`] says what can be done in a turn. Knows nothing of HTTP.

pub mod history;

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

pub use super::driver::door::{Entry, Ran, State, Turn};
use crate::config::Diagnostic;
use crate::config::suggest::nearest;
use crate::host::workers;
use crate::ipmi::{McAddress, Moment};
use crate::runtime::driver::SystemPlan;
use crate::sim::{Done as Told, Effects, NoSolPort, Simulator, SolOutput, SolPortView};
use history::History;

/// How many may wait for their turn.
const QUEUE: usize = 64;

/// How many pieces of what a console says may wait for who looks on.
const PIECES: usize = 8;

/// Something that is done in a turn.
pub type Ask = Box<dyn FnOnce(&mut Turn<'_>) + Send>;

/// The loop's end.
#[derive(Debug)]
pub struct DoorPlan {
    /// What is asked.
    pub asks: mpsc::Receiver<Ask>,
    /// Who is told what happens.
    pub history: Arc<History>,
    /// Where the door is, for people.
    pub places: Vec<String>,
}

/// Why nothing came of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// There is no BMC of that name; perhaps this one was meant.
    #[error("There is no BMC '{name}'{}", .near.as_ref().map(|near| format!(", did you mean '{near}'?")).unwrap_or_default())]
    NoBmc {
        /// The name.
        name: String,
        /// One that is nearly the same.
        near: Option<String>,
    },
    /// It went meanwhile, or the program ends.
    #[error("The BMC has gone")]
    Gone,
}

/// What came of a call, when all that it began has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done<T> {
    /// What the call gave.
    pub value: T,
    /// Why something is not kept, if it is not: the operating system's words.
    pub unsaved: Option<String>,
}

/// What a BMC that is made at run time is made of, beside what all of its fleet have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Its variables.
    pub variables: Vec<(String, String)>,
    /// A lan.conf of its own.
    pub lan_conf: Option<String>,
    /// A command file of its own.
    pub commands: Option<String>,
}

/// Why a BMC cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmade {
    /// There is one BMC here, and no fleet.
    #[error("This program serves one BMC; start it with --fleet or --count to have others come and go")]
    NoFleet,
    /// Its texts are wrong, at these places.
    #[error("The texts of the BMC have errors")]
    Faults(Vec<Diagnostic>),
    /// Something else, in one line.
    #[error("{0}")]
    Other(String),
}

/// Makes BMCs at run time. All of this may wait for the disk.
pub trait Create: Send + Sync {
    /// Says what is wrong with a recipe, as `--check` does.
    ///
    /// # Errors
    /// Everything that is.
    fn check(&self, name: &str, recipe: &Recipe) -> Result<(), Unmade>;

    /// Makes a BMC.
    ///
    /// # Errors
    /// Why it cannot be served.
    fn create(&self, name: &str, recipe: &Recipe) -> Result<SystemPlan, Unmade>;

    /// How the BMC of a name can be made once more as it is, if there is one.
    fn remember(&self, name: &str) -> Option<Again>;
}

/// Makes a BMC once more.
pub type Again = Box<dyn FnOnce() -> Result<SystemPlan, Unmade> + Send>;

/// How BMCs are made at run time.
pub type Creator = Arc<dyn Create>;

/// What came of putting a BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Created,
    /// It is in the place of one that had its name.
    Replaced,
}

/// The end for other threads.
#[derive(Clone, Debug)]
pub struct Door {
    asks: mpsc::Sender<Ask>,
    history: Arc<History>,
}

impl Door {
    /// Both ends of a door that is at these places.
    pub fn new(places: Vec<String>) -> (Self, DoorPlan) {
        let (sender, asks) = mpsc::channel(QUEUE);
        let history = Arc::new(History::default());
        (Self { asks: sender, history: Arc::clone(&history) }, DoorPlan { asks, history, places })
    }

    /// What happens.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Does something in a turn.
    ///
    /// # Errors
    /// The program ends.
    pub async fn turn<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Turn<'_>) -> T + Send + 'static,
    ) -> Result<T, Absent> {
        self.turn_with(|turn, done| drop(done.send(Ok(ask(turn))))).await
    }

    /// Does something in a turn that gives its result then or later.
    async fn turn_with<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Turn<'_>, oneshot::Sender<Result<T, Absent>>) + Send + 'static,
    ) -> Result<T, Absent> {
        let (done, result) = oneshot::channel();
        self.asks.send(Box::new(move |turn| ask(turn, done))).await.map_err(|_| Absent::Gone)?;
        result.await.map_err(|_| Absent::Gone)?
    }

    /// Looks at one BMC.
    ///
    /// # Errors
    /// There is no such BMC.
    pub async fn look<T: Send + 'static>(
        &self,
        name: &str,
        look: impl FnOnce(&Entry<'_>) -> T + Send + 'static,
    ) -> Result<T, Absent> {
        let name = name.to_owned();
        self.turn(move |turn| turn.entry(&name).map(|entry| look(&entry)).ok_or_else(|| absent(turn, &name))).await?
    }

    /// Looks at the BMCs behind the one of this name, by name, a few in each turn, until there are no more. Nobody
    /// else waits for all of it.
    ///
    /// # Errors
    /// The program ends.
    pub async fn each<T: Send + 'static>(
        &self,
        after: Option<Arc<str>>,
        mut found: T,
        mut look: impl FnMut(&mut T, &Entry<'_>) + Send + 'static,
    ) -> Result<T, Absent> {
        let mut after = after;
        loop {
            let next;
            (found, look, next) = self
                .turn(move |turn| {
                    let next = turn.each(after.as_deref(), |entry| look(&mut found, entry));
                    (found, look, next)
                })
                .await?;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// Does something with one BMC, and waits until all that it began has ended, state files among it.
    ///
    /// # Errors
    /// There is no such BMC, or it went meanwhile.
    pub async fn call<T: Send + 'static>(
        &self,
        name: &str,
        call: impl FnOnce(&mut Simulator, Moment, &mut Effects) -> T + Send + 'static,
    ) -> Result<Done<T>, Absent> {
        let name = name.to_owned();
        self.turn_with(move |turn, done| match turn.find(&name) {
            Some(id) => turn.call(id, call, done),
            None => drop(done.send(Err(absent(turn, &name)))),
        })
        .await
    }

    /// Begins something with one BMC that says itself when it is done, and waits for that.
    ///
    /// # Errors
    /// There is no such BMC, or it went meanwhile. The inner error is what the BMC said.
    pub async fn call_then<T: Send + 'static, E: Send + 'static>(
        &self,
        name: &str,
        begin: impl FnOnce(&mut Simulator, Moment, Told<T, E>, &mut Effects) + Send + 'static,
    ) -> Result<Result<T, E>, Absent> {
        let (told, result) = oneshot::channel();
        let done: Told<T, E> = Box::new(move |result| drop(told.send(result)));
        self.call(name, move |system, now, out| begin(system, now, done, out)).await?;
        result.await.map_err(|_| Absent::Gone)
    }

    /// Executes lines with a statement each, one after the other, and waits for what each of them began.
    ///
    /// # Errors
    /// There is no such BMC, or it went meanwhile.
    pub async fn run(&self, name: &str, lines: Vec<String>) -> Result<Vec<Ran>, Absent> {
        let name = name.to_owned();
        self.turn_with(move |turn, done| match turn.find(&name) {
            Some(id) => turn.run(id, lines, done),
            None => drop(done.send(Err(absent(turn, &name)))),
        })
        .await
    }

    /// Makes a BMC of a recipe, in the place of the one that has its name now, and waits until it serves. The inner error
    /// says why it does not; then nothing has changed.
    ///
    /// # Errors
    /// The program ends.
    pub async fn put(&self, name: &str, recipe: Recipe) -> Result<Result<Put, Unmade>, Absent> {
        let Some(creator) = self.turn(|turn| turn.creator()).await? else { return Ok(Err(Unmade::NoFleet)) };
        let (maker, name_of, recipe) = (Arc::clone(&creator), name.to_owned(), Arc::new(recipe));
        let checked = {
            let recipe = Arc::clone(&recipe);
            workers::FILES.run(move || maker.check(&name_of, &recipe).map(|()| maker.remember(&name_of))).await
        };
        let before = match checked.ok_or(Absent::Gone)? {
            Ok(before) => before,
            Err(why) => return Ok(Err(why)),
        };
        let put = match self.remove(name).await {
            Ok(()) => Put::Replaced,
            Err(Absent::NoBmc { .. }) => Put::Created,
            Err(Absent::Gone) => return Err(Absent::Gone),
        };
        let name = name.to_owned();
        let made = self.make_and_add(Box::new(move || creator.create(&name, &recipe))).await?;
        if let (Err(_), Put::Replaced, Some(before)) = (&made, put, before) {
            // What is in its way was not there before, and may be told of this one, too.
            let _ = self.make_and_add(before).await?;
        }
        Ok(made.map(|()| put))
    }

    async fn make_and_add(&self, make: Again) -> Result<Result<(), Unmade>, Absent> {
        match workers::FILES.run(make).await.ok_or(Absent::Gone)? {
            Ok(plan) => self.add(plan).await,
            Err(why) => Ok(Err(why)),
        }
    }

    /// Looks on at what the SOL port of a controller, or of the BMC, says from now on. Gives how the port is, and where what it
    /// says comes; that ends with the BMC, and who lets go of it looks on no longer.
    ///
    /// # Errors
    /// There is no such BMC. The inner error: it has no such port.
    pub async fn look_on(
        &self,
        name: &str,
        mc: Option<McAddress>,
    ) -> Result<Result<(SolPortView, mpsc::Receiver<SolOutput>), NoSolPort>, Absent> {
        let name = name.to_owned();
        let (to, output) = mpsc::channel(PIECES);
        let port = self.turn(move |turn| match turn.find(&name) {
            Some(id) => Ok(turn.look_on(id, mc, to)),
            None => Err(absent(turn, &name)),
        });
        Ok(port.await??.map(|port| (port, output)))
    }

    /// Adds a BMC, and waits until it serves. The inner error says why it does not; then it is gone again.
    ///
    /// # Errors
    /// The program ends.
    pub async fn add(&self, plan: SystemPlan) -> Result<Result<(), Unmade>, Absent> {
        self.turn_with(move |turn, done| turn.add(plan, done)).await
    }

    /// Removes a BMC, and waits until its state is written.
    ///
    /// # Errors
    /// There is no such BMC.
    pub async fn remove(&self, name: &str) -> Result<(), Absent> {
        let name = name.to_owned();
        self.turn_with(move |turn, done| match turn.find(&name) {
            Some(id) => turn.remove(id, done),
            None => drop(done.send(Err(absent(turn, &name)))),
        })
        .await
    }
}

/// Among how many names one that is nearly the same is looked for: the loop waits for it.
const COMPARED: usize = 200;

/// There is no BMC of this name.
fn absent(turn: &Turn<'_>, name: &str) -> Absent {
    Absent::NoBmc { name: name.to_owned(), near: nearest(name, turn.names().take(COMPARED)).map(str::to_owned) }
}
