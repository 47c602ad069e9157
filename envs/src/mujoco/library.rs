//! MuJoCo's functions, found and loaded at run time.
//!
//! *Design.* Nothing of MuJoCo is needed to build this crate: functions are looked up by name in
//! the shared library of a `mujoco-core` wheel (4.0 or later), and fields of a simulation by name
//! through its batch interface, so that no header and no layout of a structure is built in. A
//! library is loaded once in a process, and takes a step of a pendulum before it is trusted.

use std::collections::HashMap;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::Library;
use thiserror::Error;

use crate::mujoco::model::Model;
use crate::mujoco::simulation::Simulation;
use crate::python::interpreter;

/// The first version with the batch interface, as `mj_version` encodes it.
const FIRST_VERSION: c_int = 4_000_000;
/// The variable that names the library.
const VARIABLE: &str = "EGN_MUJOCO";

/// Why a task of MuJoCo cannot be made or stepped.
#[derive(Debug, Clone, Error)]
pub enum MujocoError {
    /// There is no library where one is looked for.
    #[error(
        "this environment needs the library of MuJoCo 4, which was not found; install it with {install}, or name \
         the file by {VARIABLE}. Looked for: {}", .looked_for.join("; ")
    )]
    NotFound {
        /// The command that installs it.
        install: String,
        /// Every place, and what was wrong with it.
        looked_for: Vec<String>,
    },
    /// What was found is no library of MuJoCo 4.
    #[error("{} cannot be used as the library of MuJoCo 4: {problem}; install it with: pip install mujoco-core", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A model was refused.
    #[error("MuJoCo refuses the model {model}: {message}")]
    Model {
        /// Name or file of the model.
        model: String,
        /// What MuJoCo says.
        message: String,
    },
    /// A model lacks what the task needs of it.
    #[error("the model {model} has no {what}, which this task needs")]
    Lacks {
        /// Name or file of the model.
        model: String,
        /// What is missing.
        what: String,
    },
    /// A simulation failed.
    #[error("MuJoCo failed: {0}")]
    Simulation(String),
}

/// `mjModel`, of which only MuJoCo knows the layout.
pub(super) type ModelPointer = *mut c_void;
/// `mjBatch`.
pub(super) type BatchPointer = *mut c_void;
/// A function that a batch runs on one simulation: of a model and its data, and two arguments that
/// those used here do not have, which the calling conventions of C allow.
pub(super) type BatchFunction = unsafe extern "C" fn(*const c_void, *mut c_void, c_int, *mut c_void);

/// `mjBatchConfig`.
#[repr(C)]
pub(super) struct BatchConfig {
    pub n_threads: c_int,
    pub persistent: bool,
}

/// `mjfLogHandler`.
type LogHandler = unsafe extern "C" fn(*const LogMessage);

/// The beginning of `mjLogMessage`.
#[repr(C)]
struct LogMessage {
    level: c_int,
    topic: c_int,
    subject: [c_char; 1024],
}

/// `mjLOG_WARNING`.
const WARNING: c_int = 2;

/// Writes MuJoCo's first warnings to stderr; its own handler would also write a file where the
/// program runs. What is deprecated in Gymnasium's models is no news to who trains on them.
unsafe extern "C" fn log(message: *const LogMessage) {
    /// Messages that are shown; an unstable simulation has one an episode.
    const SHOWN: usize = 10;
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // SAFETY: MuJoCo hands in a message, whose subject ends with a zero.
    let (level, subject) = unsafe { ((*message).level, text((&raw const (*message).subject).cast())) };
    if level >= WARNING && !subject.contains("deprecated") && COUNT.fetch_add(1, Ordering::Relaxed) < SHOWN {
        // Nothing can be done for a closed stderr.
        let _ = writeln!(std::io::stderr(), "MuJoCo: {subject}");
    }
}

