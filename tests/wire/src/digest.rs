//! MD5 (RFC 1321) and HMAC (RFC 2104), written from the standards alone: by them a client knows a Reconfigure
//! (RFC 9915, section 20.4).

/// How far each step of a round rotates.
const ROTATIONS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

fn md5(bytes: &[u8]) -> [u8; 16] {
    let bits = 8 * bytes.len() as u64;
    let mut padded = [bytes, &[0x80]].concat();
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend(bits.to_le_bytes());
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks(64) {
        let words: Vec<u32> = block
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect();
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mixed, word) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let constant = (((step + 1) as f64).sin().abs() * 2f64.powi(32)) as u32;
            let sum = a.wrapping_add(mixed).wrapping_add(constant).wrapping_add(words[word]);
            let next = b.wrapping_add(sum.rotate_left(ROTATIONS[step / 16][step % 4]));
            (a, b, c, d) = (d, next, b, c);
        }
        for (word, more) in state.iter_mut().zip([a, b, c, d]) {
            *word = word.wrapping_add(more);
        }
    }
    let bytes: Vec<u8> = state.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.try_into().unwrap()
}

/// The HMAC-MD5 of bytes under a key of 64 bytes at most.
pub fn hmac_md5(key: &[u8], bytes: &[u8]) -> [u8; 16] {
    let pad = |with: u8| -> Vec<u8> {
        let mut block = key.to_vec();
        block.resize(64, 0);
        block.iter().map(|byte| byte ^ with).collect()
    };
    let inner = md5(&[&pad(0x36), bytes].concat());
    md5(&[&pad(0x5c)[..], &inner].concat())
}

#[test]
fn the_examples_of_the_standards() {
    let hex = |digest: [u8; 16]| digest.map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(hex(md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(hex(md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
    let digits = b"1234567890".repeat(8);
    assert_eq!(hex(md5(&digits)), "57edf4a22be3c955ac49da2e2107b67a");
    // RFC 2202.
    assert_eq!(
        hex(hmac_md5(&[0x0b; 16], b"Hi There")),
        "9294727a3638bb1c13f48ef8158bfc9d"
    );
    let what = b"what do ya want for nothing?";
    assert_eq!(hex(hmac_md5(b"Jefe", what)), "750c783e6ab0b503eaa86e310a5db738");
}
