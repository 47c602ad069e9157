//! MuJoCo's functions by name, and where its messages go.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use libloading::Library;

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

impl Functions {
    /// Looks up every function, and sends messages to stderr.
    ///
    /// # Safety
    /// The library must be MuJoCo of a version that has these signatures.
    pub unsafe fn new(library: Library) -> Result<Self, String> {
        // SAFETY: as the caller promises.
        unsafe {
            let set_log_handler: unsafe extern "C" fn(LogHandler) -> *const c_void =
                symbol(&library, "mju_setLogHandler")?;
            set_log_handler(log);
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
pub(super) unsafe fn symbol<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
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
