//! Slices of a flat candle tensor, without copying.
//!
//! Parameters are one flat, contiguous CPU tensor. Clones of a candle tensor share storage, so an
//! update in place is seen by every clone: a snapshot must be a copy ([`Tensor::copy`]).

use std::cell::Cell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Tensor};

use crate::linalg::number::Number;

/// Calls `read` on the values of a flat tensor.
///
/// # Panics
/// When the tensor is not a contiguous CPU tensor of type `T`: our own parameters always are.
pub fn read_flat<T: Number, R>(tensor: &Tensor, read: impl FnOnce(&[T]) -> R) -> R {
    let (storage, layout) = tensor.storage_and_layout();
    let (start, end) = layout.contiguous_offsets().expect("flat tensors are contiguous");
    match &*storage {
        Storage::Cpu(cpu) => {
            let values = T::cpu_storage_as_slice(cpu).expect("flat tensors have the network's type");
            read(&values[start..end])
        }
        _ => panic!("flat tensors live on the CPU"),
    }
}

/// Calls `update` on the values of a flat tensor, which it may change in place.
///
/// # Panics
/// As [`read_flat`].
pub fn update_flat<T: Number, R>(tensor: &Tensor, update: impl FnOnce(&mut [T]) -> R) -> R {
    let op = InPlace { update: Cell::new(Some(update)), result: Cell::new(None), kind: std::marker::PhantomData };
    tensor.inplace_op1(&op).expect("flat tensors are contiguous CPU tensors of the network's type");
    op.result.into_inner().expect("candle runs an in-place operation once")
}

struct InPlace<T, F, R> {
    update: Cell<Option<F>>,
    result: Cell<Option<R>>,
    kind: std::marker::PhantomData<T>,
}

impl<T: Number, R, F: FnOnce(&mut [T]) -> R> InplaceOp1 for InPlace<T, F, R> {
    fn name(&self) -> &'static str {
        "update_flat"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (start, end) = layout
            .contiguous_offsets()
            .ok_or_else(|| candle_core::Error::Msg("parameters must be contiguous".into()).bt())?;
        let values = &mut T::slice_mut(storage)?[start..end];
        self.result.set(self.update.take().map(|update| update(values)));
        Ok(())
    }
}
