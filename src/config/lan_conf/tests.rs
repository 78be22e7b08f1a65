use super::*;
use crate::ipmi::{AuthTypes, ChannelNumber, McAddress, Privilege};
use crate::settings::model::{CodecKind, Port, SerialInterface, SerialOem, SolTarget};

/// A file with the line in question as its third, after what every file needs.
fn file(line: &str) -> String {
    format!("name \"x\"\n# a comment\n{line}\n")
}

/// The same inside a LAN block.
fn block(line: &str) -> String {
    format!("name \"x\"\nstartlan 1\n{line}\nendlan\n")
}

fn good(text: &str) -> Config {
    let (config, diagnostics) = parse("lan.conf", text.as_bytes());
    assert!(diagnostics.is_empty(), "{text}\n{}", shown(&diagnostics));
    config.unwrap_or_else(|| panic!("no configuration and no reason: {text}"))
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| format!("{d}\n")).collect()
}

/// The only finding in `text`: severity, line, column, length, message.
fn finding(text: &str) -> (Severity, Span, String) {
    let (config, diagnostics) = parse("lan.conf", text.as_bytes());
    let [one] = diagnostics.as_slice() else { panic!("{text}\n{}", shown(&diagnostics)) };
    assert_eq!(config.is_none(), one.severity == Severity::Error, "{text}\n{one}");
    (one.severity, one.span, one.message.clone())
}

fn fails(text: &str, message: &str, column: u32, length: u32) {
    let (severity, span, found) = finding(text);
    assert!(found.starts_with(message), "{text}: {found}");
    assert_eq!(severity, Severity::Error, "{text}");
    assert_eq!(span, Span { line: 3, column, length }, "{text}: {found}");
}

fn warns(text: &str, message: &str, column: u32, length: u32) -> Config {
    let (severity, span, found) = finding(text);
    assert!(found.contains(message), "{text}: {found}");
    assert_eq!(severity, Severity::Warning, "{text}");
    assert_eq!(span, Span { line: 3, column, length }, "{text}: {found}");
    parse("lan.conf", text.as_bytes()).0.expect("a warning leaves a configuration")
}

fn chassis(line: &str) -> Option<String> {
    good(&file(line)).controllers[0].chassis_control.clone()
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    out[..text.len()].copy_from_slice(text.as_bytes());
    out
}

/// `lan-conf.md` section 11, rows 1 to 8.
#[test]
fn strings() {
    assert_eq!(chassis("chassis_control \"a\"'b'\"c\"").as_deref(), Some("abc"));
    fails(&file("chassis_control \"a\\\"b\""), "string value must start with '\"' or '''", 21, 2);
    fails(&file("chassis_control \"abc"), "End of line in string", 17, 1);
    fails(&file("chassis_control /bin/true"), "string value must start with '\"' or '''", 17, 9);
    fails(&file("chassis_control"), "missing string value", 16, 1);
    assert_eq!(chassis("chassis_control \"a\" # hi").as_deref(), Some("a"));
    fails(&file("chassis_control \"a\"# hi"), "string value must start with '\"' or '''", 20, 1);
    fails(&file("chassis_control $x"), "unable to find variable", 17, 2);
    assert_eq!(chassis("chassis_control ''").as_deref(), Some(""));
    assert_eq!(chassis("\tchassis_control\t 'say \"hi\"'").as_deref(), Some("say \"hi\""));
    assert_eq!(chassis("chassis_control \x0b\"a\"\x0c").as_deref(), Some("a"));
}

/// Rows 9 to 11, and what `define` is for.
#[test]
fn variables() {
    warns(&file("$undefined anything at all"), "there is no variable 'undefined'", 1, 10);
    fails(&file("poweroff_wait $x"), "No integer value given: expected seconds: there is no variable 'x'", 15, 2);
    let config = good(concat!(
        "define n \"top\"\ndefine k 'kill_wait'\ndefine v \"0x10\"\nname \"a-\"$n\"/b\"\n",
        "$k $v\ndefine pw '\"a secret\"'\nuser 2 on \"u\" $pw admin 3\ndefine n \"later\"\n"
    ));
    assert_eq!(config.name, "a-top/b");
    assert_eq!(config.controllers[0].kill_wait, 16);
    assert_eq!(config.controllers[0].users[0].password, padded("a secret"));
    let names: Vec<_> = config.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(names, [("k", "kill_wait"), ("v", "0x10"), ("pw", "\"a secret\""), ("n", "later")]);
    // The value is one word, not split and not replaced again.
    fails("define two \"1 2\"\nname \"x\"\nkill_wait $two\n", "Invalid integer value: '1 2' is not a number", 11, 4);
    fails("define two \"$x\"\nname \"x\"\nkill_wait $two\n", "Invalid integer value: '$x' is not a number", 11, 4);
    assert_eq!(good("define e \"\"\nname \"x\"\nkill_wait $e\n").controllers[0].kill_wait, 0);
    fails(&file("define"), "No variable supplied for define", 7, 1);
    fails(&file("define x"), "missing string value", 9, 1);
    fails(&file("define x y"), "string value must start with '\"' or '''", 10, 1);
}

