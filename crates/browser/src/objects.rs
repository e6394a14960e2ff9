//! Keeps what lives longer than one call (a running hash, a cell being decoded, a play), known by a number.
//!
//! Any `'static` type can be kept: an operation opens it, later ones ask for it by handle and type. A handle is
//! never given twice, so a stale one is refused instead of meeting a stranger.

use crate::refusal::CallError;
use std::{any::Any, any::type_name, collections::BTreeMap, fmt};

/// Most objects alive at once: a player holds a handful per open film.
pub const OBJECTS_MAX: usize = 256;

/// The live objects.
#[derive(Default)]
pub struct Objects {
    live: BTreeMap<u32, Box<dyn Any>>,
    last: u32,
}

impl Objects {
    /// Keeps `object` and returns its handle, which is never 0.
    pub fn open<T: Any>(&mut self, object: T) -> Result<u32, CallError> {
        if self.live.len() >= OBJECTS_MAX {
            return Err(CallError::TooManyObjects);
        }
        self.last = self.last.checked_add(1).ok_or(CallError::TooManyObjects)?;
        self.live.insert(self.last, Box::new(object));
        Ok(self.last)
    }

    /// The `T` behind `handle`.
    pub fn get<T: Any>(&mut self, handle: u32) -> Result<&mut T, CallError> {
        let object = self.live.get_mut(&handle).ok_or(CallError::UnknownHandle { handle })?;
        object.downcast_mut().ok_or(CallError::OtherKind { handle, wanted: type_name::<T>() })
    }

    /// Takes the `T` behind `handle` out; the handle is then gone.
    pub fn take<T: Any>(&mut self, handle: u32) -> Result<T, CallError> {
        self.get::<T>(handle)?;
        let object = self.live.remove(&handle).ok_or(CallError::UnknownHandle { handle })?;
        object.downcast().map(|object| *object).map_err(|_| CallError::OtherKind { handle, wanted: type_name::<T>() })
    }

    /// Drops the object behind `handle`, whatever it is.
    pub fn close(&mut self, handle: u32) -> Result<(), CallError> {
        self.live.remove(&handle).map(drop).ok_or(CallError::UnknownHandle { handle })
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("live", &self.live.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_by_handle_and_type_until_taken() {
        let mut objects = Objects::default();
        let handle = objects.open(41_u64).unwrap();
        *objects.get::<u64>(handle).unwrap() += 1;
        assert!(matches!(objects.get::<String>(handle), Err(CallError::OtherKind { .. })));
        assert!(matches!(objects.take::<String>(handle), Err(CallError::OtherKind { .. })));
        assert_eq!(objects.take::<u64>(handle).unwrap(), 42);
        assert!(matches!(objects.get::<u64>(handle), Err(CallError::UnknownHandle { .. })));
    }

    #[test]
    fn a_handle_is_never_given_twice() {
        let mut objects = Objects::default();
        let first = objects.open(()).unwrap();
        objects.close(first).unwrap();
        assert_ne!(objects.open(()).unwrap(), first);
        assert!(matches!(objects.close(first), Err(CallError::UnknownHandle { .. })));
    }

    #[test]
    fn the_number_of_objects_is_limited() {
        let mut objects = Objects::default();
        for _ in 0..OBJECTS_MAX {
            objects.open(()).unwrap();
        }
        assert!(matches!(objects.open(()), Err(CallError::TooManyObjects)));
    }
}
