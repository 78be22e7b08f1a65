//! SOL ports that play (`play:` of a `sol` line): nothing outside is behind them.
//!
//! The machine's power says when a play begins: where it comes on, and at each reset and power cycle. While somebody
//! hears it - a session, a tap, a history - it goes on at its time; what nobody hears is passed over when somebody
//! comes, so that a console that nobody looks at costs nothing.

use std::sync::Arc;

use super::{SolPorts, SolSlot};
use crate::bmc::chassis::{self, PowerState};
use crate::bmc::{Controller, Machine};
use crate::ipmi::{McAddress, Moment};
use crate::settings::model::SolTarget;
use crate::settings::play::Play;
use crate::sim::Simulator;
use crate::sim::effect::Effects;
use crate::sol::Player;

/// Most bytes that are said in one go.
const PIECE: usize = 4096;

/// What is behind a port that plays.
pub(super) struct Stage {
    player: Player,
    /// What clients typed and has not been looked at.
    pub(super) typed: Vec<u8>,
    /// How often the machine had been reset when it was looked at last.
    resets: u64,
    /// Whether somebody has heard all of it so far.
    is_heard: bool,
}

impl Stage {
    pub(super) fn new(play: Arc<Play>) -> Self {
        Self { player: Player::new(play), typed: Vec::new(), resets: 0, is_heard: false }
    }

    /// Begins and ends with the power. A machine whose power nobody has asked for counts as on.
    fn follow_power(&mut self, now: Moment, controller: Option<&Controller>) {
        let is_on = controller.is_some_and(|controller| chassis::power_state(controller) != PowerState::Off);
        let resets = controller.map_or(0, |controller| controller.chassis.resets());
        let was_reset = std::mem::replace(&mut self.resets, resets) != resets;
        match (is_on, self.player.is_playing()) {
            (true, playing) if was_reset || !playing => self.player.start(now),
            (false, true) => self.player.stop(),
            _ => {}
        }
    }
}

impl SolSlot {
    /// Whether somebody hears what the port says.
    fn is_listened_to(&self) -> bool {
        self.engine.session().is_some() || self.tap.is_some() || self.config.history > 0
    }

    /// When the play has to go on.
    pub(super) fn play_due(&self) -> Option<Moment> {
        let stage = self.stage.as_ref().filter(|_| self.is_listened_to() && self.engine.room() > 0)?;
        stage.player.due()
    }

    /// Passes over what nobody heard, if somebody hears from now on.
    fn look_up(&mut self, now: Moment) {
        let is_listened_to = self.is_listened_to();
        if let Some(stage) = &mut self.stage
            && std::mem::replace(&mut stage.is_heard, is_listened_to) != is_listened_to
            && is_listened_to
        {
            stage.player.skip(now);
        }
    }

    /// Brings the play to `now`: what it has to say next, if it has. Bytes that were typed are taken, and `typed` is how many.
    fn next(&mut self, now: Moment, typed: &mut usize, said: &mut Vec<u8>) {
        let room = self.engine.room().min(PIECE);
        let is_listened_to = self.is_listened_to();
        let Some(stage) = &mut self.stage else { return };
        if is_listened_to {
            stage.player.say(now, room, said);
        }
        *typed = stage.typed.len();
        stage.player.typed(&stage.typed, said);
        stage.typed.clear();
    }
}

impl SolPorts {
    /// Whether there is one that plays.
    fn play(&self) -> bool {
        self.slots.iter().any(|slot| slot.stage.is_some())
    }

    /// Somebody may have begun to look on.
    pub(in crate::sim) fn look_up(&mut self, now: Moment) {
        self.slots.iter_mut().for_each(|slot| slot.look_up(now));
    }

    /// Somebody looks on no longer: what is said from now on is heard by nobody, unless by others.
    pub(in crate::sim) fn look_away(&mut self) {
        for slot in &mut self.slots {
            let is_listened_to = slot.is_listened_to();
            if let Some(stage) = &mut slot.stage {
                stage.is_heard &= is_listened_to;
            }
        }
    }

    /// Another play for a port that plays.
    pub(in crate::sim) fn replace_play(&mut self, now: Moment, mc: McAddress, play: &Arc<Play>) {
        let slot = self.slots.iter_mut().find(|slot| slot.mc == mc);
        if let Some(slot) = slot
            && let Some(stage) = &mut slot.stage
        {
            stage.player.replace(now, Arc::clone(play));
            slot.config.target = SolTarget::Play(Arc::clone(play));
        }
    }

    fn follow_power(&mut self, now: Moment, machine: &Machine) {
        for slot in &mut self.slots {
            slot.look_up(now);
            if let Some(stage) = &mut slot.stage {
                stage.follow_power(now, machine.controller(slot.mc));
            }
        }
    }
}

impl Simulator {
    /// Something has happened: has plays begin, go on and end.
    pub(in crate::sim) fn go_on_playing(&mut self, now: Moment, out: &mut Effects) {
        if !self.sols.play() {
            return;
        }
        let Self { sols, machine, .. } = self;
        sols.follow_power(now, machine);
        for index in 0..self.sols.slots.len() {
            self.play_on(now, index, out);
        }
    }

    fn play_on(&mut self, now: Moment, index: usize, out: &mut Effects) {
        let mc = self.sols.slots[index].mc;
        loop {
            let (mut typed, mut said) = (0, Vec::new());
            self.sols.slots[index].next(now, &mut typed, &mut said);
            if typed > 0 {
                self.sol_written(now, mc, typed, out);
            }
            if !said.is_empty() {
                self.sol_data(now, mc, &said, out);
            }
            if typed == 0 && said.is_empty() {
                return;
            }
        }
    }
}