/// Rows 12 to 16, 19.
#[test]
fn numbers_and_booleans() {
    let wait = |line: &str| good(&file(line)).controllers[0].poweroff_wait;
    for (line, value) in [
        ("poweroff_wait 10 # hi", 10),
        ("poweroff_wait 0x10", 16),
        ("poweroff_wait 010", 8),
        ("poweroff_wait +5", 5),
        ("poweroff_wait -1", u32::MAX),
        ("poweroff_wait 99999999999999999999", u32::MAX),
        ("poweroff_wait 10\r", 10),
    ] {
        assert_eq!(wait(line), value, "{line}");
    }
    for word in ["10#hi", "08", "1.5", "1f", "0x"] {
        fails(&file(&format!("poweroff_wait {word}")), "Invalid integer value", 15, word.len() as u32);
    }
    let (config, diagnostics) = parse("lan.conf", file("kill_wait \\\n10").as_bytes());
    assert!(config.is_none() && diagnostics.len() == 2, "{}", shown(&diagnostics));
    let start = |line: &str| good(&file(line)).controllers[0].start_now;
    assert!(start("startnow YeS") && start("startnow 1") && start("startnow oN"));
    assert!(!start("startnow false true maybe") && !start("startnow 0") && !start("startnow NO"));
    let boolean = "Invalid boolean value, must be 'true', 'on', 'false', or 'off'";
    fails(&file("startnow enable"), boolean, 10, 6);
    fails(&file("startnow"), "No boolean value given", 9, 1);
    fails(&file("StartNow false"), "Invalid configuration option 'StartNow', did you mean 'startnow'?", 1, 8);
    let config = good("name \"x\"\nset_working_mc 0x130\nset_working_mc 0x20\nset_working_mc 48\nkill_wait 1\n");
    let waits: Vec<_> = config.controllers.iter().map(|c| (c.address, c.kill_wait)).collect();
    assert_eq!(waits, [(McAddress::BMC, 20), (McAddress(0x30), 1)]);
}

/// Rows 17, 18, 20, 21 and section 1.
#[test]
fn lines_and_bytes() {
    good("name \"x\"\r\n\r\n# c\r\n  \t \r\nstartnow true\r\nstartlan 1\r\nendlan\r\n");
    good("\u{feff}name \"x\"");
    assert_eq!(chassis(&format!("chassis_control \"{}\"", "a".repeat(100_000))).map(|s| s.len()), Some(100_000));
    good(&file(&format!("#{}", "a".repeat(100_000))));
    good(&file("#comment without a blank"));
    let (config, diagnostics) = parse("lan.conf", b"name \"x\"\nkill_wait 7\0 8\n");
    assert_eq!(config.map(|c| c.controllers[0].kill_wait), Some(7));
    assert_eq!((diagnostics.len(), diagnostics[0].severity), (1, Severity::Warning));
    let (config, _) = parse("lan.conf", b"name \"\xff\xe9\"\nuser 2 true \"\xff\" \"p\xe9\" admin 1\n");
    let config = config.expect("any byte is a character");
    assert_eq!(crate::config::text::encode(&config.name).as_ref(), b"\xff\xe9");
    assert_eq!(config.controllers[0].users[0].name[..2], [0xff, 0]);
    assert_eq!(config.controllers[0].users[0].password[..3], [b'p', 0xe9, 0]);
}

