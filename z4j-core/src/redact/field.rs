//! The seam: what a redactor is asked, and what it may answer.

use std::borrow::Cow;
use std::fmt::Debug;
use std::ops::Range;

/// Names a policy and its version; stored beside every payload that went through it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyId(Cow<'static, str>);

impl PolicyId {
    /// A name of its own.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A name made at run time.
    #[must_use]
    pub const fn from_string(name: String) -> Self {
        Self(Cow::Owned(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldContext<'a> {
    /// The task whose data it is; empty if unknown.
    pub task_name: &'a str,
    /// The key of the member that the value is, or `None` for the root and for elements of arrays.
    pub key: Option<&'a str>,
    /// How many containers are around it.
    pub depth: usize,
}

impl<'a> FieldContext<'a> {
    /// The root of a task's data.
    #[must_use]
    pub const fn root(task_name: &'a str) -> Self {
        Self {
            task_name,
            key: None,
            depth: 0,
        }
    }
}

/// A value to decide about. Text is free of JSON escapes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// null.
    Null,
    /// true or false.
    Bool(bool),
    /// A number as spelled.
    Number(&'a str),
    /// Text.
    Text(&'a str),
    /// The text of a key, asked for itself before the value that it names.
    Name(&'a str),
    /// An array; its elements are asked about unless it is masked.
    Array,
    /// An object; its members are asked about unless it is masked.
    Object,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldDecision {
    /// It stays; text above [`Redactor::string_bytes_max`] is cut.
    Keep,
    /// The marker takes its place; in a container, the place of every value inside.
    Mask,
    /// A short digest takes its place, so that equal values can be told to be equal. Values that can be guessed can
    /// be found from it: do not use it for passwords.
    Hash,
    /// The member or element goes.
    Drop,
}

/// What is to be done to JSON text as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Every value stays as it is.
    Keep,
    /// The marker takes the place of the values in these byte ranges; all else stays as it is. Each range is a whole
    /// string with its quotes, a number, or a word, and they ascend without touching.
    Mask(Vec<Range<usize>>),
    /// [`Redactor::decide`] has to be asked about everything.
    Walk,
}

/// Decides what is secret.
///
/// # Contract
/// `decide` must depend on its arguments only and take time linear in the size of the value. If it panics, the whole
/// payload is replaced by the marker.
pub trait Redactor: Debug + Send + Sync + 'static {
    /// The policy that this is.
    fn policy(&self) -> PolicyId;

    /// What becomes of `value`. Called for every value that is not inside a masked one.
    fn decide(&self, field: &FieldContext<'_>, value: &FieldValue<'_>) -> FieldDecision;

    /// The longest text that is kept whole, in bytes.
    fn string_bytes_max(&self) -> usize;

    /// Whether this JSON text needs a walk. It may say yes for nothing, but must not say no when a value of the text
    /// would not be kept as it is.
    fn may_touch(&self, json: &str) -> bool;

    /// What is to be done to this JSON text, if that can be told without a walk. The output must say the same as the
    /// output of a walk. Saying [`Survey::Walk`] is always right.
    fn survey(&self, json: &str) -> Survey {
        if self.may_touch(json) {
            Survey::Walk
        } else {
            Survey::Keep
        }
    }
}