/// Functions of MuJoCo, under its own names.
#[derive(Debug)]
#[allow(non_snake_case)]
pub(super) struct Functions {
    pub mj_parseXMLString: unsafe extern "C" fn(*const c_char, *const c_void, *mut c_char, c_int) -> *mut c_void,
    pub mj_compile: unsafe extern "C" fn(*mut c_void, *const c_void) -> ModelPointer,
    pub mj_deleteSpec: unsafe extern "C" fn(*mut c_void),
    pub mjs_getError: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    pub mj_loadXML: unsafe extern "C" fn(*const c_char, *const c_void, *mut c_char, c_int) -> ModelPointer,
    pub mj_deleteModel: unsafe extern "C" fn(ModelPointer),
    pub mj_name2id: unsafe extern "C" fn(ModelPointer, c_int, *const c_char) -> c_int,
    pub mj_rnePostConstraint: BatchFunction,
    pub mjb_makeBatch:
        unsafe extern "C" fn(ModelPointer, c_int, *const BatchConfig, *mut c_char, c_int) -> BatchPointer,
    pub mjb_deleteBatch: unsafe extern "C" fn(BatchPointer),
    pub mjb_stateComponent: unsafe extern "C" fn(BatchPointer, c_int, *mut c_int) -> *mut f64,
    pub mjb_step: unsafe extern "C" fn(BatchPointer, *const c_int, c_int, c_int, c_int) -> c_int,
    pub mjb_forward: unsafe extern "C" fn(BatchPointer, *const c_int, c_int, c_int) -> c_int,
    pub mjb_reset: unsafe extern "C" fn(BatchPointer, *const c_int, c_int, *const c_int, c_int) -> c_int,
    pub mjb_apply: unsafe extern "C" fn(BatchPointer, *const c_int, c_int, BatchFunction, *mut c_void, c_int) -> c_int,
    pub mjb_error: unsafe extern "C" fn(BatchPointer, c_int) -> *const c_char,
    pub mjb_output: unsafe extern "C" fn(BatchPointer, *const c_char, *mut c_int, *mut c_int) -> *mut c_void,
    pub mjb_expand: unsafe extern "C" fn(BatchPointer, *const c_char, *mut c_int, *mut c_int) -> *mut c_void,
    /// Keeps the functions where they are.
    _library: Library,
}

/// MuJoCo, loaded.
#[derive(Debug, Clone)]
pub struct Mujoco {
    pub(super) functions: Arc<Functions>,
    path: PathBuf,
    version: String,
}

impl Mujoco {
    /// Finds and loads the library: the file that the variable `EGN_MUJOCO` names, else the newest
    /// of the package `mujoco` of a Python interpreter (`python`, else `$EGN_PYTHON`, else
    /// `python3`), else one beside the program. Later calls with the same arguments return the
    /// same.
    ///
    /// # Errors
    /// [`MujocoError::NotFound`] with all places, [`MujocoError::Unusable`] for what was found.
    pub fn find(python: Option<&Path>) -> Result<Self, MujocoError> {
        // A process has one copy of a shared library whatever we do; this spares looking again.
        static FOUND: Mutex<Option<HashMap<Option<PathBuf>, Mujoco>>> = Mutex::new(None);
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        let found = found.get_or_insert_default();
        let key = python.map(Path::to_owned);
        if let Some(mujoco) = found.get(&key) {
            return Ok(mujoco.clone());
        }
        let path = find(python)?;
        let same = found.values().find(|mujoco| mujoco.path == path).cloned();
        let mujoco = same.map_or_else(|| Self::load(&path), Ok)?;
        found.insert(key, mujoco.clone());
        Ok(mujoco)
    }

