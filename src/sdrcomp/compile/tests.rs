use std::collections::HashMap;

use hex_literal::hex;

use super::*;

fn run(text: &str, packing: Packing) -> Compiled {
    let files: HashMap<&str, &str> = HashMap::from([
        ("loop", "include \"loop\"\n"),
        (
            "bios",
            "define N \"8\"\nsdr type 8\ncontainer_entity_id bios\ncontainer_entity_inst $N\nentity_1_id 1\nentity_1_inst 1\nendsdr\n",
        ),
        ("open", "\nsdr type 8\n"),
    ]);
    compile("t", text.as_bytes(), packing, &mut |name| match files.get(name) {
        Some(text) => Ok((name.to_string(), text.as_bytes().to_vec())),
        None => Err(io::Error::from_raw_os_error(2)),
    })
}

fn one(text: &str) -> Vec<u8> {
    let out = run(text, Packing::Compact);
    assert!(out.diagnostics.is_empty(), "{:?}", out.diagnostics);
    assert_eq!(out.records.len(), 1);
    out.records.concat()
}

/// `line:column: message` of everything found.
fn found(text: &str) -> Vec<String> {
    run(text, Packing::Compact)
        .diagnostics
        .iter()
        .map(|d| format!("{}:{}:{}: {}", d.file, d.span.line, d.span.column, d.message))
        .collect()
}

/// The one thing found.
fn fault(text: &str) -> String {
    let all = found(text);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.concat()
}

/// A full record with more lines.
fn full(lines: &str) -> String {
    format!(
        "sdr type 1\nsensor_owner_id 0x20\nchannel_number 0\nsensor_owner_lun 0\nsensor_number 1\nentity_id 7\n\
         entity_instance 1\nsensor_type 1\nevent_reading_type_code 1\nid_string \"a\"\n{lines}\nendsdr\n"
    )
}

/// An association with more lines.
fn association(lines: &str) -> String {
    format!(
        "sdr type 8\ncontainer_entity_id 7\ncontainer_entity_inst 1\nentity_1_id 3\nentity_1_inst 2\n{lines}\nendsdr\n"
    )
}

#[test]
fn the_example_of_the_page() {
    let text = "sdr type 3\n\tsensor_owner_id\t\t0x20\n\tchannel_number\t\t0\n\tsensor_owner_lun\t0\n\tsensor_number\t\t1\n\
                \tentity_id\t\tsystem_board\n\tentity_instance\t\t1\n\tsensor_type\t\tTemperature\n\
                \tevent_reading_type_code\t1\n\tid_string\t\t\"xy\"\nendsdr\n";
    assert_eq!(one(text), hex!("0100 51 03 0e 20 00 01 07 01 01 01 00 00 00 00 c2 78 79"));
    // A byte-order mark and the line ends of another system change nothing.
    assert_eq!(one(&format!("\u{feff}{}", text.replace('\n', "\r\n"))), one(text));
}

#[test]
fn factors_are_stored_in_their_parts() {
    let record = one(&full(
        "m 300\ntolerance 5\nb -3\naccuracy -7\naccuracy_exp 2\nsensor_direction input\nr_exp -3\nb_exp 1\n\
         nominal_freading 12.0\nnormal_fmaximum 13.2\nunr_fthresh 14.1\npositive_fhysteresis 0.6",
    ));
    assert_eq!(record[24..30], hex!("2c 45 fd f9 f9 d1"));
    assert_eq!((record[31], record[32], record[36], record[42]), (40, 44, 47, 2));
}

