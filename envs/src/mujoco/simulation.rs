//! A simulation: a state that is reset, stepped and looked at.

use std::ffi::{CString, c_int};
use std::ptr;
use std::slice;

use crate::mujoco::error::MujocoError;
use crate::mujoco::functions::text;
use crate::mujoco::model::{Batch, Model};

// Bits of `mjtState`.
const QPOS: c_int = 1 << 1;
const QVEL: c_int = 1 << 2;
const CTRL: c_int = 1 << 6;

/// `mjSTAGE_NONE`: nothing is computed beyond the call itself.
const NO_STAGE: c_int = 0;
/// `mjSTAGE_ACC`: everything that follows from a state, as `mj_forward` computes it.
const ACCELERATIONS: c_int = 3;

/// A run of numbers that MuJoCo owns.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    start: *mut f64,
    len: usize,
}

/// A simulation of a model.
#[derive(Debug)]
pub(crate) struct Simulation {
    batch: Batch,
    qpos: Numbers,
    qvel: Numbers,
    ctrl: Numbers,
    outputs: Vec<Numbers>,
}

// SAFETY: the pointers lead into the batch, which moves along and is used by one thread at a time.
unsafe impl Send for Simulation {}

impl Simulation {
    /// A simulation in the model's own first state; of MuJoCo's `mjData`, `outputs` names the
    /// fields that can be read.
    ///
    /// # Errors
    /// [`MujocoError::Lacks`] for a field that does not exist or is not of doubles.
    pub(crate) fn new(model: &Model, outputs: &[&str]) -> Result<Self, MujocoError> {
        let batch = Batch::new(model)?;
        let component = |bit| {
            let mut len = 0;
            // SAFETY: the batch lives.
            let start = unsafe { (model.inner.functions.mjb_stateComponent)(batch.pointer, bit, &raw mut len) };
            Numbers { start, len: len as usize }
        };
        let [qpos, qvel, ctrl] = [QPOS, QVEL, CTRL].map(component);
        let output = |name: &&str| -> Result<Numbers, MujocoError> {
            let lacks = || model.lacks(&format!("field {name}"));
            let c_name = CString::new(*name).map_err(|_| lacks())?;
            let (mut len, mut width) = (0, 0);
            let functions = &model.inner.functions;
            // SAFETY: the batch lives, and the name as long as the call.
            let start = unsafe { (functions.mjb_output)(batch.pointer, c_name.as_ptr(), &raw mut len, &raw mut width) };
            let right = width as usize == size_of::<f64>() && (len == 0 || !start.is_null());
            right.then_some(Numbers { start: start.cast(), len: len as usize }).ok_or_else(lacks)
        };
        // A second round, should the first have moved what it gave out before.
        outputs.iter().try_for_each(|name| output(name).map(drop))?;
        let outputs = outputs.iter().map(output).collect::<Result<_, _>>()?;
        let mut simulation = Simulation { batch, qpos, qvel, ctrl, outputs };
        simulation.reset(|_, _| {})?;
        Ok(simulation)
    }

    /// The simulation's model.
    pub(crate) fn model(&self) -> &Model {
        &self.batch.model
    }

    /// Generalized positions.
    pub(crate) fn qpos(&self) -> &[f64] {
        self.read(self.qpos)
    }

    /// Generalized velocities.
    pub(crate) fn qvel(&self) -> &[f64] {
        self.read(self.qvel)
    }

    /// The controls of the last step.
    pub(crate) fn ctrl(&self) -> &[f64] {
        self.read(self.ctrl)
    }

    /// The i-th of the fields named when the simulation was made.
    pub(crate) fn output(&self, i: usize) -> &[f64] {
        self.read(self.outputs[i])
    }

    /// Puts everything back to the model's first state, lets `draw` change positions and
    /// velocities, and computes what follows from them.
    ///
    /// # Errors
    /// [`MujocoError::Simulation`].
    pub(crate) fn reset(&mut self, draw: impl FnOnce(&mut [f64], &mut [f64])) -> Result<(), MujocoError> {
        let functions = self.batch.model.inner.functions.clone();
        // SAFETY: the batch lives; positions and velocities do not overlap.
        let failed = unsafe { (functions.mjb_reset)(self.batch.pointer, ptr::null(), 0, ptr::null(), NO_STAGE) };
        self.check(failed)?;
        // SAFETY: as above; nobody else looks at them.
        unsafe { draw(self.qpos.slice_mut(), self.qvel.slice_mut()) };
        // SAFETY: the batch lives.
        let failed = unsafe { (functions.mjb_forward)(self.batch.pointer, ptr::null(), 0, ACCELERATIONS) };
        self.check(failed)
    }

    /// Takes `n` steps with these controls.
    ///
    /// # Errors
    /// [`MujocoError::Simulation`].
    pub(crate) fn step(&mut self, controls: &[f32], n: usize) -> Result<(), MujocoError> {
        // SAFETY: nobody else looks at the controls.
        let ctrl = unsafe { self.ctrl.slice_mut() };
        ctrl.iter_mut().zip(controls).for_each(|(to, &from)| *to = f64::from(from));
        let step = self.batch.model.inner.functions.mjb_step;
        // SAFETY: the batch lives.
        let failed = unsafe { step(self.batch.pointer, ptr::null(), 0, n as c_int, NO_STAGE) };
        self.check(failed)
    }

    /// Computes the forces between bodies (`cfrc_ext`), which a step does not.
    ///
    /// # Errors
    /// [`MujocoError::Simulation`].
    pub(crate) fn compute_forces(&mut self) -> Result<(), MujocoError> {
        let functions = self.batch.model.inner.functions.clone();
        let (batch, forces) = (self.batch.pointer, functions.mj_rnePostConstraint);
        // SAFETY: the batch lives; the function is MuJoCo's, of a model and its data.
        let failed = unsafe { (functions.mjb_apply)(batch, ptr::null(), 0, forces, ptr::null_mut(), 0) };
        self.check(failed)?;
        // Computes nothing, after which fields are copied out: they are not after `mjb_apply`.
        // SAFETY: the batch lives.
        let failed = unsafe { (functions.mjb_forward)(batch, ptr::null(), 0, NO_STAGE) };
        self.check(failed)
    }

    fn check(&self, failed: c_int) -> Result<(), MujocoError> {
        if failed == 0 {
            return Ok(());
        }
        // SAFETY: the batch lives, and has a simulation 0.
        let message = unsafe { text((self.batch.model.inner.functions.mjb_error)(self.batch.pointer, 0)) };
        Err(MujocoError::Simulation(message))
    }

    /// The numbers as they are now.
    fn read(&self, numbers: Numbers) -> &[f64] {
        if numbers.len == 0 {
            return &[];
        }
        // SAFETY: MuJoCo gave start and length; they stay where they are while the batch lives, and
        // change only through `&mut self`.
        unsafe { slice::from_raw_parts(numbers.start, numbers.len) }
    }
}

impl Numbers {
    /// # Safety
    /// The batch must live, and nobody else look at the numbers.
    unsafe fn slice_mut<'a>(self) -> &'a mut [f64] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: as the caller promises.
        unsafe { slice::from_raw_parts_mut(self.start, self.len) }
    }
}
