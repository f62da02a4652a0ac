//! Further lists: values and absences that belong to a person by an id, each list proven complete like the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::rest_server::{Asked, Hris, Reply, company, company_at, slice, status};
use crate::scene::tells_nothing_personal;
use crate::support::JobTicket;

/// People without a start date, whose contracts stand in a list of their own, two by two, and not in the same order.
const CONTRACTS: &str = "        request: {get: /people}
        paging: none
        records: data
        join:
          - name: contracts
            request: {get: /contracts}
            paging: {page: {parameter: page, total: total}}
            records: data
            record_id: no
            on: {here: id, there: person.id}
        fields:
          hrId: id
          firstName: first
          lastName: last
          email: email
          dateOfBirth: born
          startDate: '@contracts.begins'
          terminationDate: ['@contracts.ends', end]
";

fn contract(number: usize, person: usize) -> Value {
    json!({ "no": number, "person": { "id": person.to_string() }, "begins": format!("2022-03-0{person}"), "ends": null })
}

fn people() -> Reply {
    let mut all = slice(0, 5, 5);
    for one in &mut all {
        one.as_object_mut().unwrap().remove("start");
    }
    Reply::Json(json!({ "data": all }))
}

/// A page of contracts; the total says that there are more, or does not.
fn contracts(asked: &Asked, all: &[Value], more: usize) -> Reply {
    let from = (asked.number("page") - 1) * 2;
    let page: Vec<Value> = all.iter().skip(from).take(2).cloned().collect();
    Reply::Json(json!({ "total": all.len() + more, "data": page }))
}

#[test]
fn values_of_a_further_list_are_joined_by_an_id_without_a_request_for_each_person() {
    let hris = Hris::start(|asked| {
        if asked.path == "/people" {
            people()
        } else {
            let mut all: Vec<Value> = [5, 3, 1, 2, 4]
                .map(|person| contract(person, person))
                .into();
            all.push(contract(9, 99));
            all[3]["ends"] = "2027-01-31".into();
            contracts(asked, &all, 0)
        }
    });
    let jobticket = JobTicket::start();
    let company = company_at(&jobticket, &hris, CONTRACTS);
    company.run_now().exits(0).says("joiners: 5");
    assert_eq!(hris.asked().len(), 4);
    for (index, one) in jobticket.arrived().iter().enumerate() {
        assert_eq!(one["startDate"], format!("2022-03-0{}", index + 1));
        let end = if index == 1 {
            json!("2027-01-31")
        } else {
            Value::Null
        };
        assert_eq!(one["terminationDate"], end);
    }
    let event = company.events("source_pulled").pop().unwrap();
    assert_eq!(
        event["file"],
        "GET /people (1 page), GET /contracts (3 pages)"
    );
    company
        .run_now()
        .exits(0)
        .says("unchanged")
        .says("Nothing changed");
    hris.asked();
    let ran = company.run(&["check"]).exits(0);
    tells_nothing_personal(&ran);
    assert_eq!(hris.asked().len(), 2);
}

#[test]
fn a_further_list_that_fails_or_is_not_complete_fails_the_source() {
    let fault: Arc<AtomicUsize> = Arc::default();
    let faults = Arc::clone(&fault);
    let hris =
        Hris::start(
            move |asked| match (asked.path.as_str(), faults.load(Ordering::Relaxed)) {
                ("/people", _) => people(),
                (_, 1) if asked.number("page") == 3 => status(404),
                (_, fault) => {
                    let mut all: Vec<Value> =
                        (1..=5).map(|person| contract(person, person)).collect();
                    match fault {
                        2 => all.push(contract(6, 5)),
                        3 => all[3] = contract(2, 4),
                        4 => all.iter_mut().for_each(|one| one["begins"] = Value::Null),
                        _ => {}
                    }
                    contracts(asked, &all, usize::from(fault == 5))
                }
            },
        );
    let jobticket = JobTicket::start();
    let company = company_at(&jobticket, &hris, CONTRACTS);
    company.run_now().exits(0);
    for (number, says) in [
        (1, "GET /contracts (page 3) answers with status 404"),
        (
            2,
            "belongs to the same person as an earlier one of the list contracts",
        ),
        (3, "has the same id as one of page 1"),
        (4, "(startDate)"),
        (5, "not proven complete"),
    ] {
        fault.store(number, Ordering::Relaxed);
        let ran = company.run_now().exits(4).says(says);
        tells_nothing_personal(&ran);
        assert_eq!(jobticket.active().len(), 5);
        assert_eq!(jobticket.pushes().len(), 1);
    }
    fault.store(0, Ordering::Relaxed);
    company.run_now().exits(0).says("Nothing changed");
}

