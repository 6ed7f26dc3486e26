//! The loop over batches of nonces, for whatever vectors the module that expands it has.

/// Expands to `scan`, for a module that has, for vectors `Vector` of `LANES` words: `splat`, `add`, `message_words`,
/// `small_sigma0`, `small_sigma1`, `big_sigma0`, `big_sigma1`, `choice`, `majority`, `lanes_without`.
macro_rules! vector_loop {
    ($features:literal) => {
        /// Scans batches until one has a candidate.
        #[target_feature(enable = $features)]
        pub(super) fn scan<const M: usize>(work: &Work<M>, first: u32, batches: u32) -> Stop<M> {
            let (mut nonce, mut left) = (first, batches);
            loop {
                let word = message_words(nonce);
                let schedule = second_chunk(&work.chunk, word);
                let mut lanes = [0; M];
                let mut any = 0;
                for index in 0..M {
                    let digest = first_hash(&work.starts[index], &work.chunk, word, &schedule);
                    lanes[index] = lanes_without(second_hash(digest), work.filter);
                    any |= lanes[index];
                }
                left -= 1;
                if any != 0 || left == 0 {
                    return Stop { first: nonce, lanes };
                }
                nonce = nonce.wrapping_add(LANES);
            }
        }

        /// Words 16 to 63 of the second chunk, with their constants.
        #[inline]
        #[target_feature(enable = $features)]
        fn second_chunk(chunk: &[u32; 16], word: Vector) -> [Vector; 48] {
            let mut w = [word; 16];
            for i in 0..16 {
                if i != 3 {
                    w[i] = splat(chunk[i]);
                }
            }
            let mut schedule = [word; 48];
            for i in 0..48 {
                step(&mut w, i & 15);
                schedule[i] = add(w[i & 15], splat(K[i + 16]));
            }
            schedule
        }

        /// The digest of the first hash.
        #[inline]
        #[target_feature(enable = $features)]
        fn first_hash(start: &Start, chunk: &[u32; 16], word: Vector, schedule: &[Vector; 48]) -> [Vector; 8] {
            let mut state = [word; 8];
            for i in 0..8 {
                state[i] = splat(start.after_round_3[i]);
            }
            state[0] = add(state[0], word);
            state[4] = add(state[4], word);
            for i in 4..16 {
                state = round(state, splat(K[i].wrapping_add(chunk[i])));
            }
            for kw in schedule {
                state = round(state, *kw);
            }
            for i in 0..8 {
                state[i] = add(state[i], splat(start.midstate[i]));
            }
            state
        }

        /// The last word of the second hash: known after round 60.
        #[inline]
        #[target_feature(enable = $features)]
        fn second_hash(digest: [Vector; 8]) -> Vector {
            let mut w = [splat(0); 16];
            for i in 0..8 {
                w[i] = digest[i];
            }
            w[8] = splat(PAD);
            w[15] = splat(DIGEST_BITS);
            let mut state = [splat(0); 8];
            for i in 0..8 {
                state[i] = splat(IV[i]);
            }
            for i in 0..16 {
                state = round(state, add(w[i], splat(K[i])));
            }
            for i in 16..61 {
                step(&mut w, i & 15);
                state = round(state, add(w[i & 15], splat(K[i])));
            }
            add(state[4], splat(IV[7]))
        }

        /// Replaces word `i` of the window by the one that comes 16 later.
        #[inline]
        #[target_feature(enable = $features)]
        fn step(w: &mut [Vector; 16], i: usize) {
            let old = add(add(w[i], w[(i + 9) & 15]), small_sigma0(w[(i + 1) & 15]));
            w[i] = add(old, small_sigma1(w[(i + 14) & 15]));
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn round(state: [Vector; 8], kw: Vector) -> [Vector; 8] {
            let [a, b, c, d, e, f, g, h] = state;
            let t1 = add(add(h, kw), add(big_sigma1(e), choice(e, f, g)));
            let t2 = add(big_sigma0(a), majority(a, b, c));
            [add(t1, t2), a, b, c, add(d, t1), e, f, g]
        }
    };
}

pub(super) use vector_loop;
