use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<BTreeMap<String, String>, (usize, HrIdMapFault)> {
    match HrIdMap::parse(text.as_bytes()) {
        Ok(HrIdMap(map)) => Ok(map
            .into_iter()
            .map(|(left, right)| (left.to_string(), right.to_string()))
            .collect()),
        Err(HrIdMapError { line, what }) => Err((line, what)),
    }
}

fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(left, right): &(&str, &str)| ((*left).to_owned(), (*right).to_owned());
    list.iter().map(owned).collect()
}

#[test]
fn a_map_is_read_with_either_delimiter_line_end_and_with_a_byte_order_mark() {
    let expected = pairs(&[("B-1", "00001"), ("2", "00002")]);
    for text in [
        "hrId,jobticketHrId\nB-1,00001\n2,00002\n",
        "\u{feff}hrId;jobticketHrId\r\nB-1;00001\r\n2; 00002 \r\n",
        "\"hrId\",\"jobticketHrId\"\n\"B-1\",\"00001\"\n2 , \"00002\" \n",
    ] {
        assert_eq!(parsed(text).as_ref(), Ok(&expected), "{text}");
    }
    assert_eq!(parsed("hrId,jobticketHrId\n"), Ok(pairs(&[])));
    assert_eq!(
        parsed("hrId,jobticketHrId\n1,\" a\"\"b, \"\n3,3\n"),
        Ok(pairs(&[("1", " a\"b, "), ("3", "3")]))
    );
}

#[test]
fn whatever_is_not_exactly_a_map_is_refused_with_its_line() {
    use HrIdMapFault as F;
    let id = HrId::new;
    let cases = [
        ("", 1, F::Header),
        ("jobticketHrId,hrId\n1,2\n", 1, F::Header),
        ("hrId\tjobticketHrId\n", 1, F::Header),
        ("hrId,jobticketHrId,name\n", 1, F::Header),
        ("HRID,jobticketHrId\n", 1, F::Header),
        ("hrId,jobticketHrId\n1,2\n3;4\n", 3, F::NotTwoCells),
        ("hrId,jobticketHrId\n1,2,3\n", 2, F::NotTwoCells),
        ("hrId,jobticketHrId\n\n1,2\n", 2, F::NotTwoCells),
        ("hrId,jobticketHrId\n1\"1,2\n", 2, F::NotTwoCells),
        ("hrId,jobticketHrId\n\"1,2\n", 2, F::NotTwoCells),
        ("hrId,jobticketHrId\n\"1\"1,2\n", 2, F::NotTwoCells),
        ("hrId,jobticketHrId\n , 2\n", 2, F::Empty { column: "hrId" }),
        (
            "hrId,jobticketHrId\n1,\" \"\n",
            2,
            F::Empty {
                column: "jobticketHrId",
            },
        ),
        (
            "hrId,jobticketHrId\n1,a\tb\n",
            2,
            F::NotText {
                column: "jobticketHrId",
            },
        ),
        (
            "hrId,jobticketHrId\n1,2\n1,3\n",
            3,
            F::LeftTwice {
                hr_id: id("1"),
                first: 2,
            },
        ),
        (
            "hrId,jobticketHrId\n1,9\n2,9\n",
            3,
            F::RightTwice {
                hr_id: id("9"),
                first: 2,
            },
        ),
        (
            "hrId,jobticketHrId\n1,2\n2,3\n",
            2,
            F::Chain {
                hr_id: id("2"),
                other: 3,
            },
        ),
        ("hrId,jobticketHrId\n1,2\n3,00", 3, F::NoLineEnd),
    ];
    for (text, line, what) in cases {
        assert_eq!(parsed(text), Err((line, what)), "{text:?}");
    }
    let long = format!("hrId,jobticketHrId\n1,{}\n", "9".repeat(251));
    let not_text = F::NotText {
        column: "jobticketHrId",
    };
    assert_eq!(parsed(&long), Err((2, not_text)));
    let latin = HrIdMap::parse(b"hrId,jobticketHrId\n1,2\n3,\xfc\n");
    assert_eq!(
        latin,
        Err(HrIdMapError {
            line: 3,
            what: F::NotUtf8
        })
    );
}

#[test]
fn a_doubt_about_a_mapped_person_outdoes_a_rule_about_the_direct_row() {
    let map = HrIdMap::parse(b"hrId,jobticketHrId\nnew,old\n").unwrap();
    let unclear = Unselected::Unclear {
        column: "Ort".into(),
        line: 2,
        end: None,
    };
    let excluded = Unselected::Excluded {
        column: "Ort".into(),
    };
    for (new, old) in [(&unclear, &excluded), (&excluded, &unclear)] {
        let mut delivery = Delivery::default();
        delivery.unselected.insert(HrId::new("new"), new.clone());
        delivery.unselected.insert(HrId::new("old"), old.clone());
        map.apply(&mut delivery);
        assert_eq!(delivery.unselected.len(), 1);
        assert_eq!(delivery.unselected.get("old"), Some(&unclear));
    }
}

/// Any text that can be an hrId at JobTicket, awkward ones often.
fn any_id() -> impl Strategy<Value = String> {
    prop_oneof!["[ ,;\"0-9A-ü]{1,8}", "\\PC{1,20}"]
        .prop_filter("not blank, no control characters", |text| {
            !text.trim().is_empty() && !text.chars().any(char::is_control)
        })
}

proptest! {
    #[test]
    fn a_map_that_is_written_is_read_as_it_was(found in proptest::collection::btree_map(any_id(), any_id(), 0..8)) {
        let mut seen = std::collections::HashSet::new();
        let lefts: std::collections::HashSet<String> = found.keys().map(|left| String::from(normal(left))).collect();
        // As a source would deliver the left one; and no map that is refused for what it says.
        let found: BTreeMap<HrId, HrId> = found
            .iter()
            .map(|(left, right)| (normal(left), right))
            .filter(|(left, right)| (**left == ***right || !lefts.contains(*right)) && seen.insert((*right).clone()))
            .map(|(left, right)| (HrId::new(&left), HrId::new(right)))
            .collect();
        let read = HrIdMap::parse(render(&found).as_bytes()).map(|HrIdMap(map)| map.into_iter().collect());
        prop_assert_eq!(read, Ok(found));
    }

    #[test]
    fn no_bytes_make_the_map_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b','), Just(b'"'), Just(b'\n')], 0..60), headed: bool) {
        let mut content = if headed { b"hrId,jobticketHrId\n".to_vec() } else { Vec::new() };
        content.extend(bytes);
        let _ = HrIdMap::parse(&content);
    }
}
