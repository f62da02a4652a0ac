//! Paths as people write them.

use proptest::prelude::*;

use super::*;

fn key(word: &str) -> PathStep {
    PathStep::Key(word.to_owned())
}

fn steps(text: &str) -> Vec<PathStep> {
    text.parse::<JsonPath>().unwrap().steps
}

#[test]
fn the_paths_of_real_systems_are_read_as_written() {
    assert_eq!(
        steps("attributes.*[universal_id=date_of_birth].value"),
        [
            key("attributes"),
            PathStep::Each,
            PathStep::Where {
                path: vec![key("universal_id")],
                value: "date_of_birth".to_owned()
            },
            key("value")
        ]
    );
    assert_eq!(
        steps("\"/work/startDate\".value"),
        [key("/work/startDate"), key("value")]
    );
    assert_eq!(steps("$"), []);
    assert_eq!(steps("$.d.__next"), [key("d"), key("__next")]);
    assert_eq!(
        steps("$[0].a[-1]"),
        [PathStep::Item(0), key("a"), PathStep::Item(-1)]
    );
    assert_eq!(
        steps("emails[kind.id=\"a ] \\\" b\"]"),
        [
            key("emails"),
            PathStep::Where {
                path: vec![key("kind"), key("id")],
                value: "a ] \" b".to_owned()
            }
        ]
    );
    assert_eq!(steps("@key"), [PathStep::OwnKey]);
    assert_eq!(
        steps("@contracts.start"),
        [PathStep::Joined("contracts".to_owned()), key("start")]
    );
}

#[test]
fn what_is_no_path_is_refused() {
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        "/work/startDate",
        "a[",
        "a[]",
        "a[b]",
        "a[b=]",
        "a[b=c",
        "\"a",
        "a.@key",
        "@",
        "@a",
        "@a.",
        "@a.$",
        "$a",
        "a\"b\"",
        "a[\"b\"=\"c\"",
        "a]",
    ] {
        assert!(text.parse::<JsonPath>().is_err(), "{text}");
    }
}

fn text_of(steps: &[PathStep]) -> String {
    let mut text = String::new();
    let quoted = |word: &str| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
    for step in steps {
        let (dot, word) = match step {
            PathStep::Key(key) if is_plain_key(key) => (true, key.clone()),
            PathStep::Key(key) => (true, quoted(key)),
            PathStep::Each => (true, "*".to_owned()),
            PathStep::OwnKey => (true, "@key".to_owned()),
            PathStep::Joined(name) => (true, format!("@{name}")),
            PathStep::Item(item) => (false, format!("[{item}]")),
            PathStep::Where { path, value } => {
                (false, format!("[{}={}]", text_of(path), quoted(value)))
            }
        };
        if dot && !text.is_empty() {
            text.push('.');
        }
        text.push_str(&word);
    }
    text
}

fn any_step() -> impl Strategy<Value = PathStep> {
    let leaf = prop_oneof![
        ".*".prop_map(PathStep::Key),
        "[a-z_]{1,8}".prop_map(PathStep::Key),
        Just(PathStep::Each),
        any::<i64>().prop_map(PathStep::Item),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let path = (
            ".*".prop_map(PathStep::Key),
            prop::collection::vec(inner, 0..3),
        );
        (path, ".+").prop_map(|((first, more), value)| PathStep::Where {
            path: [first].into_iter().chain(more).collect(),
            value,
        })
    })
}

proptest! {
    #[test]
    fn a_path_that_is_written_down_is_read_back_as_itself(
        steps in prop::collection::vec(any_step(), 1..5)
    ) {
        let text = format!("$.{}", text_of(&steps)).replace("$.[", "$[");
        prop_assert_eq!(text.parse::<JsonPath>().map(|path| path.steps), Ok(steps), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".*") {
        let _ = text.parse::<JsonPath>();
    }
}
