//! Moving pictures. The path says which kind: `.gif`, `.apng` or `.png` (animated PNG), `.mp4`, `.mov`
//! or `.webm` (by an installed ffmpeg), or a folder of PNG files.

mod ffmpeg;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use self::ffmpeg::{Container, Ffmpeg};
use super::{Rgb, save_png};
use crate::files::Draft;
use crate::{Error, Result};

/// How a moving picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovieOptions {
    /// Whether a GIF or PNG starts again at its end, without end.
    pub repeats: bool,
}

impl Default for MovieOptions {
    fn default() -> Self {
        Self { repeats: true }
    }
}

/// A moving picture that is being written. It appears complete ([`Movie::finish`]) or not at all.
pub struct Movie {
    path: PathBuf,
    form: Form,
    // Behind the form: what is open or runs ends before its file is removed.
    draft: Draft,
    header: Header,
    frames: usize,
}

enum Form {
    Gif(Box<gif::Encoder<BufWriter<File>>>),
    Png(Box<png::Writer<BufWriter<File>>>),
    Folder,
    Ffmpeg(Ffmpeg),
}

/// What a file begins with.
#[derive(Clone, Copy)]
struct Header {
    /// Width and height.
    size: [usize; 2],
    /// Frames per second.
    fps: u16,
    options: MovieOptions,
}

impl Movie {
    /// Starts a moving picture of [width, height] and `fps` frames per second. A GIF counts in
    /// hundredths of a second and shows each frame for two of them at least.
    ///
    /// # Errors
    /// When the path says no kind, a GIF is too large, ffmpeg is not there, or the system refuses.
    ///
    /// # Panics
    /// When the size or `fps` is 0.
    #[track_caller]
    pub fn create(
        path: impl AsRef<Path>,
        size: [usize; 2],
        fps: u16,
        options: MovieOptions,
    ) -> Result<Self> {
        Self::with_ffmpeg(path.as_ref(), Header { size, fps, options }, Command::new("ffmpeg"))
    }

