//! What is not taken for a list: an end that proves nothing, a list that moves or has no end, and records that are none.

use serde_json::{Value, json};

use crate::rest_server::{Asked, Hris, Reply, company, record, slice};
use crate::scene::tells_nothing_personal;
use crate::support::Ran;

/// A run that fails its source, says this, and asks for no more than so many pages.
#[track_caller]
fn fails(
    keys: &str,
    says: &str,
    most: usize,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> Ran {
    let hris = Hris::start(answer);
    let company = company(&hris, keys);
    let ran = company.run_now().exits(4).says(says);
    tells_nothing_personal(&ran);
    let asked = hris.asked().len();
    assert!(asked <= most, "{asked} requests");
    ran
}

#[test]
fn a_list_that_is_not_proven_complete_is_not_a_roster() {
    let json = |body: Value| move |_: &Asked| Reply::Json(body.clone());
    let keys = |paging: &str| {
        format!(
            "        request: {{get: /people}}\n        paging: {{{paging}}}\n        records: data\n"
        )
    };
    // The system does not heed the parameter and gives the first page for ever.
    let first = json(json!({ "total": 9, "next": "a", "data": slice(0, 2, 5) }));
    fails(
        &keys("page: {parameter: page, total: total}"),
        "the same as an earlier one",
        2,
        first.clone(),
    );
    fails(
        &keys("cursor: {parameter: c, take: next}"),
        "the same as an earlier one",
        2,
        first.clone(),
    );
    fails(
        &keys("none: {total: total}"),
        "the list ends after 2 records, and total says 9",
        1,
        first.clone(),
    );
    fails(
        &keys("page: {parameter: page, total: count}"),
        "no number at paging's total (count)",
        1,
        first.clone(),
    );
    fails(
        &keys("cursor: {parameter: c, take: nxt}"),
        "it has no cursor at nxt at all",
        1,
        first.clone(),
    );
    fails(
        &keys("next: {take: nxt}"),
        "it has no address at nxt at all",
        1,
        first.clone(),
    );
    fails(&keys("link: {}"), "it has no header Link at all", 1, first);
    fails(
        &keys("cursor: {parameter: c, take: next}"),
        "would be one that was read before",
        3,
        |asked| {
            let at = if asked.query.contains_key("c") { 2 } else { 0 };
            Reply::Json(json!({ "next": "a", "data": slice(at, 2, 5) }))
        },
    );
    fails(
        &keys("page: {parameter: page, most_pages: 3}"),
        "goes on after 3 answers (most_pages)",
        3,
        |asked| Reply::Json(json!({ "data": slice(asked.number("page") * 2, 2, 5000) })),
    );
    // Records moved while the list was read: one comes twice, and another never.
    fails(
        &keys("offset: {parameter: o, unit: items, size: 2, total: t}"),
        "has the same id as one of page 1",
        2,
        |asked| {
            let data = if asked.number("o") == 0 {
                slice(0, 2, 5)
            } else {
                slice(1, 2, 5)
            };
            Reply::Json(json!({ "t": 4, "data": data }))
        },
    );
    // It gives fewer at once than it is asked for.
    fails(
        &keys("page: {parameter: page, size: 100}"),
        "fewer records than the size of 100",
        2,
        |asked| Reply::Json(json!({ "data": slice((asked.number("page") - 1) * 2, 2, 50) })),
    );
    let ran = fails(
        &keys("none: {}"),
        "has no list at data, but an object with count, people",
        1,
        json(json!({ "people": [], "count": 0 })),
    );
    ran.says("correct records");
    fails(
        &keys("none: {}"),
        "says itself that more follows (header Link)",
        1,
        |_| {
            let body = json!({ "data": slice(0, 2, 5) }).to_string().into_bytes();
            Reply::Full(200, vec![("link", "<?page=2>; rel=next".to_owned())], body)
        },
    );
}

#[test]
fn an_empty_list_or_one_shorter_than_min_rows_is_refused() {
    let keys = "        request: {get: /people}\n        paging: none\n        records: data\n";
    fails(keys, "has 0 records, fewer than min_rows: 1", 1, |_| {
        Reply::Json(json!({ "data": [] }))
    });
    let keys = format!("{keys}        min_rows: 3\n");
    fails(&keys, "has 2 records, fewer than min_rows: 3", 1, |_| {
        Reply::Json(json!({ "data": slice(0, 2, 2) }))
    });
}

#[test]
fn a_path_that_stops_at_an_object_is_said_and_fails_the_source() {
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    let mut one = record(1);
    one["last"] = json!({ "value": "Beispiel" });
    let ran = fails(
        keys,
        "last is an object; go on with a dot and one of its keys in record 1",
        1,
        move |_| Reply::Json(json!([one])),
    );
    ran.says("GET /people (page 1)");
    let ran = fails(
        keys,
        "id is a number too large to be read exactly",
        1,
        |_| Reply::Full(200, vec![], b"[{\"id\": 184467440737095516150}]".to_vec()),
    );
    ran.says("record 1");
}

#[test]
fn json_that_is_called_a_page_is_read_all_the_same() {
    let hris = Hris::start(|_| {
        let kind = vec![("content-type", "text/html".to_owned())];
        Reply::Full(
            200,
            kind,
            Value::from(slice(0, 5, 5)).to_string().into_bytes(),
        )
    });
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    company(&hris, keys).run_now().exits(0).says("joiners: 5");
}
