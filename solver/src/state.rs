//! A checkpoint: named arrays from which training continues exactly.
//!
//! *Design.* A state is a flat list of named arrays, so that a checkpoint is one safetensors file
//! which any program can look into, and nobody's private fields become a file format by accident.
//! Numbers are arrays of one. Parts are named with slashes: `actor/optimizer/first_moment`.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::digest::Digest;

/// The saved state of something in training: named arrays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    entries: BTreeMap<String, Array>,
}

/// An array of a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    dtype: Dtype,
    /// Little-endian.
    bytes: Vec<u8>,
}

/// Why a state does not fit what it is to restore.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StateError {
    /// An array is missing.
    #[error("'{name}' is missing")]
    Missing {
        /// Name of the array.
        name: String,
    },
    /// An array is of another type.
    #[error("'{name}' holds {found:?} where {expected:?} is needed")]
    Kind {
        /// Name of the array.
        name: String,
        /// Type of the array.
        found: Dtype,
        /// The type needed.
        expected: Dtype,
    },
    /// An array has another length.
    #[error("'{name}' has {found} values where {expected} are needed")]
    Length {
        /// Name of the array.
        name: String,
        /// Length of the array.
        found: usize,
        /// The length needed.
        expected: usize,
    },
    /// The bytes are no safetensors file.
    #[error("not a state: {message}")]
    Bytes {
        /// What is wrong.
        message: String,
    },
}

/// A number that arrays are made of.
pub trait Element: Copy {
    /// Type of the number, as safetensors names it.
    const KIND: Dtype;
    /// Appends the bytes of the number, little-endian.
    fn write(self, bytes: &mut Vec<u8>);
    /// Reads a number from exactly as many bytes as it has.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! element {
    ($($kind:ty => $dtype:expr),*) => {$(
        impl Element for $kind {
            const KIND: Dtype = $dtype;

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn read(bytes: &[u8]) -> Self {
                let mut buffer = [0; size_of::<$kind>()];
                buffer.copy_from_slice(bytes);
                Self::from_le_bytes(buffer)
            }
        }
    )*};
}

element!(f32 => Dtype::F32, f64 => Dtype::F64, u64 => Dtype::U64, u32 => Dtype::U32, u8 => Dtype::U8);

impl State {
    /// Adds an array.
    pub fn put<E: Element>(&mut self, name: &str, values: &[E]) {
        let mut bytes = Vec::with_capacity(size_of_val(values));
        values.iter().for_each(|value| value.write(&mut bytes));
        self.entries.insert(name.to_owned(), Array { dtype: E::KIND, bytes });
    }

    /// Adds all arrays of a part, under its name.
    pub fn put_part(&mut self, name: &str, part: State) {
        self.entries.extend(part.entries.into_iter().map(|(inner, array)| (format!("{name}/{inner}"), array)));
    }

    /// The array of a name.
    ///
    /// # Errors
    /// When it is missing, or of another type.
    pub fn get<E: Element>(&self, name: &str) -> Result<Vec<E>, StateError> {
        let array = self.entries.get(name).ok_or_else(|| StateError::Missing { name: name.to_owned() })?;
        if array.dtype != E::KIND {
            return Err(StateError::Kind { name: name.to_owned(), found: array.dtype, expected: E::KIND });
        }
        Ok(array.bytes.chunks_exact(size_of::<E>()).map(E::read).collect())
    }

    /// The array of a name, checked to have a known length.
    ///
    /// # Errors
    /// As [`State::get`], and when it has another length.
    pub fn get_all<E: Element>(&self, name: &str, expected: usize) -> Result<Vec<E>, StateError> {
        let values = self.get(name)?;
        let found = values.len();
        if found == expected { Ok(values) } else { Err(StateError::Length { name: name.to_owned(), found, expected }) }
    }

    /// The array of a name, either of a known length or empty, as one that grows at its first use.
    ///
    /// # Errors
    /// As [`State::get_all`].
    pub fn get_grown<E: Element>(&self, name: &str, expected: usize) -> Result<Vec<E>, StateError> {
        let values = self.get(name)?;
        if values.is_empty() { Ok(values) } else { self.get_all(name, expected) }
    }

    /// A single number.
    ///
    /// # Errors
    /// As [`State::get_all`].
    pub fn number<E: Element>(&self, name: &str) -> Result<E, StateError> {
        Ok(self.get_all(name, 1)?[0])
    }

    /// A number that may be absent: an array of none or one.
    ///
    /// # Errors
    /// As [`State::get_all`].
    pub fn optional<E: Element>(&self, name: &str) -> Result<Option<E>, StateError> {
        Ok(self.get_grown(name, 1)?.first().copied())
    }

