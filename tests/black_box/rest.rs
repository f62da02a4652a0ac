//! A roster of an HR system over HTTP: each way in which lists go on, what is read from a record, and what is remembered.

use serde_json::{Value, json};

use crate::rest_server::{
    Asked, BY_OFFSET, Hris, Reply, asks, company, company_at, page_of_five, record, slice,
};
use crate::scene::tells_nothing_personal;
use crate::support::{Company, JobTicket};

/// A system whose list has five people by two, which goes on like this, taken whole in so many requests.
#[track_caller]
fn takes_five(
    keys: &str,
    requests: usize,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) {
    let hris = Hris::start(answer);
    let company = company(&hris, keys);
    let ran = company.run_now().exits(0).says("joiners: 5   leavers: 0");
    tells_nothing_personal(&ran);
    let asked = hris.asked();
    assert_eq!(asked.len(), requests);
    // The page before the first is only looked at.
    let zero = |asked: &&Asked| asked.query.get("page").is_some_and(|page| page == "0");
    let pages = match requests - asked.iter().filter(zero).count() {
        1 => "(1 page)".to_owned(),
        pages => format!("({pages} pages)"),
    };
    let event = company.events("source_pulled").pop().unwrap();
    assert!(event["file"].as_str().unwrap().ends_with(&pages), "{event}");
    assert_eq!(event["sha256"].as_str().unwrap().len(), 64);
    // The same list again.
    company
        .run_now()
        .exits(0)
        .says("unchanged")
        .says("Nothing changed");
}

#[test]
fn a_list_in_one_answer_is_taken() {
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    takes_five(keys, 1, |_| Reply::Json(slice(0, 5, 5).into()));
    let keys = "        request: {post: /people/search, json: {showInactive: true}}\n        paging: {none: {total: count}}\n        records: employees\n";
    takes_five(keys, 1, |asked| {
        assert_eq!(
            (asked.method.as_str(), asked.json()),
            ("POST", json!({"showInactive": true}))
        );
        Reply::Json(json!({ "count": "5", "employees": slice(0, 5, 5) }))
    });
}

#[test]
fn a_list_by_the_number_of_a_page_is_taken() {
    // Where it is asked for a page 0, it gives the first.
    let by_page = |asked: &Asked| slice(asked.number("page").saturating_sub(1) * 2, 2, 5);
    for (keys, requests) in [
        ("page: {parameter: page, total: meta.total}", 3),
        ("page: {parameter: page, pages: meta.pages}", 3),
        ("page: {parameter: page, more: meta.more, size: 2}", 4),
        ("page: {parameter: page, size: 2}", 5),
        ("page: {parameter: page}", 5),
    ] {
        let keys = format!(
            "        request: {{get: /people}}\n        paging: {{{keys}}}\n        records: data\n"
        );
        takes_five(&keys, requests, move |asked| {
            let more = asked.number("page") < 3;
            Reply::Json(
                json!({ "data": by_page(asked), "meta": {"total": 5, "pages": 3, "more": more} }),
            )
        });
    }
    let keys = "        request: {post: /people, json: {filter: {a: 1}}}\n        paging: {page: {parameter: paging.page, in: body, first: 0, pages: pages}}\n        records: data\n";
    takes_five(keys, 3, |asked| {
        assert_eq!(asked.json()["filter"], json!({"a": 1}));
        let page = asked.json()["paging"]["page"].as_u64().unwrap();
        Reply::Json(json!({ "data": slice(usize::try_from(page).unwrap() * 2, 2, 5), "pages": 3 }))
    });
}

#[test]
fn a_list_by_offset_in_items_or_pages_is_taken() {
    takes_five(BY_OFFSET, 3, |asked| {
        assert_eq!(asked.number("limit"), 2);
        Reply::Json(page_of_five(asked))
    });
    let keys = "        request: {get: /people}\n        paging: {offset: {parameter: offset, unit: pages, size: 2, total: total}}\n        records: data\n";
    takes_five(keys, 3, |asked| {
        Reply::Json(json!({ "data": slice(asked.number("offset") * 2, 2, 5), "total": 5 }))
    });
    let keys = "        request: {get: /people}\n        paging: {offset: {parameter: start, unit: items, size: 2}}\n        records: $\n";
    takes_five(keys, 4, |asked| {
        Reply::Json(slice(asked.number("start"), 2, 5).into())
    });
}

