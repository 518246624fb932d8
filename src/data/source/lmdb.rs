//! A read-only walk through the pages of an LMDB file.
//!
//! The file begins with two meta pages, of which the newer valid one counts. It names the root of a
//! B+tree: branch pages lead to leaf pages, whose nodes hold a key and either the value itself or
//! the number of the first of the overflow pages that hold it. Numbers are little-endian, as every
//! machine that trains writes them; the layout is `mdb.c`'s, data version 1.
//!
//! Nothing in the file is trusted: every offset is checked, each step down the tree uses up depth,
//! and no more pages are visited than the file has. Free pages, locks and transactions do not
//! concern a reader of a file at rest.

use std::ops::Range;

const MAGIC: u32 = 0xbeef_c0de;
const VERSION: u32 = 1;
/// Bytes before the content of a page.
const HEADER: usize = 16;
/// Bytes of a node before its key.
const NODE: usize = 8;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const OVERFLOW: u16 = 4;
/// The value lies on overflow pages.
const BIG: u16 = 1;
/// The value is a database of its own, or one of several values of the key.
const NESTED: u16 = 2 | 4;
/// Deeper trees cannot be written.
const MAX_DEPTH: u16 = 32;
/// Root of a tree without entries.
const NO_PAGE: u64 = u64::MAX;

/// Whether these are the first bytes of an LMDB file.
pub(super) fn is_lmdb(start: &[u8]) -> bool {
    number::<4>(start, HEADER).is_some_and(|magic| magic == u64::from(MAGIC))
}

/// Hands over every key of the unnamed database with the place of its value in the file, in the
/// order of the keys.
///
/// # Errors
/// In words: what is wrong with the file, naming the page.
pub(super) fn walk(bytes: &[u8], mut visit: impl FnMut(&[u8], Range<usize>)) -> Result<(), String> {
    let meta = newest_meta(bytes)?;
    if meta.root == NO_PAGE {
        return Ok(());
    }
    let pages_left = bytes.len() / meta.page_size;
    let mut tree = Tree { bytes, page_size: meta.page_size, pages_left };
    tree.descend(meta.root, meta.depth, &mut visit)
}

#[derive(Clone, Copy)]
struct Meta {
    page_size: usize,
    depth: u16,
    root: u64,
    transaction: u64,
}

fn newest_meta(bytes: &[u8]) -> Result<Meta, String> {
    let first = read_meta(bytes, 0);
    // Where the first page is damaged, the second is where it would be for one of the usual sizes.
    let sizes = match &first {
        Ok(meta) => vec![meta.page_size],
        Err(_) => (8..=16).map(|bits| 1 << bits).collect(),
    };
    let second = sizes
        .into_iter()
        .filter_map(|size| read_meta(bytes, size).ok().filter(|meta| meta.page_size == size));
    let newest = first.iter().copied().chain(second).max_by_key(|meta| meta.transaction);
    newest.ok_or_else(|| format!("no valid meta page: {}", first.err().unwrap_or_default()))
}

fn read_meta(bytes: &[u8], at: usize) -> Result<Meta, String> {
    let field = |offset: usize| number::<8>(bytes, at + offset).ok_or("the file ends in page 0");
    let word = |offset: usize| number::<4>(bytes, at + offset).ok_or("the file ends in page 0");
    let half = |offset: usize| number::<2>(bytes, at + offset).ok_or("the file ends in page 0");
    if word(16)? != u64::from(MAGIC) || word(20)? != u64::from(VERSION) {
        return Err("no LMDB file of version 1".into());
    }
    let page_size = word(40)? as usize;
    if !page_size.is_power_of_two() || !(256..=1 << 16).contains(&page_size) {
        return Err(format!("a page size of {page_size} bytes"));
    }
    let depth = half(94)? as u16;
    let root = field(128)?;
    if root != NO_PAGE && !(1..=MAX_DEPTH).contains(&depth) {
        return Err(format!("a tree of depth {depth}"));
    }
    Ok(Meta { page_size, depth, root, transaction: field(144)? })
}

struct Tree<'a> {
    bytes: &'a [u8],
    page_size: usize,
    pages_left: usize,
}

