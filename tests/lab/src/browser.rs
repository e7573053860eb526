//! Chromium as a client's browser, driven by its own driver (W3C WebDriver).

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{Namespace, Program};

/// The port of the driver, on the loopback address of the browser's own namespace.
const PORT: u16 = 9515;
/// How long the driver and the browser may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser in a namespace. It ends when this is dropped.
pub struct Browser {
    namespace: Namespace,
    session: String,
    // Chromium ends with its driver: they are one group of processes.
    _driver: Program,
}

impl Browser {
    /// Starts a browser that remembers nothing. A namespace has one at most.
    ///
    /// # Errors
    ///
    /// When it does not start: `chromium` and `chromium-driver` are packages of Debian.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        let place = namespace.lab().place(&format!("{}-browser", namespace.name()))?;
        let mut command = namespace.command("chromedriver");
        command.arg(format!("--port={PORT}")).env("HOME", &place);
        let mut driver = Program::start(command, &place.join("chromedriver.log"))?;
        let listens = || ask(namespace, "GET", "/status", None).ok();
        driver.poll("the driver of the browser", PATIENCE, listens)?;
        let profile = format!("--user-data-dir={}", place.join("profile").display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            profile.as_str(),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } });
        let begun = ask(namespace, "POST", "/session", Some(&wanted))?;
        let session = begun["sessionId"].as_str().context("a session of the browser")?;
        Ok(Self {
            namespace: namespace.clone(),
            session: session.to_owned(),
            _driver: driver,
        })
    }

    /// Opens a page, and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// When nobody answers there.
    pub fn open(&self, url: &str) -> Result<()> {
        self.ask("POST", "/url", Some(&json!({ "url": url }))).map(drop)
    }

    /// The text that the present page shows.
    ///
    /// # Errors
    ///
    /// When the page is just being exchanged for another one.
    pub fn text(&self) -> Result<String> {
        let script = json!({ "script": "return document.body.innerText", "args": [] });
        let text = self.ask("POST", "/execute/sync", Some(&script))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Clicks the first element that a selector of CSS finds.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be clicked.
    pub fn click(&self, selector: &str) -> Result<()> {
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.ask("POST", "/element", Some(&by))?;
        let element = found.as_object().and_then(|found| found.values().next()?.as_str());
        let path = format!("/element/{}/click", element.context("an element of the page")?);
        self.ask("POST", &path, Some(&json!({}))).map(drop)
    }

    /// Shows pages as a screen of this size in CSS pixels does, light or dark.
    ///
    /// # Errors
    ///
    /// When the browser refuses.
    pub fn become_screen(&self, width: u32, height: u32, is_dark: bool) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", &metrics)?;
        let value = if is_dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.command("Emulation.setEmulatedMedia", &media)
    }

    /// Whether the page is wider than the screen, so that somebody has to scroll sideways.
    ///
    /// # Errors
    ///
    /// When there is no page.
    pub fn is_too_wide(&self) -> Result<bool> {
        let script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        let answer = self.ask("POST", "/execute/sync", Some(&json!({ "script": script, "args": [] })))?;
        Ok(answer.as_bool().unwrap_or(true))
    }

    /// Writes a picture of the screen, as PNG.
    ///
    /// # Errors
    ///
    /// When there is no page, or the file cannot be written.
    pub fn picture(&self, file: &Path) -> Result<()> {
        let picture = self.ask("GET", "/screenshot", None)?;
        let picture = STANDARD.decode(picture.as_str().unwrap_or_default())?;
        fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))
    }

    fn command(&self, name: &str, parameters: &Value) -> Result<()> {
        let body = json!({ "cmd": name, "params": parameters });
        self.ask("POST", "/goog/cdp/execute", Some(&body)).map(drop)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        ask(
            &self.namespace,
            method,
            &format!("/session/{}{path}", self.session),
            body,
        )
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session.
        let _ = self.ask("DELETE", "", None);
    }
}

/// Asks the driver; its `value`.
fn ask(namespace: &Namespace, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let url = format!("http://127.0.0.1:{PORT}{path}");
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut arguments = vec![
        "--silent",
        "--show-error",
        "--fail-with-body",
        "--max-time",
        "60",
        "-X",
        method,
    ];
    if method == "POST" {
        arguments.extend(["--header", "Content-Type: application/json", "--data", &body]);
    }
    arguments.push(&url);
    let answer: Value = serde_json::from_str(&namespace.run("curl", &arguments)?)?;
    Ok(answer["value"].clone())
}
