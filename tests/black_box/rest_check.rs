//! `check` of a source over HTTP, and its configuration.

use serde_json::json;

use crate::rest_server::{BY_OFFSET, Hris, Reply, company, page_of_five, slice, status};
use crate::scene::tells_nothing_personal;

#[test]
fn check_asks_for_one_page_and_tells_masked_what_it_has() {
    let hris = Hris::start(|asked| Reply::Json(page_of_five(asked)));
    let company = company(&hris, BY_OFFSET);
    let ran = company.run(&["check"]).exits(0);
    assert_eq!(hris.asked().len(), 1);
    let ran = ran
        .says("source headquarters: GET /v1/people, first page: 2 records of 5; 2 of the page are selected")
        .says("source headquarters: hrId is filled in 2 of 2")
        .says("source headquarters: lastName is filled in 2 of 2, such as B… (last)")
        .says("source headquarters: email is filled in 2 of 2, such as p…@e… (email)")
        .says("source headquarters: dateOfBirth is filled in 2 of 2, such as 1990-… (born)")
        .says("source headquarters: terminationDate is filled in 0 of 2 (end)")
        .says("source headquarters: absences is not configured");
    tells_nothing_personal(&ran);
    assert!(!company.path("state/state.db").exists());
    company.run(&["check", "--offline"]).exits(0);
    assert!(hris.asked().is_empty());
}

#[test]
fn check_names_a_field_that_no_record_has_and_a_list_whose_end_nothing_proves() {
    let hris = Hris::start(|_| Reply::Json(slice(0, 100, 100).into()));
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    let mut company = company(&hris, keys);
    let ran = company.run(&["check"]).exits(0);
    ran.says("nothing in the answer proves that these 100 are all");
    company.edits.push((
        "dateOfBirth: born".to_owned(),
        "dateOfBirth: birthday".to_owned(),
    ));
    let ran = company.run(&["check"]).exits(0);
    ran.says("WARNING: source headquarters: dateOfBirth is filled in 0 of 100 (birthday)");
    company
        .edits
        .push(("lastName: last".to_owned(), "lastName: name".to_owned()));
    let ran = company.run(&["check"]).exits(4);
    ran.says("lastName is filled in 0 of 100 (name); correct the path, or have the right to read it given");
}

#[test]
fn a_record_is_shown_with_its_paths_and_masked_values() {
    let hris = Hris::start(|_| {
        let one = json!({
            "attributes": {
                "id": { "value": 4711 },
                "last_name": { "label": "Nachname", "type": "standard", "universal_id": "last_name", "value": "Beispiel" },
                "born": { "value": "1990-04-15T00:00:00+02:00" },
            },
            "/work/startDate": "2022-03-01", "emails": [{ "value": "anna@example.com" }], "empty": [], "off": false, "none": null,
        });
        Reply::Json(json!({ "data": [{ "id": 1 }, one] }))
    });
    let keys = "        request: {get: /people}\n        paging: none\n        records: data\n";
    let company = company(&hris, keys);
    let ran = company.run(&["check", "--show-record", "2"]).exits(0);
    let ran = ran
        .says("record 2 of GET /people, with masked values:")
        .says("attributes.id.value: a number, 4 characters")
        .says("attributes.last_name.universal_id: last_name")
        .says("attributes.last_name.value: B… (8 characters)")
        .says("attributes.born.value: 1990-… (a date, 25 characters)")
        .says("\"/work/startDate\": 2022-…")
        .says("emails[0].value: a…@e…")
        .says("empty: an empty list")
        .says("none: empty");
    for personal in ["4711", "Beispiel", "04-15", "anna", "03-01"] {
        assert!(!ran.stdout.contains(personal), "{}", ran.stdout);
    }
    assert_eq!(hris.asked().len(), 1);
    company
        .run(&["check", "--show-record", "3"])
        .exits(2)
        .says("there is no record 3; the first page has 2");
    company.run(&["check", "--show-record", "0"]).exits(2);
}

#[test]
fn check_says_what_stands_in_the_way() {
    let hris = Hris::start(|_| status(403));
    let company = company(&hris, BY_OFFSET);
    company
        .run(&["check"])
        .exits(4)
        .says("refused with status 403");
    assert_eq!(hris.asked().len(), 1);
}