#[test]
fn numbers_have_their_ranges() {
    for (line, at, bytes) in [
        ("m -512", 24, &[0x00, 0x80][..]),
        ("m 511", 24, &[0xff, 0x40]),
        ("m 0xffffffff", 24, &[0xff, 0xc0]),
        ("accuracy 1023", 27, &[0x3f, 0xf0]),
        ("accuracy -1", 27, &[0x3f, 0xf0]),
        ("r_exp -8", 29, &[0x80]),
        ("r_exp 3 - 4", 29, &[0xf0]),
        ("oem 250 + 5", 46, &[0xff]),
        ("oem -1 + 2 ignored", 46, &[1]),
        ("linearization cube-1(x)", 23, &[11]),
        ("base_unit Volts x", 21, &[4]),
    ] {
        assert_eq!(one(&full(line))[at..at + bytes.len()], *bytes, "{line}");
    }
    for (line, message) in [
        ("m 512", "t:11:3: Value out of range for bit size: 512, expected -512 to 511"),
        ("m -513", "t:11:3: Value out of range for bit size: -513, expected -512 to 511"),
        ("accuracy 1024", "t:11:10: Value out of range for bit size: 1024, expected -512 to 1023"),
        ("r_exp 7 + 1", "t:11:7: Value out of range for bit size: 8, expected -8 to 7"),
        ("oem -1", "t:11:5: Value too large for bit size: -1, expected 0 to 255"),
        ("oem 0x100000001", "t:11:5: Value too large for bit size: '0x100000001'"),
        ("oem", "t:11:4: No integer value given"),
        ("base_unit", "t:11:10: No integer value given: expected a number or a name"),
        ("base_unit $X", "t:11:11: No integer value given: expected a number or a name: there is no variable 'X'"),
        ("base_unit volts", "t:11:11: Invalid integer value 'volts'; did you mean 'Volts'?"),
        ("oem 1 +", "t:11:8: No value after operator"),
        ("oem 1 x", "t:11:7: No value after operator: 'x' is neither + nor -"),
        ("oem 1 * 2", "t:11:7: Invalid operator '*', expected + or -"),
        ("oem 1 + x", "t:11:9: Invalid integer value: 'x' is not a number such as 31 or 0x1f"),
        ("percentage", "t:11:11: No boolean value given"),
        ("percentage maybe", "t:11:12: Invalid boolean value 'maybe', must be 'true', 'on', 'false', or 'off'"),
    ] {
        assert_eq!(fault(&full(line)), message, "{line}");
    }
}

#[test]
fn readings_are_made_raw_with_the_factors_before_them() {
    for (line, raw) in [
        ("0x10", 16),
        ("0x1.8p1", 3),
        ("1e1", 10),
        (".5", 1),
        ("2.5", 3),
        ("-.4", 0),
        ("255.49", 255),
        ("5 ignored", 5),
        ("+7", 7),
    ] {
        assert_eq!(one(&full(&format!("m 1\nnormal_fmaximum {line}")))[32], raw, "{line}");
    }
    assert_eq!(one(&full("normal_fmaximum 0"))[32], 0);
    let record = one(&full("m -2\nb 100\nnormal_fmaximum 80\npositive_fhysteresis -4"));
    assert_eq!((record[32], record[42]), (10, 2));
    for line in ["256", "-.5", "nan", "inf", "1e400", "5x", "x", ""] {
        let message = fault(&full(&format!("m 1\nnormal_fmaximum {line}")));
        assert!(message.starts_with("t:12:1"), "{message}");
    }
    assert!(fault(&full("normal_fmaximum 1\nm 1")).contains("have to stand before it"));
}

#[test]
fn fields_that_share_bits_are_joined() {
    let record = one(&full("logical_entity true\nassert_event0 1\nassert_lncgl yes\nassert_lncgh on"));
    assert_eq!((record[9], record[14]), (0x81, 0x03));
    let compact = full("init_systeresis 1\nbase_unit Volts").replace("type 1", "type 2");
    let record = one(&compact);
    assert_eq!((record[10], record[20], record[21]), (0x08, 0xc0, 4));
    assert_eq!(one(&compact.replace("systeresis", "hysteresis")), record);
}

#[test]
fn a_device_relative_association_has_a_whole_byte_of_instance() {
    let text = association("").replace("type 8", "type 9").replace(
        "container_entity_inst 1",
        "container_entity_inst 0x61\ncontainer_entity_dev_addr 0x20\ncontainer_entity_dev_chan 0\n\
         entity_1_dev_addr 0x30\nentity_1_dev_chan 1",
    );
    let record = one(&text);
    assert_eq!((record.len(), record[4], record[6]), (32, 27, 0x61));
}

