//! Writes the seeds of all corpora into a directory: `cargo run -p orchestrator-fuzz --bin seeds -- fuzz/corpus`.

use std::path::PathBuf;
use std::{env, fs, io};

use orchestrator_fuzz::TARGETS;

fn main() -> io::Result<()> {
    let corpus = env::args_os()
        .nth(1)
        .map_or_else(|| "fuzz/corpus".into(), PathBuf::from);
    for target in TARGETS {
        let directory = corpus.join(target.name);
        fs::create_dir_all(&directory)?;
        for (name, input) in (target.seeds)() {
            fs::write(directory.join(name), input)?;
        }
    }
    Ok(())
}
