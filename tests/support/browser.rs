//! A real browser: headless Chromium, driven by chromedriver over WebDriver (W3C), which is HTTP and JSON on the loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::process::{self, Captured, Guarded, eventually};

/// What has both programs.
const PACKAGE: &str = "chromium chromium-driver";
/// How long anything may take before a test gives up.
const LIMIT: Duration = Duration::from_secs(30);
/// The name of the member that says which element is meant (WebDriver section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that have no character (WebDriver section 17.4.2).
pub mod key {
    #![allow(missing_docs)]
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const SPACE: &str = " ";
    pub const END: &str = "\u{e010}";
    pub const HOME: &str = "\u{e011}";
    pub const LEFT: &str = "\u{e012}";
    pub const RIGHT: &str = "\u{e014}";
    pub const DOWN: &str = "\u{e015}";
    pub const CONTROL: &str = "\u{e009}";
    pub const PAGE_DOWN: &str = "\u{e00f}";
}

/// Light or dark, as the system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// A browser with one window; dropping it ends it.
pub struct Browser {
    driver: Guarded,
    address: SocketAddr,
    session: String,
}

/// An element of the page.
#[derive(Clone, Debug)]
pub struct Element(String);

impl Browser {
    /// Opens one with a window of so many pixels.
    pub fn open(width: u32, height: u32) -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = process::spawn(&mut command, PACKAGE);
        let output = Captured::from(driver.0.stdout.take().expect("stdout"));
        let port =
            || output.text().split("started successfully on port ").nth(1)?.split('.').next()?.trim().parse().ok();
        let port: u16 =
            eventually(LIMIT, port).unwrap_or_else(|| panic!("no port of chromedriver:\n{}", output.text()));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // Root has no sandbox, and only pages of the loopback are opened here.
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut browser = Self { driver, address, session: String::new() };
        let opened = browser.ask("POST", "/session", &capabilities).unwrap_or_else(|why| panic!("{PACKAGE}: {why}"));
        browser.session = opened["sessionId"].as_str().map(String::from).expect("a session");
        browser.resize(width, height);
        browser
    }

    /// Opens a page.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.command("POST", "url", &json!({ "url": url }));
    }

    /// What a script returns; `arguments` are what it has.
    #[track_caller]
    pub fn script(&self, script: &str, arguments: &[Value]) -> Value {
        self.command("POST", "execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The value of an expression.
    #[track_caller]
    pub fn value(&self, expression: &str) -> Value {
        self.script(&format!("return {expression}"), &[])
    }

    /// What an async function returns, such as one that imports a module of the page.
    #[track_caller]
    pub fn run(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
            (async () => {{ {body} }})().then((value) => done([true, value]), (why) => done([false, String(why)]));"
        );
        let came = self.command("POST", "execute/async", &json!({ "script": script, "args": [] }));
        assert_eq!(came[0], true, "{}", came[1]);
        came[1].clone()
    }

    /// Waits until an expression is true; says what the page shows when it does not become so.
    #[track_caller]
    pub fn until(&self, expression: &str) -> Value {
        let truth = |value: &Value| !(value.is_null() || value == false || value == 0 || value == "");
        eventually(LIMIT, || Some(self.value(expression)).filter(truth)).unwrap_or_else(|| {
            panic!("not so: {expression}\n{}\n{:?}", self.value("document.body.innerText"), self.log())
        })
    }

    /// Waits for an element.
    #[track_caller]
    pub fn find(&self, css: &str) -> Element {
        self.until(&format!("document.querySelector({}) !== null", json!(css)));
        Element(
            self.command("POST", "element", &json!({ "using": "css selector", "value": css }))[ELEMENT]
                .as_str()
                .expect("an id")
                .into(),
        )
    }

    /// All elements, as they are now.
    #[track_caller]
    pub fn all(&self, css: &str) -> Vec<Element> {
        let found = self.command("POST", "elements", &json!({ "using": "css selector", "value": css }));
        let id = |element: &Value| Element(element[ELEMENT].as_str().expect("an id").into());
        found.as_array().expect("a list").iter().map(id).collect()
    }

    /// Clicks an element as a person does: it has to be there and in sight.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let Element(id) = self.find(css);
        self.command("POST", &format!("element/{id}/click"), &json!({}));
    }

    /// Clicks a button by its name, scrolled to where nothing lies over it.
    #[track_caller]
    pub fn press(&self, name: &str) {
        let script = "const found = [...document.querySelectorAll('button')].find((it) => it.checkVisibility() \
                      && (it.getAttribute('aria-label') ?? it.textContent) === arguments[0]); \
                      found?.scrollIntoView({ block: 'nearest' }); \
                      return found ?? null";
        let found = eventually(LIMIT, || self.script(script, &[json!(name)])[ELEMENT].as_str().map(str::to_owned));
        let id = found.unwrap_or_else(|| panic!("no button '{name}':\n{}", self.value("document.body.innerText")));
        self.command("POST", &format!("element/{id}/click"), &json!({}));
    }

    /// Puts a text in place of what is in a field.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        let Element(id) = self.find(css);
        self.command("POST", &format!("element/{id}/clear"), &json!({}));
        self.command("POST", &format!("element/{id}/value"), &json!({ "text": text }));
    }

    /// Presses keys one after the other, wherever the focus is.
    #[track_caller]
    pub fn keys(&self, keys: &[&str]) {
        let strokes =
            keys.iter().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        self.act(strokes.collect());
    }

    /// Presses a key while another one is held.
    #[track_caller]
    pub fn chord(&self, held: &str, key: &str) {
        let strokes = [("keyDown", held), ("keyDown", key), ("keyUp", key), ("keyUp", held)];
        self.act(strokes.map(|(kind, value)| json!({ "type": kind, "value": value })).to_vec());
    }

    #[track_caller]
    fn act(&self, strokes: Vec<Value>) {
        self.command(
            "POST",
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }),
        );
    }

    /// The name that a screen reader says.
    #[track_caller]
    pub fn name(&self, Element(id): &Element) -> String {
        self.command("GET", &format!("element/{id}/computedlabel"), &Value::Null).as_str().expect("a name").to_owned()
    }

    /// An element as text, for messages.
    #[track_caller]
    pub fn markup(&self, Element(id): &Element) -> String {
        let markup = self.script("return arguments[0].outerHTML.slice(0, 200)", &[json!({ ELEMENT: id })]);
        markup.as_str().unwrap_or_default().to_owned()
    }

    /// What the browser has to say about the page: refused by policy, failed, or not caught.
    #[track_caller]
    pub fn log(&self) -> Vec<String> {
        let log = self.command("POST", "se/log", &json!({ "type": "browser" }));
        let text = |entry: &Value| format!("{} {}", entry["level"], entry["message"]);
        log.as_array().map(|log| log.iter().map(text).collect()).unwrap_or_default()
    }

    /// Gives the window another size.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Makes the system light or dark, with all motion that pages like.
    #[track_caller]
    pub fn scheme(&self, scheme: Scheme) {
        let value = if scheme == Scheme::Dark { "dark" } else { "light" };
        self.media("prefers-color-scheme", value);
    }

    /// Sets a media feature.
    #[track_caller]
    pub fn media(&self, name: &str, value: &str) {
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [{ "name": name, "value": value }] }));
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Value) {
        self.command("POST", "goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    /// A picture of the window, as PNG.
    #[track_caller]
    pub fn picture(&self) -> Vec<u8> {
        let picture = self.command("GET", "screenshot", &Value::Null);
        STANDARD.decode(picture.as_str().expect("a picture")).expect("base64")
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        self.ask(method, &path, body).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, came) = request(self.address, method, path, &text).map_err(|why| why.to_string())?;
        let value: Value = serde_json::from_slice(&came).map_err(|why| why.to_string())?;
        let value = value["value"].clone();
        if status == 200 { Ok(value) } else { Err(value["message"].as_str().unwrap_or("no message").to_owned()) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver's end alone would leave the browser behind.
        let _ = self.ask("DELETE", &format!("/session/{}", self.session), &Value::Null);
        process::end(&mut self.driver.0);
    }
}

/// One request of HTTP/1.1; the status and the body. chromedriver keeps every connection open, so that its end tells nothing.
fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT * 2))?;
    let length = body.len();
    write!(
        &stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let bad = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| bad())?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status, body))
}
