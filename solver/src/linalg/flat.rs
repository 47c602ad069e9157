//! Conversion of tensors to slices of a network's number type.

use candle_core::{Storage, Tensor};

use crate::linalg::number::Number;

/// The values of a tensor, row-major, converted where they are of another type.
///
/// # Errors
/// When candle cannot read the tensor.
pub(crate) fn to_vec<T: Number>(tensor: &Tensor) -> candle_core::Result<Vec<T>> {
    let mut values = vec![T::zero(); tensor.elem_count()];
    read_into(tensor, &mut values)?;
    Ok(values)
}

/// Copies the values of a tensor, row-major, into as many `values`.
///
/// # Errors
/// As [`to_vec`].
pub(crate) fn read_into<T: Number>(tensor: &Tensor, values: &mut [T]) -> candle_core::Result<()> {
    let tensor = tensor.to_dtype(T::DTYPE)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(cpu), Some((start, end))) => {
            values.copy_from_slice(&T::cpu_storage_as_slice(cpu)?[start..end]);
            Ok(())
        }
        _ => Err(candle_core::Error::Msg("networks live on the CPU".into()).bt()),
    }
}
