//! A server that wants a token.

use crate::support::bench::Bench;
use crate::{Served, text};

const TOKEN: &str = "a-token-for-tests-0123456789";

#[test]
fn a_token_is_asked_for_and_kept_for_this_tab() {
    let file = Bench::new();
    let path = file.write("token", format!("{TOKEN}\n"));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    let served = Served::with(3, &["--http-token-file", &path.display().to_string()]);
    let browser = served.browser();
    browser.until("document.activeElement.id === 'token'");
    browser.fill("#token", "a-wrong-token-0123456789");
    browser.click("form.gate button");
    browser.until(&format!("{} === 'The server does not accept this token.'", text("form.gate .wrong")));
    browser.until("!document.querySelector('form.gate button').disabled");
    browser.fill("#token", TOKEN);
    browser.click("form.gate button");
    browser.until("document.querySelectorAll('[role=gridcell]').length === 3");
    assert_eq!(browser.value("localStorage.length"), 0, "a token outlives its tab");
    // What was asked for is where it leads.
    served.open(&browser, "bmc00002");
    browser.until(&format!("{} === 'Power off'", text(".power-word")));
    browser.go("about:blank");
    served.open(&browser, "bmc00003");
    browser.until(&format!("{} === 'bmc00003'", text("h1")));
    browser.until(&format!("{} === 'Live'", text("#link")));
}