#[test]
fn what_is_wrong_in_the_configuration_is_said_with_its_line() {
    let hris = Hris::start(|_| status(404));
    let base = "        request: {get: /people}\n        paging: none\n        records: data\n";
    for (keys, says) in [
        ("        watch: true\n", "cannot be watched"),
        ("        max_age_hours: 36\n", "nothing of it grows old"),
        ("        table: {min_rows: 3}\n", "JSON and no table"),
        (
            "        pattern: \"*.csv\"\n",
            "This key is for sources with files",
        ),
        (
            "        folder: drop\n",
            "This key is for sources with files",
        ),
        ("        base_ulr: x\n", "did you mean `base_url`?"),
        (
            "        secrets: {key: {env: KEY}}\n",
            "`key` is used nowhere",
        ),
        (
            "        auth: {bearer: \"{token}\"}\n",
            "`{token}` is no secret of this source",
        ),
        (
            "        auth: {bearer: hunter2}\n",
            "The token never stands in this file",
        ),
        (
            "        secrets: {u: {env: U}}\n        auth: {basic: {user: \"{u}\", password: hunter2}}\n",
            "What stands under password is a secret",
        ),
        (
            "        secrets: {i: {env: I}}\n        auth: {token_from: {post: /a, json: {client_id: \"{i}\", client_secret: hunter2}, take: t}}\n",
            "What stands under client_secret is a secret",
        ),
        (
            "        secrets: {k: {env: K}}\n        auth: {header: {X-API-Key: \"{k}\", X-Account-Token: hunter2}}\n",
            "What stands under X-Account-Token is a secret",
        ),
        (
            "        auth: {basic: {user: a}}\n",
            "The key `password` is missing here",
        ),
        (
            "        auth: {token_from: {post: /a, take: t}}\n",
            "either json or form",
        ),
        (
            "        auth: {bearer: \"{t}\", header: {A: \"{t}\"}}\n        secrets: {t: {env: T}}\n",
            "a block of one key",
        ),
        (
            "        secrets: {key: {env: key}}\n",
            "A secret does not stand in this file",
        ),
        ("        min_rows: 0\n", "Write at least 1"),
        ("        record_id: a b\n", "This is not a path"),
        (
            "        include: [{column: \"a..b\", in: [x]}]\n",
            "This is not a path",
        ),
        ("        requests_per_minute: 0\n", "Write 1 to 1000000"),
    ] {
        let company = company(&hris, &format!("{base}{keys}"));
        let ran = company
            .run(&["check", "--offline"])
            .exits(2)
            .says(says)
            .says("config.yaml:");
        assert!(!ran.stderr.contains("hunter2"));
    }
    assert!(hris.asked().is_empty());
}

#[test]
fn what_is_wrong_with_request_paging_and_paths_is_said() {
    let hris = Hris::start(|_| status(404));
    let base = "        request: {get: /people}\n        paging: none\n        records: data\n";
    for (from, to, says) in [
        (
            "paging: none",
            "paging: all",
            "Write none, link, or a block of one key",
        ),
        (
            "paging: none",
            "paging: {next: {take: '@odata.nextLink', absent_is_end: true}}",
            "a key with @ in it needs quotes",
        ),
        (
            "paging: none",
            "paging: {page: {parameter: p, in: body}}",
            "Only a POST has a body",
        ),
        (
            "paging: none",
            "paging: {offset: {parameter: p, size: 10}}",
            "The key `unit` is missing here",
        ),
        (
            "paging: none",
            "paging: {offset: {parameter: p, unit: items, size: 0}}",
            "Write a size of 1 to 100000",
        ),
        (
            "paging: none",
            "paging: {page: {parameter: p, pagse: x}}",
            "did you mean `pages`?",
        ),
        ("{get: /people}", "{get: people}", "begins with /"),
        ("{get: /people}", "{get: /people?a=1}", "goes under query"),
        (
            "{get: /people}",
            "{get: /a, post: /b}",
            "either get: /path or post: /path",
        ),
        (
            "{get: /people}",
            "{get: /a, headers: {Authorization: x}}",
            "Write under auth who asks",
        ),
        ("records: data", "records: data..list", "This is not a path"),
        ("hrId: id", "hrId: a b", "This is not a path"),
        ("type: rest", "type: resd", "write one of"),
        (
            &hris.url,
            "http://hr.example.com",
            "http:// would send the credential",
        ),
        (
            &hris.url,
            "https://user:pw@hr.example.com",
            "Credentials do not stand in an address",
        ),
    ] {
        let mut company = company(&hris, base);
        company.edits.push((from.to_owned(), to.to_owned()));
        company.run(&["check", "--offline"]).exits(2).says(says);
    }
    assert!(hris.asked().is_empty());
}