/// Rows 22 to 30.
#[test]
fn users() {
    let user = |line: &str| good(&file(line)).controllers[0].users[0].clone();
    let auths = Some(AuthTypes(0b1_0111));
    let found = user("user 2 true \"admin\" \"pw\"  operator 266 none md2 md5 straight none");
    assert_eq!((found.number.get(), found.enabled, found.max_sessions, found.auths), (2, true, 10, auths));
    assert_eq!((found.name, found.password, found.privilege), (padded("admin"), padded("pw"), Privilege::Operator));
    assert_eq!(found.span, Span { line: 3, column: 1, length: 65 });
    assert_eq!(user("user 2 true \"a\" \"b\" admin 10").auths, None);
    assert_eq!(user("user 2 true \"a\" \"b\" admin 10 # none").auths, None);
    assert_eq!(user("user 2 true \"a\" \"b\" admin 10 md5 # none").auths, Some(AuthTypes::MD5));
    let odd =
        warns(&file("user 2 true \"a\" \"b\" admin 10 md5 any none"), "'any' is not an authentication type", 34, 3);
    assert_eq!(odd.controllers[0].users[0].auths, Some(AuthTypes::MD5));

    assert_eq!(user("user 3 true \"a b\" \"Welcome123! @$%^&*()\" admin 10").name, padded("a b"));
    assert_eq!(user("user 3 true \"a b\" \"Welcome123! @$%^&*()\" admin 10").password, padded("Welcome123! @$%^&*()"));
    assert_eq!(user("user 3 true \"a\"b\" \"x\" operator 3").name, padded("a\"b"));
    assert_eq!(user("user 3 true \" \"b\" \"\" admin 10").name, padded(" \"b"));
    assert_eq!(user("user 3 true \"\" \"\" admin 10").password, [0; 20]);
    fails(&file("user 3 true \"a b admin 10"), "ASCII password or username doesn't end in '\"'", 13, 2);
    fails(&file("user 3 true \""), "ASCII password or username doesn't end in '\"'", 13, 1);
    fails(&file("user 3 true 'a' 'b' admin 10"), "HEX password or username not 32 HEX characters long", 13, 3);
    fails(&file("user 3 true"), "Missing password or username", 12, 1);

    let long = file("user 3 true \"a\" \"abcdefghijklmnopqrst\" admin 10");
    assert_eq!(good(&long).controllers[0].users[0].password, padded("abcdefghijklmnopqrst"));
    let cut =
        warns(&file("user 3 true \"a\" \"abcdefghijklmnopqrstu\" admin 10"), "only the first 20 are used", 17, 23);
    assert_eq!(cut.controllers[0].users[0].password, padded("abcdefghijklmnopqrst"));
    let cut = warns(&file("user 3 true \"abcdefghijklmnop\" \"b\" admin 10"), "only the first 15 are used", 13, 18);
    assert_eq!(cut.controllers[0].users[0].name, padded("abcdefghijklmno"));

    let hex = user("user 3 true 6162000000000000000000000000000a 00112233445566778899aabbccddeeFF admin 10");
    assert_eq!(hex.name, *b"ab\0\0\0\0\0\0\0\0\0\0\0\0\0\n");
    assert_eq!(hex.password[..2], [0, 0x11]);
    assert_eq!(hex.password[15..], [0xff, 0, 0, 0, 0]);
    let hex = user("user 3 true \"a\" 00112233445566778899aabbccddeeff01020304 admin 10");
    assert_eq!(hex.password[15..], [0xff, 1, 2, 3, 4]);
    fails(&file("user 3 true \"a\" 0011223344556677889Xaabbccddeeff admin 10"), "Invalid HEX character", 36, 1);
    let twenty = "user 3 true 00112233445566778899aabbccddeeff01020304 \"x\" admin 10";
    fails(&file(twenty), "HEX password or username not 32", 13, 40);

    fails(&file("user 0 true \"a\" \"b\" admin 10"), "User number 0 is invalid", 6, 1);
    fails(&file("user 64 true \"a\" \"b\" admin 10"), "User number larger than the allowed number of users", 6, 2);
    fails(&file("user -1 true \"a\" \"b\" admin 10"), "User number larger than the allowed number of users", 6, 2);
    fails(&file("user 2 true \"a\" \"b\" Admin 10"), "Invalid privilege specified, must be 'callback'", 21, 5);
    fails(&file("user 2 true \"a\" \"b\" oem 10"), "Invalid privilege specified", 21, 3);
    fails(&file("user 2 true \"a\" \"b\""), "No privilege specified, must be 'callback'", 20, 1);
    fails(&file("user 2 true \"a\" \"b\" admin ten"), "Invalid integer value", 27, 3);
    fails(&file("user"), "No integer value given", 5, 1);
}

/// Row 27, and the lines of a real device.
#[test]
fn users_without_the_sessions_column() {
    let config = warns(&file("user 2 true \"a\" \"b\" admin none md5 "), "No integer value given", 26, 1);
    assert_eq!(config.controllers[0].users[0].auths, Some(AuthTypes(0b101)));
    assert_eq!(config.controllers[0].users[0].max_sessions, 10);
    let config = warns(&file("user 2 true \"a\" \"b\" admin"), "No integer value given", 26, 1);
    assert_eq!(config.controllers[0].users[0].auths, None);
    warns(&file("user 2 true \"a\" \"b\" admin  # all"), "No integer value given", 26, 1);
}

#[test]
fn what_is_given_twice_counts_once() {
    let twice = "name \"x\"\nuser 2 true \"a\" \"b\" admin 1\nuser 2 true \"c\" \"d\" user 1\n";
    let config = warns(twice, "given in line 2", 1, 4);
    assert_eq!((config.controllers[0].users.len(), config.controllers[0].users[0].name), (1, padded("c")));
    let config = warns("sol \"/a\" 9600\nname \"x\"\nsol \"/b\" 9600\n", "this one counts", 1, 3);
    assert_eq!(config.controllers[0].sol.as_ref().map(|sol| &sol.target), Some(&SolTarget::Device("/b".into())));
    assert_eq!(warns("\nname \"x\"\nname \"y\"\n", "this one counts", 6, 3).name, "y");
    let config = warns("name \"x\"\nconsole h 1\nconsole h 2\n", "this one counts", 1, 7);
    assert_eq!(config.console.map(|console| console.port), Some(Port::Number(2)));
    // On another controller it is another user.
    good("name \"x\"\nuser 2 true \"a\" \"b\" admin 1\nset_working_mc 0x30\nuser 2 true \"a\" \"b\" admin 1\n");
}