#[test]
fn of_several_records_of_a_person_the_first_or_the_last_counts_where_that_is_said() {
    for (word, begins) in [("first", "2020-01-01"), ("last", "2024-01-01")] {
        let hris = Hris::start(|asked| {
            if asked.path == "/people" {
                Reply::Json(json!({ "data": slice(0, 1, 1) }))
            } else {
                let with = |day: &str| json!({ "person": { "id": 1 }, "begins": day });
                let all = [with("2020-01-01"), with("2024-01-01")];
                contracts(asked, &all, 0)
            }
        });
        let jobticket = JobTicket::start();
        let keys = CONTRACTS.replace("record_id: no", &format!("if_several: {word}"));
        let company = company_at(&jobticket, &hris, &keys);
        company.run_now().exits(0);
        assert_eq!(jobticket.arrived()[0]["startDate"], begins);
    }
}

/// People whose absences are an object of lists, by the number of the person.
const ABSENCES: &str = "        request: {get: /people}
        paging: none
        records: data
        join:
          - name: leaves
            request: {get: /leaves}
            paging: none
            records: '*'
            on: {here: id, there: '@key'}
        fields:
          hrId: id
          firstName: first
          lastName: last
          email: email
          dateOfBirth: born
          startDate: start
          absences:
            list: leaves
            kind: type.name
            only: [Elternzeit]
            texts: {type: type.name}
            dates: {from: begins, to: ends}
";

#[test]
fn absences_of_a_list_are_sent_where_their_kind_is_one_that_is_sent_and_never_cleared_by_an_empty_list()
 {
    let fault: Arc<AtomicUsize> = Arc::default();
    let faults = Arc::clone(&fault);
    let leave = |kind: &str, from: &str| json!({ "type": { "name": kind }, "begins": format!("{from}T00:00:00+01:00"), "ends": "2027-06-30" });
    let hris = Hris::start(move |asked| {
        if asked.path == "/people" {
            return Reply::Json(json!({ "data": slice(0, 5, 5) }));
        }
        Reply::Json(match faults.load(Ordering::Relaxed) {
            0 => json!({
                "2": [leave("Elternzeit", "2026-12-01"), leave("Krankheit", "2026-11-01"), leave("Elternzeit", "2026-10-01")],
                "4": [leave("Krankheit", "2026-11-01")], "99": [leave("Elternzeit", "2026-12-01")],
            }),
            1 => json!({}),
            2 => json!({ "error": "no right" }),
            3 => json!({ "2": [leave("Elternzeit", "never")] }),
            5 => json!({ "2": [{ "type": {}, "begins": "2026-12-01", "ends": "2027-06-30" }] }),
            6 => json!({ "P2": [leave("Elternzeit", "2026-12-01")] }),
            _ => json!({ "4": [leave("Krankheit", "2026-11-01")] }),
        })
    });
    let jobticket = JobTicket::start();
    let company = company_at(&jobticket, &hris, ABSENCES);
    company.run_now().exits(0).says("joiners: 5");
    let with = |from: &str| json!({ "type": "Elternzeit", "from": from, "to": "2027-06-30" });
    let arrived = jobticket.arrived();
    assert_eq!(
        arrived[1]["absences"],
        json!([with("2026-10-01"), with("2026-12-01")])
    );
    assert_eq!(arrived[3]["absences"], json!([]));
    // None at all is no news, but a list that was not given.
    fault.store(1, Ordering::Relaxed);
    company.run_now().exits(4).says("(absences)");
    fault.store(2, Ordering::Relaxed);
    company.run_now().exits(4).says("is text and no object");
    // No record has a kind any more, or none belongs to anybody: a path or a right has changed.
    for changed in [5, 6] {
        fault.store(changed, Ordering::Relaxed);
        company.run_now().exits(4).says("(absences)");
    }
    // A date that makes no sense keeps what JobTicket has.
    fault.store(3, Ordering::Relaxed);
    company.run_now().exits(9);
    assert_eq!(jobticket.pushes().len(), 1);
    // Nobody is away any more for a kind that is sent, and others are for other kinds.
    fault.store(4, Ordering::Relaxed);
    company.run_now().exits(0).says("changed: 1");
    assert_eq!(jobticket.arrived()[1]["absences"], json!([]));
}

