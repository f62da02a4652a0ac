//! A list that is empty for nearly everybody, and then needs no more memory than a pointer: a roster of a million people is in memory at once.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Such a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rare<T>(Option<Box<Items<T>>>);

/// What stands behind the pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Items<T>(Vec<T>);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Rare<T> {
    /// Adds an item.
    pub fn push(&mut self, item: T) {
        match &mut self.0 {
            Some(items) => items.0.push(item),
            None => self.0 = Some(Box::new(Items(vec![item]))),
        }
    }

    /// The items as a list of their own.
    pub fn into_vec(self) -> Vec<T> {
        self.0.map_or_else(Vec::new, |items| items.0)
    }
}

impl<T> Deref for Rare<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |items| &items.0)
    }
}

impl<T> Extend<T> for Rare<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> From<Vec<T>> for Rare<T> {
    fn from(items: Vec<T>) -> Self {
        Self((!items.is_empty()).then(|| Box::new(Items(items))))
    }
}

impl<'a, T> IntoIterator for &'a Rare<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Serialize> Serialize for Rare<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_the_same_however_it_came_to_be() {
        let mut extended = Rare::default();
        extended.extend(Vec::<u8>::new());
        assert_eq!(extended, Rare::from(Vec::new()));
        assert_eq!(size_of::<Rare<u8>>(), size_of::<usize>());
    }

    #[test]
    fn items_come_back_in_order_and_as_they_are_written() {
        let mut rare = Rare::from(vec![1, 2]);
        rare.push(3);
        assert_eq!(*rare, [1, 2, 3]);
        let text = serde_json::to_string(&rare).unwrap();
        assert_eq!(text, "[1,2,3]");
        assert_eq!(serde_json::from_str::<Rare<i32>>(&text).unwrap(), rare);
        assert_eq!(rare.into_vec(), [1, 2, 3]);
    }
}