/// Rows 31 to 37.
#[test]
fn lan_blocks() {
    let lan = |line: &str| good(&block(line)).controllers[0].lans[0].clone();
    let address = |line: &str| lan(line).address.map(|address| (address.host, address.port));
    assert_eq!(address("addr 127.0.0.1"), Some(("127.0.0.1".into(), Port::Number(623))));
    assert_eq!(address("  addr :: 0 and more"), Some(("::".into(), Port::Number(0))));
    assert_eq!(address("addr 127.0.0.1 65535"), Some(("127.0.0.1".into(), Port::Number(65535))));
    for (port, taken, length) in [("70000", 4464, 5), ("+65536", 0, 6), ("184467440737095516160", 65535, 21)] {
        let told = format!("it becomes port {taken}");
        let config = warns(&block(&format!("addr 127.0.0.1 {port}")), &told, 16, length);
        let address = config.controllers[0].lans[0].address.clone();
        assert_eq!(address.map(|address| address.port), Some(Port::Number(taken)));
    }
    for host in ["127.1", "2130706433", "0177.0.0.01", "1.2.65535", "0"] {
        assert_eq!(address(&format!("addr {host} 1")), Some((host.into(), Port::Number(1))));
    }
    for host in ["127.0.0.256", "1.2.3.4.5", "127..1", "127.0.0.", "256.1", "4294967296", "08.0.0.1", "1.2.65536"] {
        let told = format!("getaddrinfo err: '{host}' is not a host: expected an IPv4 address");
        fails(&block(&format!("addr {host} 1")), &told, 6, host.len() as u32);
    }
    assert_eq!(address("addr * asf-rmcp"), Some(("*".into(), Port::Service("asf-rmcp".into()))));
    let place = Span { line: 3, column: 6, length: 15 };
    assert_eq!(lan("addr fe80::1%eth0 +1").address.map(|a| a.span), Some(place));
    fails(&block("addr 127.0.0.1 # comment"), "getaddrinfo err: '#' is not a port", 16, 1);
    fails(&block("addr 127.0.0.1 0x6000"), "getaddrinfo err: '0x6000' is not a port", 16, 6);
    fails(&block("addr \"127.0.0.1\" 9001"), "getaddrinfo err", 6, 11);
    fails(&block("addr [::1] 9001"), "getaddrinfo err", 6, 5);
    fails(&block("addr 127.0.0.1:623"), "getaddrinfo err", 6, 13);
    fails(&block("addr"), "No IP address specified", 5, 1);
    fails(&block("addr $host 623"), "No IP address specified", 6, 5);
    // As in the original, which says nothing.
    let config = warns(&block("addr 127.0.0.1 $port"), "there is no variable 'port'; the port is 623", 16, 5);
    assert_eq!(config.controllers[0].lans[0].address.as_ref().map(|a| &a.port), Some(&Port::Number(623)));
    warns(&block("allowed_auths_user md2 $x md5"), "there is no variable 'x'", 24, 2);
    let (_, span, message) = finding("name \"x\"\nstartlan 1\naddr :: 1\naddr :: 2\nendlan\n");
    assert_eq!((message.as_str(), span.line, span.length), ("LAN address already set, line 3", 4, 4));

    assert_eq!(lan("advertised_port 30623").advertised_port, Some(30623));
    for port in ["0", "65536", "x", "0x10", "-1", "30623#"] {
        fails(&block(&format!("advertised_port {port}")), "Invalid port", 17, port.len() as u32);
    }
    fails(&block("advertised_port"), "No port given: expected a port number from 1 to 65535", 16, 1);

    assert_eq!(lan("allowed_auths_user").allowed_auths, [AuthTypes(0); 4]);
    assert_eq!(lan("allowed_auths_operator none md5").allowed_auths[2], AuthTypes(0b101));
    assert_eq!(lan("allowed_auths_callback straight").allowed_auths[0], AuthTypes(0x10));
    assert_eq!(lan("allowed_auths_admin md2 md2 none").allowed_auths[3], AuthTypes(3));
    fails(&block("allowed_auths_user md5 # x"), "Invalid authorization type, must be 'none', 'md2'", 24, 1);
    assert_eq!(lan("guid a123456789abcdefa123456789abcdef rest").guid.map(|guid| guid[0]), Some(0xa1));
    assert_eq!(lan("guid \"I AM\"").guid, Some(padded("I AM")));
    // A UUID is sent from its last byte to its first, so that clients show it as it is written.
    let sent: [u8; 16] = std::array::from_fn(|at| 15 - at as u8);
    for uuid in ["00010203-0405-0607-0809-0a0b0c0d0e0f", "00010203-0405-0607-0809-0A0B0C0D0E0F rest"] {
        assert_eq!(lan(&format!("guid {uuid}")).guid, Some(sent));
    }
    assert_eq!(lan("guid \"a1234567-89ab\"").guid, Some(padded("a1234567-89ab")));
    for no_uuid in [
        "a1234567-89ab-cdef-a123-456789abcde",
        "a123456789ab-cdef-a123-456789abcdef-",
        "{1234567-89ab-cdef-a123-456789abcdef",
    ] {
        fails(&block(&format!("guid {no_uuid}")), "HEX password or username not 32 HEX", 6, no_uuid.len() as u32);
    }
    fails(&block("guid a1234567-89ab-cdef-a123-456789abcdeg"), "HEX password or username not 32 HEX", 6, 36);
    let cut = warns(&block("guid \"I_AM_A_REAL_BMC!\""), "only the first 15", 6, 18);
    assert_eq!(cut.controllers[0].lans[0].guid, Some(padded("I_AM_A_REAL_BMC")));
    let cut = warns(&block("bmc_key \"abcdefghijklmnopqrst\""), "only the first 19", 9, 22);
    assert_eq!(cut.controllers[0].lans[0].bmc_key, Some(padded("abcdefghijklmnopqrs")));
    for none in ["\"\"".to_owned(), "0".repeat(40), "0".repeat(32)] {
        let conf = warns(&block(&format!("bmc_key {none}")), "an empty key is none", 1, 7);
        assert_eq!(conf.controllers[0].lans[0].bmc_key, None);
    }
    let key = lan("bmc_key 00112233445566778899aabbccddeeff01020304").bmc_key.expect("a key");
    assert_eq!((key[1], key[19]), (0x11, 4));

    assert_eq!(lan("priv_limit operator").privilege_limit, Some(Privilege::Operator));
    assert_eq!(lan("").privilege_limit, None);
    assert_eq!(lan("lan_config_program \"a b\"").config_program.as_deref(), Some("a b"));
    assert!(lan("PEF_alerting true").pef_alerting && lan("per_msg_auth on").per_message_auth);
}

