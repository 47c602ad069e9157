//! How long lines may be: comments 100 columns, code and prose 120. Rustfmt holds code to that, but
//! neither comments nor long texts, and nobody else looks.

use std::{
    fs,
    path::{Path, PathBuf},
};

const COMMENT: usize = 100;
const CODE: usize = 120;

/// Where sources and prose are, besides the pages beside this repository's manifest.
const FOLDERS: [&str; 9] = ["agents", "docs", "envs", "plots", "scripts", "solver", "src", "tests", "train"];

/// Written by a program, from numbers that have as many digits as they have.
const GENERATED: &str = "envs/src/lqr/problems.rs";

#[test]
fn no_line_is_too_long_to_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = entries(root).filter(|path| is_read(path)).collect();
    FOLDERS.iter().for_each(|folder| collect(&root.join(folder), &mut files));
    assert!(files.len() > 200, "only {} files are found", files.len());
    let long: Vec<String> = files
        .iter()
        .map(|file| (file.strip_prefix(root).unwrap().display().to_string(), fs::read_to_string(file).unwrap()))
        .filter(|(name, _)| name != GENERATED)
        .flat_map(|(name, text)| long_lines(&name, &text))
        .collect();
    assert!(long.is_empty(), "comments to {COMMENT} columns, code and prose to {CODE}:\n{}", long.join("\n"));
}

#[test]
fn comments_prose_and_code_have_their_limits_and_tables_none() {
    let (row, text) = (format!("| {} |", "x".repeat(130)), "x".repeat(101));
    let found = |name: &str, text: &str| long_lines(name, text).len();
    assert_eq!(found("a.rs", &format!("/// {text}\n// {text}\nlet {text};\n")), 2);
    assert_eq!(found("a.rs", &format!("//! {row}\n/// ```\n/// {text}\n/// ```\n/// {text}")), 1);
    assert_eq!(found("a.md", &format!("{text}\n{row}\n{text}{text}\n```sh\n{text}{text}\n```\n")), 1);
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}

fn is_read(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ["rs", "md", "py", "sh"].iter().any(|read| ending == *read))
}

/// Sources and prose below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in entries(folder) {
        if path.is_dir() {
            collect(&path, files);
        } else if is_read(&path) {
            files.push(path);
        }
    }
}

/// The lines of a file that are too long, as its name, number and length.
fn long_lines(name: &str, text: &str) -> Vec<String> {
    let is_prose = name.ends_with(".md");
    let mut is_verbatim = false;
    let mut long = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let comment = line.trim_start().strip_prefix("//").filter(|_| name.ends_with(".rs"));
        let content = comment.unwrap_or(line).trim_start_matches(['/', '!', ' ']);
        is_verbatim ^= content.starts_with("```") && (is_prose || comment.is_some());
        let limit = match comment {
            _ if content.starts_with('|') => usize::MAX,
            None if is_prose && is_verbatim => usize::MAX,
            Some(_) if !is_verbatim => COMMENT,
            _ => CODE,
        };
        let length = line.chars().count();
        if length > limit {
            long.push(format!("{name}:{number}: {length}"));
        }
    }
    long
}
