//! Moving pictures by an installed ffmpeg, which reads the frames from its standard input.

#![expect(clippy::disallowed_methods, reason = "a thread reads what ffmpeg says while it runs")]

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::Header;
use crate::{Error, Result};

/// What ffmpeg writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Mp4,
    Mov,
    Webm,
}

impl Container {
    /// H.264 or VP9, at a quality that shows no blocks.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Mp4 => &["-c:v", "libx264", "-movflags", "+faststart", "-f", "mp4"],
            Self::Mov => &["-c:v", "libx264", "-movflags", "+faststart", "-f", "mov"],
            Self::Webm => &["-c:v", "libvpx-vp9", "-b:v", "0", "-f", "webm"],
        }
    }
}

/// A running ffmpeg. Dropped before it has finished, it is killed.
pub(super) struct Ffmpeg {
    child: Child,
    messages: Option<JoinHandle<String>>,
}

impl Ffmpeg {
    /// # Errors
    /// When there is none.
    pub(super) fn start(
        mut program: Command,
        container: Container,
        to: &Path,
        Header { size: [width, height], fps, .. }: Header,
    ) -> Result<Self> {
        let missing = |e: io::Error| {
            let reason = format!("{e}; install it, or use .gif or .apng, which work without");
            Error::config("ffmpeg cannot be started", reason)
        };
        let (size, fps) = (format!("{width}x{height}"), fps.to_string());
        program
            .args(["-hide_banner", "-loglevel", "error", "-y"])
            .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", &size])
            .args(["-framerate", &fps, "-i", "pipe:0"])
            // Colours are stored by blocks of 2 x 2.
            .args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-crf", "18"])
            .args(container.arguments())
            .arg(to);
        program.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = program.spawn().map_err(missing)?;
        let mut stderr = child.stderr.take().expect("piped");
        let messages = thread::spawn(move || {
            let mut text = Vec::new();
            // What was read until an error is all there is to tell.
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        Ok(Self { child, messages: Some(messages) })
    }

    /// # Errors
    /// What ffmpeg says, when it ended early.
    pub(super) fn write(&mut self, pixels: &[u8]) -> io::Result<()> {
        let stdin = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = stdin.write_all(pixels);
        written.map_err(|e| {
            self.stop();
            self.failure(&e.to_string())
        })
    }

    /// Waits until ffmpeg has written everything.
    ///
    /// # Errors
    /// What ffmpeg says, when it failed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(self.failure(&status.to_string())) }
    }

    fn stop(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What a stopped ffmpeg said.
    fn failure(&mut self, why: &str) -> io::Error {
        let said = self.messages.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        io::Error::other(format!("ffmpeg failed ({why}): {said}"))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::super::{Movie, MovieOptions};
    use super::*;
    use crate::sample::Rgb;

    const HEADER: Header =
        Header { size: [5, 3], fps: 24, options: MovieOptions { repeats: true } };

    /// A shell that does in ffmpeg's place what `script` says; `$to` is the file.
    fn fake(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("for to; do :; done; {script}"), "ffmpeg"]);
        shell
    }

    /// What a movie of many frames ends in, and the folder that it was written to.
    fn movie(name: &str, script: &str, frames: usize) -> (Result<()>, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        let mut movie = Movie::with_ffmpeg(&path, HEADER, fake(script)).expect("started");
        let frame = Rgb { width: 5, height: 3, pixels: (0..45).collect() };
        let ended = (0..frames).try_for_each(|_| movie.push(&frame)).and_then(|()| movie.finish());
        (ended, folder)
    }

    #[test]
    fn frames_reach_ffmpeg_as_they_are() {
        let (ended, folder) = movie("walk.mp4", "cat > \"$to\"", 3);
        ended.expect("written");
        let frame: Vec<u8> = (0..45).collect();
        assert_eq!(fs::read(folder.path().join("walk.mp4")).expect("there"), frame.repeat(3));
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn ffmpeg_is_told_size_rate_format_and_container() {
        for (name, codec, container) in [
            ("walk.mp4", "libx264", "-f mp4"),
            ("walk.mov", "libx264", "-f mov"),
            ("walk.webm", "libvpx-vp9", "-f webm"),
        ] {
            let (ended, folder) = movie(name, "cat > /dev/null; echo \"$@\" > \"$to\"", 1);
            ended.expect("written");
            let told = fs::read_to_string(folder.path().join(name)).expect("there");
            let words = ["rgb24 -video_size 5x3 -framerate 24 -i pipe:0", "yuv420p -crf 18"];
            for word in words.into_iter().chain([codec, container, "pad="]) {
                assert!(told.contains(word), "{word}: {told}");
            }
        }
    }

    #[test]
    fn what_ffmpeg_says_is_in_the_error_and_nothing_is_left() {
        for script in [
            "echo begun > \"$to\"; echo no such codec >&2; exit 1",
            "cat > \"$to\"; echo no such codec >&2; exit 1",
        ] {
            // More than the pipe holds, so that writing fails where nobody reads.
            let (ended, folder) = movie("walk.mp4", script, 10_000);
            let error = ended.expect_err("failed").to_string();
            let words = ["cannot write", "walk.mp4", "ffmpeg failed", "no such codec"];
            words.iter().for_each(|w| assert!(error.contains(w), "{w}: {error}"));
            assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
        }
    }

    #[test]
    fn dropped_before_the_end_ffmpeg_is_killed_and_its_file_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("walk.webm");
        let script = "echo $$ > \"$to\"; exec sleep 1000";
        let movie = Movie::with_ffmpeg(&path, HEADER, fake(script)).expect("started");
        let written = || {
            let file = fs::read_dir(folder.path()).expect("readable").next()?.expect("an entry");
            fs::read_to_string(file.path()).ok().filter(|text| text.ends_with('\n'))
        };
        let number = loop {
            match written() {
                Some(number) => break number,
                None => thread::yield_now(),
            }
        };
        let runs = || {
            let asked = Command::new("sh").args(["-c", &format!("kill -0 {number}")]).output();
            asked.expect("a shell").status.success()
        };
        assert!(runs());
        drop(movie);
        assert!(!runs());
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    #[test]
    fn without_ffmpeg_the_error_says_what_works() {
        let missing = Command::new("/no/such/ffmpeg");
        let movie = Movie::with_ffmpeg(Path::new("walk.mp4"), HEADER, missing);
        let error = movie.err().expect("missing").to_string();
        let words = ["ffmpeg", "install", ".gif", ".apng"];
        words.iter().for_each(|w| assert!(error.contains(w), "{w}: {error}"));
    }
}
