//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use super::quotes::{self, Quote};

/// The text of the RFC, as rfc-editor.org has it.
pub const TEXT: &str = "../shared/rfc6455.txt";

/// The page that is made.
pub const PAGE: &str = "RFC6455.md";

pub struct Sources {
    root: PathBuf,
}

impl Sources {
    pub fn of_the_repository() -> Self {
        Sources { root: env!("CARGO_MANIFEST_DIR").into() }
    }

    pub fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.root.join(file)).ok()
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.root.join(file), text).expect("the page can be written");
    }

    /// All quotes of `src` and `tests`, by file and line, and those that cannot be read.
    pub fn quotes(&self) -> (Vec<Quote>, Vec<String>) {
        let mut files = Vec::new();
        for folder in ["src", "tests"] {
            collect(&self.root, Path::new(folder), &mut files);
        }
        files.sort();
        let (mut quotes, mut problems) = (Vec::new(), Vec::new());
        for file in files {
            let source = self.read(&file).expect("a source is text");
            let (found, wrong) = quotes::find(&file, &source);
            quotes.extend(found);
            problems.extend(wrong);
        }
        (quotes, problems)
    }
}

/// The sources below a folder, each from the root on, with `/` on every system.
fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    let entries = fs::read_dir(root.join(folder)).expect("a folder of the repository");
    for entry in entries {
        let name = entry.expect("an entry of a folder").file_name();
        let path = folder.join(name);
        if root.join(&path).is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            files.push(parts.join("/"));
        }
    }
}
