//! The copy of the repository that the mutants are woven into, and its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::Result;
use crate::list::Mutants;
use crate::weave::{Regions, weave};

/// Tests that are built together.
pub struct Suite {
    features: &'static [&'static str],
    /// In the order in which they are run; `lib` is the unit tests.
    tests: &'static [&'static str],
}

pub const CORE: Suite =
    Suite { features: &[], tests: &["lib", "contract", "cost", "schedules", "abuse", "exhaustive"] };

/// For what the core's own have not noticed: some of it is there for the handshakes alone, and some is another with all features.
pub const HANDSHAKE: Suite =
    Suite { features: &["--all-features"], tests: &["lib", "faults", "contract", "end", "handshake"] };

/// What asks which mutant is in force.
const QUESTION: &str = r#"
pub(crate) fn mutant() -> u32 {
    static MUTANT: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *MUTANT.get_or_init(|| std::env::var("MUTANT").map_or(0, |id| id.parse().expect("a number")))
}
"#;

pub struct Copy {
    root: PathBuf,
    path: PathBuf,
}

/// What cargo and the compiler say, a line each.
#[derive(Deserialize)]
struct Said {
    message: Option<Message>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    code: Option<Code>,
    rendered: Option<String>,
    spans: Vec<Place>,
    #[serde(default)]
    children: Vec<Message>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Place {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
}

/// What an expression is refused for wherever it stands: arguments, traits or functions that are missing, other types. Any other
/// error may be owed to what was woven around it.
const OWN: [&str; 7] = ["E0061", "E0277", "E0283", "E0308", "E0369", "E0599", "E0624"];

/// What has become of the mutants.
#[derive(Default)]
pub struct Woven {
    /// In the program.
    pub mutants: Vec<u32>,
    /// They compile nowhere.
    pub hopeless: BTreeSet<u32>,
}

fn touched(regions: &Regions, spans: &[Range<usize>]) -> Vec<u32> {
    let touches =
        |range: &Range<usize>| spans.iter().any(|span| range.start < span.end && span.start < range.end);
    regions.iter().filter(|(range, _)| touches(range)).map(|(_, id)| *id).collect()
}

/// A file that stays as it is need not be compiled again.
fn write(to: &Path, content: &[u8]) -> Result<()> {
    if !fs::read(to).is_ok_and(|before| before == content) {
        fs::write(to, content)?;
    }
    Ok(())
}

impl Copy {
    pub fn new(root: &Path, mutants: &Mutants) -> Result<Self> {
        let path = root.join("target/mutants");
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()?;
        for file in String::from_utf8(listed.stdout)?.lines() {
            if mutants.values().any(|mutant| mutant.file == file) {
                continue;
            }
            let (mut content, to) = (fs::read(root.join(file))?, path.join(file));
            if file == "src/lib.rs" {
                content.extend_from_slice(QUESTION.as_bytes());
            }
            fs::create_dir_all(to.parent().expect("a folder"))?;
            write(&to, &content)?;
        }
        Ok(Copy { root: root.to_owned(), path })
    }

    /// Weaves in as many as compile together.
    pub fn weave(&self, mutants: &Mutants) -> Result<Woven> {
        // So that the next run begins with what compiles.
        let known = self.root.join("target/mutants-refused.txt");
        let mut all_refused = fs::read_to_string(&known).unwrap_or_default();
        let refused: BTreeSet<&str> =
            all_refused.lines().filter_map(|line| line.split_once(": ")).map(|(_, name)| name).collect();
        let mut by_file: BTreeMap<&str, Mutants> = BTreeMap::new();
        for (id, mutant) in mutants {
            let here = by_file.entry(&mutant.file).or_default();
            if !refused.contains(mutant.name.as_str()) {
                here.insert(*id, mutant.clone());
            }
        }
        loop {
            let mut regions: BTreeMap<&str, Regions> = BTreeMap::new();
            let mut woven = Vec::new();
            for (file, mutants) in &by_file {
                let result = weave(&fs::read_to_string(self.root.join(file))?, mutants)?;
                let to = self.path.join(file);
                fs::create_dir_all(to.parent().expect("a folder"))?;
                write(&to, result.text.as_bytes())?;
                regions.insert(file, result.regions);
                woven.extend(result.mutants);
            }
            let mut refused = self.refused(&CORE, &regions)?;
            if refused.is_empty() {
                refused = self.refused(&HANDSHAKE, &regions)?;
            }
            if refused.is_empty() {
                fs::write(known, &all_refused)?;
                let hopeless =
                    |name: &str| OWN.iter().any(|code| all_refused.contains(&format!("{code}: {name}\n")));
                let hopeless = mutants.iter().filter(|(_, mutant)| hopeless(&mutant.name));
                return Ok(Woven { mutants: woven, hopeless: hopeless.map(|(id, _)| *id).collect() });
            }
            all_refused.extend(refused.iter().map(|(id, code)| format!("{code}: {}\n", mutants[id].name)));
            println!("{} do not compile", refused.len());
            by_file.values_mut().for_each(|mutants| mutants.retain(|id, _| !refused.contains_key(id)));
        }
    }

