//! MuJoCo's functions, found and loaded at run time.
//!
//! *Design.* Nothing of MuJoCo is needed to build this crate: functions are looked up by name in
//! the shared library of a `mujoco-core` wheel (4.0 or later), and fields of a simulation by name
//! through its batch interface, so that no header and no layout of a structure is built in. A
//! library is loaded once in a process, and takes a step of a pendulum before it is trusted.

use std::collections::HashMap;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::{c_char, c_int};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use libloading::Library;

use crate::mujoco::error::MujocoError;
use crate::mujoco::functions::{Functions, symbol, text};
use crate::mujoco::model::Model;
use crate::mujoco::simulation::Simulation;
use crate::python::interpreter;

/// The first version with the batch interface, as `mj_version` encodes it.
const FIRST_VERSION: c_int = 4_000_000;
/// The variable that names the library.
const VARIABLE: &str = "EGN_MUJOCO";

/// MuJoCo, loaded.
#[derive(Debug, Clone)]
pub struct Mujoco {
    functions: Arc<Functions>,
    path: PathBuf,
    version: String,
}

impl Mujoco {
    /// Finds and loads the library: the file that the variable `EGN_MUJOCO` names, else the newest
    /// of the package `mujoco` of a Python interpreter (`python`, else `$EGN_PYTHON`, else
    /// `python3`), else one beside the program. Later calls with the same argument have the same
    /// answer.
    ///
    /// # Errors
    /// [`MujocoError::NotFound`] with all places, [`MujocoError::Unusable`] for what was found.
    pub fn find(python: Option<&Path>) -> Result<Self, MujocoError> {
        type Answers = HashMap<Option<PathBuf>, Result<Mujoco, MujocoError>>;
        // A process has one copy of a shared library anyhow; this spares asking Python again.
        static ANSWERS: Mutex<Option<Answers>> = Mutex::new(None);
        let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = answers.get_or_insert_default();
        let key = python.map(Path::to_owned);
        if let Some(answer) = answers.get(&key) {
            return answer.clone();
        }
        let answer = find(python).and_then(|path| {
            let same = answers.values().flatten().find(|mujoco| mujoco.path == path).cloned();
            same.map_or_else(|| Self::load(&path), Ok)
        });
        answers.insert(key, answer.clone());
        answer
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
        let functions = unsafe { Functions::new(library) }.map_err(unusable)?;
        let mujoco = Mujoco { functions: Arc::new(functions), path: path.to_owned(), version: text };
        mujoco.try_out().map_err(|problem| unusable(format!("version {}, {problem}", mujoco.version)))?;
        Ok(mujoco)
    }

    /// A model of XML, its text or its file.
    ///
    /// # Errors
    /// [`MujocoError::Model`] with MuJoCo's message.
    pub(super) fn model(&self, name: &str, text: &str, file: Option<&Path>) -> Result<Model, MujocoError> {
        match file {
            Some(path) => Model::read(&self.functions, path),
            None => Model::parse(&self.functions, name, text),
        }
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
        let model = Model::parse(&self.functions, "a pendulum", PENDULUM).map_err(fails)?;
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
    let python = interpreter(python);
    let not_found = |looked_for| {
        let install = format!("{} -m pip install mujoco-core", python.display());
        MujocoError::NotFound { install, looked_for }
    };
    match std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from) {
        // A name without a slash would be looked for in the system's folders.
        Some(path) if path.is_file() => return Ok(std::path::absolute(&path).unwrap_or(path)),
        // Whoever names a library wants no other.
        Some(path) => return Err(not_found(vec![format!("{VARIABLE}={}, which is no file", path.display())])),
        None => looked_for.push(format!("{VARIABLE}, which is not set")),
    }
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
    Err(not_found(looked_for))
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
