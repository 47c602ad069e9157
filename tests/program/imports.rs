//! The walls of the house: inside a crate imports run one way.
//!
//! A file that another needs, and that needs the other, cannot be read, moved or replaced alone. So
//! no ring of files may exist in any crate, nor one hidden behind a list of re-exports: a name
//! taken from such a list is an import of the list's file, which imports everything on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module, as the names from the crate's root to it.
type Module = Vec<String>;
/// What each module imports.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_files_of_a_crate_import_each_other_in_a_ring() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"))
        .chain([root.join("src")])
        .filter(|src| src.join("lib.rs").exists())
        .collect();
    assert!(crates.len() >= 4, "the crates are not where they are looked for");
    let rings: Vec<String> = crates.iter().flat_map(|src| rings(src)).collect();
    assert!(rings.is_empty(), "files that import each other:\n{}", rings.join("\n"));
}

#[test]
fn a_ring_is_found_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod a;\npub mod b;\npub use a::A;\n");
    write("a.rs", "use std::{fmt, io};\nuse crate::b::{self, c::{C, D}};\n");
    write("b/mod.rs", "pub mod c;\n");
    write(
        "b/c.rs",
        "//! Not crate::a::A, which a comment may name.\nfn f() {}\n#[cfg(test)]\nmod tests { use crate::a::A; }\n",
    );
    assert_eq!(rings(folder.path()), [""; 0]);
    write("b/c.rs", "fn f() -> super::super::a::A {}\n");
    assert_eq!(rings(folder.path()).len(), 1);
    write("b/c.rs", "use crate::A;\n");
    assert_eq!(rings(folder.path()).len(), 1, "the ring is hidden behind a list of re-exports");
}

/// The rings of the crate with its source in `src`, each as a sentence.
fn rings(src: &Path) -> Vec<String> {
    let mut files = Vec::new();
    collect(src, &mut files);
    let modules: BTreeMap<Module, PathBuf> = files.into_iter().map(|path| (module(src, &path), path)).collect();
    let imports: Imports = modules
        .iter()
        .map(|(here, path)| {
            let code = without_tests_and_comments(&fs::read_to_string(path).unwrap());
            let found = paths(&code, here, &modules).into_iter().map(|path| defined_in(&path, &modules));
            (here.clone(), found.filter(|module| module != here).collect())
        })
        .collect();
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|module| (module, reached(module, &imports))).collect();
    let mut told = BTreeSet::new();
    imports
        .keys()
        .filter(|module| reach[module].contains(module))
        .filter_map(|module| {
            let ring: BTreeSet<&Module> =
                reach[module].iter().copied().filter(|other| reach[other].contains(module)).collect();
            told.insert(ring.clone()).then(|| {
                let names: Vec<String> = ring.iter().map(|module| modules[*module].display().to_string()).collect();
                names.join(", ")
            })
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") && path.file_name() != Some("main.rs".as_ref())
        {
            files.push(path);
        }
    }
}

/// The module that a file is.
fn module(src: &Path, path: &Path) -> Module {
    let mut names: Module =
        path.strip_prefix(src).unwrap().with_extension("").iter().map(|name| name.to_str().unwrap().into()).collect();
    if names.last().is_some_and(|name| name == "mod" || name == "lib") {
        names.pop();
    }
    names
}

/// The code before the first tests of a file, line comments left out.
fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The paths in `code` that begin at the crate, at this module or above it, and those of its own
/// modules that it uses.
fn paths(code: &str, here: &Module, modules: &BTreeMap<Module, PathBuf>) -> Vec<Module> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let is_inside_a_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        let start = match () {
            () if is_inside_a_word => None,
            () if rest.starts_with("crate::") => Some((Vec::new(), "crate::".len())),
            () if rest.starts_with("self::") => Some((here.clone(), "self::".len())),
            () if rest.starts_with("super::") => {
                let n = rest.split("super::").take_while(|between| between.is_empty()).count();
                Some((here[..here.len().saturating_sub(n)].to_vec(), n * "super::".len()))
            }
            () if rest.starts_with("use ") => {
                let mut of_children = Vec::new();
                tree(&rest["use ".len()..], here, &mut of_children);
                let is_child = |path: &Module| modules.contains_key(&path[..(here.len() + 1).min(path.len())]);
                found.extend(of_children.into_iter().filter(is_child));
                None
            }
            () => None,
        };
        match start {
            Some((base, length)) => at += length + tree(&rest[length..], &base, &mut found),
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

/// Reads a tree of names such as `a::{B, c::D}` below `base`; how much of the text it is.
fn tree(text: &str, base: &Module, found: &mut Vec<Module>) -> usize {
    if let Some(inner) = text.strip_prefix('{') {
        let mut at = 0;
        loop {
            at += inner[at..].len() - inner[at..].trim_start_matches([' ', '\n', ',']).len();
            if inner[at..].starts_with('}') || at >= inner.len() {
                return at + 2;
            }
            let read = tree(&inner[at..], base, found);
            at += read.max(1);
            // ` as Name`
            at += inner[at..].find([',', '}']).unwrap_or(inner[at..].len());
        }
    }
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut path = base.clone();
    if name != "self" {
        path.push(name.clone());
    }
    match text[name.len()..].strip_prefix("::") {
        Some(rest) => name.len() + 2 + tree(rest, &path, found),
        None => {
            found.push(path);
            name.len()
        }
    }
}

/// The module that holds what a path names: the longest beginning of it that is one.
fn defined_in(path: &Module, modules: &BTreeMap<Module, PathBuf>) -> Module {
    (0..=path.len()).rev().map(|n| path[..n].to_vec()).find(|module| modules.contains_key(module)).unwrap_or_default()
}

fn reached<'a>(from: &Module, imports: &'a Imports) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = imports[from].iter().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(&imports[module]);
        }
    }
    found
}
