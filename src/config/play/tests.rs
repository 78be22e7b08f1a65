use super::*;

fn steps(recording: &Recording) -> Vec<(u128, String)> {
    let mut from = 0;
    let step = |number| recording.step(number);
    let mut all = Vec::new();
    for (at, end) in (0..).map_while(step) {
        all.push((at.as_millis(), String::from_utf8_lossy(&recording.bytes()[from..end]).into_owned()));
        from = end;
    }
    all
}

fn decimal(number: f64) -> Decimal {
    Decimal::new(number).unwrap()
}

fn expected<const N: usize>(steps: [(u128, &str); N]) -> Vec<(u128, String)> {
    steps.map(|(at, text)| (at, text.to_owned())).into()
}

#[test]
fn a_play_has_its_parts_in_order() {
    let play = play(
        "log boot.log rate 2.5, typescript 'a b' timing t speed 4 ,cast x.cast,prompt 'me\\x24 ' banner \"a\\nb\\r\\n\"",
    );
    let parts = play.unwrap().parts;
    let sources: Vec<_> = parts
        .iter()
        .map(|part| match part {
            Part::Recording { source, .. } => source.clone(),
            Part::Prompt(Prompt { banner, prompt }) => {
                assert_eq!((&banner[..], &prompt[..]), (&b"a\r\nb\r\n"[..], &b"me$ "[..]));
                Source::Log { file: "prompt".into(), rate: None }
            }
        })
        .collect();
    let expected = [
        Source::Log { file: "boot.log".into(), rate: Some(decimal(2.5)) },
        Source::Typescript { file: "a b".into(), timing: "t".into(), speed: decimal(4.0) },
        Source::Cast { file: "x.cast".into(), speed: decimal(1.0) },
        Source::Log { file: "prompt".into(), rate: None },
    ];
    assert_eq!(sources, expected);
    let Ok(Play { parts }) = super::play(" prompt ") else { panic!() };
    assert_eq!(parts, [Part::Prompt(Prompt { banner: Vec::new(), prompt: b"login: ".to_vec() })]);
}

#[test]
fn what_is_wrong_in_a_play_is_pointed_at() {
    for (text, place, message) in [
        ("", 0..0, "No part of a play given: expected log, typescript, cast, prompt"),
        ("log x,", 6..6, "No part of a play given: expected log, typescript, cast, prompt"),
        ("lag x", 0..3, "Unknown part of a play: 'lag', expected log, typescript, cast, prompt; did you mean 'log'?"),
        ("log", 3..3, "No file for log given"),
        ("log , cast x", 4..5, "No file for log given"),
        ("log x rate", 10..10, "No number for rate given"),
        ("log x rate 0", 11..12, "Invalid rate: '0', expected a number above 0"),
        ("cast x speed -1", 13..15, "Invalid speed: '-1', expected a number above 0"),
        ("log x speed 2", 6..11, "log has no 'speed'"),
        ("typescript x y", 13..14, "found 'y', expected timing FILE"),
        ("prompt, log x", 6..7, "a prompt does not end, so that nothing can come after it"),
        ("prompt 'a", 7..8, "this quote is not closed"),
        ("prompt 'a\\q'", 7..12, "'\\q' is nothing, expected \\n, \\r, \\t, \\e, \\xHH or \\\\"),
        ("prompt 'a\\x4'", 7..13, "'\\x' is nothing, expected \\n, \\r, \\t, \\e, \\xHH or \\\\"),
        ("prompt banner", 13..13, "No text for banner given"),
    ] {
        assert_eq!(play(text).unwrap_err(), Fault::new(place, message), "{text}");
    }
}

#[test]
fn a_log_comes_line_by_line_or_at_once() {
    let text = b"one\ntwo\r\n\xff\x00\nlast";
    let recording = log(text, Some(decimal(4.0)));
    let all = [(0, "one\r\n"), (250, "two\r\n"), (500, "\u{fffd}\0\r\n"), (750, "last")];
    assert_eq!((steps(&recording), recording.length().as_millis()), (expected(all), 1000));
    assert_eq!(recording.bytes(), b"one\r\ntwo\r\n\xff\x00\r\nlast");
    let recording = log(text, None);
    assert_eq!((recording.steps(), recording.bytes().len(), recording.length()), (1, 18, Duration::ZERO));
    assert_eq!(log(b"", None), Recording::default());
}

