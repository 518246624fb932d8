//! A pickle of protocol 2, as `torch.save` writes it: no memo, for nothing is shared.

/// Bytes of a pickle that grows.
#[derive(Debug)]
pub(in crate::checkpoint) struct Writer(Vec<u8>);

impl Writer {
    /// With the beginning of every pickle.
    pub(in crate::checkpoint) fn new() -> Self {
        Self(vec![0x80, 2])
    }

    /// The finished pickle.
    pub(in crate::checkpoint) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'.');
        self.0
    }

    pub(in crate::checkpoint) fn none(&mut self) {
        self.0.push(b'N');
    }

    pub(in crate::checkpoint) fn bool(&mut self, value: bool) {
        self.0.push(if value { 0x88 } else { 0x89 });
    }

    pub(in crate::checkpoint) fn int(&mut self, value: i64) {
        match i32::try_from(value) {
            Ok(value) => {
                self.0.push(b'J');
                self.0.extend(value.to_le_bytes());
            }
            Err(_) => {
                self.0.extend([0x8a, 8]);
                self.0.extend(value.to_le_bytes());
            }
        }
    }

    pub(in crate::checkpoint) fn float(&mut self, value: f64) {
        self.0.push(b'G');
        self.0.extend(value.to_be_bytes());
    }

    pub(in crate::checkpoint) fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    /// A class or function.
    pub(in crate::checkpoint) fn name(&mut self, module: &str, name: &str) {
        self.0.extend(format!("c{module}\n{name}\n").bytes());
    }

    pub(in crate::checkpoint) fn list(&mut self, elements: impl FnOnce(&mut Self)) {
        self.0.extend(b"](");
        elements(self);
        self.0.push(b'e');
    }

    pub(in crate::checkpoint) fn tuple(&mut self, elements: impl FnOnce(&mut Self)) {
        self.0.push(b'(');
        elements(self);
        self.0.push(b't');
    }

    /// A dictionary; `entries` writes keys and values in turn.
    pub(in crate::checkpoint) fn dict(&mut self, entries: impl FnOnce(&mut Self)) {
        self.0.push(b'}');
        self.entries(entries);
    }

    /// Entries of the dictionary that was written last: keys and values in turn.
    pub(in crate::checkpoint) fn entries(&mut self, entries: impl FnOnce(&mut Self)) {
        self.0.push(b'(');
        entries(self);
        self.0.push(b'u');
    }

    /// A call of a function.
    pub(in crate::checkpoint) fn call(
        &mut self,
        (module, name): (&str, &str),
        args: impl FnOnce(&mut Self),
    ) {
        self.name(module, name);
        self.tuple(args);
        self.0.push(b'R');
    }

    /// An object of a class that is given its attributes.
    pub(in crate::checkpoint) fn object(
        &mut self,
        (module, name): (&str, &str),
        attributes: impl FnOnce(&mut Self),
    ) {
        self.name(module, name);
        self.0.extend([b')', 0x81]);
        self.dict(attributes);
        self.0.push(b'b');
    }

    /// What lies outside the pickle.
    pub(in crate::checkpoint) fn persistent(&mut self, description: impl FnOnce(&mut Self)) {
        self.tuple(description);
        self.0.push(b'Q');
    }
}