#[test]
fn a_list_by_cursor_is_taken_from_the_address_or_the_body() {
    let page = |at: usize| {
        let next: Value = if at < 4 {
            format!("c{}", at + 2).into()
        } else {
            Value::Null
        };
        Reply::Json(json!({ "data": slice(at, 2, 5), "meta": { "next": next } }))
    };
    let at_of = |cursor: &str| cursor.trim_start_matches('c').parse().unwrap_or(0);
    let keys = "        request: {get: /people}\n        paging: {cursor: {parameter: cursor, take: meta.next}}\n        records: data\n";
    takes_five(keys, 3, move |asked| {
        page(at_of(asked.query.get("cursor").map_or("", String::as_str)))
    });
    let keys = "        request: {post: /people, json: {}}\n        paging: {cursor: {parameter: after.id, in: body, take: meta.next}}\n        records: data\n";
    takes_five(keys, 3, move |asked| {
        page(at_of(asked.json()["after"]["id"].as_str().unwrap_or("")))
    });
}

#[test]
fn a_list_by_the_address_of_the_next_page_is_taken() {
    let keys = "        request: {get: /people, query: {top: 2}}\n        paging: {next: {take: d.__next, absent_is_end: true}}\n        records: d.results\n";
    takes_five(keys, 3, |asked| {
        let at = asked.number("skip");
        let mut body = json!({ "d": { "results": slice(at, 2, 5) } });
        if at < 4 {
            body["d"]["__next"] = format!(
                "http://{}/people?top=2&skip={}",
                asked.header("host"),
                at + 2
            )
            .into();
        }
        Reply::Json(body)
    });
    let keys = "        request: {get: /people}\n        paging: link\n        records: persons\n";
    takes_five(keys, 3, |asked| {
        let at = asked.number("skip");
        let body = json!({ "persons": slice(at, 2, 5) })
            .to_string()
            .into_bytes();
        let link = if at < 4 {
            format!(
                "</people?skip={}>; rel=\"next\", </people?skip=4>; rel=\"last\"",
                at + 2
            )
        } else {
            "</people>; rel=\"first\"".to_owned()
        };
        Reply::Full(200, vec![("link", link)], body)
    });
}

/// The values of the first record of a list, as they were pushed, or the run's exit code where they were not.
fn pushed(first: Value, keys: &str) -> Value {
    let hris = Hris::start(move |_| {
        let mut all = slice(1, 3, 4);
        all.insert(0, first.clone());
        Reply::Json(all.into())
    });
    let jobticket = JobTicket::start();
    let keys = format!(
        "        request: {{get: /people}}\n        paging: none\n        records: $\n{keys}"
    );
    let company = company_at(&jobticket, &hris, &keys);
    let ran = company.run_now();
    assert!([0, 9].contains(&ran.code), "{ran:?}");
    let arrived = jobticket.arrived();
    let found = arrived.iter().find(|one| one["email"] == "x@example.com");
    found.cloned().unwrap_or_default()
}

#[test]
fn values_arrive_as_they_were_written() {
    let with = |key: &str, value: Value| {
        let mut one = record(77);
        one["email"] = "x@example.com".into();
        one[key] = value;
        pushed(one, "")
    };
    for (written, day) in [
        ("2014-11-09T00:00:00+01:00", "2014-11-09"),
        ("2014-11-09T00:00:00+0100", "2014-11-09"),
        ("2014-11-09T00:00:00Z", "2014-11-09"),
        ("/Date(1530144000000)/", "2018-06-28"),
    ] {
        assert_eq!(with("start", written.into())["startDate"], day, "{written}");
    }
    for open in [
        json!(null),
        json!(false),
        json!(""),
        json!("9999-12-31"),
        json!("31.12.9999"),
        json!("99991231"),
        json!("0000-00-00"),
        json!("00.00.0000"),
    ] {
        assert_eq!(
            with("end", open.clone())["terminationDate"],
            Value::Null,
            "{open}"
        );
    }
    assert_eq!(
        with("id", json!(9_007_199_254_740_993_i64))["hrId"],
        "9007199254740993"
    );
    assert_eq!(with("id", "00077".into())["hrId"], "00077");
    assert_eq!(
        with("last", "O\u{2019}Brien \u{1f600} \"Quote\"".into())["lastName"],
        "O\u{2019}Brien \u{1f600} \"Quote\""
    );
}

