//! Every time limit of the program, and the test that holds it. All run in virtual time, those
//! with processes and sockets of the operating system as well: there the clock jumps to the next
//! timer when nothing else can happen.
//!
//! | limit | length | test |
//! |---|---|---|
//! | session without a packet | 60 s | `sessions_live_a_minute_after_the_last_packet` (lan), `a_session_ends_after_sixty_quiet_seconds` |
//! | login between its steps | 10 s | `half_open_sessions_live_ten_seconds` (lan) |
//! | IPMI 1.5 challenge | 60 s | `challenges_expire` (lan) |
//! | verdicts on passwords of a host that guesses | 100 ms apart, a failure is forgiven after 1 s | `the_allowance_is_exact` (lan::verdicts), `a_right_password_waits_for_its_turn_beside_wrong_ones` |
//! | failed logins of one address told as a number | 30 s | `an_address_is_told_at_once_and_then_in_numbers` (lan::report) |
//! | answer kept for a resent request | 5 s | `a_resend_of_an_answered_request_gets_the_answer_again_for_five_seconds` (lan::duplicate) |
//! | what may be a resend of a client that renumbers | by its own time-out | `the_same_event_again_is_an_event_however_long_after_the_answer_it_comes` (lan::duplicate) |
//! | request nobody answers | 60 s | `a_request_nobody_answers_is_new_again_some_day` (lan::duplicate) |
//! | trap that nobody acknowledges, traps in a row | as set, 200 ms | `a_trap_is_sent_again_until_it_is_acknowledged`, `traps_are_not_sent_faster_than_the_bound` (command::sensor_event) |
//! | PEF postpone timer, start-up delays | as set | `events_wait_while_they_are_postponed`, `events_wait_after_a_restart_and_alerts_too` (command::sensor_event) |
//! | message for the host | 6 s | `twenty_one_messages_fit_and_die_after_six_seconds` (bmc::messaging) |
//! | answer to a bridged request | 5 s | `an_answer_that_comes_too_late_is_nobodys` |
//! | watchdog, pretimeout | as set | `the_pretimeout_comes_before_the_end`, bmc::watchdog |
//! | boot flags | 60 s | `boot_flags_are_valid_for_a_minute`, bmc::boot |
//! | power cycle | 1 s steps, or as set | `a_power_cycle_waits_for_the_power_to_be_off`, bmc::chassis |
//! | identify | as asked | `identify_ends_by_itself` (bmc::chassis) |
//! | `poweroff_wait`, `kill_wait` | as configured | `a_machine_that_stays_on_is_ended`, bmc::vm_process |
//! | sensor poll | as configured | `polls_follow_each_other_and_fill_the_value` (bmc::sensor) |
//! | FRU lock of a shelf | 20 s | `a_lock_is_one_for_all_and_ends_20_s_after_the_last_write` (bmc::picmg) |
//! | SOL retry, retry interval | 6 sends, 1 s, or as set | `six_sends_one_second_apart_then_the_packet_is_dropped`, `retries_and_interval_can_be_set` (sol) |
//! | SOL accumulation | as set | `characters_can_be_accumulated` (sol) |
//! | SOL console that refuses, port that takes nothing | 10 s, 500 ms | `a_console_that_never_says_go_on_is_asked_again`, `a_port_that_takes_nothing_holds_the_console` (sol) |
//! | state file that could not be written | 1 to 64 s | `an_event_waits_for_the_disk` |
//! | rest of a large state file between two writes | 8 MiB/s, at most 500 ms | `a_large_file_rests_between_writes` |
//! | SDR and SEL reservation | none: until the next one | `reservations_skip_zero` (bmc::sel) |
//! | helper program | `--program-timeout` | `a_program_that_takes_too_long_is_ended_with_all_its_children` (host::shell) |
//! | SOL port that is lost | 0.25 to 10 s | `a_tcp_port_carries_bytes_and_comes_back_after_a_loss` (host::sol_port) |
//! | TCP peer that vanished | 30 s | `a_connection_is_asked_after_and_given_up_after_half_a_minute` (host::tcp) |
//! | serial peer whose place another wants | 5 s | `who_never_said_a_word_makes_room_and_who_did_stays` (host::serial_peer) |
//! | serial channel that connects out | 1 s, up to 10 s while it is refused | `an_outgoing_connection_is_made_again` (host::serial_peer) |

use super::*;
use crate::ipmi::McAddress;

#[test]
fn boot_flags_are_valid_for_a_minute() {
    let mut rig = Rig::new(CONF, EMU);
    // PXE, valid.
    let set: &[u8] = &[5, 0x80, 0x04, 0, 0, 0];
    assert_eq!(administrator(&mut rig).ask(&mut rig, 0, 8, set), [0]);
    for (seconds, valid) in [(59, 0x80), (2, 0)] {
        rig.wait(seconds);
        let flags = administrator(&mut rig).ask(&mut rig, 0, 9, &[5, 0, 0]);
        assert_eq!(flags[3] & 0x80, valid, "{flags:02x?}");
    }
}

#[test]
fn the_pretimeout_comes_before_the_end() {
    let mut rig = Rig::new(WITH_HOST, EMU);
    rig.host_connects();
    let mut client = administrator(&mut rig);
    // Reset after 5 s, a message interrupt 2 s before.
    assert_eq!(client.ask(&mut rig, 6, 0x24, &[4, 0x31, 2, 0, 50, 0]), [0]);
    assert_eq!(client.ask(&mut rig, 6, 0x22, &[]), [0]);
    rig.host_bytes();
    let mut told = Vec::new();
    for second in 1..=6 {
        rig.wait(1);
        let bytes = rig.host_bytes();
        if !bytes.is_empty() {
            told.push((second, bytes.windows(2).any(|pair| pair == b"\x04\xa1")));
        }
    }
    assert_eq!(told, [(3, false), (5, true)]);
}

/// A machine behind `startcmd` that is told to go off and stays gets SIGTERM, then SIGKILL.
#[test]
fn a_machine_that_stays_on_is_ended() {
    let conf = WITH_HOST.replace("startlan", "startcmd \"machine\"\npoweroff_wait 7\nkill_wait 3\nstartlan");
    let mut rig = Rig::new(&conf, EMU);
    let mut client = administrator(&mut rig);
    assert_eq!(client.ask(&mut rig, 0, 2, &[1]), [0]);
    assert!(rig.effects.iter().any(|effect| matches!(effect, Effect::StartProcess { mc: McAddress::BMC, .. })));
    rig.call(|sim, now, out| sim.handle(now, Input::ProcessStarted(McAddress::BMC, None), out));
    rig.host_connects();
    assert_eq!(client.ask(&mut rig, 0, 2, &[0]), [0]);
    rig.effects.clear();
    let mut signals = Vec::new();
    for second in 1..=12 {
        rig.wait(1);
        for effect in rig.effects.drain(..) {
            if let Effect::SignalProcess { mc: McAddress::BMC, kill } = effect {
                signals.push((second, kill));
            }
        }
    }
    assert_eq!(signals, [(7, false), (10, true)]);
}