#[test]
fn variables_includes_and_numbers_of_records() {
    let text = format!(
        "define N \"1\"\ninclude \"bios\"\n{}include 'bi'\"os\"\n",
        association("entity_2_inst $N\n  # comment\n")
    );
    let out = run(&text, Packing::Compact);
    assert!(out.diagnostics.is_empty(), "{:?}", out.diagnostics);
    let starts: Vec<_> = out.records.iter().map(|record| (record[0], record[5], record[6], record[11])).collect();
    assert_eq!(starts, [(1, 34, 8, 0), (2, 7, 1, 8), (3, 34, 8, 0)]);
}

#[test]
fn every_fault_is_told_with_its_place() {
    let faults = found(
        "foo\nsdr\nendsdr\nsdr type 99\nwhatever\nendsdr\nsdr type x\nendsdr\nsdr type 18\nsel 1\nsel 1\nsell 1\nendsdr\n\
         oem 1\ninclude \"nope\"\ninclude nope\ndefine\ndefine X\n$NOPE x\nendsdr\ninclude \"open\"\nsdr type 8",
    );
    let expected = [
        "t:1:1: Invalid input, expecting \"sdr type <n>\", define or include",
        "t:2:4: Invalid input, expecting \"sdr type <n>\"",
        "t:4:10: Unknown SDR type, supported types are 1, 2, 3, 8, 9, 16 (0x10), 17 (0x11) and 18 (0x12)",
        "t:7:10: Invalid input, expecting \"sdr type <n>\": Invalid integer value: 'x' is not a number such as 31 or 0x1f",
        "t:11:1: Field already set in this SDR: sel",
        "t:12:1: unknown SDR field 'sell' in a record of type 18; did you mean 'sel'?",
        "t:13:1: Missing required field: device_slave_address, device_channel_number, entity_id, entity_instance, id_string",
        "t:14:1: Invalid input, expecting \"sdr type <n>\", define or include; 'oem' belongs in a record",
        "t:15:9: Unable to open included file 'nope': No such file or directory",
        "t:16:9: Invalid filename, expecting quote delimited string: string value must start with '\"' or ''': found 'nope'",
        "t:17:7: Invalid input, expecting variable name",
        "t:18:9: Invalid value, expecting quote delimited string: missing string value",
        "t:19:1: line ignored: Unknown variable named 'NOPE'",
        "t:20:1: Invalid input, expecting \"sdr type <n>\": there is no record to end here",
        "open:2:1: Unexpected end of file: expected endsdr for this record",
        "t:22:1: Unexpected end of file: expected endsdr for this record",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn files_that_include_themselves_end() {
    let message = fault("include \"loop\"");
    assert_eq!(message, "loop:1:9: files include each other more than 64 deep");
}

#[test]
fn long_names_are_told() {
    let named = |length| full("").replace("\"a\"", &format!("\"{}\"", "x".repeat(length)));
    assert_eq!(one(&named(31)).len(), 48 + 31);
    assert_eq!(fault(&named(32)), "t:10:11: clients read at most 31 of these 32 bytes");
    assert_eq!(fault(&named(64)), "t:10:11: only the first 63 of 64 bytes are kept");
    assert!(!run(&named(64), Packing::Compact).failed());
}

#[test]
fn no_input_is_too_strange() {
    let words = [
        "sdr",
        "type",
        "1",
        "8",
        "endsdr",
        "define",
        "include",
        "$X",
        "\"",
        "'",
        "\"a\"",
        "+",
        "-",
        "m",
        "b",
        "id_string",
        "0x",
        "\0",
        "\u{e9}",
        "\n",
        " ",
        "\t",
        "#",
        "nominal_freading",
        "1e999999999999",
        "oem",
        "sel",
        "0xffffffffffffffffff",
    ];
    let mut seed = 1u64;
    for _ in 0..2000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(words[(seed >> 33) as usize % words.len()]);
            text.push(if seed >> 62 == 0 { '\n' } else { ' ' });
        }
        for diagnostic in run(&text, Packing::Compact).diagnostics {
            assert!(diagnostic.to_string().lines().count() >= 3);
        }
    }
}
