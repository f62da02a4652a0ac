//! What proves that a list was complete, and what does not.

use proptest::prelude::*;

use super::*;

/// The paging of a source, as its configuration reads it.
fn paging(text: &str) -> Paging {
    let text = format!(
        "state_dir: s
integrations:
  - name: acme
    jobticket: {{environment: sandbox, integration_id: 7}}
    sources:
      - name: hris
        type: rest
        base_url: https://hr.example.com
        auth: none
        request: {{get: /employees}}
        paging: {text}
        records: data
        fields: {{hrId: id, firstName: a, lastName: b, email: c}}
"
    );
    let config = crate::config::parse(&text, std::path::Path::new("/")).unwrap();
    let rest = config.integrations[0].sources[0].rest.clone();
    rest.unwrap().paging
}

fn page(records: u64) -> Facts {
    Facts {
        records,
        hash: fastrand::u64(..),
        ..Facts::default()
    }
}

/// What the pages of a list come to: how many were asked for, or why it was refused.
fn read(by: &Paging, pages: &[Facts]) -> Result<usize, Incomplete> {
    let mut list = Pager::new(by);
    for (index, facts) in pages.iter().enumerate() {
        if list.after(facts)?.is_none() {
            return Ok(index + 1);
        }
    }
    panic!("more than {} pages are asked for", pages.len());
}

fn total(records: u64, total: u64) -> Facts {
    Facts {
        total: Told::Is(total),
        ..page(records)
    }
}

fn next(records: u64, next: &str) -> Facts {
    Facts {
        next: Told::Is(next.to_owned()),
        ..page(records)
    }
}

const BY_TOTAL: &str = "{offset: {parameter: offset, unit: items, size: 100, total: t}}";

#[test]
fn a_total_has_to_be_met_exactly_and_to_stay_what_it_was() {
    let by = paging(BY_TOTAL);
    assert_eq!(read(&by, &[total(100, 130), total(30, 130)]), Ok(2));
    assert_eq!(read(&by, &[total(99, 99)]), Ok(1));
    assert_eq!(read(&by, &[total(0, 0)]), Ok(1));
    let wrong = |pages: &[Facts]| read(&by, pages).unwrap_err();
    assert_eq!(
        wrong(&[total(100, 130), total(30, 131)]),
        Incomplete::TotalChanged { was: 130, is: 131 }
    );
    assert_eq!(
        wrong(&[total(100, 130), total(40, 130)]),
        Incomplete::MoreThanTotal {
            arrived: 140,
            total: 130
        }
    );
    assert_eq!(
        wrong(&[total(100, 130), total(0, 130)]),
        Incomplete::EmptyPage { arrived: 100 }
    );
    // The server gives 50 at once, whatever it is asked for.
    assert_eq!(
        read(&by, &[total(50, 130), total(50, 130), total(30, 130)]),
        Ok(3)
    );
    let mut list = Pager::new(&by);
    assert_eq!(list.after(&total(50, 130)), Ok(Some(Turn::Number(50))));
    // Some tell it only once.
    assert_eq!(read(&by, &[total(100, 130), page(30)]), Ok(2));
    assert_eq!(
        wrong(&[total(100, 130), page(40)]),
        Incomplete::MoreThanTotal {
            arrived: 140,
            total: 130
        }
    );
    assert_eq!(
        wrong(&[total(130, 130)]),
        Incomplete::LongerThanSize {
            records: 130,
            size: 100
        }
    );
    assert!(matches!(wrong(&[page(100)]), Incomplete::NoTotal { .. }));
    let none = paging("{none: {total: t}}");
    assert_eq!(read(&none, &[total(20, 20)]), Ok(1));
    assert_eq!(
        read(&none, &[total(20, 45)]),
        Err(Incomplete::LessThanTotal {
            arrived: 20,
            total: 45
        })
    );
}

#[test]
fn without_a_total_only_an_empty_page_ends_a_numbered_list() {
    let by = paging("{page: {parameter: page, size: 100}}");
    assert_eq!(read(&by, &[page(100), page(40), page(0)]), Ok(3));
    assert_eq!(read(&by, &[page(0)]), Ok(1));
    // What looks like a last page may only be the most that the server gives.
    assert_eq!(
        read(&by, &[page(50)]),
        Err(Incomplete::FirstShort {
            records: 50,
            size: 100
        })
    );
    assert_eq!(
        read(&by, &[page(100), page(50), page(50)]),
        Err(Incomplete::ShortPage { size: 100 })
    );
    let by_items = paging("{offset: {parameter: o, unit: items, size: 100}}");
    assert_eq!(read(&by_items, &[page(50), page(50), page(0)]), Ok(3));
    let same = Facts {
        hash: 7,
        ..page(100)
    };
    assert_eq!(
        read(&by, &[same.clone(), same]),
        Err(Incomplete::RepeatedPage)
    );
}