#[test]
fn both_timings_of_script_are_understood() {
    let script = b"Script started on 2026-11-30 [...]\nhello\r\nw\xe4lt\r\n\nScript done on 2026-11-30\n";
    let classic = typescript(script, b"0.010 7\n0.250 6\n", "t", decimal(1.0)).unwrap();
    assert_eq!(steps(&classic), expected([(10, "hello\r\n"), (260, "w\u{fffd}lt\r\n")]));
    assert_eq!(classic.bytes(), b"hello\r\nw\xe4lt\r\n");
    let advanced = b"H 0.000000 START_TIME 2026-11-30\nH 0 OUTPUT_LOG t.ts\nH 0 INPUT_LOG i.ts\n\
        O 0.5 7\nI 0.5 99\nS 0.5 SIGWINCH ROWS=24 COLS=80\nO 0.5 6\nH 0.0 EXIT_CODE 0\n";
    let slow = typescript(script, advanced, "t", decimal(0.5)).unwrap();
    assert_eq!(steps(&slow), expected([(1000, "hello\r\n"), (4000, "w\u{fffd}lt\r\n")]));
    // One file for what was typed and what was shown.
    let both = b"H 0 OUTPUT_LOG t.ts\nH 0 INPUT_LOG t.ts\nI 1 5\nO 1 2\n";
    let heard = typescript(script, both, "t", decimal(1.0)).unwrap();
    assert_eq!(steps(&heard), expected([(2000, "\r\n")]));
}

#[test]
fn what_is_wrong_in_a_timing_is_told_with_its_line() {
    for (timing, line, message) in [
        (&b"0.1 2\n0.1 99\n"[..], 2, "there are only 3 bytes more in the typescript"),
        (b"0.1\n", 1, "expected a number of bytes"),
        (b"\nO x 3\n", 2, "expected seconds and a number of bytes, or O, I, S or H before them"),
        (b"-1 3\n", 1, "expected seconds and a number of bytes, or O, I, S or H before them"),
        (b"inf 3\n", 1, "expected seconds and a number of bytes, or O, I, S or H before them"),
    ] {
        let fault = typescript(b"hello", timing, "t.tm", decimal(1.0)).unwrap_err();
        assert_eq!((&*fault.file, fault.span.line, &*fault.message), ("t.tm", line, message));
    }
}

#[test]
fn both_versions_of_asciinema_are_understood() {
    let v2 = br#"{"version": 2, "width": 80, "height": 24, "env": {"version": 7}, "idle_time_limit": 2.0}
[0.25, "o", "a\r\n\u001b[1m\ud83d\ude00\"\\\/\t"]
[0.5, "i", "typed"]
[10.5, "o", "b"]
"#;
    let recording = cast(v2, "x", decimal(1.0)).unwrap();
    assert_eq!(steps(&recording), expected([(250, "a\r\n\u{1b}[1m\u{1f600}\"\\/\t"), (2500, "b")]));
    let v3 = b"{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n# a remark\n[1.0,\"o\",\"a\"]\n[1,\"o\",\"\xff\"]\n[2.0, \"x\", \"0\"]\n";
    let recording = cast(v3, "x", decimal(2.0)).unwrap();
    assert_eq!((recording.bytes(), recording.length().as_millis()), (&b"a\xff"[..], 2000));
    assert_eq!(steps(&recording)[1].0, 1000);
}

#[test]
fn what_is_wrong_in_a_cast_is_told_with_its_line() {
    let deep = format!("{{\"version\": 2, \"x\": {}", "[".repeat(100_000));
    assert!(cast(deep.as_bytes(), "x", decimal(1.0)).is_ok(), "what does not matter may be anything");
    for (text, line, start) in [
        ("", 1, "expected the header of a recording"),
        ("hello\n", 1, "expected an object of JSON with \"version\": 2 or 3"),
        ("{\"version\": 1}\n", 1, "version '1' of asciinema's format, expected"),
        ("{\"width\": 2, \"env\": {\"version\": 2}}\n", 1, "expected an object"),
        ("{\"version\": 2}\n[1, \"o\", \"a\"]\n[1, \"o\"]\n", 3, "expected an event such as"),
        ("{\"version\": 2}\n[-1, \"o\", \"a\"]\n", 2, "expected an event"),
        ("{\"version\": 2}\n[1, \"o\", \"\\ud83d\"]\n", 2, "expected an event"),
        ("{\"version\": 2}\n[1, \"o\", \"\\q\"]\n", 2, "expected an event"),
    ] {
        let fault = cast(text.as_bytes(), "x.cast", decimal(1.0)).unwrap_err();
        assert_eq!((&*fault.file, fault.span.line), ("x.cast", line), "{text}");
        assert!(fault.message.starts_with(start), "{text}: {}", fault.message);
    }
}