/// Rows 38 to 41.
#[test]
fn where_lan_blocks_begin_and_end() {
    fails("\n name \"x\"\nstartlan 0\nendlan\n", "Channel already in use", 10, 1);
    fails("\n name \"x\"\nstartlan 16\naddr ::\nendlan\n", "Channel number out of range", 10, 2);
    fails("\n name \"x\"\nstartlan -1\nendlan\n", "Channel number out of range", 10, 2);
    fails("\n name \"x\"\nstartlan\nendlan\n", "No integer value given", 9, 1);
    fails("name \"x\"\n\n  startlan 1\n addr ::\n\n", "End of file in lan section", 3, 8);
    fails(&block("user 2 true \"a\" \"b\" admin 10"), "Invalid configuration option 'user' inside the LAN block", 1, 4);
    fails(&file("endlan"), "Invalid configuration option 'endlan' outside of a LAN block", 1, 6);
    let (_, span, message) = finding("name \"x\"\nstartlan 1\nendlan\nstartlan 0x1\nendlan\n");
    assert!(message.starts_with("Channel already in use") && span.line == 4, "{message}");
    let config =
        good("name \"x\"\nstartlan 1 x\nendlan x\nstartlan 2\nendlan\nset_working_mc 0x30\nstartlan 1\nendlan\n");
    let channels = |c: &ControllerConfig| c.lans.iter().map(|lan| (lan.channel, lan.span.line)).collect::<Vec<_>>();
    let lan = |number, line| (ChannelNumber::from_wire(number), line);
    assert_eq!(
        config.controllers.iter().map(channels).collect::<Vec<_>>(),
        [vec![lan(1, 2), lan(2, 4)], vec![lan(1, 7)]]
    );
}

/// A forgotten `endlan` is one fault; the statements after it are read as what they are.
#[test]
fn a_forgotten_end_hides_nothing() {
    let text = "name \"x\"\nstartlan 1\naddr ::\nuser 2 true \"a\" \"b\" admin 1\nkill_wait x\nstartlan 2\nendlan\n";
    let (_, diagnostics) = parse("lan.conf", text.as_bytes());
    let found: Vec<_> = diagnostics.iter().map(|d| (d.span.line, d.message.split(':').next().unwrap_or(""))).collect();
    let user = "Invalid configuration option 'user' inside the LAN block begun in line 2, expected endlan before it";
    assert_eq!(found, [(4, user), (5, "Invalid integer value")]);
    let nested = "name \"x\"\nstartlan 1\nstartlan 2\nendlan\n";
    let (_, span, message) = finding(nested);
    assert!(message.contains("expected endlan before it") && span.line == 3, "{message}");
}