    /// A checksum that changes with any bit of any array, to detect damage: of names, types and
    /// bytes.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        for (name, array) in &self.entries {
            digest.add(name.as_bytes());
            digest.add(format!("{:?}{}", array.dtype, array.bytes.len()).as_bytes());
            digest.add(&array.bytes);
        }
        digest.value()
    }

    /// The arrays whose names are wanted.
    pub fn filtered(mut self, is_wanted: impl Fn(&str) -> bool) -> Self {
        self.entries.retain(|name, _| is_wanted(name));
        self
    }

    /// The state with those of its arrays whose names are wanted taken from `other`.
    ///
    /// # Errors
    /// When `other` lacks one, or has it in another type or length.
    pub fn overlaid(mut self, other: &State, is_wanted: impl Fn(&str) -> bool) -> Result<Self, StateError> {
        for (name, ours) in self.entries.iter_mut().filter(|(name, _)| is_wanted(name)) {
            let theirs = other.entries.get(name).ok_or_else(|| StateError::Missing { name: name.clone() })?;
            if theirs.dtype != ours.dtype {
                let (found, expected) = (theirs.dtype, ours.dtype);
                return Err(StateError::Kind { name: name.clone(), found, expected });
            }
            let [found, expected] = [theirs, &*ours].map(|array| array.bytes.len() * 8 / array.dtype.bitsize());
            if found != expected {
                return Err(StateError::Length { name: name.clone(), found, expected });
            }
            ours.bytes.clone_from(&theirs.bytes);
        }
        Ok(self)
    }

    /// Names of all arrays, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// All arrays of the part of this name; empty where there are none.
    pub fn part(&self, name: &str) -> State {
        let inner = |(full, array): (&String, &Array)| {
            Some((full.strip_prefix(name)?.strip_prefix('/')?.to_owned(), array.clone()))
        };
        State { entries: self.entries.iter().filter_map(inner).collect() }
    }

    /// The state as the bytes of a safetensors file.
    ///
    /// # Errors
    /// When safetensors refuses.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StateError> {
        let broken = |error: safetensors::SafeTensorError| StateError::Bytes { message: error.to_string() };
        let mut views = Vec::with_capacity(self.entries.len());
        for (name, array) in &self.entries {
            let n = array.bytes.len() * 8 / array.dtype.bitsize();
            views.push((name.clone(), TensorView::new(array.dtype, vec![n], &array.bytes).map_err(broken)?));
        }
        safetensors::serialize(views, None).map_err(broken)
    }

    /// Reads a state from the bytes of a safetensors file.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let broken = |error: safetensors::SafeTensorError| StateError::Bytes { message: error.to_string() };
        let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
        let array =
            |(name, view): (String, TensorView<'_>)| (name, Array { dtype: view.dtype(), bytes: view.data().to_vec() });
        Ok(Self { entries: tensors.tensors().into_iter().map(array).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_bit_for_bit_and_in_parts() {
        let mut part = State::default();
        part.put("m", &[f32::MIN_POSITIVE, -0.0, f32::NAN]);
        part.put::<f64>("none", &[]);
        let mut state = State::default();
        state.put_part("actor", part.clone());
        state.put("steps", &[u64::MAX]);
        let read = State::from_bytes(&state.to_bytes().unwrap()).unwrap();
        assert_eq!(read, state);
        assert_eq!(read.part("actor"), part);
        assert_eq!(read.number("steps"), Ok(u64::MAX));
        assert_eq!(read.optional::<f64>("actor/none"), Ok(None));
        let bits: Vec<u32> = read.get::<f32>("actor/m").unwrap().iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, [f32::MIN_POSITIVE, -0.0, f32::NAN].map(f32::to_bits));
    }

    #[test]
    fn a_digest_is_the_published_one() {
        // draft-eastlake-fnv-17, appendix C.
        let of = |bytes: &[u8]| {
            let mut digest = Digest::default();
            bytes.iter().for_each(|byte| digest.add(&[*byte]));
            digest.value()
        };
        assert_eq!(
            [of(b""), of(b"a"), of(b"foobar")],
            [0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8]
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut state = State::default();
        state.put("m", &[1.0_f32, 2.0]);
        assert_eq!(state.get::<u8>("x"), Err(StateError::Missing { name: "x".into() }));
        assert!(matches!(state.get::<f64>("m"), Err(StateError::Kind { found: Dtype::F32, .. })));
        assert!(matches!(state.number::<f32>("m"), Err(StateError::Length { found: 2, expected: 1, .. })));
        let bytes = state.to_bytes().unwrap();
        for cut in 0..bytes.len() {
            assert!(State::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
