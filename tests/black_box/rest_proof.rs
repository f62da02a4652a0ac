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
        4,
        |asked| {
            let at = asked.number("page").saturating_sub(1) * 2;
            Reply::Json(json!({ "data": slice(at, 2, 5000) }))
        },
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
        "the first page has only 2 of the 100 records",
        2,
        |asked| Reply::Json(json!({ "data": slice((asked.number("page") - 1) * 2, 2, 50) })),
    );
    let ran = fails(
        &keys("none: {}"),
        "has no list at data, but an object with count",
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

/// A system with so many people whose numbers of pages begin at 0.
fn from_zero(all: usize) -> impl Fn(&Asked) -> Reply {
    move |asked| {
        let page = asked.number("page");
        let more = (page + 1) * 2 < all;
        Reply::Json(
            json!({ "data": slice(page * 2, 2, all), "pages": all.div_ceil(2), "more": more }),
        )
    }
}

#[test]
fn pages_that_are_counted_from_zero_are_not_read_from_one() {
    let keys = |paging: &str| {
        format!(
            "        request: {{get: /people}}\n        paging: {{page: {{parameter: page, {paging}}}}}\n        records: data\n"
        )
    };
    fails(&keys("pages: pages"), "the page is empty", 3, from_zero(6));
    for paging in ["more: more", "size: 2"] {
        let says = "the page before the first one has other records";
        fails(&keys(paging), says, 2, from_zero(6));
    }
}

#[test]
fn a_list_of_a_server_that_gives_less_at_once_than_it_is_asked_for_is_read_whole() {
    let hris = Hris::start(|asked| Reply::Json(slice(asked.number("start"), 3, 7).into()));
    let company = company(
        &hris,
        "        request: {get: /people, query: {limit: 3}}\n        paging: {offset: {parameter: start, unit: items, size: 500}}\n        records: $\n",
    );
    company.run_now().exits(0).says("joiners: 7");
}

#[test]
fn a_total_that_counts_one_page_alone_is_not_believed() {
    let keys = |paging: &str| {
        format!(
            "        request: {{get: /people}}\n        paging: {{{paging}}}\n        records: data\n"
        )
    };
    let counting = |asked: &Asked| {
        let data = slice(asked.number("at"), 2, 7);
        Reply::Json(json!({ "count": data.len(), "data": data }))
    };
    let says = "total counts one page alone";
    let by_items = keys("offset: {parameter: at, unit: items, size: 5, total: count}");
    fails(&by_items, says, 2, counting);
    let by_page = keys("page: {parameter: at, total: count}");
    fails(&by_page, says, 2, counting);
    // A system that answers with an error beyond the last page has no more.
    let hris = Hris::start(|asked| {
        if asked.number("at") > 1 {
            return crate::rest_server::status(404);
        }
        Reply::Json(json!({ "count": 2, "data": slice(0, 2, 2) }))
    });
    company(&hris, &by_page)
        .run_now()
        .exits(0)
        .says("joiners: 2");
}

#[test]
fn an_answer_in_the_middle_that_has_lost_its_cursor_or_link_is_no_last_one() {
    let keys = |paging: &str| {
        format!(
            "        request: {{get: /people}}\n        paging: {paging}\n        records: data\n"
        )
    };
    let page = |asked: &Asked| {
        let at = asked.number("c");
        let mut body = json!({ "data": slice(at, 2, 6) });
        if at == 0 {
            body["next"] = "2".into();
        }
        let link = (at == 0).then(|| ("link", "</people?c=2>; rel=next".to_owned()));
        Reply::Full(
            200,
            link.into_iter().collect(),
            body.to_string().into_bytes(),
        )
    };
    let cursor = keys("{cursor: {parameter: c, take: next}}");
    fails(&cursor, "it has no cursor at next at all", 2, page);
    fails(&keys("link"), "it has no header Link at all", 2, page);
}

#[test]
fn a_record_id_that_a_record_does_not_have_is_said() {
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n        record_id: uid\n";
    fails(keys, "has nothing at record_id (uid)", 1, |_| {
        Reply::Json(slice(0, 2, 2).into())
    });
}

#[test]
fn keys_of_an_answer_that_may_be_names_are_told_nowhere() {
    let keys = "        request: {get: /people}\n        paging: none\n        records: $\n";
    let ran = fails(keys, "an object with 2 keys", 1, |_| {
        Reply::Json(json!({ "mmustermann": [], "eschmidt": [] }))
    });
    assert!(!format!("{ran:?}").contains("mustermann"));
}
