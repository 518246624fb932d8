//! Sheets for reading: cells of one size on white, with labels above columns and before rows.

use super::Rgb;

/// White between cells and around the sheet, in pixels.
const GAP: usize = 6;
/// Pixels of the sheet per pixel of a letter, and per column and row of one.
const LETTER: usize = 2;
/// Width and height of a label's letter, the space behind it included, in pixels.
const ADVANCE: usize = 4 * LETTER;
const HEIGHT: usize = 5 * LETTER;
/// Smaller pictures are enlarged to about this side, and larger ones reduced to twice it.
const CELL: usize = 128;

const LETTERS: &str = "0123456789abcdefghijklmnopqrstuvwxyz.-";
/// Five rows of three pixels each, an octal digit a row.
#[rustfmt::skip]
const GLYPHS: [u16; 38] = [
    0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717,
    0o25755, 0o65656, 0o34443, 0o65556, 0o74747, 0o74744, 0o34553, 0o55755, 0o72227, 0o11152,
    0o55655, 0o44447, 0o57755, 0o65555, 0o25552, 0o65644, 0o25573, 0o65655, 0o34216, 0o72222,
    0o55557, 0o55552, 0o55775, 0o55255, 0o55222, 0o71247, 0o00002, 0o00700,
];

/// A table of square cells that is being filled.
pub struct Sheet {
    picture: Rgb,
    side: usize,
    left: usize,
}

impl Sheet {
    /// An empty one for cells of `side` pixels.
    pub fn new(side: usize, columns: &[String], rows: &[String]) -> Self {
        let longest = rows.iter().map(String::len).max().unwrap_or(0);
        let left = GAP + longest * ADVANCE + if longest > 0 { GAP } else { 0 };
        let width = left + columns.len() * (side + GAP);
        let height = 2 * GAP + HEIGHT + rows.len() * (side + GAP);
        let picture = Rgb { width, height, pixels: vec![255; 3 * width * height] };
        let mut sheet = Self { picture, side, left };
        for (k, label) in columns.iter().enumerate() {
            let middle = sheet.corner(k, 0).0 + side / 2;
            let left = middle.saturating_sub(label.len() * ADVANCE / 2);
            write(&mut sheet.picture, (left, GAP), label);
        }
        rows.iter().enumerate().for_each(|(k, label)| sheet.mark(k, side / 2, label));
        sheet
    }

    /// Writes before a row, at a height inside it.
    pub fn mark(&mut self, row: usize, y: usize, label: &str) {
        let middle = self.corner(0, row).1 + y;
        write(&mut self.picture, (GAP, middle - HEIGHT / 2), label);
    }

    fn corner(&self, column: usize, row: usize) -> (usize, usize) {
        let pitch = self.side + GAP;
        (self.left + column * pitch, 2 * GAP + HEIGHT + row * pitch)
    }

    /// Fills a cell.
    ///
    /// # Panics
    /// When the picture is no cell's size, or there is no such cell.
    #[track_caller]
    pub fn place(&mut self, column: usize, row: usize, cell: &Rgb) {
        assert_eq!((cell.width, cell.height), (self.side, self.side), "a cell of the sheet");
        let (left, top) = self.corner(column, row);
        for (y, line) in cell.pixels.chunks_exact(3 * self.side).enumerate() {
            let start = 3 * ((top + y) * self.picture.width + left);
            self.picture.pixels[start..start + line.len()].copy_from_slice(line);
        }
    }

    /// The sheet.
    pub fn into_picture(self) -> Rgb {
        self.picture
    }
}

/// Side of a readable cell for pictures of this size: 128 to 256 pixels.
pub fn cell_side(size: usize) -> usize {
    if size < CELL { size * CELL.div_ceil(size) } else { size.min(2 * CELL) }
}

