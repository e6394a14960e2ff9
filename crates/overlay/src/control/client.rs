//! Asking a controller.

use super::{
    CONTROL_FRAME_BYTES_MAX, CellUpload, ControlAnswer, ControlRefusal, ControlRequest, PassedOn, Share, Source,
    Telling, Watched,
};
use crate::{
    address::AddressRecord,
    dial::{DialError, Dialer},
    serve::Alpn,
    stream::{PeerStream, StreamError},
};
use bytes::Bytes;
use chainflix_primitives::{GrantRequest, NodeId, Signed};
use std::time::Duration;

/// How long the controller may take for what others have to do first: disks that sync, validators that sign.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why a controller did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// It cannot be dialled.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It said no.
    #[error("controller {controller} refused: {refusal}")]
    Refused {
        controller: NodeId,
        #[source]
        refusal: ControlRefusal,
    },
    /// It forgot us, or never knew.
    #[error("controller {controller} knows no such announcement")]
    Unknown { controller: NodeId },
    /// It went away or fell silent.
    #[error("controller {controller} stopped answering")]
    Interrupted {
        controller: NodeId,
        #[source]
        source: StreamError,
    },
    /// It answered something that is no answer to this.
    #[error("controller {controller} answered out of turn")]
    Protocol { controller: NodeId },
}

/// Tells where this node is. A controller takes a record only from the node it is of.
pub async fn put_address(dialer: &Dialer, controller: NodeId, record: AddressRecord) -> Result<(), ControlError> {
    done(dialer, controller, ControlRequest::PutAddress(record)).await
}

/// Asks where a node is. The record is not checked here.
pub async fn get_address(
    dialer: &Dialer,
    controller: NodeId,
    node: NodeId,
) -> Result<Option<AddressRecord>, ControlError> {
    match ask(dialer, controller, ControlRequest::GetAddress(node)).await? {
        (_, ControlAnswer::Address(record)) => Ok(record),
        _ => Err(ControlError::Protocol { controller }),
    }
}

/// Tells something of this provider. Answers the heartbeat of one that leaves with how many of its cells are needed yet.
pub async fn tell(dialer: &Dialer, controller: NodeId, telling: Telling) -> Result<Option<u64>, ControlError> {
    match ask(dialer, controller, ControlRequest::Tell(Box::new(telling))).await? {
        (_, ControlAnswer::Done) => Ok(None),
        (_, ControlAnswer::Needed { cells }) => Ok(Some(cells)),
        (_, ControlAnswer::Unknown) => Err(ControlError::Unknown { controller }),
        _ => Err(ControlError::Protocol { controller }),
    }
}

/// What a controller makes of words that are passed on to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heed {
    /// It goes by them, and by those that follow.
    Taken,
    /// It lacks the announcement that they belong to, or words between.
    Lacking,
    /// It hears the provider itself, or through another controller.
    Needless,
}

/// Passes on what a provider told this controller.
pub async fn pass_on(dialer: &Dialer, controller: NodeId, passed: PassedOn) -> Result<Heed, ControlError> {
    match ask(dialer, controller, ControlRequest::PassOn(Box::new(passed))).await? {
        (_, ControlAnswer::Done) => Ok(Heed::Taken),
        (_, ControlAnswer::Unknown) => Ok(Heed::Lacking),
        (_, ControlAnswer::Heard) => Ok(Heed::Needless),
        _ => Err(ControlError::Protocol { controller }),
    }
}

/// Tells another controller how many viewers this one counts.
pub async fn tell_watched(dialer: &Dialer, controller: NodeId, words: Watched) -> Result<(), ControlError> {
    done(dialer, controller, ControlRequest::Watched(words)).await
}

/// Tells what this viewer serves of what it watched.
pub async fn share(dialer: &Dialer, controller: NodeId, words: Share) -> Result<(), ControlError> {
    done(dialer, controller, ControlRequest::Share(words)).await
}

