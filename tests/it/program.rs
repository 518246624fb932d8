//! The program itself, from outside.

use std::process::{Command, Output};

/// `semgan` with arguments. A panic would show its trace.
pub(crate) fn semgan(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semgan"));
    // Mesa complains about a missing one, in lines that look like ours.
    command.args(arguments).env("XDG_RUNTIME_DIR", std::env::temp_dir()).env("RUST_BACKTRACE", "1");
    // No table of kernel forms that somebody measured here.
    command.env("XDG_CONFIG_HOME", std::env::temp_dir().join("semgan-without-configuration"));
    command
}

/// What a process left behind.
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code();
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Answer {
    pub(crate) fn of(command: &mut Command) -> Self {
        command.output().expect("the program starts").into()
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// One error line with all of these words in it, and nothing that looks like a crash.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        let lines: Vec<&str> = self.stderr.lines().filter(|l| l.starts_with("error:")).collect();
        assert_eq!((self.code, lines.len()), (Some(code), 1), "{words:?}: {}", self.stderr);
        for word in words {
            assert!(lines[0].contains(word), "{word:?} is not in: {}", lines[0]);
        }
        for crash in ["panicked", "backtrace"] {
            assert!(!self.stderr.contains(crash), "{}", self.stderr);
        }
    }
}

/// Runs `semgan` to its end.
pub(crate) fn run(arguments: &[&str]) -> Answer {
    Answer::of(&mut semgan(arguments))
}
