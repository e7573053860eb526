//! Any sequence of entries becomes what a naive model says, or is refused where the model refuses it; and nothing outside
//! of the layer changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use proptest::prelude::*;

use crate::support::{Place, Tar, docker};

/// How many links the kernel follows on one path.
const LINKS: usize = 40;

type Names = Vec<String>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Directory { is_opaque: bool },
    File(String),
    Symlink(String),
    Whiteout,
}

#[derive(Debug, Clone)]
enum Step {
    File(Names),
    Directory(Names),
    Symlink(Names, String),
    Link(Names, Names),
    Whiteout(Names),
    Opaque(Names),
}

/// The layer, as a map from paths.
#[derive(Debug, Default)]
struct Model(BTreeMap<Names, Node>);

/// Why a walk ends.
enum Stop {
    /// There is no such directory, or something else has its name.
    Missing,
    /// Links lead in a circle.
    Circle,
}

struct Refused;

impl Model {
    fn get(&self, path: &[String]) -> Option<Node> {
        match path.is_empty() {
            true => Some(Node::Directory { is_opaque: false }),
            false => self.0.get(path).cloned(),
        }
    }

    /// Follows a path from the root, which nothing leaves. Returns where it leads.
    fn walk(&self, path: &[String]) -> Result<Names, Stop> {
        let (mut place, mut left, mut links) = (Names::new(), path.to_vec(), 0);
        left.reverse();
        while let Some(name) = left.pop() {
            if name == ".." {
                place.pop();
                continue;
            }
            place.push(name);
            match self.get(&place) {
                Some(Node::Directory { .. }) => {}
                Some(Node::Symlink(to)) => {
                    links += 1;
                    if links > LINKS {
                        return Err(Stop::Circle);
                    }
                    place.pop();
                    if to.starts_with('/') {
                        place.clear();
                    }
                    let names = to.split('/').filter(|name| !name.is_empty() && *name != ".");
                    left.extend(names.rev().map(str::to_owned));
                }
                _ => return Err(Stop::Missing),
            }
        }
        Ok(place)
    }

    /// Where a directory is, which is made when it is missing.
    fn directory(&mut self, path: &[String]) -> Result<Names, Refused> {
        match self.walk(path) {
            Ok(place) => return Ok(place),
            Err(Stop::Circle) => return Err(Refused),
            Err(Stop::Missing) => {}
        }
        let (name, above) = path.split_last().expect("the root is never missing");
        let mut place = self.directory(above)?;
        place.push(name.clone());
        match self.get(&place) {
            Some(Node::Directory { .. }) => {}
            None => drop(self.0.insert(place.clone(), Node::Directory { is_opaque: false })),
            Some(Node::Whiteout) => drop(self.0.insert(place.clone(), Node::Directory { is_opaque: true })),
            Some(_) => return Err(Refused),
        }
        Ok(place)
    }

    /// The place of a path whose last name is not followed.
    fn place(&mut self, path: &[String]) -> Result<Names, Refused> {
        let (name, above) = path.split_last().ok_or(Refused)?;
        let mut place = self.directory(above)?;
        place.push(name.clone());
        Ok(place)
    }

    fn put(&mut self, place: Names, node: Node) {
        self.0.retain(|path, _| !path.starts_with(&place));
        self.0.insert(place, node);
    }

    fn hide(&mut self, place: &[String]) {
        if let Some(Node::Directory { is_opaque }) = self.0.get_mut(place) {
            *is_opaque = true;
        }
    }

    fn take(&mut self, step: &Step, content: &str) -> Result<(), Refused> {
        match step {
            Step::File(path) => {
                let place = self.place(path)?;
                self.put(place, Node::File(content.to_owned()));
            }
            Step::Symlink(path, to) => {
                let place = self.place(path)?;
                self.put(place, Node::Symlink(to.clone()));
            }
            Step::Directory(path) if path.is_empty() => {}
            Step::Directory(path) => {
                let place = self.place(path)?;
                match self.get(&place) {
                    Some(Node::Directory { .. }) => {}
                    found => {
                        let is_opaque = found == Some(Node::Whiteout);
                        self.put(place, Node::Directory { is_opaque });
                    }
                }
            }
            Step::Link(path, to) => {
                let place = self.place(path)?;
                let (name, above) = to.split_last().ok_or(Refused)?;
                let mut target = self.walk(above).map_err(|_| Refused)?;
                target.push(name.clone());
                let node = self.get(&target);
                let node = node.filter(|node| matches!(node, Node::File(_) | Node::Symlink(_)));
                let node = node.filter(|_| !target.starts_with(&place)).ok_or(Refused)?;
                self.put(place, node);
            }
            Step::Whiteout(path) => {
                let place = self.place(path)?;
                match self.get(&place) {
                    None => drop(self.0.insert(place, Node::Whiteout)),
                    Some(_) => self.hide(&place),
                }
            }
            Step::Opaque(path) => {
                let place = self.directory(path)?;
                self.hide(&place);
            }
        }
        Ok(())
    }
}

