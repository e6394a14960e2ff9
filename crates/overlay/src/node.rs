//! Node identities: ours by name, iroh's by value.

use chainflix_primitives::NodeId;
use iroh::{Endpoint, EndpointId, SecretKey};
use std::fmt;

/// 32 bytes that are no Ed25519 public key, so no node can have them as its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{node} is not an Ed25519 public key")]
pub struct NodeIdError {
    /// The bytes in question.
    pub node: NodeId,
}

/// A node's Ed25519 secret key. Wiped when dropped, shown by nothing.
#[derive(Clone)]
pub struct NodeKey(SecretKey);

impl NodeKey {
    /// The key of 32 secret bytes.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(SecretKey::from_bytes(secret))
    }

    /// The key that an endpoint has.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Self(endpoint.secret_key().clone())
    }

    /// What peers call this node.
    pub fn node_id(&self) -> NodeId {
        node_id(&self.0.public())
    }

    pub(crate) fn secret(&self) -> &SecretKey {
        &self.0
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", self.node_id())
    }
}

pub(crate) fn node_id(endpoint: &EndpointId) -> NodeId {
    NodeId(*endpoint.as_bytes())
}

pub(crate) fn endpoint_id(node: &NodeId) -> Result<EndpointId, NodeIdError> {
    EndpointId::from_bytes(&node.0).map_err(|_| NodeIdError { node: *node })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back_and_secrets_do_not_print() {
        let key = NodeKey::from_bytes(&[7; 32]);
        let node = key.node_id();
        assert_eq!(node_id(&endpoint_id(&node).unwrap()), node);
        assert!(!format!("{key:?}").contains("070707"));
    }

    #[test]
    fn not_every_name_is_a_key() {
        // y = 2 is on no point of the curve.
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(endpoint_id(&NodeId(bytes)), Err(NodeIdError { node: NodeId(bytes) }));
    }
}
