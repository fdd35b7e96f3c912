//! How uploads are made, and what shows how far they are.

/// How files are brought to a host.
#[derive(Clone, Copy, Debug)]
pub struct UploadSettings {
    /// Whether programs that cannot run on the host are refused.
    pub check: bool,
    /// Whether files are compressed on the way if that makes them smaller.
    pub compress: bool,
    /// Makes what shows how far a large upload is. Without it nothing does.
    pub meter: Option<NewMeter>,
}

/// Makes a [`Meter`] from a description of the upload and its size in bytes.
pub type NewMeter = fn(&str, u64) -> Box<dyn Meter>;

/// Shows how far an upload is. It is dropped when the upload is over.
pub trait Meter {
    /// Adds `bytes` to the bytes that have arrived.
    fn advance(&self, bytes: u64);
}
