//! The roster and the configuration that the benchmarks use.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

/// Names that Windows-1252 can write too.
const FIRST_NAMES: [&str; 12] = [
    "Anna",
    "Jürgen",
    "Käthe",
    "Ömer",
    "Sofia",
    "Björn",
    "Mehmet",
    "Zoë",
    "Renée",
    "Karl-Heinz",
    "Lukáš",
    "Ute",
];
const LAST_NAMES: [&str; 12] = [
    "Müller",
    "Weiß",
    "Größmann",
    "Çelik",
    "Schmidt",
    "von der Höhe",
    "Öztürk",
    "Jäger",
    "Nowak",
    "Müller-Lüdenscheidt",
    "Kaya",
    "Strauß",
];

/// A German roster: people in no order, one in four under a second first name, one in nine with an end of employment to come.
///
/// Where `changed`, every fiftieth has married.
pub(crate) fn write_roster(path: &Path, rows: usize, changed: bool) -> io::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    out.write_all(
        "Personalnummer;Vorname;Rufname;Nachname;E-Mail;Geburtsdatum;Eintrittsdatum;Austrittsdatum;Gesellschaft;Mitarbeiterkreis\r\n".as_bytes(),
    )?;
    let step = (rows * 5 / 8..rows)
        .find(|step| coprime(*step, rows))
        .unwrap_or(1);
    let mut line = String::new();
    for row in 0..rows {
        let person = row * step % rows;
        let random = xxh3_128(&person.to_le_bytes())
            .to_le_bytes()
            .map(usize::from);
        let pick = |names: [&'static str; 12], byte: usize| names[random[byte] % 12];
        let (first, called, last) = (
            pick(FIRST_NAMES, 0),
            if random[1] % 4 == 0 {
                pick(FIRST_NAMES, 2)
            } else {
                ""
            },
            if changed && person % 50 == 7 {
                "Neumann-Weiß"
            } else {
                pick(LAST_NAMES, 3)
            },
        );
        let date = |byte: usize, years: std::ops::Range<usize>| {
            let year = years.start + random[byte] % years.len();
            format!(
                "{:02}.{:02}.{year}",
                1 + random[byte + 1] % 28,
                1 + random[byte + 2] % 12
            )
        };
        let born = date(4, 1960..2007);
        let began = date(7, 2010..2026);
        let ends = match random[10] % 9 {
            0 => date(11, 2090..2099),
            1..=4 => "31.12.9999".to_owned(),
            _ => String::new(),
        };
        line.clear();
        let _ = writeln!(
            line,
            "{person:08};{first};{called};{last};p{person}.{}@acme-verkehr.example;{born};{began};{ends};ACME GmbH;Angestellte\r",
            random[14]
        );
        out.write_all(line.as_bytes())?;
    }
    out.flush()
}

fn coprime(mut a: usize, mut b: usize) -> bool {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// One integration with one source, for which such a roster is in order.
pub(crate) const CONFIG: &str = r#"
state_dir: state
timezone: Europe/Berlin
integrations:
  - name: acme
    jobticket: {environment: sandbox, integration_id: 7}
    sources:
      - name: headquarters
        type: csv_drop
        folder: drop
        pattern: "roster_*.csv"
        newest_by: {name_date: "roster_%Y%m%d.csv"}
        ready: rename
        max_age_hours: null
        after: keep
        table: {delimiter: auto, encoding: auto, header: true, trailer: null, final_newline: required, min_rows: 1}
        fields:
          hrId: Personalnummer
          firstName: [Rufname, Vorname]
          lastName: Nachname
          email: E-Mail
          dateOfBirth: {from: Geburtsdatum, format: TT.MM.JJJJ}
          startDate: {from: Eintrittsdatum, format: TT.MM.JJJJ}
          terminationDate: {from: Austrittsdatum, format: TT.MM.JJJJ, empty: ["31.12.9999"]}
        include: [{column: Gesellschaft, in: [ACME GmbH]}]
        exclude: [{column: Mitarbeiterkreis, in: [Werkstudent]}]
    select: {starters_days_ahead: 30, leavers_days_kept: 0}
    limits:
      leavers: {percent: 5, count: 10, at_least: 2}
      joiners: {percent: 20, count: 100, at_least: 5}
      changed: {percent: 50, at_least: 10}
"#;
