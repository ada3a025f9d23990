//! What a source file may hold.

use std::path::{Path, PathBuf};

use crate::hold;
use crate::workspace::{Role, members, read, relative, root, rust_files};

/// Every source file that users get: not the tests, and not what only tests link.
fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    members()
        .iter()
        .filter(|member| !matches!(member.role, Role::Testkit | Role::Example))
        .flat_map(|member| rust_files(&member.folder().join("src")))
        .map(|path| {
            let text = read(&path);
            (path, text)
        })
}

/// The numbered lines of a file without its `#[cfg(test)]` items.
fn production(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test") {
            // An item in the first column ends at the next bracket or semicolon in the first column.
            for (_, line) in lines.by_ref() {
                if line.starts_with('}') || (!line.starts_with([' ', '#', '/']) && line.ends_with(';')) {
                    break;
                }
            }
        } else {
            kept.push((number, line));
        }
    }
    kept
}

fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

#[test]
fn test_modules_do_not_count() {
    let text = "a;\n#[cfg(test)]\nmod tests {\n    b;\n}\n// c\n#[cfg(test)]\nmod more;\nd;";
    let kept: Vec<_> = production(text).into_iter().filter(|(_, line)| is_code(line)).collect();
    assert_eq!(kept, [(1, "a;"), (9, "d;")]);
}

#[test]
fn lib_rs_is_a_map() {
    const LIMIT: usize = 150;
    hold(
        "A newcomer knows a crate in one screen of its lib.rs:",
        sources().filter(|(path, _)| path.ends_with("src/lib.rs")).filter_map(|(path, text)| {
            let lines = production(&text).into_iter().filter(|(_, line)| is_code(line)).count();
            (lines > LIMIT).then(|| format!("{}: {lines} lines of code, at most {LIMIT}", relative(&path)))
        }),
    );
}

/// Files that are long because one concept is, each with the reason.
const LONG: [(&str, &str); 0] = [];

#[test]
fn files_are_short() {
    const LIMIT: usize = 600;
    hold(
        "One concept a file:",
        sources().filter_map(|(path, text)| {
            let (file, lines) = (relative(&path), production(&text).len());
            let stated = LONG.iter().any(|(listed, _)| *listed == file);
            match lines > LIMIT {
                true if !stated => Some(format!("{file}: {lines} lines, at most {LIMIT}")),
                false if stated => Some(format!("{file}: {lines} lines, and listed as a long file")),
                _ => None,
            }
        }),
    );
}

/// Time enters through core's time module; a value that may be absent is answered for; nothing is left for later.
const FORBIDDEN: [(&str, &str); 13] = [
    ("Instant::now", "ask the handle's `Clock`"),
    ("SystemTime::now", "take the wall time as an argument"),
    ("thread::sleep", "`Clock::sleep`"),
    ("tokio::time", "`Clock` knows the runtime"),
    ("futures_timer", "`Clock` knows the runtime"),
    ("quanta::", "ask the handle's `Clock`"),
    (".unwrap()", "`expect(\"reason\")` for a true invariant, an error otherwise"),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("dbg!(", "a `tracing` event"),
    ("println!(", "a `tracing` event"),
    ("#[macro_export]", "a generic function or a trait: macros hide what an item is"),
    ("static mut", "an atomic or a lock"),
];

#[test]
fn time_and_haste_stay_out_of_the_sources() {
    hold(
        "Outside core's time module:",
        sources().filter(|(path, _)| !is_time_module(path)).flat_map(|(path, text)| {
            let file = relative(&path);
            let found = production(&text).into_iter().filter(|(_, line)| is_code(line)).flat_map(|(number, line)| {
                let file = &file;
                FORBIDDEN
                    .iter()
                    .filter(|(word, _)| line.contains(word))
                    .map(move |(word, instead)| format!("{file}:{number}: `{word}`; instead: {instead}"))
            });
            found.collect::<Vec<_>>()
        }),
    );
}

fn is_time_module(path: &Path) -> bool {
    let file = relative(path);
    file.starts_with("crates/core/src/time/") || file == "crates/core/src/time.rs"
}

/// How the words begin that name a pattern.
const PATTERNS: [&str; 7] = ["autoscal", "breaker", "bulkhead", "cach", "chaos", "limiter", "pool"];

#[test]
fn core_names_no_pattern() {
    let core = root().join("crates/core/src");
    hold(
        "Core knows how calls are admitted, ended, timed and observed, never which pattern does it:",
        rust_files(&core).into_iter().flat_map(|path| {
            let file = relative(&path);
            let text = read(&path);
            let found = text.lines().enumerate().flat_map(|(index, line)| {
                let file = &file;
                pattern_words(line).into_iter().map(move |word| format!("{file}:{}: names `{word}`", index + 1))
            });
            found.collect::<Vec<_>>()
        }),
    );
}

/// The words of a line that name a pattern, in prose or in an identifier. What the processor caches is none.
fn pattern_words(line: &str) -> Vec<String> {
    let words = words(line);
    let of_the_processor = |index: usize| {
        words[index] == "cache"
            && words.get(index + 1).is_some_and(|next| matches!(next.as_str(), "line" | "lines" | "padded"))
    };
    (0..words.len())
        .filter(|&index| PATTERNS.iter().any(|pattern| words[index].starts_with(pattern)))
        .filter(|&index| !of_the_processor(index))
        .map(|index| words[index].clone())
        .collect()
}

/// Prose, `snake_case` and `CamelCase` alike, in lower case.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in line.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("there is always one").extend(letter.to_lowercase());
        }
        after_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn pattern_words_are_found_in_prose_and_identifiers() {
    assert_eq!(
        pattern_words("/// Breakers, a `WorkerPool`, CACHED and rate_limiter"),
        ["breakers", "pool", "cached", "limiter"]
    );
    assert_eq!(pattern_words("a cache line; CachePadded<T>; cache-line; spooled; limit"), Vec::<String>::new());
}