    /// The mutants that the compiler complains of, and its code for what is wrong with them.
    fn refused(&self, suite: &Suite, regions: &BTreeMap<&str, Regions>) -> Result<BTreeMap<u32, String>> {
        let mut refused = BTreeMap::new();
        let mut unknown = Vec::new();
        let (succeeds, said) = self.cargo(&[&["check", "--lib"], suite.features].concat())?;
        for message in said.into_iter().filter_map(|said| said.message).filter(|m| m.level == "error") {
            let spans = message.spans.iter().chain(message.children.iter().flat_map(|child| &child.spans));
            let mut by_file: BTreeMap<&str, Vec<Range<usize>>> = BTreeMap::new();
            for span in spans {
                by_file.entry(&span.file_name).or_default().push(span.byte_start..span.byte_end);
            }
            let mut hit = BTreeSet::new();
            for (file, spans) in by_file {
                let Some(regions) = regions.get(file) else { continue };
                hit.extend(touched(regions, &spans));
                if hit.is_empty() {
                    // An arm that is missed is not named: it is between the match and what would have to be added.
                    let ends = spans.iter().flat_map(|span| [span.start, span.end]);
                    let whole = ends.clone().min().unwrap_or(0)..ends.max().unwrap_or(0);
                    hit.extend(touched(regions, &[whole]));
                }
            }
            if hit.is_empty() {
                unknown.extend(message.rendered);
            }
            // One that shares its error may not be to blame.
            let code =
                message.code.filter(|_| hit.len() == 1).map_or_else(|| "?".to_owned(), |code| code.code);
            for id in hit {
                refused.entry(id).or_insert_with(|| code.clone());
            }
        }
        if !succeeds && refused.is_empty() {
            return Err(format!("what is woven does not compile:\n{}", unknown.join("\n")).into());
        }
        Ok(refused)
    }

    /// Builds the tests, and says where they are.
    pub fn build(&self, suite: &Suite) -> Result<Vec<PathBuf>> {
        let tests = suite.tests.iter().flat_map(|test| match *test {
            "lib" => vec!["--lib"],
            test => vec!["--test", test],
        });
        let args: Vec<&str> =
            ["test", "--no-run"].into_iter().chain(suite.features.iter().copied()).chain(tests).collect();
        let (succeeds, said) = self.cargo(&args)?;
        if !succeeds {
            let errors = said.into_iter().filter_map(|said| said.message?.rendered);
            return Err(errors.collect::<String>().into());
        }
        let mut built: Vec<PathBuf> = said.into_iter().filter_map(|said| said.executable).collect();
        let is_of = |path: &Path, test: &str| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with(&format!("{test}-"))
        };
        // The unit tests have the name of the crate, and come first.
        built.sort_by_key(|path| suite.tests.iter().position(|test| is_of(path, test)));
        Ok(built)
    }

    fn cargo(&self, args: &[&str]) -> Result<(bool, Vec<Said>)> {
        let output = Command::new("cargo")
            .args(args)
            .args(["--package", "fastwebsockets-stream", "--message-format", "json"])
            .current_dir(&self.path)
            .env("CARGO_TARGET_DIR", self.root.join("target/mutants-target"))
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_TEST_OPT_LEVEL", "1")
            .env("RUSTFLAGS", "--cap-lints allow")
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        let said: std::result::Result<Vec<Said>, _> = said.lines().map(serde_json::from_str).collect();
        Ok((output.status.success(), said?))
    }
}