#[test]
fn every_fault_is_reported() {
    let text = "nam \"x\"\nstartlan 1\n addr\n guid x\nendlan\nuser 2\nkill_wait x\nstartlan 16\n addr\n bogus\n";
    let (config, diagnostics) = parse("lan.conf", text.as_bytes());
    let lines: Vec<_> = diagnostics.iter().map(|d| d.span.line).collect();
    assert!(config.is_none());
    assert_eq!(lines, [1, 3, 4, 6, 7, 8, 8, 9, 10, 1], "{}", shown(&diagnostics));
}

/// Rows 42 to 45.
#[test]
fn serial() {
    let serial = |line: &str| good(&file(line)).controllers[0].serials[0].clone();
    let found = serial("serial 15 localhost 9002 codec VM");
    assert_eq!(
        (found.channel, found.interface, found.codec),
        (ChannelNumber::SYSTEM_INTERFACE, SerialInterface::Rs232, CodecKind::Vm)
    );
    assert_eq!((found.address.host.as_str(), found.address.port), ("localhost", Port::Number(9002)));
    assert_eq!((found.ipmb, found.connect, found.oem), (McAddress::NONE, false, None));
    let found = serial("serial kcs h 1 connect ipmb 0x130 attn 7,0x1ff oem Radisys codec RadisysAscii");
    assert_eq!(
        (found.interface, found.channel, found.ipmb),
        (SerialInterface::Kcs, ChannelNumber::SYSTEM_INTERFACE, McAddress(0x30))
    );
    assert_eq!((found.attention, found.oem, found.connect), (vec![7, 0xff], Some(SerialOem::Radisys), true));
    assert_eq!(found.codec, CodecKind::RadisysAscii);
    let found = serial("serial ssif-7 localhost 9005 codec TerminalMode oem PigeonPoint");
    assert_eq!(
        (found.interface, found.channel, found.codec),
        (SerialInterface::Ssif, ChannelNumber::from_wire(7), CodecKind::TerminalMode)
    );
    assert_eq!(serial("serial 0x3 h 1 codec Direct").channel, ChannelNumber::from_wire(3));
    assert_eq!(serial("serial bt-0x4 h 1 codec VM").interface, SerialInterface::Bt);

    fails(&file("serial 15 127.0.0.1 9002"), "codec not specified", 25, 1);
    fails(&file("serial 15 127.0.0.1 9002 codec vm"), "Invalid codec", 32, 2);
    fails(&file("serial 15 127.0.0.1 9002 codec"), "Missing parameter for codec", 31, 1);
    fails(&file("serial 15 h 9002 codec VM # x"), "Invalid setting, not connect, codec, oem, attn, or ipmb", 27, 1);
    fails(&file("serial 15 h 9002 codec VM oem x"), "Invalid oem setting", 31, 1);
    fails(&file("serial 15 h 9002 codec VM oem"), "Missing parameter for oem", 30, 1);
    fails(&file("serial 15 h 9002 codec VM attn 1,x"), "Invalid attn value", 34, 1);
    fails(&file("serial 15 h 9002 codec VM attn 1,2,3,4,5,6,7,8,9"), "Too many attn characters", 48, 1);
    fails(&file("serial 15 h 9002 codec VM attn"), "Missing parameter for attn", 31, 1);
    fails(&file("serial 15 h 9002 codec VM ipmb zz"), "Invalid IPMB address", 32, 2);
    fails(&file("serial 15 h 9002 codec VM ipmb"), "Invalid IPMB address", 31, 1);
    fails(&file("serial 15 h"), "No port specified", 12, 1);
    fails(&file("serial 15"), "No IP address specified", 10, 1);
    fails(&file("serial"), "No channel given", 7, 1);
    fails(&file("serial kcsx h 1 codec VM"), "Invalid channel number", 8, 4);
    fails(&file("serial kcs-x h 1 codec VM"), "Invalid channel number", 12, 1);
    fails(&file("serial kcs- h 1 codec VM"), "System channel already defined", 8, 4);
    fails(&file("serial 0 h 1 codec VM"), "System channel already defined", 8, 1);
    fails(&file("serial 16 h 1 codec VM"), "Invalid channel number", 8, 2);
    fails(&file("serial tty h 1 codec VM"), "Channel not a valid number", 8, 3);
    fails("name \"x\"\nserial 15 h 1 codec VM\nserial kcs h 2 codec VM\n", "System channel already defined", 8, 3);
    fails("name \"x\"\nserial 15 h 1 codec VM\nipmb 15 ipmb_dev_int /dev/x\n", "Channel already in use", 6, 2);
}

