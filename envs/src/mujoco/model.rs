//! A model: bodies, joints and actuators as MuJoCo compiled them from XML.

use std::ffi::{CString, c_char, c_int};
use std::path::Path;
use std::ptr;
use std::slice;
use std::sync::Arc;

use crate::mujoco::error::MujocoError;
use crate::mujoco::functions::{BatchConfig, BatchPointer, Functions, ModelPointer, text};

/// `mjOBJ_BODY`.
const BODY: c_int = 1;
/// `mjOBJ_CAMERA`.
const CAMERA: c_int = 7;

/// A compiled model, shared by all simulations of it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(super) inner: Arc<Compiled>,
}

/// What MuJoCo compiled; freed with the last simulation.
#[derive(Debug)]
pub(super) struct Compiled {
    pub functions: Arc<Functions>,
    pub pointer: ModelPointer,
    /// What it is called in messages.
    pub name: String,
}

// SAFETY: a model is only read after it was compiled, and MuJoCo reads it from any thread.
unsafe impl Send for Compiled {}
// SAFETY: as above.
unsafe impl Sync for Compiled {}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: made by `mj_compile` or `mj_loadXML`, freed once.
        unsafe { (self.functions.mj_deleteModel)(self.pointer) }
    }
}

/// Room for a message of MuJoCo.
const MESSAGE: usize = 1000;

impl Model {
    /// Compiles a model from the text of its XML; `name` is for messages.
    ///
    /// # Errors
    /// [`MujocoError::Model`] with MuJoCo's message.
    pub(crate) fn parse(functions: &Arc<Functions>, name: &str, xml: &str) -> Result<Self, MujocoError> {
        let refused = |message: String| MujocoError::Model { model: name.to_owned(), message };
        let xml = CString::new(xml).map_err(|_| refused("the text has a zero byte".to_owned()))?;
        let mut message = [0 as c_char; MESSAGE];
        // SAFETY: pointers live as long as the calls; the specification is freed once.
        unsafe {
            let spec = (functions.mj_parseXMLString)(xml.as_ptr(), ptr::null(), message.as_mut_ptr(), MESSAGE as c_int);
            if spec.is_null() {
                return Err(refused(text(message.as_ptr())));
            }
            let pointer = (functions.mj_compile)(spec, ptr::null());
            let problem = text((functions.mjs_getError)(spec));
            (functions.mj_deleteSpec)(spec);
            Self::compiled(functions, name, pointer).ok_or_else(|| refused(problem))
        }
    }

    /// Compiles a model from a file, and the files that it names.
    ///
    /// # Errors
    /// [`MujocoError::Model`] with MuJoCo's message.
    pub(crate) fn read(functions: &Arc<Functions>, path: &Path) -> Result<Self, MujocoError> {
        let name = path.display().to_string();
        let refused = |message: String| MujocoError::Model { model: name.clone(), message };
        let file = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| refused("the name has a zero byte".to_owned()))?;
        let mut message = [0 as c_char; MESSAGE];
        // SAFETY: pointers live as long as the call.
        let pointer =
            unsafe { (functions.mj_loadXML)(file.as_ptr(), ptr::null(), message.as_mut_ptr(), MESSAGE as c_int) };
        // SAFETY: MuJoCo ends the message with a zero.
        Self::compiled(functions, &name, pointer).ok_or_else(|| refused(unsafe { text(message.as_ptr()) }))
    }

    fn compiled(functions: &Arc<Functions>, name: &str, pointer: ModelPointer) -> Option<Self> {
        let compiled = || Compiled { functions: functions.clone(), pointer, name: name.to_owned() };
        (!pointer.is_null()).then(|| Model { inner: Arc::new(compiled()) })
    }

    /// What the model is called in messages.
    pub(crate) fn name(&self) -> &str {
        &self.inner.name
    }

    /// The index of a body.
    ///
    /// # Errors
    /// [`MujocoError::Lacks`].
    pub(crate) fn body(&self, name: &str) -> Result<usize, MujocoError> {
        self.id(BODY, name).ok_or_else(|| self.lacks(&format!("body {name:?}")))
    }

    /// The index of a camera, if there is one of this name.
    pub(crate) fn camera(&self, name: &str) -> Option<usize> {
        self.id(CAMERA, name)
    }

    /// The index of an object of some kind (`mjtObj`).
    fn id(&self, kind: c_int, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: the model lives, and the name as long as the call.
        let id = unsafe { (self.inner.functions.mj_name2id)(self.inner.pointer, kind, name.as_ptr()) };
        usize::try_from(id).ok()
    }

    /// That the model has not what a task needs.
    pub(crate) fn lacks(&self, what: &str) -> MujocoError {
        MujocoError::Lacks { model: self.name().to_owned(), what: what.to_owned() }
    }

    /// What can be read of the model by name.
    ///
    /// # Errors
    /// [`MujocoError::Simulation`].
    pub(crate) fn fields(&self) -> Result<Fields, MujocoError> {
        Batch::new(self).map(Fields)
    }
}

/// Fields of a model by MuJoCo's names, such as `body_mass`.
#[derive(Debug)]
pub(crate) struct Fields(Batch);

impl Fields {
    /// A copy of a field.
    ///
    /// # Errors
    /// [`MujocoError::Lacks`] where there is none of this name and type.
    pub(crate) fn get<T: Copy>(&self, name: &str) -> Result<Vec<T>, MujocoError> {
        let Batch { model, pointer } = &self.0;
        let c_name = CString::new(name).map_err(|_| model.lacks(name))?;
        let (mut size, mut width) = (0, 0);
        let expand = model.inner.functions.mjb_expand;
        // SAFETY: the batch lives until the field is copied, and MuJoCo tells how long it is.
        unsafe {
            let start = expand(*pointer, c_name.as_ptr(), &raw mut size, &raw mut width);
            if width as usize != size_of::<T>() || (start.is_null() && size > 0) {
                return Err(model.lacks(name));
            }
            let len = if start.is_null() { 0 } else { size as usize };
            Ok(if len == 0 { Vec::new() } else { slice::from_raw_parts(start.cast::<T>(), len).to_vec() })
        }
    }
}

/// One simulation of a model, as a batch of one that runs in the caller's thread.
#[derive(Debug)]
pub(super) struct Batch {
    pub model: Model,
    pub pointer: BatchPointer,
}

// SAFETY: a batch may move between threads; it is used by one at a time.
unsafe impl Send for Batch {}

impl Batch {
    pub fn new(model: &Model) -> Result<Self, MujocoError> {
        let config = BatchConfig { n_threads: 1, persistent: true };
        let mut message = [0 as c_char; MESSAGE];
        // SAFETY: pointers live as long as the call.
        let pointer = unsafe {
            (model.inner.functions.mjb_makeBatch)(
                model.inner.pointer,
                1,
                &raw const config,
                message.as_mut_ptr(),
                MESSAGE as c_int,
            )
        };
        if pointer.is_null() {
            // SAFETY: MuJoCo ends the message with a zero.
            return Err(MujocoError::Simulation(unsafe { text(message.as_ptr()) }));
        }
        Ok(Batch { model: model.clone(), pointer })
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: made by `mjb_makeBatch`, freed once.
        unsafe { (self.model.inner.functions.mjb_deleteBatch)(self.pointer) }
    }
}
