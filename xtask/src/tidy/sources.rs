//! Rules for Rust files: what a crate may touch, that a file says what it is, and how long it may get.
//!
//! Files are read line by line, not parsed: rustfmt puts the end of an item where its start is indented, and that is
//! enough to leave out what is compiled for tests only. A name inside a string counts as a use; nothing here needs one.

use super::{File, ladder::PURE};

/// Most lines of a file, its tests not counted.
const LINES_MAX: usize = 600;

/// Names that reach for a clock, a socket, the disk, a thread, another process or the system's random source.
const OUTSIDE: &[&str] = &[
    "fs::",
    "thread::",
    "process::",
    "env::",
    "SystemTime",
    "Instant",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "OsRng",
    "thread_rng",
    "getrandom",
];

/// Crates that handle sealed cells only, and the keys they must never hold.
const SEALED_ONLY: &[&str] = &["overlay", "provider", "controller", "gateway"];
const KEYS: &[&str] = &["CellKey", "VideoSecret", "NetworkSecret"];

/// Starting another program: for `media` alone among the crates. The command starts its own roles, but no ffmpeg.
const PROGRAMS: &[&str] = &["Command::new"];
const MEDIA_PROGRAMS: &[&str] = &["Command::new(\"ffmpeg\")", "Command::new(\"ffprobe\")"];

const UDP: &[&str] = &["UdpSocket"];

/// Everything in one file that breaks a rule.
pub fn check(file: &File) -> Vec<String> {
    let path = &file.path;
    let mut findings = Vec::new();
    if !file.text.starts_with("//!") {
        findings.push(format!("{path}:1: the first line is not module documentation (`//! …`)"));
    }
    if is_test(path) {
        return findings;
    }
    let lines = outside_tests(&file.text);
    if lines.len() > LINES_MAX {
        findings.push(format!("{path}: {} lines without tests; the most is {LINES_MAX}", lines.len()));
    }
    let code = || lines.iter().map(|(number, line)| (*number, without_comment(line)));
    for (names, why) in rules(path) {
        for (number, line) in code() {
            let used = names.iter().filter(|name| uses(line, name));
            findings.extend(used.map(|name| format!("{path}:{number}: {why}: `{name}`")));
        }
    }
    findings
}

/// Names that a file must not use, each list with its reason.
fn rules(path: &str) -> Vec<(&'static [&'static str], &'static str)> {
    let crate_name = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
    let mut rules = Vec::new();
    if crate_name.is_some_and(|name| PURE.contains(&name)) {
        rules.push((OUTSIDE, "a pure crate reaches outside"));
    }
    if crate_name.is_some_and(|name| SEALED_ONLY.contains(&name)) {
        rules.push((KEYS, "a crate that sees sealed cells only names a key"));
    }
    if crate_name.is_some_and(|name| name != "media") {
        rules.push((PROGRAMS, "only `media` starts other programs"));
    }
    if path.starts_with("bin/") {
        rules.push((MEDIA_PROGRAMS, "only `media` starts ffmpeg"));
    }
    // The command looks whether ports are free before it starts anything, and opens one for a moment to do so.
    if crate_name.is_some_and(|name| name != "overlay") {
        rules.push((UDP, "only `overlay` opens a UDP socket"));
    }
    rules
}

/// Whether a whole file is compiled for tests, benches or as an example only.
fn is_test(path: &str) -> bool {
    let test = |part: &str| matches!(part, "tests" | "tests.rs" | "testing.rs" | "benches" | "examples");
    path.split('/').any(test)
}

/// Numbered lines that are not part of an item under `#[cfg(test)]`.
fn outside_tests(text: &str) -> Vec<(usize, &str)> {
    let mut lines = (1..).zip(text.lines());
    let mut kept = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            skip_item(&mut lines);
        } else {
            kept.push((number, line));
        }
    }
    kept
}

fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let above = |line: &str| line.trim_start().starts_with("#[") || line.trim_start().starts_with("//");
    let Some((_, first)) = lines.find(|(_, line)| !above(line)) else { return };
    if first.trim_end().ends_with([';', '}', ',']) {
        return;
    }
    let indent = &first[..first.len() - first.trim_start().len()];
    let closes = |line: &str| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'));
    // An item that never closes does not compile.
    let _end = lines.find(|(_, line)| closes(line));
}