/// Rows 46 to 49.
#[test]
fn serial_over_lan() {
    let sol = |line: &str| good(&file(line)).controllers[0].sol.clone().expect("a sol line");
    let found = sol("sol \"/dev/ttyS1\" 0x2580 history=4000,backupfile=/b historyfru=10 nortsctsx readclearly");
    assert_eq!((&found.target, found.bit_rate), (&SolTarget::Device("/dev/ttyS1".into()), 9600));
    assert_eq!((found.history, found.backup_file.as_deref(), found.history_fru), (4000, Some("/b"), Some(10)));
    assert!(!found.rts_cts && found.read_clear);
    let found = sol("sol \"telnet:localhost:9003\" 115200");
    assert_eq!(found.target, SolTarget::Telnet { host: "localhost".into(), port: "9003".into() });
    assert!(found.rts_cts && !found.read_clear && found.history == 0);
    let raw = sol("sol 'tcp:::1:9' 9600");
    assert_eq!(raw.target, SolTarget::Tcp { host: String::new(), port: ":1:9".into() });
    assert_eq!(sol("sol \"/x\" 9600 history= historyfru=").history_fru, Some(0));

    fails(&file("sol /dev/ttyS0 9600"), "string value must start with '\"' or '''", 5, 10);
    fails(&file("sol \"tcp:127.0.0.1\" 9600"), "No port specified in sol tcp connection", 5, 15);
    fails(&file("sol \"tcp:h:1\" 9600 history=4k"), "Invalid history value", 28, 2);
    fails(&file("sol \"tcp:h:1\" 9600 history=4000,foo=1"), "Unknown history option", 33, 5);
    fails(&file("sol \"/dev/null\" 9600 # hi"), "Invalid item", 22, 1);
    fails(&file("sol \"/dev/null\" 9600 rtscts"), "Invalid item", 22, 6);
    fails(&file("sol \"/dev/null\" 1200"), "Invalid bitrate, must be 9600, 19200, 38400, 57600, or 115200", 17, 4);
    fails(&file("sol \"/dev/null\""), "No integer value given", 16, 1);
    fails(&file("sol \"/dev/null\" 9600 historyfru=255"), "history FRU value must be < 0xff", 33, 3);
    fails(&file("sol \"/dev/null\" 9600 historyfru=x"), "Invalid history FRU value", 33, 1);
}

/// Rows 50 to 54.
#[test]
fn the_rest() {
    fails(&file("loadlib \"/x.so\""), "loadlib needs the file and the init string: missing string value", 16, 1);
    let config = warns(&file("loadlib \"/x.so\" \"a=b\""), "cannot be loaded", 9, 7);
    assert_eq!((config.libraries[0].file.as_str(), config.libraries[0].init.as_str()), ("/x.so", "a=b"));
    assert_eq!(config.libraries[0].span.line, 3);
    fails(&file("console 127.0.0.1"), "No port specified", 18, 1);
    let console = good(&file("console 0.0.0.0 9000 x")).console.expect("a console");
    assert_eq!(console.literal(), "0.0.0.0:9000".parse().ok());
    fails(&file("ipmb 2 ipmb_dev_int"), "Missing device file name", 20, 1);
    fails(&file("ipmb 2 other /dev/ipmb"), "Config file missing <linux ipmb driver name>", 8, 5);
    fails(&file("ipmb 16 ipmb_dev_int /dev/ipmb"), "Invalid channel number, must be 0-15", 6, 2);
    let long = "ipmb 1 ipmb_dev_int /dev/ipmb-0123456";
    fails(&file(long), "Length of device file name '/dev/ipmb-0123456' > 15", 21, 17);
    let config = good("name \"x\"\nipmb 0 ipmb_dev_int /dev/ipmb-0\nipmb 0 ipmb_dev_int /dev/ipmb-1 x\n");
    let ipmbs = &config.controllers[0].ipmbs;
    assert_eq!(ipmbs.iter().map(|i| i.device.as_str()).collect::<Vec<_>>(), ["/dev/ipmb-0", "/dev/ipmb-1"]);
    fails(
        &file("persist_changes true"),
        "Invalid configuration option 'persist_changes', expected one of name, ",
        1,
        15,
    );
    let elsewhere = "Invalid configuration option 'mc_enable': it belongs in the command file";
    fails(&file("mc_enable 0x20"), elsewhere, 1, 9);
    let (severity, span, message) = finding("# only comments\n");
    assert!(message.starts_with("name not set in config file") && severity == Severity::Error);
    assert_eq!(span, Span { line: 1, column: 1, length: 1 });
    assert!(parse("lan.conf", b"").0.is_none());
    assert_eq!(good("name \"\"\n").name, "");
    let config = good("name \"x\"\nstartcmd \"a\"\npoweroff_wait 1\nkill_wait 2\nstartnow yes\n");
    let bmc = &config.controllers[0];
    assert_eq!(
        (bmc.start_command.as_deref(), bmc.poweroff_wait, bmc.kill_wait, bmc.start_now),
        (Some("a"), 1, 2, true)
    );
    let bmc = &good("name \"x\"\n").controllers[0];
    assert_eq!((bmc.address, bmc.poweroff_wait, bmc.kill_wait, bmc.start_now), (McAddress::BMC, 60, 20, false));
}