    /// Loads a library from a file and tries it.
    ///
    /// # Errors
    /// [`MujocoError::Unusable`] for a file that is no library, lacks a function, is older than 4.0
    /// or makes a wrong step.
    pub fn load(path: &Path) -> Result<Self, MujocoError> {
        let unusable = |problem: String| MujocoError::Unusable { path: path.to_owned(), problem };
        // SAFETY: what a shared library does when it is loaded is beyond what can be checked; the
        // person named the file, or a package installer put it there.
        let library = unsafe { Library::new(path) }.map_err(|error| unusable(chain(&error)))?;
        // SAFETY: the signatures are those of mujoco.h and mjbatch.h, 4.0.0.
        let (version, text) = unsafe {
            let mj_version: unsafe extern "C" fn() -> c_int = symbol(&library, "mj_version").map_err(unusable)?;
            let mj_version_string: unsafe extern "C" fn() -> *const c_char =
                symbol(&library, "mj_versionString").map_err(unusable)?;
            (mj_version(), text(mj_version_string()))
        };
        if version < FIRST_VERSION {
            return Err(unusable(format!("it is version {text}, and the batch interface came with 4.0.0")));
        }
        // SAFETY: as above.
        let functions = unsafe {
            let set_log_handler: unsafe extern "C" fn(LogHandler) -> *const c_void =
                symbol(&library, "mju_setLogHandler").map_err(unusable)?;
            set_log_handler(log);
            Functions::new(library).map_err(unusable)?
        };
        let mujoco = Mujoco { functions: Arc::new(functions), path: path.to_owned(), version: text };
        mujoco.try_out().map_err(|problem| unusable(format!("version {}, {problem}", mujoco.version)))?;
        Ok(mujoco)
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version as the library tells it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// One step of a pendulum against its closed form: semi-implicit Euler without damping.
    fn try_out(&self) -> Result<(), String> {
        const PENDULUM: &str = r#"<mujoco><option timestep="0.01" gravity="0 0 -10" integrator="Euler"/><worldbody>
            <body><joint type="hinge" axis="0 1 0"/><inertial pos="0 0 -1" mass="1" diaginertia="1 1 1"/></body>
            </worldbody></mujoco>"#;
        let fails = |error: MujocoError| error.to_string();
        let model = Model::parse(self, "a pendulum", PENDULUM).map_err(fails)?;
        let mut simulation = Simulation::new(&model, &["xipos"]).map_err(fails)?;
        let angle: f64 = 0.5;
        simulation.reset(|qpos, _| qpos[0] = angle).map_err(fails)?;
        simulation.step(&[], 1).map_err(fails)?;
        // Inertia about the joint: 1 at the center of mass and 1 · 1² for its distance.
        let velocity = -0.01 * 10.0 * libm::sin(angle) / 2.0;
        let expected = [angle + 0.01 * velocity, velocity];
        let found = [simulation.qpos()[0], simulation.qvel()[0]];
        let near = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-12;
        // Where the step began: a step leaves positions of bodies there. The world is body 0.
        let center = simulation.output(0)[3];
        if !found.iter().zip(&expected).all(near) || (center + libm::sin(angle)).abs() > 1e-12 {
            return Err(format!("a step of a pendulum leads to {found:?} in place of {expected:?}"));
        }
        Ok(())
    }
}

impl Functions {
    /// Looks up every function.
    ///
    /// # Safety
    /// The library must be MuJoCo of a version that has these signatures.
    unsafe fn new(library: Library) -> Result<Self, String> {
        // SAFETY: as the caller promises.
        unsafe {
            Ok(Functions {
                mj_parseXMLString: symbol(&library, "mj_parseXMLString")?,
                mj_compile: symbol(&library, "mj_compile")?,
                mj_deleteSpec: symbol(&library, "mj_deleteSpec")?,
                mjs_getError: symbol(&library, "mjs_getError")?,
                mj_loadXML: symbol(&library, "mj_loadXML")?,
                mj_deleteModel: symbol(&library, "mj_deleteModel")?,
                mj_name2id: symbol(&library, "mj_name2id")?,
                mj_rnePostConstraint: symbol(&library, "mj_rnePostConstraint")?,
                mjb_makeBatch: symbol(&library, "mjb_makeBatch")?,
                mjb_deleteBatch: symbol(&library, "mjb_deleteBatch")?,
                mjb_stateComponent: symbol(&library, "mjb_stateComponent")?,
                mjb_step: symbol(&library, "mjb_step")?,
                mjb_forward: symbol(&library, "mjb_forward")?,
                mjb_reset: symbol(&library, "mjb_reset")?,
                mjb_apply: symbol(&library, "mjb_apply")?,
                mjb_error: symbol(&library, "mjb_error")?,
                mjb_output: symbol(&library, "mjb_output")?,
                mjb_expand: symbol(&library, "mjb_expand")?,
                _library: library,
            })
        }
    }
}

/// A function by its name.
///
/// # Safety
/// `F` must be the type of that function.
unsafe fn symbol<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: as the caller promises.
    let found = unsafe { library.get::<F>(name) };
    found.map(|symbol| *symbol).map_err(|_| format!("it has no function {name}"))
}