/// What is on the disk, as the model has it.
fn read(root: &Path, at: &Path, found: &mut BTreeMap<Names, Node>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        let names = path.strip_prefix(root).unwrap().iter();
        let names: Names = names.map(|name| name.to_str().unwrap().to_owned()).collect();
        let facts = fs::symlink_metadata(&path).unwrap();
        let kind = facts.file_type();
        let node = if kind.is_dir() {
            read(root, &path, found);
            let mut value = [0; 8];
            let opaque = rustix::fs::lgetxattr(&path, "trusted.overlay.opaque", &mut value);
            Node::Directory {
                is_opaque: opaque == Ok(1) && value[0] == b'y',
            }
        } else if kind.is_symlink() {
            Node::Symlink(fs::read_link(&path).unwrap().to_str().unwrap().to_owned())
        } else if kind.is_char_device() && facts.rdev() == 0 {
            Node::Whiteout
        } else {
            Node::File(fs::read_to_string(&path).unwrap())
        };
        found.insert(names, node);
    }
}

fn written(steps: &[Step]) -> Vec<u8> {
    let joined = |path: &[String]| path.join("/");
    let marked = |path: &[String]| {
        let (name, above) = path.split_last().unwrap();
        let mut names = above.to_vec();
        names.push(format!(".wh.{name}"));
        names.join("/")
    };
    let mut tar = Tar::default();
    for (number, step) in steps.iter().enumerate() {
        tar = match step {
            Step::File(path) => tar.file(&joined(path), &number.to_string()),
            Step::Directory(path) => tar.directory(&format!("{}/", joined(path))),
            Step::Symlink(path, to) => tar.symlink(&joined(path), to),
            Step::Link(path, to) => tar.link(&joined(path), &joined(to)),
            Step::Whiteout(path) => tar.file(&marked(path), ""),
            Step::Opaque(path) if path.is_empty() => tar.file(".wh..wh..opq", ""),
            Step::Opaque(path) => tar.file(&format!("{}/.wh..wh..opq", joined(path)), ""),
        };
    }
    tar.finish()
}

fn path(least: usize) -> impl Strategy<Value = Names> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), least..4)
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let targets = vec![
        "a",
        "b",
        "/a",
        "/b/c",
        "../b",
        "../../../../etc",
        "/",
        ".",
        "c/../a",
        "/etc/passwd",
        "/canary",
        "../canary",
    ];
    prop_oneof![
        3 => path(1).prop_map(Step::File),
        2 => path(1).prop_map(Step::Directory),
        3 => (path(1), prop::sample::select(targets)).prop_map(|(path, to)| Step::Symlink(path, to.to_owned())),
        1 => (path(1), path(1)).prop_map(|(path, to)| Step::Link(path, to)),
        1 => path(1).prop_map(Step::Whiteout),
        1 => path(0).prop_map(Step::Opaque),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_layer_is_what_the_model_says(steps in prop::collection::vec(step(), 0..12)) {
        let place = Place::new();
        fs::write(place.path().join("canary"), "untouched").unwrap();
        let store = place.store();
        let mut model = Model::default();
        let refused = steps
            .iter()
            .enumerate()
            .any(|(number, step)| model.take(step, &number.to_string()).is_err());
        let loaded = store.load(&docker(&["web:1"], &[written(&steps)])[..]);
        match (refused, loaded) {
            (true, Err(_)) => prop_assert!(place.names("layers").is_empty() && place.names("work").is_empty()),
            (false, Ok(_)) => {
                let root = store.resolve("web:1").unwrap().layers[0].clone();
                let mut found = BTreeMap::new();
                read(&root, &root, &mut found);
                prop_assert_eq!(found, model.0);
            }
            (refused, loaded) => prop_assert!(false, "the model refuses: {}; the store: {:?}", refused, loaded),
        }
        let around = fs::read_dir(place.path()).unwrap().count();
        prop_assert_eq!(around, 2);
        prop_assert_eq!(fs::read_to_string(place.path().join("canary")).unwrap(), "untouched");
    }
}
