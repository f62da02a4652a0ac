//! Recipes: what the configuration of a common HR system would say, as YAML inside the program. Whoever uses one writes its name and the secrets, and may override any key.
//!
//! Each is a file in the folder beside this one, and a new one is that file alone. The first line of a file says what it is for, the line `# Tested:` how far it was tested.

use include_dir::{Dir, File, include_dir};
use serde_json::Value as Tree;

/// A recipe.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// What a configuration calls it.
    pub name: &'static str,
    /// The file, with its comments.
    pub text: &'static str,
}

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/config/recipes");

/// All of them, by name.
pub fn recipes() -> impl Iterator<Item = Recipe> {
    let mut all: Vec<Recipe> = FILES.files().filter_map(Recipe::of).collect();
    all.sort_by_key(|recipe| recipe.name);
    all.into_iter()
}

impl Recipe {
    fn of(file: &'static File<'static>) -> Option<Self> {
        let name = file.path().file_name()?.to_str()?.strip_suffix(".yaml")?;
        let text = file.contents_utf8()?;
        Some(Self { name, text })
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        recipes().find(|recipe| recipe.name == name)
    }

    /// What it is for.
    pub fn title(&self) -> &'static str {
        let first = self.text.lines().next().unwrap_or_default();
        first.trim_start_matches(['#', ' '])
    }

    /// How far it was tested.
    pub fn tested(&self) -> &'static str {
        let mut lines = self.text.lines();
        lines
            .find_map(|line| line.strip_prefix("# Tested: "))
            .unwrap_or_default()
    }

    /// Its keys.
    fn tree(&self) -> Tree {
        serde_yaml::from_str(self.text).expect("a test reads every recipe")
    }

    /// A source as its configuration says it, with what the recipe says where that is silent.
    pub(super) fn fill(&self, source: Tree) -> Tree {
        let mut all = self.tree();
        lay(&mut all, source);
        all
    }
}

/// Blocks of which one key says what kind they are: another kind takes the place of the whole.
const OF_ONE_KIND: [&str; 2] = ["auth", "paging"];
/// Keys that stand for one another.
const EITHER: [(&str, &str); 4] = [
    ("get", "post"),
    ("post", "get"),
    ("json", "form"),
    ("form", "json"),
];

/// Lays what is written over what the recipe has, key by key.
fn lay(under: &mut Tree, over: Tree) {
    let (Tree::Object(below), true) = (&mut *under, over.is_object()) else {
        *under = over;
        return;
    };
    let Tree::Object(above) = over else { return };
    for (key, value) in above {
        for (one, other) in EITHER {
            if key == one {
                below.remove(other);
            }
        }
        match below.get_mut(&key) {
            Some(known) if !OF_ONE_KIND.contains(&key.as_str()) || same_kind(known, &value) => {
                lay(known, value);
            }
            _ => {
                below.insert(key, value);
            }
        }
    }
}

fn same_kind(one: &Tree, other: &Tree) -> bool {
    let keys = |tree: &Tree| {
        let map = tree.as_object()?;
        Some(map.keys().cloned().collect::<Vec<_>>())
    };
    keys(one).is_some_and(|all| keys(other) == Some(all))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_recipe_is_yaml_with_a_title_a_word_on_tests_and_its_traps() {
        for recipe in recipes() {
            assert!(recipe.tree().is_object(), "{}", recipe.name);
            assert!(!recipe.title().is_empty() && !recipe.tested().is_empty());
            assert!(recipe.text.contains("\n# Traps:\n# - "), "{}", recipe.name);
        }
        assert_eq!(recipes().count(), FILES.files().count());
    }

    #[test]
    fn what_is_written_counts_before_the_recipe_key_by_key() {
        let laid = |under: Tree, over: Tree| {
            let mut all = under;
            lay(&mut all, over);
            all
        };
        assert_eq!(
            laid(
                json!({"request": {"get": "/a", "query": {"x": 1, "y": 2}}}),
                json!({"request": {"query": {"y": 3}}})
            ),
            json!({"request": {"get": "/a", "query": {"x": 1, "y": 3}}})
        );
        assert_eq!(
            laid(
                json!({"request": {"get": "/a"}}),
                json!({"request": {"post": "/b"}})
            ),
            json!({"request": {"post": "/b"}})
        );
        assert_eq!(
            laid(
                json!({"paging": {"page": {"first": 1}}}),
                json!({"paging": {"page": {"size": 2}}})
            ),
            json!({"paging": {"page": {"first": 1, "size": 2}}})
        );
        assert_eq!(
            laid(
                json!({"paging": {"page": {"first": 1}}, "auth": {"bearer": "x"}}),
                json!({"paging": "none", "auth": {"header": {}}})
            ),
            json!({"paging": "none", "auth": {"header": {}}})
        );
        assert_eq!(
            laid(
                json!({"fields": {"a": ["x", "y"], "b": "z"}}),
                json!({"fields": {"a": ["q"], "b": null}})
            ),
            json!({"fields": {"a": ["q"], "b": null}})
        );
    }
}
