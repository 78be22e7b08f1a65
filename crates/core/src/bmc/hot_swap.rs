//! Hot swap: a board goes through its states, M0 to M7, as a client asks (PICMG 3.0 chapter 3).
//!
//! Owns nothing: the state is the value of the board's hot-swap sensor, and the [board's](super::picmg::Board) light tells
//! it.

use super::At;
use super::picmg::state;
use super::sensor::{self, Place, Reporting};
use crate::ipmi::Moment;

/// What Set FRU Activation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// M3, M4 or M5 to M6 to M1.
    Deactivate,
    /// M2 to M3 to M4.
    Activate,
}

/// Set FRU Activation: takes the board through its states, each with its events. Nothing
/// happens in a state from which there is no way.
pub fn activate(at: &mut At<'_>, now: Moment, sensor: Place, activation: Activation) {
    let status = at.sensors.get(sensor).map_or(0, |sensor| sensor.status);
    let is = |state: u8| status & (1 << state) != 0;
    let way = match activation {
        Activation::Activate if is(state::ACTIVATION_REQUEST) => [state::ACTIVATION_IN_PROGRESS, state::ACTIVE],
        Activation::Deactivate
            if is(state::ACTIVATION_IN_PROGRESS) || is(state::ACTIVE) || is(state::DEACTIVATION_REQUEST) =>
        {
            [state::DEACTIVATION_IN_PROGRESS, state::INACTIVE]
        }
        _ => return,
    };
    for next in way {
        // The sensor is there: its status was read.
        let _ = sensor::set_bit_clear_rest(at, now, sensor, next, Reporting::Events);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Machine;
    use super::super::picmg::tests::board;
    use super::super::picmg::{HOT_SWAP_SENSOR, Light};
    use super::*;
    use crate::ipmi::McAddress;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    const MC: McAddress = McAddress(0x82);

    fn sensor(number: u8) -> Place {
        Place { lun: 0, number }
    }

    fn add_hot_swap_sensor(machine: &mut Machine, number: u8) {
        let description = sensor::Description {
            sensor_type: HOT_SWAP_SENSOR,
            event_reading_code: 0x6f,
            ..sensor::Description::default()
        };
        sensor::add(&mut machine.found(MC), at(0), sensor(number), description).unwrap();
    }

    /// Observed on the original: only a value moves the light, a single bit does not, and in
    /// override nobody sees it.
    #[test]
    fn the_hot_swap_state_moves_the_blue_light() {
        let mut machine = board();
        add_hot_swap_sensor(&mut machine, 0);
        let blue = |machine: &Machine| *machine.controller(McAddress(0x82)).unwrap().board.leds.get(0).unwrap();
        for (state, off, on) in
            [(1, 0xff, 0), (2, 0x0a, 0x5a), (3, 0, 0), (5, 0x5a, 0x0a), (7, 0x5a, 0x0a), (4, 0, 0), (6, 0x5a, 0x0a)]
        {
            sensor::set_bit_clear_rest(&mut machine.found(MC), at(0), sensor(0), state, Reporting::Silent).unwrap();
            assert_eq!(blue(&machine).shown, Light { off, on, colour: 1 }, "M{state}");
        }
        sensor::set_bit(&mut machine.found(MC), at(0), sensor(0), 1, 1, Reporting::Silent).unwrap();
        assert_eq!(blue(&machine).shown.off, 0x5a);
        machine.ensure(McAddress(0x82)).board.leds.get_mut(0).unwrap().take_over(Light { off: 1, on: 2, colour: 0x0f });
        sensor::set_value(&mut machine.found(MC), at(0), sensor(0), 1, Reporting::Silent).unwrap();
        assert_eq!(blue(&machine).shown, Light { off: 1, on: 2, colour: 1 });
        assert!(machine.ensure(McAddress(0x82)).board.leds.get_mut(0).unwrap().give_back());
        assert_eq!(blue(&machine).shown, Light { off: 0xff, on: 0, colour: 1 });
    }

    #[test]
    fn the_newest_hot_swap_sensor_counts_and_only_in_a_shelf() {
        let mut machine = board();
        machine.shelf.enabled = false;
        add_hot_swap_sensor(&mut machine, 0);
        assert_eq!(machine.ensure(MC).board.hot_swap_sensor(), None);
        machine.shelf.enabled = true;
        add_hot_swap_sensor(&mut machine, 1);
        add_hot_swap_sensor(&mut machine, 2);
        assert_eq!(machine.ensure(MC).board.hot_swap_sensor(), Some(sensor(2)));
    }

    #[test]
    fn activation_follows_the_states() {
        let mut machine = board();
        add_hot_swap_sensor(&mut machine, 0);
        for (from, activation, to) in [
            (2, Activation::Activate, 4),
            (4, Activation::Activate, 4),
            (1, Activation::Activate, 1),
            (3, Activation::Deactivate, 1),
            (4, Activation::Deactivate, 1),
            (5, Activation::Deactivate, 1),
            (2, Activation::Deactivate, 2),
            (6, Activation::Deactivate, 6),
        ] {
            sensor::set_bit_clear_rest(&mut machine.found(MC), at(0), sensor(0), from, Reporting::Silent).unwrap();
            activate(&mut machine.found(MC), at(0), sensor(0), activation);
            let status = machine.controller(McAddress(0x82)).unwrap().sensors.get(sensor(0)).unwrap().status;
            assert_eq!(status, 1 << to, "M{from} {activation:?}");
        }
    }
}
