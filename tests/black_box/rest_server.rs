//! An HR system of the tests' own: whatever it is to answer, right or wrong, and what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Company, JobTicket};

/// What the system was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    /// A number in the address.
    pub(crate) fn number(&self, name: &str) -> usize {
        self.query
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What the system answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Json(Value),
    Full(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Half of the body that the length tells, and the end.
    Cut(Vec<u8>),
    /// Nothing, for longer than anybody waits.
    Hang,
}

pub(crate) fn status(status: u16) -> Reply {
    Reply::Full(status, Vec::new(), b"{}".to_vec())
}

/// 401 unless a header is this.
pub(crate) fn needs(asked: &Asked, header: &str, value: &str) -> Option<Reply> {
    (asked.header(header) != value).then(|| status(401))
}

/// A user and a password as HTTP Basic writes them.
pub(crate) fn basic(user_and_password: &str) -> String {
    use base64::Engine as _;
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(user_and_password)
    )
}

/// An HR system.
pub(crate) struct Hris {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
    address: std::net::SocketAddr,
}

impl Hris {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, over): (Arc<Mutex<Vec<Asked>>>, Arc<AtomicBool>) = Default::default();
        let (asks, ends, answer) = (Arc::clone(&asked), Arc::clone(&over), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (asks, ends, answer) =
                    (Arc::clone(&asks), Arc::clone(&ends), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    while let Some(request) = read(&stream) {
                        asks.lock().unwrap().push(request.clone());
                        if !write(&mut stream, answer(&request), &ends) {
                            break;
                        }
                    }
                });
            }
        });
        Self {
            url: format!("http://{address}"),
            asked,
            over,
            address,
        }
    }

    /// What it was asked since the last look.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Hris {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let url = reqwest::Url::parse(&format!("http://x{target}")).unwrap();
    let query = url.query_pairs();
    Some(Asked {
        method,
        path: url.path().to_owned(),
        query: query
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

/// Whether the connection goes on.
fn write(stream: &mut TcpStream, reply: Reply, over: &AtomicBool) -> bool {
    let (status, mut headers, body, cut) = match reply {
        Reply::Json(json) => (200, vec![], json.to_string().into_bytes(), false),
        Reply::Full(status, headers, body) => (status, headers, body, false),
        Reply::Cut(body) => (200, vec![], body, true),
        Reply::Hang => {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
            return false;
        }
    };
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        headers.push(("content-type", "application/json".to_owned()));
    }
    headers.push(("content-length", body.len().to_string()));
    let mut head = format!("HTTP/1.1 {status} X\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let body = if cut {
        &body[..body.len() / 2]
    } else {
        &body[..]
    };
    let sent = stream.write_all(head.as_bytes()).is_ok()
        && stream.write_all(b"\r\n").is_ok()
        && stream.write_all(body).is_ok();
    sent && !cut
}

/// Somebody as a plain system tells them.
pub(crate) fn record(number: usize) -> Value {
    json!({
        "id": number, "first": "Änne", "last": format!("Beispiel{number}"),
        "email": format!("person{number}@example.com"),
        "born": "1990-04-15", "start": "2022-03-01T00:00:00+01:00", "end": null,
    })
}

/// The people from one number on, so many, of all.
pub(crate) fn slice(from: usize, size: usize, all: usize) -> Vec<Value> {
    (from + 1..=(from + size).min(all)).map(record).collect()
}

/// A page of a list with offset and total, five people by two.
pub(crate) fn page_of_five(asked: &Asked) -> Value {
    json!({ "meta": { "total": 5 }, "data": slice(asked.number("offset"), 2, 5) })
}

/// The keys of a source of five people by two.
pub(crate) const BY_OFFSET: &str = "        request: {get: /v1/people, query: {limit: 2}}
        paging: {offset: {parameter: offset, unit: items, size: 2, total: meta.total}}
        records: data
";

/// Makes the source of a company one that asks this system; `keys` are those beside type, with their indentation.
pub(crate) fn asks(company: &mut Company, url: &str, keys: &str) {
    company.source.clear();
    let auth = if keys.contains("        auth:") {
        ""
    } else {
        "        auth: none\n"
    };
    let mut edit = |from: &str, to: &str| company.edits.push((from.to_owned(), to.to_owned()));
    edit(
        "        type: csv_drop
        folder: drop
        pattern: \"roster_*.csv*\"
        newest_by: {name_date: \"roster_%Y%m%d.csv\"}
",
        &format!("        type: rest\n        base_url: {url}\n{auth}{keys}"),
    );
    if keys.contains("        fields:") {
        edit(
            "        fields:
          hrId: Personalnummer
          firstName: Vorname
          lastName: Nachname
          email: E-Mail
          dateOfBirth: {from: Geburtsdatum, format: TT.MM.JJJJ}
          startDate: {from: Eintritt, format: TT.MM.JJJJ}
          terminationDate: {from: Austritt, format: TT.MM.JJJJ}
",
            "",
        );
        return;
    }
    for (from, to) in [
        ("hrId: Personalnummer", "hrId: id"),
        ("firstName: Vorname", "firstName: first"),
        ("lastName: Nachname", "lastName: last"),
        ("email: E-Mail", "email: email"),
        (
            "dateOfBirth: {from: Geburtsdatum, format: TT.MM.JJJJ}",
            "dateOfBirth: born",
        ),
        (
            "startDate: {from: Eintritt, format: TT.MM.JJJJ}",
            "startDate: start",
        ),
        (
            "terminationDate: {from: Austritt, format: TT.MM.JJJJ}",
            "terminationDate: end",
        ),
    ] {
        edit(from, to);
    }
}

/// A company that asks this system and pushes to a sandbox inside the program.
pub(crate) fn company(hris: &Hris, keys: &str) -> Company {
    let mut company = Company::new();
    asks(&mut company, &hris.url, keys);
    company
}

/// The same, with a JobTicket of its own.
pub(crate) fn company_at(jobticket: &JobTicket, hris: &Hris, keys: &str) -> Company {
    let mut company = Company::at(jobticket);
    asks(&mut company, &hris.url, keys);
    company
}