#[test]
fn the_source_that_the_example_shows_as_a_comment_is_valid() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = std::fs::read_to_string(root.join("config.example.yaml")).unwrap();
    let mut is_ours = false;
    let lines = example.lines().map(|line| {
        is_ours |= line.starts_with("      # - name: hris");
        is_ours &= line.starts_with("      #");
        let text = if is_ours {
            line.replacen("# ", "", 1)
        } else {
            line.to_owned()
        };
        text + "\n"
    });
    let text: String = lines.collect();
    assert!(text.contains("\n        type: rest\n"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let ran =
        crate::support::run_alone(&["--config", file.to_str().unwrap(), "check", "--offline"]);
    // Its secrets are not here, and nothing else is wrong.
    let ran = ran.exits(4).says("configuration: understood");
    let ran = ran.says("HRIS_ID is not set").says("hris-secret");
    assert_eq!(ran.stdout.matches("ERROR").count(), 2, "{}", ran.stdout);
}

#[test]
fn check_shows_the_fields_of_a_list_that_would_not_be_taken_and_says_why() {
    let hris = Hris::start(|_| Reply::Json(json!({ "total": 9, "data": slice(0, 5, 5) })));
    let keys = "        request: {get: /people}\n        paging: {none: {total: total}}\n        records: data\n";
    let company = company(&hris, keys);
    let ran = company.run(&["check"]).exits(4);
    ran.says("lastName is filled in 5 of 5, such as B… (last)")
        .says("ERROR: source headquarters: The list is not proven complete")
        .says("the list ends after 5 records, and total says 9");
    company
        .run(&["check", "--show-record", "5"])
        .exits(0)
        .says("last: B…");
    let mut company = company;
    company
        .edits
        .push(("hrId: id".to_owned(), "hrId: number".to_owned()));
    company
        .run(&["check"])
        .exits(4)
        .says("no record of this page has an hrId (number)");
}

#[test]
fn check_warns_where_nobody_of_a_page_has_a_last_day() {
    let hris = Hris::start(|_| Reply::Json(slice(0, 2, 2).into()));
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    let company = company(&hris, keys);
    let ran = company.run(&["check"]).exits(0);
    ran.says("WARNING: source headquarters: terminationDate is filled in 0 of 2")
        .says("people who have left look like staff");
}

#[test]
fn check_shows_what_an_answer_has_beside_its_records_and_what_belongs_to_whom() {
    let hris = Hris::start(|asked| {
        if asked.path == "/contracts" {
            return Reply::Json(json!({ "data": [{ "of": 1, "begins": "2022-03-01" }] }));
        }
        Reply::Json(json!({ "meta": { "all": 2, "next": null }, "data": slice(0, 2, 2) }))
    });
    let keys = "        request: {get: /people}
        paging: none
        records: data
        join:
          - name: contracts
            request: {get: /contracts}
            paging: none
            records: data
            on: {here: id, there: of}
        fields:
          hrId: id
          firstName: first
          lastName: last
          email: email
          startDate: '@contracts.begins'
";
    let company = company(&hris, keys);
    let ran = company.run(&["check", "--show-record", "1"]).exits(0);
    ran.says("what the answer has beside its records")
        .says("meta.all: a number, 1 character")
        .says("meta.next: empty")
        .says("data: a list");
    let ran = company.run(&["check"]).exits(0);
    ran.says(
        "list contracts: 1 records on its first page, which belong to 1 of this page's people",
    )
    .says("nothing in the answer proves that these 2 are all")
    .says("2 records, and no more follow");
}

#[test]
fn a_last_day_that_nobody_has_any_more_is_warned_of() {
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_gone = std::sync::Arc::clone(&gone);
    let hris = Hris::start(move |_| {
        let mut all = slice(0, 3, 3);
        if !is_gone.load(std::sync::atomic::Ordering::Relaxed) {
            all[1]["end"] = "2027-01-31".into();
        }
        Reply::Json(all.into())
    });
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    let company = company(&hris, keys);
    let ran = company.run_now().exits(0);
    assert!(!ran.stdout.contains("last day"), "{}", ran.stdout);
    gone.store(true, std::sync::atomic::Ordering::Relaxed);
    let ran = company.run_now();
    ran.says("Warning: source headquarters: nobody has a last day (terminationDate) any more");
}

#[test]
fn a_rule_that_finds_nothing_in_any_record_is_warned_of() {
    let hris = Hris::start(|_| Reply::Json(slice(0, 3, 3).into()));
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n        exclude: [{column: status, in: [extern]}]\n";
    let company = company(&hris, keys);
    let ran = company.run(&["check"]).exits(0);
    ran.says("WARNING: source headquarters: exclude status matches 0 of 3 records");
    let ran = company.run_now().exits(0);
    ran.says("Warning: source headquarters: exclude status finds nothing in any row");
}
