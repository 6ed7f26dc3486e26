use super::*;
use crate::sv2_client::Sv2Client;

async fn pool(options: ScriptedOptions) -> ScriptedPool {
    ScriptedPool::start(options).await.unwrap()
}

#[tokio::test]
async fn share_of_a_raw_miner_is_judged_good_and_the_verdict_arrives() {
    let pool = pool(ScriptedOptions::default()).await;
    let channel = ChannelPlan::default();
    let miner = async {
        let mut miner = Sv2Client::connect(pool.address(), Authority::usual().key_bytes()).await.unwrap();
        miner.set_up(0).await.unwrap();
        let opened = miner.open("worker", 1000.0, 4).await.unwrap();
        let work = miner.work(&opened).await.unwrap();
        miner.submit(work.mine(&[7; 8], 0), 1).await.unwrap();
        let first = miner.verdict().await.unwrap();
        miner.submit(work.mine(&[7; 8], 0), 2).await.unwrap();
        (first, miner.verdict().await.unwrap())
    };
    let script = async {
        let mut session = pool.session().await.unwrap();
        let (setup, open) = session.bring_up(&channel).await.unwrap();
        assert_eq!((setup.endpoint_port, open.min_extranonce_size), (pool.address().port(), 4));
        assert_eq!(session.accept_shares(1).await.unwrap()[0].job_id, 1);
        let bad = session.expect_share().await.unwrap();
        assert!(matches!(session.judge(&bad), Err(Violation::Repeated(_))));
        session.reject(&bad, "duplicate-share").await.unwrap();
        session
    };
    let ((first, second), _session) = tokio::join!(miner, script);
    assert_eq!(first.unwrap().new_submits_accepted_count, 1);
    assert_eq!(second.unwrap_err().error_code.as_utf8_or_hex(), "duplicate-share");
}

async fn handshake(options: ScriptedOptions) -> Result<Sv2Client, WireError> {
    let key = options.advertised.key_bytes();
    let pool = pool(options).await;
    let (miner, session) = tokio::join!(Sv2Client::connect(pool.address(), key), pool.session());
    if miner.is_err() {
        session.unwrap().peer().ended().await.expect("a miner that does not believe leaves");
    }
    miner
}

#[tokio::test]
async fn certificates_that_are_not_good_are_not_believed() {
    for certificate in [Certificate::VALID, Certificate::from_the_future(5)] {
        let believed = handshake(ScriptedOptions { certificate, ..Default::default() }).await;
        assert!(believed.is_ok(), "{certificate:?}");
    }
    for certificate in [Certificate::expired(60), Certificate::from_the_future(60)] {
        let believed = handshake(ScriptedOptions { certificate, ..Default::default() }).await;
        assert!(matches!(believed, Err(WireError::Codec(_))), "{certificate:?}");
    }
    let impostor = ScriptedOptions { authority: Authority::stranger(), ..Default::default() };
    assert!(matches!(handshake(impostor).await, Err(WireError::Codec(_))));
}

#[tokio::test]
async fn illegal_frames_arrive_as_they_were_sent() {
    let pool = pool(ScriptedOptions::default()).await;
    let (miner, session) =
        tokio::join!(Sv2Client::connect(pool.address(), Authority::usual().key_bytes()), pool.session());
    let (mut miner, mut session) = (miner.unwrap(), session.unwrap());
    let unknown = Frame::new(0x4001, 0, Vec::new());
    let long = Frame::new(0x8000, 0x2f, vec![5; 140_000]);
    let honest = Frame::of(AnyMessageOwned::Mining(message::target(2, EASY_TARGET)));
    assert_eq!((honest.extension_type, honest.message_type), (0x8000, 0x21));
    for frame in [unknown, long, honest] {
        session.send_frame(frame.clone()).await.unwrap();
        assert_eq!(miner.peer().next_frame().await.unwrap(), frame);
    }
    let liar = Frame { announced: Some(0x00ff_ffff), ..Frame::new(0, 0x2f, vec![1]) };
    session.send_frame(liar).await.unwrap();
    session.peer().writer().send_bytes(&[0; 16]).await.unwrap();
    assert!(miner.peer().is_silent_for(Duration::from_millis(100)).await);
    session.reset().unwrap();
    assert!(matches!(miner.peer().next_frame().await, Err(WireError::Io(_))));
}

#[tokio::test]
async fn refusal_and_muteness_reach_the_miner() {
    let pool = pool(ScriptedOptions::default()).await;
    let (miner, session) =
        tokio::join!(Sv2Client::connect(pool.address(), Authority::usual().key_bytes()), pool.session());
    let (mut miner, mut session) = (miner.unwrap(), session.unwrap());
    let refuse = async {
        session.expect_setup().await.unwrap();
        session.refuse(0, "unsupported-protocol").await.unwrap();
        drop(session);
    };
    let (refused, ()) = tokio::join!(miner.set_up(0), refuse);
    assert!(matches!(refused, Err(WireError::Closed)), "{refused:?}");
    let code = miner.peer().expect_common("SetupConnection.Error", |message| match message {
        CommonMessagesOwned::SetupConnectionError(error) => Some(error.error_code.as_utf8_or_hex()),
        _ => None,
    });
    assert_eq!(code.await.unwrap(), "unsupported-protocol");
    let (_waiting, mute) = tokio::join!(TcpStream::connect(pool.address()), pool.mute());
    mute.unwrap();
    assert!(pool.is_left_alone_for(Duration::from_millis(50)).await);
}
