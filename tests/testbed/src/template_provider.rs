//! The server side of SV2's Template Distribution protocol over a chain in memory, so that a real pool runs with no Bitcoin
//! node and no network. Every solved block is checked from first principles before the chain goes on, so a [`Solution`]
//! proves that the whole way from the template to the nonce was right.
//!
//! Source: Stratum V2 specification, chapter 7.

mod chain;

pub(crate) use chain::height_push;
pub use chain::{Solution, SolutionError};

use crate::{
    PATIENCE,
    sv2_wire::{Authority, Certificate, Frame, Reader, WireError, Writer, accept},
};
use chain::Chain;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use stratum_apps::stratum_core::{
    common_messages_sv2::{Protocol, SetupConnectionSuccess},
    parsers_sv2::{AnyMessageOwned, CommonMessagesOwned, TemplateDistributionOwned as Td},
    template_distribution_sv2::{
        NewTemplateOwned, RequestTransactionDataErrorOwned, RequestTransactionDataOwned, SetNewPrevHashOwned,
        SubmitSolutionOwned,
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, watch},
    task::JoinSet,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// Difficulty 1: a CPU finds no block.
pub const NO_BLOCKS: u32 = 0x1d00_ffff;
/// One hash in 65 536 is a block.
pub const SOME_BLOCKS: u32 = 0x1f00_ffff;
/// Every other hash is a block.
pub const ALL_BLOCKS: u32 = 0x207f_ffff;

/// News that a client may fall behind by before it is told the tip afresh.
const NEWS: usize = 64;

/// What the chain is like and how it moves by itself.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// Compact network target; see [`NO_BLOCKS`].
    pub nbits: u32,
    /// Branches of the merkle path. They stand for transactions that do not exist.
    pub merkle_depth: u8,
    /// A new template on the same tip every so often; `None` = when told to.
    pub template_interval: Option<Duration>,
    /// Somebody else's block every so often; `None` = when told to.
    pub block_interval: Option<Duration>,
}

impl Default for ProviderOptions {
    fn default() -> Self {
        Self { nbits: NO_BLOCKS, merkle_depth: 3, template_interval: None, block_interval: None }
    }
}

#[derive(Clone)]
enum News {
    Refresh(NewTemplateOwned),
    Tip(NewTemplateOwned, SetNewPrevHashOwned),
}

struct Shared {
    chain: Mutex<Chain>,
    news: broadcast::Sender<News>,
    solutions: watch::Sender<Vec<Solution>>,
    refused: watch::Sender<Vec<SolutionError>>,
}

/// A running provider. It ends with [`TemplateProvider::stop`], or at once when dropped.
pub struct TemplateProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl TemplateProvider {
    /// Listens on a free loopback port, on the current runtime.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(options: ProviderOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            chain: Mutex::new(Chain::new(options.nbits, options.merkle_depth)),
            news: broadcast::channel(NEWS).0,
            solutions: watch::channel(Vec::new()).0,
            refused: watch::channel(Vec::new()).0,
        });
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(listener, options, Arc::clone(&shared), cancel.clone()));
        Ok(Self { address, shared, cancel, tasks })
    }

    /// Where a pool finds it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key it proves itself with.
    #[must_use]
    pub fn authority() -> Authority {
        Authority::usual()
    }

    /// A better template on the same tip.
    pub fn new_template(&self) {
        self.shared.refresh();
    }

    /// Somebody else's block: a new tip.
    pub fn new_block(&self) {
        self.shared.foreign_block();
    }

    /// Network target from the next tip on; follow with [`TemplateProvider::new_block`] to have it now.
    pub fn set_nbits(&self, nbits: u32) {
        self.shared.chain().set_nbits(nbits);
    }

    /// Branches of the merkle path from the next template on.
    pub fn set_merkle_depth(&self, depth: u8) {
        self.shared.chain().set_merkle_depth(depth);
    }

    /// Height of the block being built.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.shared.chain().height()
    }

    /// Blocks that passed every check, oldest first; the watch tells of new ones.
    #[must_use]
    pub fn solutions(&self) -> watch::Receiver<Vec<Solution>> {
        self.shared.solutions.subscribe()
    }

    /// Blocks that did not, and why.
    #[must_use]
    pub fn refused(&self) -> Vec<SolutionError> {
        self.shared.refused.borrow().clone()
    }

    /// Waits until this many good blocks were found since the start.
    ///
    /// # Errors
    /// With what there is when they do not come.
    pub async fn wait_for_solutions(&self, count: usize) -> Result<Vec<Solution>, Vec<Solution>> {
        let mut solutions = self.solutions();
        let enough = solutions.wait_for(|solutions| solutions.len() >= count);
        let found = match tokio::time::timeout(PATIENCE, enough).await {
            Ok(Ok(found)) => Some(found.clone()),
            Ok(Err(_)) | Err(_) => None,
        };
        found.ok_or_else(|| self.shared.solutions.borrow().clone())
    }

    /// Closes all connections and waits until its tasks are gone.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for TemplateProvider {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Shared {
    fn chain(&self) -> MutexGuard<'_, Chain> {
        // Nothing in there panics half-way through a change.
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // News go out under the lock, so that everybody hears them in the order in which they happened. Nobody hears: fine.

    fn refresh(&self) {
        let mut chain = self.chain();
        let _ = self.news.send(News::Refresh(chain.refresh()));
    }

    fn foreign_block(&self) {
        let mut chain = self.chain();
        chain.foreign_block();
        let (template, activation) = chain.tip(now());
        let _ = self.news.send(News::Tip(template, activation));
    }

    fn submit(&self, claim: &SubmitSolutionOwned) {
        let mut chain = self.chain();
        match chain.submit(claim) {
            Ok(solution) => {
                info!(height = solution.height, block.hash = %solution.block_hash, "block found");
                let (template, activation) = chain.tip(now());
                let _ = self.news.send(News::Tip(template, activation));
                drop(chain);
                self.solutions.send_modify(|solutions| solutions.push(solution));
            }
            Err(reason) => {
                info!(%reason, "block refused");
                drop(chain);
                self.refused.send_modify(|refused| refused.push(reason));
            }
        }
    }

    /// The tip, and all that comes after it.
    fn subscribe(&self) -> (News, broadcast::Receiver<News>) {
        let mut chain = self.chain();
        let (template, activation) = chain.tip(now());
        (News::Tip(template, activation), self.news.subscribe())
    }
}