impl Rgb {
    /// At another size: each pixel becomes a square, or a square of pixels becomes their mean.
    #[must_use]
    pub fn resized(&self, side: usize) -> Self {
        let pixel = |k: usize| {
            let span = |at: usize, n: usize| {
                let start = at * n / side;
                start..((at + 1) * n / side).max(start + 1)
            };
            let (rows, columns) = (span(k / side, self.height), span(k % side, self.width));
            let n = rows.len() * columns.len();
            let value =
                |y: usize, x: usize, c| usize::from(self.pixels[3 * (y * self.width + x) + c]);
            std::array::from_fn::<u8, 3, _>(|c| {
                let row = |y| columns.clone().map(move |x| value(y, x, c)).sum::<usize>();
                ((rows.clone().map(row).sum::<usize>() + n / 2) / n) as u8
            })
        };
        let pixels = (0..side * side).flat_map(pixel).collect();
        Self { width: side, height: side, pixels }
    }

    /// Draws a line inside the border of a region of the square picture, which may have another size.
    pub fn outline(&mut self, region: &[bool], color: [u8; 3]) {
        let (side, size) = (self.width, region.len().isqrt());
        let width = (side / CELL).max(1) as isize;
        let inside = |x: isize, y: isize| {
            let [x, y] = [x, y].map(|v| v.clamp(0, side as isize - 1) as usize * size / side);
            region[y * size + x]
        };
        for k in 0..side * side {
            let (x, y) = ((k % side) as isize, (k / side) as isize);
            let near = |dx, dy| inside(x + dx * width, y + dy * width);
            let around = [near(1, 0), near(-1, 0), near(0, 1), near(0, -1)];
            if inside(x, y) && around.contains(&false) {
                self.pixels[3 * k..3 * k + 3].copy_from_slice(&color);
            }
        }
    }
}

/// Writes black letters from a corner on; what has no glyph is a space, what has no room is left out.
fn write(picture: &mut Rgb, (left, top): (usize, usize), text: &str) {
    for (k, letter) in text.chars().enumerate() {
        let glyph = LETTERS.find(letter).map_or(0, |at| GLYPHS[at]);
        for pixel in 0..15 * LETTER * LETTER {
            let (dx, dy) = (pixel % (3 * LETTER), pixel / (3 * LETTER));
            let (x, y) = (left + k * ADVANCE + dx, top + dy);
            let bit = 14 - (dy / LETTER * 3 + dx / LETTER);
            if glyph >> bit & 1 == 1 && x < picture.width {
                picture.pixels[3 * (y * picture.width + x)..][..3].fill(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(side: usize, value: u8) -> Rgb {
        Rgb { width: side, height: side, pixels: vec![value; 3 * side * side] }
    }

    #[test]
    fn cells_stand_behind_labels_on_white() {
        let mut sheet = Sheet::new(20, &["g0".into(), "g1".into()], &["7".into()]);
        sheet.place(1, 0, &plain(20, 90));
        let picture = sheet.into_picture();
        let count = |value| picture.pixels.iter().filter(|&&v| v == value).count() / 3;
        // g, 0, g, 1 and 7 have 9, 12, 9, 8 and 7 pixels, of 2x2 each.
        assert_eq!((count(90), count(0)), (400, 4 * (9 + 12 + 9 + 8 + 7)));
        let last = 3 * ((picture.height - GAP - 1) * picture.width + picture.width - GAP - 1);
        assert_eq!((picture.pixels[last], picture.pixels[last + 3]), (90, 255));
    }

    #[test]
    fn pixels_become_squares_and_squares_their_mean() {
        let picture = Rgb { width: 2, height: 2, pixels: vec![0, 0, 0, 9, 9, 9, 4, 4, 4, 8, 8, 8] };
        let large = picture.resized(4);
        let reds: Vec<u8> = large.pixels.chunks(3).map(|p| p[0]).collect();
        assert_eq!(reds, [0, 0, 9, 9, 0, 0, 9, 9, 4, 4, 8, 8, 4, 4, 8, 8]);
        assert_eq!(large.resized(2), picture);
        assert_eq!(picture.resized(1).pixels, [5, 5, 5]);
        assert_eq!([8, 32, 96, 200, 1024].map(cell_side), [128, 128, 192, 200, 256]);
    }

    #[test]
    fn an_outline_runs_inside_its_region() {
        let mut picture = plain(8, 0);
        picture.outline(&[false, true, false, true], [1, 1, 1]);
        let marked: Vec<usize> = (0..64).filter(|k| picture.pixels[3 * k] == 1).collect();
        assert_eq!(marked, (0..8).map(|y| 8 * y + 4).collect::<Vec<_>>());
    }
}