/// Text that MuJoCo returns.
///
/// # Safety
/// The pointer must be null or that of a text that lives until it is copied here.
pub(super) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// An error and what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// The file of the library.
fn find(python: Option<&Path>) -> Result<PathBuf, MujocoError> {
    let mut looked_for = Vec::new();
    match std::env::var_os(VARIABLE).map(PathBuf::from) {
        Some(path) if path.is_file() => return Ok(path),
        Some(path) if !path.as_os_str().is_empty() => {
            looked_for.push(format!("{VARIABLE}={}, which is no file", path.display()));
        }
        Some(_) | None => looked_for.push(format!("{VARIABLE}, which is not set")),
    }
    let python = interpreter(python);
    for folder in package_folders(&python, &mut looked_for) {
        match newest_library(&folder) {
            Some(path) => return Ok(path),
            None => looked_for.push(format!("{}, which has no {DLL_PREFIX}mujoco", folder.display())),
        }
    }
    let program = std::env::current_exe().ok();
    if let Some(folder) = program.as_deref().and_then(Path::parent) {
        match newest_library(folder) {
            Some(path) => return Ok(path),
            None => looked_for.push(format!("beside the program, in {}", folder.display())),
        }
    }
    Err(MujocoError::NotFound { install: format!("{} -m pip install mujoco-core", python.display()), looked_for })
}

/// Folders of an interpreter's package `mujoco`, which is looked up and not imported.
fn package_folders(python: &Path, looked_for: &mut Vec<String>) -> Vec<PathBuf> {
    const SCRIPT: &str = "import importlib.util as u\ns = u.find_spec('mujoco')\n\
                          print(*(s.submodule_search_locations if s else []), sep='\\n')";
    let place = |what: String| format!("package mujoco of {}: {what}", python.display());
    match Command::new(python).args(["-c", SCRIPT]).output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            let folders: Vec<PathBuf> = text.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect();
            if folders.is_empty() {
                looked_for.push(place("not installed".to_owned()));
            }
            folders
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            looked_for.push(place(said.lines().last().unwrap_or("it fails without a word").to_owned()));
            Vec::new()
        }
        Err(error) => {
            looked_for.push(place(format!("cannot be started ({error}); name another by --python or EGN_PYTHON")));
            Vec::new()
        }
    }
}

/// The library of the highest version in a folder: `libmujoco.so.4.0.0` and its like.
fn newest_library(folder: &Path) -> Option<PathBuf> {
    let stem = format!("{DLL_PREFIX}mujoco");
    let version = |name: &str| -> Option<Vec<u32>> {
        let rest = name.strip_prefix(&stem)?;
        // `.so.4.0.0` on Linux, `.4.0.0.dylib` on macOS, `.dll` on Windows.
        let parts: Vec<&str> = rest.split('.').filter(|part| !part.is_empty()).collect();
        let (suffixes, numbers): (Vec<&str>, Vec<&str>) = parts.iter().partition(|part| part.parse::<u32>().is_err());
        (suffixes == [DLL_SUFFIX.trim_start_matches('.')])
            .then(|| numbers.iter().filter_map(|part| part.parse().ok()).collect())
    };
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let libraries = entries.filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path())));
    libraries.max().map(|(_, path)| path)
}