#[test]
fn the_paths_of_the_example_find_their_values() {
    let keys = "        fields:
          hrId: attributes.id.value
          firstName: [attributes.preferred_name.value, attributes.first_name.value]
          lastName: attributes.last_name.value
          email: attributes.email.value
          dateOfBirth: 'attributes.*[universal_id=date_of_birth].value'
          startDate: '\"/work/startDate\".value'
          terminationDate: [attributes.termination_date.value, attributes.last_working_day.value]
          autoSyncEmployee: flags[name=ticket].on
";
    let hris = Hris::start(|_| {
        let one = |number: usize| {
            json!({
                "attributes": {
                    "id": { "value": number }, "first_name": { "value": "Änne" }, "preferred_name": { "value": " " },
                    "last_name": { "value": "Beispiel" }, "email": { "value": format!("p{number}@example.com") },
                    "dynamic_17": { "universal_id": "date_of_birth", "value": "1990-04-15T00:00:00+02:00" },
                    "dynamic_18": { "universal_id": "other", "value": "2000-01-01" },
                    "termination_date": { "value": null }, "last_working_day": { "value": "2027-01-31" },
                },
                "/work/startDate": { "value": "2022-03-01" },
                "flags": [{ "name": "other", "on": false }, { "name": "ticket", "on": true }],
            })
        };
        Reply::Json(json!({ "data": [one(1), one(2)] }))
    });
    let jobticket = JobTicket::start();
    let keys = format!(
        "        request: {{get: /people}}\n        paging: none\n        records: data\n{keys}"
    );
    let company = company_at(&jobticket, &hris, &keys);
    company.run_now().exits(0).says("joiners: 2");
    let one = jobticket.arrived().remove(0);
    assert_eq!(one["firstName"], "Änne");
    assert_eq!(one["dateOfBirth"], "1990-04-15");
    assert_eq!(one["startDate"], "2022-03-01");
    assert_eq!(one["terminationDate"], "2027-01-31");
}

#[test]
fn rules_select_records_as_they_select_rows() {
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n        include: [{column: company.name, in: [ACME GmbH]}]\n        exclude: [{column: external, in: [\"true\"]}]\n";
    let hris = Hris::start(|_| {
        let mut all = slice(0, 4, 4);
        for (index, one) in all.iter_mut().enumerate() {
            one["company"] = json!({ "name": if index == 3 { "Other" } else { "ACME GmbH" } });
            one["external"] = (index == 2).into();
        }
        Reply::Json(all.into())
    });
    let company = company(&hris, keys);
    company.run_now().exits(0).says("joiners: 2");
}

#[test]
fn what_an_hr_system_is_asked_for_is_a_rule_like_the_others() {
    let hris = Hris::start(|asked| {
        // The filter leaves two of five people.
        let all = if asked.query.contains_key("status") {
            3
        } else {
            5
        };
        Reply::Json(json!({ "data": slice(0, 5, all) }))
    });
    let keys = "        request: {get: /people}\n        paging: none\n        records: data\n";
    let mut company = company(&hris, keys);
    company.run_now().exits(0);
    company.edits.push((
        "{get: /people}".to_owned(),
        "{get: /people, query: {status: active}}".to_owned(),
    ));
    // They would be people who are missing; as the rules changed, they wait.
    company.run_now().exits(3);
}

#[test]
fn rest_stands_beside_files_and_fails_alone() {
    let hris = Hris::start(|asked| Reply::Json(page_of_five(asked)));
    let mut company = Company::new();
    let fields = "        fields: {hrId: id, firstName: first, lastName: last, email: email, dateOfBirth: born, startDate: start}\n";
    asks(&mut company, &hris.url, &format!("{BY_OFFSET}{fields}"));
    company.integration = "      - name: shop
        type: csv_drop
        folder: drop
        pattern: \"roster_*.csv\"
        ready: rename
        id_prefix: \"S-\"
        fields: {hrId: Personalnummer, firstName: Vorname, lastName: Nachname, email: E-Mail, dateOfBirth: {from: Geburtsdatum, format: TT.MM.JJJJ}, startDate: {from: Eintritt, format: TT.MM.JJJJ}}\n".to_owned();
    let mut people = crate::support::people(3);
    for one in &mut people {
        one.email = format!("shop{}", one.email);
    }
    company.deliver_people("20261120", &people);
    company.run_now().exits(0).says("joiners: 8");
    drop(hris);
    company.deliver_people("20261121", &people[..2]);
    let ran = company.run_now().exits(4).says("could not be reached");
    ran.says("frozen");
}

/// Five people as a list in JSON, packed with Brotli's own encoder.
const BROTLI: &str = "GwYDgJwFdltaSuLbrzJGsmfmfvvUr7rBv6xkm9hcGMhDMIoJFEaYQmzDAaL/u0JOdG8qW/Q9CJIEy/H0gGF6spcHVSHwGdHn8WEulBKCPxR+rQahEree95m+NekJiKPtVEvh79fCWA4KR9qxBGtahKijbI+z6C5SvjZRc+1aYrSB+ydpvCGLNvCOPNrBB4roAJ8oExN1Ag==";

#[test]
fn an_answer_that_is_packed_with_brotli_is_read() {
    use base64::Engine as _;
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    takes_five(keys, 1, |asked| {
        assert!(asked.header("accept-encoding").contains("br"));
        let packed = base64::engine::general_purpose::STANDARD.decode(BROTLI);
        let header = ("content-encoding", "br".to_owned());
        Reply::Full(200, vec![header], packed.unwrap())
    });
}
