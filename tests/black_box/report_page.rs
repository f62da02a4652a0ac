//! The report in a real browser: nothing is fetched, nothing complains, and everything has a name for who cannot see it.
//!
//! The browser is Debian's Chromium with its driver; where they are not installed the test says that it is skipped.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::report::{company, written};

/// What `.ci/run` sets: there the browser must be here.
const REQUIRED: &str = "CI_REQUIRES_CHROMIUM";
const BROWSER: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";

/// A browser in progress.
struct Browser {
    driver: Child,
    url: String,
    session: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.call(reqwest::Method::DELETE, "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn is_here() -> bool {
    let here = Path::new(BROWSER).exists() && Path::new(DRIVER).exists();
    assert!(
        here || std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no {BROWSER} with {DRIVER}: install chromium and chromium-driver"
    );
    if !here {
        eprintln!("SKIPPED: there is no {BROWSER} with {DRIVER} to show the report");
    }
    here
}

/// A driver with the port where it listens.
///
/// It takes any free port of IPv4 and ends where the same one of IPv6 is in use, which happens beside hundreds of tests with ports
/// of their own; then another one is started.
fn listening_driver() -> (Child, String) {
    let mut said = String::new();
    for _ in 0..10 {
        let mut driver = Command::new(DRIVER)
            .args(["--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        said.clear();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return (driver, port.trim_end_matches('.').to_owned());
            }
            said.push_str(&line);
            said.push('\n');
        }
        let status = driver.wait().unwrap();
        assert!(
            said.contains("port not available"),
            "{DRIVER} ended with {status} and said:\n{said}"
        );
    }
    panic!("{DRIVER} found no port in ten attempts; the last one said:\n{said}");
}

impl Browser {
    fn start(scheme: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = listening_driver();
        let mut browser = Self {
            driver,
            url: format!("http://127.0.0.1:{port}"),
            session: String::new(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            profile,
        };
        let folder = browser.profile.path().display().to_string();
        let options = json!({
            "binary": BROWSER,
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--window-size=1000,1400",
                format!("--user-data-dir={folder}"), format!("--blink-settings=preferredColorScheme={}", i32::from(scheme != "dark")),
            ],
        });
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = browser.call(reqwest::Method::POST, "", &wanted);
        session["sessionId"]
            .as_str()
            .unwrap()
            .clone_into(&mut browser.session);
        browser
    }

    fn call(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let session = if self.session.is_empty() {
            String::new()
        } else {
            format!("/{}", self.session)
        };
        let url = format!("{}/session{session}{path}", self.url);
        self.runtime.block_on(async {
            let mut call = self.http.request(method, url);
            if !body.is_null() {
                call = call
                    .header("content-type", "application/json")
                    .body(body.to_string());
            }
            let answer = call.send().await.unwrap().bytes().await.unwrap();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            answer["value"].clone()
        })
    }

    fn open(&self, path: &Path) {
        let url = json!({"url": format!("file://{}", path.display())});
        self.call(reqwest::Method::POST, "/url", &url);
    }

    fn run(&self, script: &str) -> Value {
        let script = json!({"script": script, "args": []});
        self.call(reqwest::Method::POST, "/execute/sync", &script)
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.call(reqwest::Method::POST, "/se/log", &json!({"type": kind}));
        log.as_array().cloned().unwrap_or_default()
    }

    fn protocol(&self, command: &str, params: &Value) -> Value {
        let call = json!({"cmd": command, "params": params});
        self.call(reqwest::Method::POST, "/goog/cdp/execute", &call)
    }

    /// What a screen reader is told, as (role, name).
    fn tree(&self) -> Vec<(String, String)> {
        self.protocol("Accessibility.enable", &json!({}));
        let tree = self.protocol("Accessibility.getFullAXTree", &json!({}));
        let text =
            |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
        let nodes = tree["nodes"].as_array().unwrap();
        nodes
            .iter()
            .filter(|node| node["ignored"] != true)
            .map(|node| (text(node, "role"), text(node, "name")))
            .collect()
    }
}

#[test]
fn a_browser_shows_the_year_without_a_request_a_complaint_or_a_nameless_plot() {
    if !is_here() {
        return;
    }
    let company = company();
    for (language, scheme) in [("en", "light"), ("de", "dark")] {
        let (path, _) = written(&company, &["--lang", language]);
        let page = path.with_extension(format!("{language}.html"));
        std::fs::rename(path, &page).unwrap();
        let browser = Browser::start(scheme);
        // The browser's own first page asks for much.
        browser.call(
            reqwest::Method::POST,
            "/url",
            &json!({"url": "about:blank"}),
        );
        browser.log("performance");
        browser.log("browser");
        browser.open(&page);
        assert_eq!(
            browser.run("return document.documentElement.lang"),
            language
        );
        let complaints = browser.log("browser");
        assert!(complaints.is_empty(), "{complaints:?}");
        // Everything that the page asked for.
        let asked: Vec<String> = browser
            .log("performance")
            .iter()
            .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok())
            .filter(|entry| entry["message"]["method"] == "Network.requestWillBeSent")
            .map(|entry| entry["message"]["params"]["request"]["url"].to_string())
            .filter(|url| !url.contains("file://") && !url.contains("data:,"))
            .collect();
        assert!(asked.is_empty(), "{asked:?}");
        let fetched = browser.run("return performance.getEntriesByType('resource').length");
        assert_eq!(fetched, 0);
        let dark = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(dark, scheme == "dark");
        let tree = browser.tree();
        let named = |role: &str| -> Vec<&String> {
            let those = tree.iter().filter(|(other, _)| other == role);
            those.map(|(_, name)| name).collect()
        };
        for role in [
            "image",
            "table",
            "region",
            "navigation",
            "heading",
            "columnheader",
            "link",
        ] {
            let all = named(role);
            assert!(!all.is_empty(), "there is no {role}");
            assert!(
                all.iter().all(|name| !name.trim().is_empty()),
                "a {role} has no name: {all:?}"
            );
        }
        assert_eq!(named("image").len(), 4, "a plot each");
        assert_eq!(
            browser.run("return document.querySelectorAll('h1').length"),
            1
        );
        let wide = browser.run(
            "return document.documentElement.scrollWidth <= document.documentElement.clientWidth",
        );
        assert_eq!(wide, true, "the page is wider than its window");
        contrast(&browser);
    }
}

/// Every text stands out from what is behind it by 4.5 to 1 (WCAG 2.2, 1.4.3), and every colour of a plot by 3 to 1 (1.4.11).
fn contrast(browser: &Browser) {
    let weakest = browser.run(
        r"
        const light = c => { const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
        const behind = e => { while (e) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; e = e.parentElement; } return 'rgb(255, 255, 255)'; };
        let texts = 21, marks = 21;
        for (const e of document.querySelectorAll('body *')) {
            const style = getComputedStyle(e);
            if (e.matches('svg text')) texts = Math.min(texts, ratio(style.fill, behind(e)));
            else if (e.matches('svg rect, svg circle')) marks = Math.min(marks, ratio(style.fill, behind(e)));
            else if (e.matches('svg .path')) marks = Math.min(marks, ratio(style.stroke, behind(e)));
            else if (!e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) texts = Math.min(texts, ratio(style.color, behind(e)));
        }
        return [texts, marks];",
    );
    let of = |index: usize| weakest[index].as_f64().unwrap();
    assert!(of(0) >= 4.5 && of(1) >= 3.0, "{weakest}");
}
