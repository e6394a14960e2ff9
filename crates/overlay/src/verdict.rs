//! What to do about a peer after an error.

/// The next step after a failed request to one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The peer is honest but of no use now: ask another one at once.
    TryAnother,
    /// The peer could not be reached or is overloaded: ask another one, and this one again later.
    Backoff,
    /// The peer lied or broke the protocol: never ask it again, and report it.
    Block,
}