#[test]
fn what_is_wrong_with_a_join_is_said() {
    let hris = Hris::start(|_| status(404));
    for (from, to, says) in [
        (
            "'@contracts.begins'",
            "'@contract.begins'",
            "There is no such list under join",
        ),
        ("'@contracts.begins'", "'@contracts'", "This is not a path"),
        ("paging: {page:", "paging: {pages:", "a block of one key"),
        (
            "there: person.id",
            "where: person.id",
            "The key `there` is missing here",
        ),
        (
            "here: id",
            "here: '@contracts.id'",
            "Only a path under fields leads into a joined list",
        ),
        (
            "record_id: no",
            "if_several: newest",
            "write one of fail, first, last",
        ),
    ] {
        let mut company = company(&hris, CONTRACTS);
        company.edits.push((from.to_owned(), to.to_owned()));
        company.run(&["check", "--offline"]).exits(2).says(says);
    }
    for (from, to, says) in [
        (
            "only: [Elternzeit]",
            "only: [Elternzeit, Krankheit]",
            "Illness is health data",
        ),
        (
            "list: leaves",
            "list: leave",
            "There is no such list under join",
        ),
        (
            "            list: leaves\n",
            "",
            "This list is used nowhere",
        ),
    ] {
        let mut company = company(&hris, ABSENCES);
        company.edits.push((from.to_owned(), to.to_owned()));
        company.run(&["check", "--offline"]).exits(2).says(says);
    }
}

/// One person with these contracts in a list of their own, and what of them arrives.
fn ends(if_several: &str, contracts_of: &[(&str, Option<&str>)]) -> Value {
    let all: Vec<Value> = contracts_of
        .iter()
        .map(|(begins, ends)| json!({ "person": { "id": 1 }, "begins": begins, "ends": ends }))
        .collect();
    let hris = Hris::start(move |asked| {
        if asked.path == "/people" {
            Reply::Json(json!({ "data": slice(0, 1, 1) }))
        } else {
            contracts(asked, &all, 0)
        }
    });
    let jobticket = JobTicket::start();
    let keys = CONTRACTS.replace("record_id: no", &format!("if_several: {if_several}"));
    let company = company_at(&jobticket, &hris, &keys);
    company.run_now().exits(0);
    jobticket.arrived()[0]["terminationDate"].clone()
}