impl<'a> Tree<'a> {
    /// Visits what is below a page, which has `depth` levels of pages with itself.
    fn descend(
        &mut self,
        number: u64,
        depth: u16,
        visit: &mut impl FnMut(&[u8], Range<usize>),
    ) -> Result<(), String> {
        self.pages_left = (self.pages_left.checked_sub(1))
            .ok_or_else(|| format!("page {number} is reached in a circle"))?;
        let page = self.page(number)?;
        let is_leaf = match page.flags {
            BRANCH => false,
            LEAF => true,
            flags => return Err(format!("page {number} is of an unknown kind ({flags})")),
        };
        if is_leaf != (depth == 1) {
            return Err(format!("page {number} is on the wrong level of the tree"));
        }
        for index in 0..page.nodes {
            let node = page
                .node(index)
                .ok_or_else(|| format!("page {number}: node {index} reaches beyond the page"))?;
            if is_leaf {
                if let Some(place) = self.value(&page, node)? {
                    visit(&page.bytes[node.key()], place);
                }
            } else {
                self.descend(node.child(), depth - 1, visit)?;
            }
        }
        Ok(())
    }

    fn page(&self, index: u64) -> Result<Page<'a>, String> {
        let cut = || format!("page {index} is beyond the end of the file: it is cut short");
        let start = usize::try_from(index).ok().and_then(|n| n.checked_mul(self.page_size));
        let start = start.ok_or_else(cut)?;
        let end = start.checked_add(self.page_size).ok_or_else(cut)?;
        let bytes = self.bytes.get(start..end).ok_or_else(cut)?;
        let own = number::<8>(bytes, 0);
        if own != Some(index) {
            return Err(format!("page {index} says it is page {}", own.unwrap_or_default()));
        }
        let field = |at| number::<2>(bytes, at).map_or(0, |v| v as usize);
        let nodes = field(12).saturating_sub(HEADER) / 2;
        Ok(Page { number: index, start, bytes, flags: field(10) as u16, nodes })
    }

    /// Where the value of a node of a leaf is; none for what is no plain value.
    fn value(&self, page: &Page, node: Node) -> Result<Option<Range<usize>>, String> {
        if node.flags & NESTED != 0 {
            return Ok(None);
        }
        let beyond = || format!("page {}: a value reaches beyond the page", page.number);
        let (at, len) = (node.key().end, node.data_len());
        if node.flags & BIG == 0 {
            let end = at + len;
            return if end <= page.bytes.len() {
                Ok(Some(page.start + at..page.start + end))
            } else {
                Err(beyond())
            };
        }
        let first = number::<8>(page.bytes, at).ok_or_else(beyond)?;
        self.overflow(first, len).map(Some)
    }

    fn overflow(&self, first: u64, len: usize) -> Result<Range<usize>, String> {
        let page = self.page(first)?;
        let pages = number::<4>(page.bytes, 12).unwrap_or(0) as usize;
        let room = pages.saturating_mul(self.page_size).saturating_sub(HEADER);
        let start = page.start + HEADER;
        if page.flags != OVERFLOW || len > room || len > self.bytes.len() - start {
            return Err(format!("page {first}: a value of {len} bytes reaches beyond its pages"));
        }
        Ok(start..start + len)
    }
}

struct Page<'a> {
    number: u64,
    start: usize,
    bytes: &'a [u8],
    flags: u16,
    nodes: usize,
}

#[derive(Clone, Copy)]
struct Node {
    at: usize,
    low: u64,
    high: u64,
    flags: u16,
    key_len: usize,
}

impl Page<'_> {
    /// A node whose key lies on the page.
    fn node(&self, index: usize) -> Option<Node> {
        let at = number::<2>(self.bytes, HEADER + 2 * index)? as usize;
        let field = |offset| number::<2>(self.bytes, at + offset);
        let node = Node {
            at,
            low: field(0)?,
            high: field(2)?,
            flags: field(4)? as u16,
            key_len: field(6)? as usize,
        };
        (at >= HEADER && node.key().end <= self.bytes.len()).then_some(node)
    }
}

impl Node {
    fn key(&self) -> Range<usize> {
        self.at + NODE..self.at + NODE + self.key_len
    }

    fn data_len(&self) -> usize {
        (self.low | self.high << 16) as usize
    }

    /// Page below a node of a branch, which needs no flags and so has 48 bits for it.
    fn child(&self) -> u64 {
        self.low | self.high << 16 | u64::from(self.flags) << 32
    }
}

/// An unsigned number of `N` bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let part = bytes.get(at..at.checked_add(N)?)?;
    Some(part.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}
