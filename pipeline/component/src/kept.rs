//! What outlives the component that made it, so that a reload costs nothing that is worth keeping: a listening socket
//! with its connections, the memory of delivered ids.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// Objects by type and key. Nobody is kept alive by it: an object is there for as long as some component holds it. A
/// successor is built before its predecessor goes, and so finds what that one holds.
#[derive(Default)]
pub struct Kept(Mutex<HashMap<Key, Weak<dyn Any + Send + Sync>>>);

type Key = (TypeId, String);

impl Kept {
    /// What `share` takes of the object under `key`; where there is none, or `share` cannot use it any more, `make`
    /// puts a new one in its place. One caller at a time.
    ///
    /// # Errors
    /// Those of `make`; nothing has changed then.
    pub fn share<T: Any + Send + Sync, R, E>(
        &self,
        key: &str,
        share: impl FnOnce(&Arc<T>) -> Option<R>,
        make: impl FnOnce() -> Result<(Arc<T>, R), E>,
    ) -> Result<R, E> {
        let mut kept = self.0.lock();
        kept.retain(|_, object| object.strong_count() > 0);
        let key = (TypeId::of::<T>(), key.to_owned());
        let there = kept.get(&key).and_then(Weak::upgrade);
        let there = there.and_then(|object| object.downcast::<T>().ok());
        if let Some(shared) = there.as_ref().and_then(share) {
            return Ok(shared);
        }
        let (object, shared) = make()?;
        let object: Arc<dyn Any + Send + Sync> = object;
        kept.insert(key, Arc::downgrade(&object));
        Ok(shared)
    }

    /// The object under `key`; a new one where there is none.
    pub fn get<T: Any + Send + Sync + Default>(&self, key: &str) -> Arc<T> {
        let made = || {
            let object = Arc::new(T::default());
            Ok::<_, std::convert::Infallible>((Arc::clone(&object), object))
        };
        match self.share(key, |object| Some(Arc::clone(object)), made) {
            Ok(object) => object,
        }
    }

    /// What is kept of one type, in no order.
    pub fn all<T: Any + Send + Sync>(&self) -> Vec<Arc<T>> {
        let kept = self.0.lock();
        let objects = kept.values().filter_map(Weak::upgrade);
        objects
            .filter_map(|object| object.downcast().ok())
            .collect()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.0.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_finds_what_its_predecessor_holds_and_nothing_of_one_that_is_gone() {
        let kept = Kept::default();
        let first: Arc<Mutex<u32>> = kept.get("a");
        *first.lock() = 7;
        let successor: Arc<Mutex<u32>> = kept.get("a");
        assert_eq!(*successor.lock(), 7);
        assert_eq!(*kept.get::<Mutex<u32>>("b").lock(), 0, "another key");
        assert_eq!(*kept.get::<Mutex<u64>>("a").lock(), 0, "another type");
        drop((first, successor));
        assert_eq!(*kept.get::<Mutex<u32>>("a").lock(), 0);
    }

    #[test]
    fn an_object_that_is_of_no_use_any_more_is_replaced() {
        let kept = Kept::default();
        let closed = kept.get::<Mutex<bool>>("port");
        *closed.lock() = true;
        let usable = |port: &Arc<Mutex<bool>>| (!*port.lock()).then(|| Arc::clone(port));
        let make = || Ok::<_, ()>((Arc::default(), Arc::default()));
        let fresh: Arc<Mutex<bool>> = kept.share("port", usable, make).unwrap();
        assert!(!*fresh.lock());
        let failing: Result<Arc<Mutex<bool>>, _> =
            kept.share("other", usable, || Err::<(Arc<Mutex<bool>>, _), _>("taken"));
        assert_eq!(failing.unwrap_err(), "taken");
    }
}