/// Asks for a grant for a cell, and remembers where its provider is.
pub async fn find_source(
    dialer: &Dialer,
    controller: NodeId,
    request: Signed<GrantRequest>,
) -> Result<Source, ControlError> {
    let (_, answer) = ask(dialer, controller, ControlRequest::FindSource(request)).await?;
    let ControlAnswer::Source(source) = answer else { return Err(ControlError::Protocol { controller }) };
    // A bad address costs nothing here: the lookup may know a better one.
    let honest = source
        .address
        .as_ref()
        .filter(|record| record.body.node == source.grant.body.provider_node && record.verify().is_ok());
    if let Some(record) = honest {
        dialer.learn(record).map_err(DialError::from)?;
    }
    Ok(*source)
}

/// What became of an offered cell.
#[derive(Debug)]
pub enum Upload {
    /// It is on enough disks already.
    Stored { copies: u32 },
    /// Its bytes are wanted.
    Wanted(Box<UploadStream>),
}

/// Offers a sealed cell for keeping.
pub async fn upload_cell(
    dialer: &Dialer,
    controller: NodeId,
    upload: Signed<CellUpload>,
) -> Result<Upload, ControlError> {
    match ask(dialer, controller, ControlRequest::Upload(upload)).await? {
        (_, ControlAnswer::Stored { copies }) => Ok(Upload::Stored { copies }),
        (stream, ControlAnswer::SendBytes) => Ok(Upload::Wanted(Box::new(UploadStream { stream, controller }))),
        _ => Err(ControlError::Protocol { controller }),
    }
}

/// A sealed cell on its way to the controller and on to disks.
#[derive(Debug)]
pub struct UploadStream {
    stream: PeerStream,
    controller: NodeId,
}

impl UploadStream {
    /// Sends the next sealed bytes; waits when disks are slower than we are.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), ControlError> {
        let controller = self.controller;
        match self.stream.write_bytes(bytes).await {
            Ok(()) => Ok(()),
            // Who stops listening has said why.
            Err(source @ StreamError::Abandoned { .. }) => match answer(&mut self.stream, controller, PATIENCE).await {
                Err(refused @ ControlError::Refused { .. }) => Err(refused),
                _ => Err(ControlError::Interrupted { controller, source }),
            },
            Err(source) => Err(ControlError::Interrupted { controller, source }),
        }
    }

    /// Waits until the cell is durable; answers with the number of copies.
    pub async fn finish(mut self) -> Result<u32, ControlError> {
        self.stream.finish();
        match answer(&mut self.stream, self.controller, PATIENCE).await? {
            ControlAnswer::Stored { copies } => Ok(copies),
            _ => Err(ControlError::Protocol { controller: self.controller }),
        }
    }
}

async fn done(dialer: &Dialer, controller: NodeId, request: ControlRequest) -> Result<(), ControlError> {
    match ask(dialer, controller, request).await? {
        (_, ControlAnswer::Done) => Ok(()),
        (_, ControlAnswer::Unknown) => Err(ControlError::Unknown { controller }),
        _ => Err(ControlError::Protocol { controller }),
    }
}

async fn ask(
    dialer: &Dialer,
    controller: NodeId,
    request: ControlRequest,
) -> Result<(PeerStream, ControlAnswer), ControlError> {
    let mut stream = dialer.open(controller, Alpn::Control).await?;
    let asked = stream.write_frame(&request).await;
    asked.map_err(|source| ControlError::Interrupted { controller, source })?;
    let patience = match request {
        ControlRequest::Upload(_) | ControlRequest::FindSource(_) => PATIENCE,
        _ => dialer.timeouts().stall,
    };
    let answer = answer(&mut stream, controller, patience).await?;
    Ok((stream, answer))
}

async fn answer(
    stream: &mut PeerStream,
    controller: NodeId,
    patience: Duration,
) -> Result<ControlAnswer, ControlError> {
    match stream.read_frame_within(CONTROL_FRAME_BYTES_MAX, patience).await {
        Ok(ControlAnswer::Refused(refusal)) => Err(ControlError::Refused { controller, refusal }),
        Ok(answer) => Ok(answer),
        Err(source) => Err(ControlError::Interrupted { controller, source }),
    }
}