#[test]
fn the_number_of_pages_or_a_word_ends_a_numbered_list() {
    let by = paging("{page: {parameter: page, pages: p}}");
    let of = |records, pages| Facts {
        pages: Told::Is(pages),
        ..page(records)
    };
    assert_eq!(read(&by, &[of(10, 2), of(3, 2)]), Ok(2));
    assert_eq!(read(&by, &[of(0, 0)]), Ok(1));
    assert_eq!(
        read(&by, &[of(10, 2), of(0, 3)]),
        Err(Incomplete::PagesChanged { was: 2, is: 3 })
    );
    assert_eq!(
        read(&by, &[of(10, 3), of(0, 3)]),
        Err(Incomplete::EmptyPage { arrived: 10 })
    );
    // Pages that are counted from 0: the first was never asked for, and the last is empty.
    assert_eq!(
        read(&by, &[of(10, 2), of(0, 2)]),
        Err(Incomplete::EmptyPage { arrived: 10 })
    );
    assert!(matches!(
        read(&by, &[page(1)]),
        Err(Incomplete::NoMarker { .. })
    ));
    let items = paging("{offset: {parameter: o, unit: items, size: 10, pages: p}}");
    assert_eq!(
        read(&items, &[of(8, 2)]),
        Err(Incomplete::ShortPage { size: 10 })
    );
    let by = paging("{offset: {parameter: o, unit: items, size: 10, more: m}}");
    let of = |records, more| Facts {
        more: Told::Is(more),
        ..page(records)
    };
    assert_eq!(read(&by, &[of(10, true), of(3, false)]), Ok(2));
    assert_eq!(read(&by, &[of(8, true), of(2, false)]), Ok(2));
    assert!(matches!(
        read(&by, &[page(1)]),
        Err(Incomplete::NoMarker { .. })
    ));
}

#[test]
fn a_cursor_goes_on_until_it_is_said_to_end_and_never_in_a_circle() {
    let by = paging("{cursor: {parameter: c, take: meta.next}}");
    let end = Facts {
        next: Told::Empty,
        ..page(3)
    };
    assert_eq!(
        read(&by, &[next(10, "a"), next(10, "b"), end.clone()]),
        Ok(3)
    );
    assert_eq!(read(&by, &[end]), Ok(1));
    // An answer that has lost its cursor is no last one.
    assert!(matches!(
        read(&by, &[next(10, "a"), page(3)]),
        Err(Incomplete::AbsentMarker { .. })
    ));
    assert_eq!(
        read(&by, &[next(10, "a"), next(10, "b"), next(10, "a")]),
        Err(Incomplete::RepeatedNext)
    );
    // A misspelt path has never a cursor, and the first page would be the whole company.
    assert!(matches!(
        read(&by, &[page(10)]),
        Err(Incomplete::AbsentMarker { .. })
    ));
    let by = paging("{cursor: {parameter: c, take: meta.next, absent_is_end: true}}");
    assert_eq!(read(&by, &[page(10)]), Ok(1));
    let by = paging("{cursor: {parameter: c, take: meta.next, more: m}}");
    let more = |more, facts| Facts {
        more: Told::Is(more),
        ..facts
    };
    assert_eq!(
        read(&by, &[more(true, next(5, "a")), more(false, next(5, "b"))]),
        Ok(2)
    );
    assert!(matches!(
        read(&by, &[more(true, page(5))]),
        Err(Incomplete::NoNext { .. })
    ));
    let by = paging("{link: {most_pages: 2}}");
    assert_eq!(
        read(&by, &[next(1, "a"), next(1, "b")]),
        Err(Incomplete::TooManyPages { most: 2 })
    );
}

#[test]
fn a_total_that_counts_one_page_ends_no_list() {
    let by = paging(BY_TOTAL);
    for (records, behind) in [(100, 100), (50, 50)] {
        let mut list = Pager::new(&by);
        assert_eq!(list.after(&total(records, records)), Ok(None));
        let look = Look::Behind(Turn::Number(behind));
        assert_eq!(list.look(true), Some(look));
    }
    let by = paging("{cursor: {parameter: c, take: next, total: t}}");
    let with = |facts, cursor: &str| Facts {
        next: Told::Is(cursor.to_owned()),
        ..facts
    };
    assert_eq!(
        read(&by, &[with(total(20, 20), "a"), with(total(20, 20), "b")]),
        Err(Incomplete::MoreThanTotal {
            arrived: 40,
            total: 20
        })
    );
    // Some systems give a cursor to the end.
    assert_eq!(
        read(&by, &[with(total(20, 20), "a"), with(total(0, 20), "b")]),
        Ok(2)
    );
    assert!(matches!(
        read(&by, &[total(20, 20)]),
        Err(Incomplete::AbsentMarker { .. })
    ));
}

#[test]
fn where_nothing_else_tells_it_the_page_before_the_first_is_looked_at() {
    let before = |text: &str, facts: &Facts| {
        let by = paging(text);
        let mut list = Pager::new(&by);
        let goes_on = list.after(facts).unwrap().is_some();
        list.look(!goes_on)
    };
    let more = Facts {
        more: Told::Is(false),
        ..page(10)
    };
    let look = Some(Look::Before(Turn::Number(0)));
    assert_eq!(before("{page: {parameter: p, more: m}}", &more), look);
    assert_eq!(before("{page: {parameter: p}}", &page(10)), look);
    assert_eq!(before("{page: {parameter: p, first: 0}}", &page(10)), None);
    assert_eq!(
        before("{page: {parameter: p, total: t}}", &total(10, 30)),
        None
    );
    assert_eq!(before(BY_TOTAL, &total(0, 0)), None);
}

proptest! {
    /// Whatever a server answers: a list that is taken with a total has that many records, and no list is asked for without end.
    #[test]
    fn no_list_is_taken_that_differs_from_its_total(
        pages in prop::collection::vec((0u64..4, 0u64..8), 1..12), size in 1u64..4,
    ) {
        let by = paging(&format!("{{offset: {{parameter: o, unit: items, size: {size}, total: t, most_pages: 12}}}}"));
        let mut list = Pager::new(&by);
        let mut arrived = 0;
        for (records, all) in pages {
            arrived += records;
            match list.after(&total(records, all)) {
                Err(_) => break,
                Ok(Some(_)) => prop_assert!(arrived <= all),
                Ok(None) => {
                    prop_assert_eq!(arrived, all);
                    break;
                }
            }
        }
    }
}
