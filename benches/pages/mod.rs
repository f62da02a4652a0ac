//! A list of people on pages, as an HR system serves it, and the configuration that reads it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Result, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// People on a page.
pub(crate) const SIZE: usize = 100;

/// One integration with such a source, which is at `URL`.
pub(crate) const CONFIG: &str = "state_dir: state
integrations:
  - name: bench
    jobticket: {environment: sandbox, integration_id: 7}
    sources:
      - name: hris
        type: rest
        base_url: URL
        auth: none
        request: {get: /people}
        paging: {page: {parameter: page, size: 100, total: meta.total}}
        records: data
        requests_per_minute: 1000000
        fields:
          hrId: attributes.id.value
          firstName: [attributes.preferred_name.value, attributes.first_name.value]
          lastName: attributes.last_name.value
          email: attributes.email.value
          dateOfBirth: 'attributes.*[universal_id=date_of_birth].value'
          startDate: attributes.hire_date.value
          terminationDate: [attributes.termination_date.value, attributes.last_working_day.value]
";

/// Serves the pages on a free port for as long as this process lives; its address.
pub(crate) fn serve(pages: usize) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let all: Arc<Vec<Vec<u8>>> = Arc::new((0..pages).map(|page| answer(page, pages)).collect());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let all = Arc::clone(&all);
            std::thread::spawn(move || answers(&stream, &all));
        }
    });
    Ok(url)
}

fn answers(mut stream: &TcpStream, all: &[Vec<u8>]) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).is_err() || line.is_empty() {
            return;
        }
        let page = line
            .split_once("page=")
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<usize>().ok());
        while line.trim_end() != "" {
            line.clear();
            if reader.read_line(&mut line).is_err() {
                return;
            }
        }
        let answer = page.and_then(|page| all.get(page.wrapping_sub(1)));
        if answer.is_none_or(|answer| stream.write_all(answer).is_err()) {
            return;
        }
    }
}

/// A page as a common HR system sends it, with more than is read of it.
fn answer(page: usize, pages: usize) -> Vec<u8> {
    let mut body = format!("{{\"meta\":{{\"total\":{}}},\"data\":[", pages * SIZE);
    for index in 0..SIZE {
        let number = page * SIZE + index;
        let comma = if index == 0 { "" } else { "," };
        let value = |name: &str, value: &str| {
            format!(
                "\"{name}\":{{\"label\":\"{name}\",\"value\":{value},\"type\":\"standard\",\"universal_id\":\"{name}\"}}"
            )
        };
        let attributes = [
            value("id", &number.to_string()),
            value("first_name", "\"\u{c4}nne\""),
            value("preferred_name", "null"),
            value("last_name", &format!("\"Beispiel{number}\"")),
            value("email", &format!("\"person{number}@example.com\"")),
            value("status", "\"active\""),
            value("hire_date", "\"2022-03-01T00:00:00+01:00\""),
            value("termination_date", "null"),
            value("last_working_day", "null"),
            value("position", "\"Technician\""),
            "\"dynamic_1\":{\"label\":\"Birthday\",\"value\":\"1990-04-15T00:00:00+02:00\",\"type\":\"date\",\"universal_id\":\"date_of_birth\"}".to_owned(),
        ];
        write!(
            body,
            "{comma}{{\"type\":\"Employee\",\"attributes\":{{{}}}}}",
            attributes.join(",")
        )
        .expect("writing to a String cannot fail");
    }
    body.push_str("]}");
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