async fn run(listener: TcpListener, options: ProviderOptions, shared: Arc<Shared>, cancel: CancellationToken) {
    let mut templates = ticker(options.template_interval);
    let mut blocks = ticker(options.block_interval);
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = templates.tick() => shared.refresh(),
            _ = blocks.tick() => shared.foreign_block(),
            Some(_) = clients.join_next() => {}
            stream = listener.accept() => if let Ok((stream, _)) = stream {
                clients.spawn(client(stream, Arc::clone(&shared), cancel.clone()));
            },
        }
    }
    while clients.join_next().await.is_some() {}
}

async fn client(stream: TcpStream, shared: Arc<Shared>, cancel: CancellationToken) {
    let served = async {
        let (reader, writer) = accept(stream, &Authority::usual(), Certificate::VALID).await?;
        Client { reader, writer, shared, news: None }.serve().await
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        ended = served => if let Err(reason) = ended {
            debug!(%reason, "client of the template provider left");
        },
    }
}

struct Client {
    reader: Reader,
    writer: Writer,
    shared: Arc<Shared>,
    /// `None` until it said what its coinbase needs.
    news: Option<broadcast::Receiver<News>>,
}

impl Client {
    async fn serve(mut self) -> Result<(), WireError> {
        loop {
            let heard = async {
                match self.news.as_mut() {
                    Some(news) => news.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = heard => match news {
                    Ok(news) => self.tell(news).await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => self.begin().await?,
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                frame = self.reader.next() => {
                    let message = frame?.message()?;
                    self.handle(message).await?;
                }
            }
        }
    }

    async fn handle(&mut self, message: AnyMessageOwned) -> Result<(), WireError> {
        match message {
            AnyMessageOwned::Common(CommonMessagesOwned::SetupConnection(setup))
                if setup.protocol == Protocol::TemplateDistributionProtocol =>
            {
                let success = SetupConnectionSuccess { used_version: 2, flags: 0 };
                self.send(AnyMessageOwned::Common(CommonMessagesOwned::SetupConnectionSuccess(success.into_owned())))
                    .await
            }
            AnyMessageOwned::TemplateDistribution(Td::CoinbaseOutputConstraints(_)) => self.begin().await,
            AnyMessageOwned::TemplateDistribution(Td::RequestTransactionData(request)) => self.no_data(request).await,
            AnyMessageOwned::TemplateDistribution(Td::SubmitSolution(claim)) => {
                self.shared.submit(&claim);
                Ok(())
            }
            other => Err(WireError::Codec(format!("a template provider has no use for {other}"))),
        }
    }

    async fn begin(&mut self) -> Result<(), WireError> {
        let (tip, news) = self.shared.subscribe();
        self.news = Some(news);
        self.tell(tip).await
    }

    async fn tell(&mut self, news: News) -> Result<(), WireError> {
        match news {
            News::Refresh(template) => {
                self.send(AnyMessageOwned::TemplateDistribution(Td::NewTemplate(template))).await
            }
            News::Tip(template, activation) => {
                self.send(AnyMessageOwned::TemplateDistribution(Td::NewTemplate(template))).await?;
                self.send(AnyMessageOwned::TemplateDistribution(Td::SetNewPrevHash(activation))).await
            }
        }
    }

    /// The transactions do not exist.
    async fn no_data(&mut self, request: RequestTransactionDataOwned) -> Result<(), WireError> {
        let error = RequestTransactionDataErrorOwned {
            template_id: request.template_id,
            error_code: "template-id-not-found".try_into().map_err(WireError::codec)?,
        };
        self.send(AnyMessageOwned::TemplateDistribution(Td::RequestTransactionDataError(error))).await
    }

    async fn send(&mut self, message: AnyMessageOwned) -> Result<(), WireError> {
        self.writer.send(Frame::of(message)).await
    }
}

fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u32::try_from(since.as_secs()).expect("the clock is before 2106")
}

/// First ticks after one period; without a period, not in this life.
fn ticker(period: Option<Duration>) -> Interval {
    let period = period.unwrap_or(Duration::from_secs(1 << 30));
    let mut ticker = interval_at(Instant::now() + period, period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}