/// A BMC of a fleet has its name and variables before a line is read.
#[test]
fn what_is_given_holds_from_the_first_line_on() {
    let given = |name: Option<&str>| Given {
        name: name.map(str::to_owned),
        variables: [("name", "n7"), ("secret", "it's me"), ("addr", "10.0.0.7")]
            .map(|(n, v)| (n.into(), v.into()))
            .into(),
    };
    let text = "name $name\nuser 2 on \"u\" $secret admin 3\nstartlan 1\naddr $addr 623\nendlan\ndefine x $name\n";
    let (config, found) = parse_for("lan.conf", text.as_bytes(), given(None));
    assert_eq!(found, []);
    let config = config.unwrap();
    assert_eq!((config.name.as_str(), config.controllers[0].users[0].password), ("n7", padded("it's me")));
    assert_eq!(config.controllers[0].lans[0].address.as_ref().map(|address| address.host.as_str()), Some("10.0.0.7"));
    let names: Vec<_> = config.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(names, [("name", "n7"), ("secret", "it's me"), ("addr", "10.0.0.7"), ("x", "n7")]);

    let name = |text: &str| parse_for("lan.conf", text.as_bytes(), given(Some("n8"))).0.map(|config| config.name);
    assert_eq!(name("kill_wait 3\n").as_deref(), Some("n8"));
    assert_eq!(name("name \"other\"\n").as_deref(), Some("other"));
    assert!(parse_for("lan.conf", b"kill_wait 3\n", given(None)).0.is_none());
}

/// What a template says for a system does not depend on those that it was read for before.
#[test]
fn a_template_says_what_the_text_says() {
    let text = "name $name\n$x 1\n addr 1.2.3.4 $port\n priv_limit $level\n allowed_auths_admin $auth md5 none\nendlan\n\
                user 2 $on $name \"x\" $level 3 $auth\n$x\nsol $sol 9600 $option history=$x\nserial $x $name 9 codec $codec\n\
                poweroff_wait $seconds\ndefine seconds $x\npoweroff_wait $seconds\nkill_wait\0\nstartlan 2\nname \"y\"";
    let template = Template::new("lan.conf", text.as_bytes());
    let given = |values: &[(&str, &str)]| Given {
        name: None,
        variables: values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    let all = [
        given(&[]),
        given(&[("name", "a"), ("x", "startlan"), ("port", "623"), ("level", "admin"), ("auth", "md2")]),
        given(&[("name", "'b"), ("x", "kcs-2"), ("level", "nobody"), ("seconds", "z"), ("on", "1"), ("codec", "VM")]),
        given(&[("name", "c"), ("x", "define y"), ("sol", "/dev/x"), ("option", "nortscts"), ("level", "user")]),
    ];
    for given in all.iter().chain(all.iter().rev()) {
        assert_eq!(template.config(given.clone()), parse_for("lan.conf", text.as_bytes(), given.clone()));
    }
}

/// The value of a variable is a text without quotes, unless it is one of the forms that it has in a line.
#[test]
fn a_variable_needs_no_quotes_to_be_a_password() {
    for (value, password) in [
        ("secret", &b"secret"[..]),
        ("two words", b"two words"),
        ("\"quoted\"", b"quoted"),
        ("\"", b"\""),
        ("", b""),
        ("00112233", b"00112233"),
        ("61626364000000000000000000000000", b"abcd"),
    ] {
        let given = Given { name: Some("x".into()), variables: vec![("pw".into(), value.into())] };
        let (config, found) = parse_for("lan.conf", b"user 2 on \"u\" $pw admin 3\n", given);
        assert_eq!(found, []);
        let mut expected = [0; 20];
        expected[..password.len()].copy_from_slice(password);
        assert_eq!(config.unwrap().controllers[0].users[0].password, expected, "{value}");
    }
}

/// Every keyword that is listed is one, and none is forgotten.
#[test]
fn listed_keywords_are_known() {
    for entry in STATEMENTS {
        assert!(form(entry.name).is_some() && lan_form(entry.name).is_none(), "{}", entry.name);
    }
    for entry in LAN_STATEMENTS {
        assert!(lan_form(entry.name).is_some() && form(entry.name).is_none(), "{}", entry.name);
    }
    assert_eq!((STATEMENTS.len(), LAN_STATEMENTS.len()), (15, 14));
}

/// Places count characters, so that an editor finds them.
#[test]
fn columns_count_characters() {
    fails(&file("chassis_control \"gr\u{fc}n\"x"), "string value", 23, 1);
    fails(&file("\tstartnow\tm\u{f6}glich"), "Invalid boolean", 11, 7);
}

/// A password is never repeated in a message. (The source line shows it, to its author.)
#[test]
fn messages_keep_passwords() {
    for line in [
        "user 2 true \"a\" geheim admin 1",
        "user 2 true \"a\" \"geheim",
        "user 2 true \"a\" \"geheim0123456789abcdef\" admin 1",
    ] {
        let (_, diagnostics) = parse("lan.conf", file(line).as_bytes());
        assert!(diagnostics.iter().all(|d| !d.message.contains("geheim")) && !diagnostics.is_empty(), "{line}");
    }
}
