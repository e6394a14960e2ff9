//! A network of four validators, its films and its people: what all benches of Proof of View have in common.

use crate::draw::Draw;
use anyhow::{Context as _, Result};
use chainflix_primitives::{
    AccountAddress, AccountKey, BlockHash, CellId, Magnet, NetworkGenesis, NetworkKeys, NetworkSecret, NodeId,
    ProtocolParams, RewardSplit, SealedKey, ValidatorIdentity, VideoSecret,
};
use chainflix_proof_of_view::{Catalogue, Desk, SharedKeys, VideoFacts};
use std::{collections::HashMap, sync::Arc};

/// Films that are on, and minutes of each.
const FILMS: u64 = 1_000;
const CELLS_PER_FILM: u64 = 90;
/// Providers that serve them.
const PROVIDERS: u64 = 300;
/// Start of the network: a whole second, long after 1970.
pub const GENESIS_MS: u64 = 1_800_000_000_000;
/// Sealed bytes of a minute: 1.3 Mbit/s.
const CELL_BYTES: u64 = 10_000_000;

/// One minute of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Which film.
    pub magnet: Magnet,
    /// Which minute of it.
    pub index: u32,
    /// Its sealed bytes.
    pub id: CellId,
    /// How many there are.
    pub size: u64,
}

/// What the chain says of a film.
pub struct Film {
    /// Who published it.
    pub creator: AccountAddress,
    /// Who vouches for it.
    pub supervisor: AccountAddress,
    magnet: Magnet,
    sealed_secret: SealedKey,
}

/// Films as a validator's catalogue keeps them ready.
pub struct Films {
    films: Vec<Film>,
    by_magnet: HashMap<Magnet, usize>,
    cell_ms: u64,
}

impl Films {
    fn new(genesis: &NetworkGenesis, secret: &NetworkSecret, draw: &mut Draw) -> Self {
        let supervisors: Vec<_> = (0..20).map(|_| AccountAddress(draw.bytes())).collect();
        let films: Vec<_> = (0..FILMS)
            .map(|_| {
                let (magnet, creator) = (Magnet(draw.bytes()), AccountAddress(draw.bytes()));
                let supervisor = supervisors[draw.below(20) as usize];
                let video_secret = VideoSecret::from_bytes(draw.bytes());
                let box_key = secret.box_key().public_key();
                let sealed_secret = box_key.seal_video(&video_secret, &creator, &magnet, draw.bytes());
                Film { magnet, creator, supervisor, sealed_secret }
            })
            .collect();
        let by_magnet = films.iter().enumerate().map(|(place, film)| (film.magnet, place)).collect();
        Self { films, by_magnet, cell_ms: genesis.params.cell_ms }
    }

    fn cell(magnet: Magnet, index: u32) -> Cell {
        let mut hasher = blake3::Hasher::new_derive_key("chainflix bench cell v1");
        let id: [u8; 32] = hasher.update(&magnet.0).update(&index.to_le_bytes()).finalize().into();
        let size = CELL_BYTES + u64::from(u16::from_le_bytes([id[0], id[1]]));
        Cell { magnet, index, id: CellId(id), size }
    }

    /// A minute that somebody watches: of popular films more often.
    pub fn choose(&self, draw: &mut Draw) -> Cell {
        let film = &self.films[draw.popular(FILMS) as usize];
        // At most 90.
        Self::cell(film.magnet, draw.below(CELLS_PER_FILM) as u32)
    }

    /// The minute after another one; the film begins again when it is over.
    pub fn after(cell: &Cell) -> Cell {
        // At most 90.
        Self::cell(cell.magnet, (cell.index + 1) % CELLS_PER_FILM as u32)
    }

    /// The film of a minute that [`Self::choose`] gave.
    pub fn film(&self, cell: &Cell) -> &Film {
        &self.films[self.by_magnet[&cell.magnet]]
    }

    /// What a validator's catalogue says of a minute.
    pub fn facts(&self, cell: &Cell) -> Result<VideoFacts> {
        self.video(&cell.magnet, cell.index).context("a cell of no film")
    }
}

impl Catalogue for Films {
    fn video(&self, magnet: &Magnet, cell_index: u32) -> Option<VideoFacts> {
        let film = &self.films[*self.by_magnet.get(magnet)?];
        let cell = Self::cell(*magnet, cell_index);
        Some(VideoFacts {
            creator: film.creator,
            supervisor: film.supervisor,
            taken_down: false,
            cell: (u64::from(cell_index) < CELLS_PER_FILM).then_some((cell.id, cell.size, self.cell_ms)),
            sealed_secret: film.sealed_secret,
            split: RewardSplit::DEFAULT,
        })
    }

    fn activator(&self, _: &Magnet, _: &Magnet) -> Option<AccountAddress> {
        None
    }

    fn is_activator(&self, _: &Magnet, _: &AccountAddress) -> bool {
        false
    }

    fn operation(&self) -> Vec<AccountAddress> {
        Vec::new()
    }

    fn standing(&self, _: &AccountAddress) -> u16 {
        0
    }

    fn block_hash(&self, number: u32) -> Option<BlockHash> {
        Some(block_hash(number))
    }
}

/// The hash of final block `number`.
pub fn block_hash(number: u32) -> BlockHash {
    BlockHash(blake3::hash(&number.to_le_bytes()).into())
}

/// Everything that is there before anybody watches.
pub struct World {
    /// What the network agreed on.
    pub genesis: Arc<NetworkGenesis>,
    /// The validators' keys, in the order of the genesis.
    pub validators: Vec<AccountKey>,
    /// The providers' keys.
    pub providers: Vec<AccountKey>,
    /// What is on.
    pub films: Films,
    secret: NetworkSecret,
}

/// A key from a draw.
pub fn key(draw: &mut Draw) -> Result<AccountKey> {
    // One in 2^128 is no key.
    Ok(AccountKey::from_bytes(&draw.bytes())?)
}

impl World {
    /// The world of `params`.
    pub fn new(params: ProtocolParams) -> Result<Self> {
        let mut draw = Draw::new("world");
        let validators = (0..4).map(|_| key(&mut draw)).collect::<Result<Vec<_>>>()?;
        let providers = (0..PROVIDERS).map(|_| key(&mut draw)).collect::<Result<Vec<_>>>()?;
        let secret = NetworkSecret::from_bytes(draw.bytes());
        let identity =
            |key: &AccountKey| ValidatorIdentity { account: key.address(), consensus_key: NodeId(draw.bytes()) };
        let genesis = Arc::new(NetworkGenesis {
            chain_id: 4_408_920,
            genesis_time_ms: GENESIS_MS,
            params,
            validators: validators.iter().map(identity).collect(),
            keys: NetworkKeys::Shared { box_key: secret.box_key().public_key() },
            governor: AccountAddress([0; 20]),
            supervisors: vec![],
            allocations: vec![],
        });
        let films = Films::new(&genesis, &secret, &mut Draw::new("films"));
        Ok(Self { genesis, validators, providers, films, secret })
    }

    /// The desk of validator 0.
    pub fn desk(&self) -> Result<Desk> {
        let keys = Box::new(SharedKeys::new(self.secret.clone()));
        Desk::new(self.genesis.clone(), self.validators[0].clone(), keys).context("validator 0 is in the genesis")
    }

    /// The name of the DownloadKey of an account and a cell.
    pub fn download_key(&self, account: &AccountAddress, cell: &Cell) -> [u8; 16] {
        self.secret.view_key(account, &cell.magnet).download_key(&cell.id).id()
    }
}