fn without_comment(line: &str) -> &str {
    match line.trim_start().starts_with("//") {
        true => "",
        false => line.split_once(" // ").map_or(line, |(code, _)| code),
    }
}

/// Whether `name` stands in `line` as a whole word; a name that ends with `::` may be followed by anything.
fn uses(line: &str, name: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(inner);
        let after = line[at + name.len()..].chars().next().is_some_and(inner);
        !before && (name.ends_with("::") || !after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&File { path: path.into(), text: format!("//! A module.\n{text}") })
    }

    #[test]
    fn pure_crates_reach_for_nothing_outside() {
        let reaches = "use std::time::SystemTime;\nlet bytes = std::fs::read(path);";
        let in_pure = found("crates/cell/src/lib.rs", reaches);
        assert_eq!(in_pure.len(), 2, "{in_pure:?}");
        assert!(in_pure[1].starts_with("crates/cell/src/lib.rs:3:"), "{in_pure:?}");
        assert_eq!(found("crates/node/src/lib.rs", reaches), [""; 0]);
        let harmless =
            "use std::net::IpAddr;\n// SystemTime is the caller's.\nlet offs::x = Instantly; // an Instant\n";
        assert_eq!(found("crates/cell/src/lib.rs", harmless), [""; 0]);
    }

    #[test]
    fn tests_may_do_as_they_like() {
        let text =
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n        std::fs::read(path);\n    }\n}\nfn c() {}";
        assert_eq!(found("crates/cell/src/lib.rs", text), [""; 0]);
        assert_eq!(outside_tests(text), [(1, "fn a() {}"), (8, "fn c() {}")]);
        assert_eq!(outside_tests("#[cfg(test)]\nmod tests;\nfn c() {}"), [(3, "fn c() {}")]);
        assert_eq!(
            outside_tests("#[cfg(test)]\n#[path = \"x\"]\npub use a::{\n    b,\n};\nfn c() {}"),
            [(6, "fn c() {}")]
        );
        assert_eq!(found("crates/cell/src/tests/disk.rs", "std::fs::read(path);"), [""; 0]);
        assert_eq!(found("crates/cell/tests/disk.rs", "std::fs::read(path);"), [""; 0]);
    }

    #[test]
    fn programs_sockets_and_keys_have_one_home() {
        assert_eq!(found("crates/node/src/lib.rs", "let ffmpeg = Command::new(\"ffmpeg\");").len(), 1);
        assert_eq!(found("crates/media/src/child.rs", "let ffmpeg = Command::new(\"ffmpeg\");"), [""; 0]);
        assert_eq!(found("bin/chainflix/src/demo.rs", "let role = Command::new(own_path);"), [""; 0]);
        assert_eq!(found("bin/chainflix/src/demo.rs", "let ffmpeg = Command::new(\"ffmpeg\");").len(), 1);
        assert_eq!(found("crates/rpc/src/lib.rs", "UdpSocket::bind(address)").len(), 1);
        assert_eq!(found("crates/overlay/src/lib.rs", "UdpSocket::bind(address)"), [""; 0]);
        assert_eq!(found("crates/provider/src/lib.rs", "fn open(key: &CellKey) {}").len(), 1);
        assert_eq!(
            found("crates/provider/src/lib.rs", "//! It never has a CellKey.\nlet kind = CellKeyless;"),
            [""; 0]
        );
    }

    #[test]
    fn a_file_says_what_it_is_and_ends_in_time() {
        let undocumented = check(&File { path: "xtask/src/main.rs".into(), text: "fn main() {}".into() });
        assert_eq!(undocumented.len(), 1, "{undocumented:?}");
        let long = "fn a() {}\n".repeat(LINES_MAX);
        assert_eq!(found("xtask/src/main.rs", &long).len(), 1);
        let tested = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn a() {}\n".repeat(LINES_MAX));
        assert_eq!(found("xtask/src/main.rs", &tested), [""; 0]);
    }
}
