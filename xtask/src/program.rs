//! Runs programs, with their output in view, and says which one failed.

use anyhow::{Context as _, Result, bail};
use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Runs `command` to its end. It gets no input: nobody may be there to answer.
pub fn run(mut command: Command) -> Result<()> {
    let words = words(&command);
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start: {words}"))?;
    if !status.success() {
        bail!("failed ({status}): {words}");
    }
    Ok(())
}

/// What `command` prints.
pub fn output(mut command: Command) -> Result<String> {
    let words = words(&command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start: {words}"))?;
    if !output.status.success() {
        bail!("failed ({}): {words}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("not a text: {words}"))
}

/// Where a program is on the path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The command as somebody would type it.
pub fn words(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exit 3"]);
        let error = run(command).unwrap_err().to_string();
        assert!(error.contains("sh -c exit 3") && error.contains('3'), "{error}");
        assert!(find("sh").is_some() && find("no-such-program").is_none());
    }
}