#[test]
fn a_contract_that_ended_does_not_end_the_next_one() {
    let old = ("2020-01-01", Some("2026-11-22"));
    for word in ["first", "last"] {
        for all in [[old, ("2026-11-23", None)], [("2026-11-23", None), old]] {
            assert_eq!(ends(word, &all), Value::Null, "{word}");
        }
        let later = ("2026-11-23", Some("2027-06-30"));
        for all in [[old, later], [later, old]] {
            assert_eq!(ends(word, &all), "2027-06-30", "{word}");
        }
    }
    // A last day that stands elsewhere does not end the open one.
    let open = |begins: &'static str| (begins, None);
    let ended_and_open = [old, open("2026-11-23")];
    let two_open = [open("2020-01-01"), open("2026-11-23")];
    for (word, all) in [
        ("first", ended_and_open),
        ("last", ended_and_open),
        ("first", two_open),
        ("last", two_open),
    ] {
        let hris = Hris::start(move |asked| {
            if asked.path == "/people" {
                let mut one = slice(0, 1, 1).remove(0);
                one["end"] = "2026-11-22".into();
                return Reply::Json(json!({ "data": [one] }));
            }
            let all: Vec<Value> = all
                .iter()
                .map(|(begins, ends)| json!({ "person": { "id": 1 }, "begins": begins, "ends": ends }))
                .collect();
            contracts(asked, &all, 0)
        });
        let jobticket = JobTicket::start();
        let keys = CONTRACTS.replace("record_id: no", &format!("if_several: {word}"));
        let company = company_at(&jobticket, &hris, &keys);
        company.run_now().exits(0);
        assert_eq!(jobticket.arrived()[0]["terminationDate"], Value::Null);
    }
    // The same within a record.
    for (contracts, end) in [
        (json!([{"end": "2026-11-22"}, {"end": null}]), Value::Null),
        (
            json!([{"end": "2026-11-22"}, {"begin": "2026-11-23"}]),
            Value::Null,
        ),
        (
            json!([{"end": "2026-11-22"}, {"end": "2027-06-30"}]),
            "2027-06-30".into(),
        ),
    ] {
        let hris = Hris::start(move |_| {
            let mut one = slice(0, 1, 1).remove(0);
            one["contracts"] = contracts.clone();
            Reply::Json(json!([one]))
        });
        let jobticket = JobTicket::start();
        let mut company = company_at(
            &jobticket,
            &hris,
            "        request: {get: /people}\n        paging: none\n        records: $\n",
        );
        company.edit("terminationDate: end", "terminationDate: 'contracts.*.end'");
        company.run_now().exits(0);
        assert_eq!(jobticket.arrived()[0]["terminationDate"], end);
    }
}

#[test]
fn a_further_list_that_belongs_to_nobody_fails_the_source_unless_that_may_be() {
    let hris = Hris::start(|asked| {
        if asked.path == "/people" {
            Reply::Json(json!({ "data": slice(0, 2, 2) }))
        } else {
            contracts(asked, &[contract(1, 9)], 0)
        }
    });
    let company = company(&hris, CONTRACTS);
    let says = "The list contracts belongs to 0 of the people, fewer than its min_rows: 1";
    company.run_now().exits(4).says(says);
    let keys = CONTRACTS.replace("record_id: no", "record_id: no\n            min_rows: 0");
    crate::rest_server::company(&hris, &keys).run_now().exits(0);
}

#[test]
fn a_further_list_that_has_lost_many_records_fails_the_source() {
    let renewed: Arc<AtomicUsize> = Arc::default();
    let now = Arc::clone(&renewed);
    now.store(4, Ordering::Relaxed);
    let hris = Hris::start(move |asked| {
        if asked.path == "/people" {
            return Reply::Json(json!({ "data": slice(0, 20, 20) }));
        }
        let ended = |person: usize| json!({ "person": { "id": person }, "begins": "2020-01-01", "ends": "2026-11-22" });
        let open = |person: usize| json!({ "person": { "id": person }, "begins": "2026-11-23" });
        let mut all: Vec<Value> = (1..=4).map(ended).collect();
        all.extend((1..=renewed.load(Ordering::Relaxed)).map(open));
        all.extend((5..=20).map(open));
        contracts(asked, &all, 0)
    });
    let jobticket = JobTicket::start();
    let keys = CONTRACTS.replace("record_id: no", "if_several: last");
    let mut company = company_at(&jobticket, &hris, &keys);
    company.run_now().exits(0).says("joiners: 20");
    now.store(0, Ordering::Relaxed);
    let says = "The list contracts has 20 records, and had 24 last time";
    company.run_now().exits(4).says(says);
    company.run_now().exits(4).says("write min_rows: 20");
    assert_eq!(jobticket.active().len(), 20);
    // Somebody says that it is right; whoever leaves by a changed rule waits.
    company.edit(
        "if_several: last",
        "if_several: last\n            min_rows: 20",
    );
    company.run_now().exits(3);
    assert_eq!(jobticket.active().len(), 20);
}