    #[track_caller]
    fn with_ffmpeg(path: &Path, header: Header, ffmpeg: Command) -> Result<Self> {
        let Header { size, fps, .. } = header;
        assert!(fps > 0 && size.iter().all(|&n| n > 0), "a movie of {size:?}, {fps} per second");
        let draft = Draft::of(path).map_err(Error::io("create", path))?;
        let form = match kind(path)? {
            Kind::Gif if size.iter().any(|&n| n > usize::from(u16::MAX)) => {
                let reason = format!("{size:?} pixels are too many for a GIF; use .apng or .mp4");
                return Err(Error::config(path.display().to_string(), reason));
            }
            Kind::Gif => header.gif(&draft).map(Form::Gif),
            Kind::Png => header.png(&draft).map(Form::Png),
            Kind::Folder => new_folder(path, &draft).map(|()| Form::Folder),
            Kind::Ffmpeg(to) => Ok(Form::Ffmpeg(Ffmpeg::start(ffmpeg, to, draft.path(), header)?)),
        };
        let form = form.map_err(Error::io("create", path))?;
        Ok(Self { path: path.to_owned(), form, draft, header, frames: 0 })
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// When the system or ffmpeg refuses; then the movie is lost.
    ///
    /// # Panics
    /// When the frame has another size.
    #[track_caller]
    pub fn push(&mut self, frame: &Rgb) -> Result<()> {
        let (size, number) = ([frame.width, frame.height], self.frames);
        assert_eq!(size, self.header.size, "size of frame {number} and of its movie");
        self.frames += 1;
        let written = match &mut self.form {
            Form::Gif(gif) => gif.write_frame(&self.header.gif_frame(frame, number)).map_err(other),
            Form::Png(png) => png.write_image_data(&frame.pixels).map_err(other),
            Form::Folder => {
                return save_png(
                    self.draft.path().join(format!("frame{number:04}.png")),
                    frame,
                    &[],
                );
            }
            Form::Ffmpeg(ffmpeg) => ffmpeg.write(&frame.pixels),
        };
        written.map_err(Error::io("write", &self.path))
    }

    /// Puts the moving picture in its place.
    ///
    /// # Errors
    /// When the system or ffmpeg refuses; then nothing is left.
    ///
    /// # Panics
    /// When it has no frame.
    #[track_caller]
    pub fn finish(self) -> Result<()> {
        assert!(self.frames > 0, "a movie without a frame");
        let Self { path, form, draft, header, frames } = self;
        let ended = match form {
            Form::Gif(gif) => gif.into_inner().map_err(other).and_then(|mut file| file.flush()),
            Form::Png(png) => png.finish().map_err(other).and_then(|()| {
                let mut file = OpenOptions::new().write(true).open(draft.path())?;
                file.write_all(&header.png_start(frames as u32)?)
            }),
            Form::Folder => Ok(()),
            Form::Ffmpeg(ffmpeg) => ffmpeg.finish(),
        };
        ended.and_then(|()| sync(&draft)).map_err(Error::io("write", &path))?;
        draft.publish().map_err(Error::io("write", &path))
    }
}

enum Kind {
    Gif,
    Png,
    Folder,
    Ffmpeg(Container),
}

fn kind(path: &Path) -> Result<Kind> {
    let is_folder = path.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
    let extension = path.extension().filter(|_| !is_folder).unwrap_or_default();
    Ok(match extension.to_string_lossy().to_lowercase().as_str() {
        "" => Kind::Folder,
        "gif" => Kind::Gif,
        "apng" | "png" => Kind::Png,
        "mp4" => Kind::Ffmpeg(Container::Mp4),
        "mov" => Kind::Ffmpeg(Container::Mov),
        "webm" => Kind::Ffmpeg(Container::Webm),
        other => {
            let reason = format!(
                ".{other} is no kind of moving picture that is known here; use .gif, .apng, .mp4, \
                 .mov, .webm, or a folder"
            );
            return Err(Error::config(path.display().to_string(), reason));
        }
    })
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}

fn new_folder(path: &Path, draft: &Draft) -> io::Result<()> {
    if path.exists() && fs::read_dir(path)?.next().is_some() {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    fs::create_dir(draft.path())
}

/// Frames of a folder are synced one by one.
fn sync(draft: &Draft) -> io::Result<()> {
    if draft.path().is_dir() {
        return Ok(());
    }
    OpenOptions::new().write(true).open(draft.path())?.sync_all()
}

impl Header {
    fn gif(self, draft: &Draft) -> io::Result<Box<gif::Encoder<BufWriter<File>>>> {
        let file = BufWriter::new(File::create(draft.path())?);
        let [width, height] = self.size.map(|n| n as u16);
        let mut encoder = gif::Encoder::new(file, width, height, &[]).map_err(other)?;
        if self.options.repeats {
            encoder.set_repeat(gif::Repeat::Infinite).map_err(other)?;
        }
        Ok(Box::new(encoder))
    }

    /// With a palette of its own, shown until the next one's rounded time.
    fn gif_frame(self, frame: &Rgb, number: usize) -> gif::Frame<'static> {
        /// Of 1, the best palette, to 30, the fastest.
        const SPEED: i32 = 10;
        let [width, height] = self.size.map(|n| n as u16);
        let fps = usize::from(self.fps);
        let hundredths = |frames: usize| (100 * frames + fps / 2) / fps;
        let delay = (hundredths(number + 1) - hundredths(number)).max(2) as u16;
        let coded = gif::Frame::from_rgb_speed(width, height, &frame.pixels, SPEED);
        gif::Frame { delay, ..coded }
    }

    fn png(self, draft: &Draft) -> io::Result<Box<png::Writer<BufWriter<File>>>> {
        let file = BufWriter::new(File::create(draft.path())?);
        // The number of frames is written in the end.
        Ok(Box::new(self.start_png(file, u32::MAX)?))
    }

    fn start_png<W: Write>(self, to: W, frames: u32) -> io::Result<png::Writer<W>> {
        let [width, height] = self.size.map(|n| n as u32);
        let mut encoder = png::Encoder::new(to, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_animated(frames, u32::from(!self.options.repeats))?;
        encoder.set_frame_delay(1, self.fps)?;
        Ok(encoder.write_header()?)
    }

    /// What a file of so many frames begins with.
    fn png_start(self, frames: u32) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        drop(self.start_png(&mut bytes, frames)?);
        // Dropped, a writer adds the end of a file: twelve bytes.
        bytes.truncate(bytes.len() - 12);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header =
        Header { size: [5, 3], fps: 30, options: MovieOptions { repeats: true } };

    /// A frame of few colours, different from the others.
    fn frame(number: usize) -> Rgb {
        let [width, height] = HEADER.size;
        let pixels = (0..3 * width * height).map(|k| (k * 7 + number * 40) as u8).collect();
        Rgb { width, height, pixels }
    }

    fn written(path: &Path, options: MovieOptions) {
        let mut movie = Movie::create(path, HEADER.size, HEADER.fps, options).expect("created");
        (0..4).for_each(|k| movie.push(&frame(k)).expect("pushed"));
        assert!(!path.exists(), "it appears when it is complete");
        movie.finish().expect("finished");
        let folder = path.parent().expect("a folder");
        assert_eq!(fs::read_dir(folder).expect("readable").count(), 1, "nothing beside it");
    }

    #[test]
    fn a_gif_has_every_frame_for_its_time_and_repeats_if_it_should() {
        for (repeats, repeat) in [(true, gif::Repeat::Infinite), (false, gif::Repeat::Finite(0))] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("walk.GIF");
            written(&path, MovieOptions { repeats });
            let mut options = gif::DecodeOptions::new();
            options.set_color_output(gif::ColorOutput::RGBA);
            let mut gif = options.read_info(File::open(&path).expect("there")).expect("a GIF");
            assert_eq!((gif.width(), gif.height()), (5, 3));
            let mut delays = Vec::new();
            while let Some(read) = gif.read_next_frame().expect("a frame") {
                let rgb = read.buffer.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]);
                assert_eq!(rgb.collect::<Vec<_>>(), frame(delays.len()).pixels);
                delays.push(read.delay);
            }
            // Together they last as long as four thirtieths of a second.
            assert_eq!((delays, gif.repeat()), (vec![3, 4, 3, 3], repeat));
        }
    }

    #[test]
    fn an_animated_png_has_every_frame_for_its_time_and_repeats_if_it_should() {
        for (repeats, num_plays) in [(true, 0), (false, 1)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("walk.png");
            written(&path, MovieOptions { repeats });
            let file = io::BufReader::new(File::open(&path).expect("there"));
            let mut png = png::Decoder::new(file).read_info().expect("a PNG");
            let animation = png.info().animation_control.expect("animated");
            assert_eq!((animation.num_frames, animation.num_plays), (4, num_plays));
            for k in 0..4 {
                let mut pixels = vec![0; 45];
                png.next_frame(&mut pixels).expect("a frame");
                let shown = png.info().frame_control.expect("a time");
                assert_eq!((shown.delay_num, shown.delay_den), (1, 30));
                assert_eq!(pixels, frame(k).pixels);
            }
            assert!(png.next_frame(&mut [0; 45]).is_err(), "no fifth frame");
        }
    }

    #[test]
    fn a_folder_has_one_picture_per_frame() {
        for (name, exists) in [("walk", false), ("walk.frames/", true)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join(name);
            let mut movie = Movie::create(&path, [5, 3], 30, MovieOptions::default()).expect("new");
            (0..4).for_each(|k| movie.push(&frame(k)).expect("pushed"));
            if exists {
                fs::create_dir(&path).expect("an empty folder");
            }
            movie.finish().expect("finished");
            for k in 0..4 {
                let picture = image::open(path.join(format!("frame{k:04}.png"))).expect("a frame");
                assert_eq!(picture.as_bytes(), frame(k).pixels);
            }
            assert_eq!(fs::read_dir(&path).expect("readable").count(), 4);
            let again = Movie::create(&path, [5, 3], 30, MovieOptions::default());
            let error = again.err().expect("not empty").to_string();
            assert!(error.contains("cannot create") && error.contains("walk"), "{error}");
            assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
        }
    }

    #[test]
    fn what_is_not_finished_leaves_nothing_and_what_was_there_stays() {
        for name in ["a.gif", "a.apng", "a"] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join(name);
            if name != "a" {
                fs::write(&path, "old").expect("written");
            }
            let before = fs::read_dir(folder.path()).expect("readable").count();
            let mut movie = Movie::create(&path, [5, 3], 30, MovieOptions::default()).expect("new");
            movie.push(&frame(0)).expect("pushed");
            assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), before + 1);
            drop(movie);
            assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), before);
            assert!(name == "a" || fs::read(&path).expect("there") == b"old");
        }
    }

    #[test]
    fn an_unknown_kind_a_large_gif_and_a_missing_folder_are_refused() {
        let refused = |path: &str, size| {
            let movie = Movie::create(path, size, 30, MovieOptions::default());
            movie.err().expect("refused").to_string()
        };
        let unknown = refused("walk.avi", [5, 3]);
        [".avi", ".gif", ".apng", ".mp4"].iter().for_each(|w| assert!(unknown.contains(w)));
        assert!(refused("walk.gif", [70_000, 3]).contains("70000"));
        assert!(refused("no/such/folder/walk.gif", [5, 3]).contains("cannot create no/such"));
        assert!(refused("", [5, 3]).contains("cannot create"));
    }

    #[test]
    #[should_panic(expected = "size of frame 0 and of its movie")]
    fn a_frame_of_another_size_panics() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.gif");
        let movie = Movie::create(path, [4, 3], 30, MovieOptions::default());
        movie.expect("created").push(&frame(0)).expect("pushed");
    }
}
