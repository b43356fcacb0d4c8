//! A part under test, fresh for one case.

use std::any::Any;
use std::fmt::{self, Debug};

/// A fresh part, and what must live as long as it, such as its directory.
pub struct Fresh<S> {
    part: S,
    _guards: Vec<Box<dyn Any + Send>>,
}

impl<S> Fresh<S> {
    /// A part that needs nothing else.
    pub fn new(part: S) -> Self {
        Self {
            part,
            _guards: Vec::new(),
        }
    }

    /// The same, keeping `guard` until the case is over.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send) -> Self {
        self._guards.push(Box::new(guard));
        self
    }

    /// The part.
    pub const fn part(&self) -> &S {
        &self.part
    }
}

impl<S: Debug> Debug for Fresh<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fresh").field(&self.part).finish()
    }
}
