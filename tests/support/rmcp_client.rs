//! A console of its own for RMCP+ with cipher suite 3, for what real clients cannot send:
//! any request, at any address, thousands per second.
//!
//! Written against the specification (IPMI 2.0 chapter 13) and not against the library, so
//! that the two check each other.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::NoPadding};
use hmac::{Hmac, Mac};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha1::Sha1;

use super::vm_host::checksum;

const BMC_ADDRESS: u8 = 0x20;
const CONSOLE_ADDRESS: u8 = 0x81;
const INTEGRITY_LENGTH: usize = 12;

const IPMI: u8 = 0x00;
const SOL: u8 = 0x01;
const OPEN_REQUEST: u8 = 0x10;
const OPEN_RESPONSE: u8 = 0x11;
const RAKP1: u8 = 0x12;
const RAKP2: u8 = 0x13;
const RAKP3: u8 = 0x14;
const RAKP4: u8 = 0x15;
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;

/// An open session.
pub struct RmcpClient {
    socket: UdpSocket,
    session: u32,
    console_session: u32,
    sequence: u32,
    requester_sequence: u8,
    keys: Keys,
    random: StdRng,
    /// Its session is not closed.
    left: bool,
}

/// The keys of a session.
#[derive(Clone)]
pub struct Keys {
    /// The session integrity key.
    pub sik: [u8; 20],
    /// K1, the key of the integrity code.
    pub k1: [u8; 20],
    /// The key of AES.
    pub aes: [u8; 16],
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Completion code and data.
    Answer(Vec<u8>),
    /// Send Message itself was refused with this completion code.
    SendRefused(u8),
    /// Nothing in time.
    Silence,
}

impl RmcpClient {
    /// Opens a session and raises it to the privilege asked for.
    pub fn open(port: u16, user: &str, password: &str, privilege: u8) -> Result<Self, String> {
        Self::open_from(Ipv4Addr::LOCALHOST, port, user, password, privilege)
    }

    /// The same from another address of this machine.
    pub fn open_from(address: Ipv4Addr, port: u16, user: &str, password: &str, privilege: u8) -> Result<Self, String> {
        Self::open_with(StdRng::from_os_rng(), (address, port), user, password, privilege)
    }

    /// The same with what is drawn by lot from a seed, so that all it says is the same each time.
    pub fn open_seeded(seed: u64, port: u16, user: &str, password: &str, privilege: u8) -> Result<Self, String> {
        Self::open_with(StdRng::seed_from_u64(seed), (Ipv4Addr::LOCALHOST, port), user, password, privilege)
    }

    fn open_with(
        mut random: StdRng,
        (address, port): (Ipv4Addr, u16),
        user: &str,
        password: &str,
        privilege: u8,
    ) -> Result<Self, String> {
        let socket = UdpSocket::bind((address, 0)).map_err(|why| why.to_string())?;
        socket.connect((Ipv4Addr::LOCALHOST, port)).map_err(|why| why.to_string())?;
        let console_session: u32 = random.random::<u32>() | 1;

        let mut open = vec![1, privilege, 0, 0];
        open.extend_from_slice(&console_session.to_le_bytes());
        for kind in 0..3 {
            // Algorithm 1 of each kind: RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
            open.extend_from_slice(&[kind, 0, 0, 8, 1, 0, 0, 0]);
        }
        let opened = exchange(&socket, OPEN_REQUEST, &open, OPEN_RESPONSE)?;
        expect_status("Open Session", &opened)?;
        let session = u32::from_le_bytes(array(&opened, 8)?);

        let console_random: [u8; 16] = random.random();
        let role = 0x10 | privilege;
        let mut identity = vec![role, user.len() as u8];
        identity.extend_from_slice(user.as_bytes());
        let mut rakp1 = vec![2, 0, 0, 0];
        rakp1.extend_from_slice(&session.to_le_bytes());
        rakp1.extend_from_slice(&console_random);
        rakp1.extend_from_slice(&[role, 0, 0, user.len() as u8]);
        rakp1.extend_from_slice(user.as_bytes());
        let rakp2 = exchange(&socket, RAKP1, &rakp1, RAKP2)?;
        expect_status("RAKP 2", &rakp2)?;
        let bmc_random: [u8; 16] = array(&rakp2, 8)?;
        let guid: [u8; 16] = array(&rakp2, 24)?;
        let code: [u8; 20] = array(&rakp2, 40)?;

        let mut key = [0; 20];
        for (to, from) in key.iter_mut().zip(password.bytes()) {
            *to = from;
        }
        let (console_id, bmc_id) = (console_session.to_le_bytes(), session.to_le_bytes());
        let wanted = sha1(&key, &[&console_id, &bmc_id, &console_random, &bmc_random, &guid, &identity]);
        if code != wanted {
            return Err("RAKP 2: wrong key exchange code (password?)".to_owned());
        }
        let sik = sha1(&key, &[&console_random, &bmc_random, &identity]);
        let mut rakp3 = vec![3, 0, 0, 0];
        rakp3.extend_from_slice(&bmc_id);
        rakp3.extend_from_slice(&sha1(&key, &[&bmc_random, &console_id, &identity]));
        let rakp4 = exchange(&socket, RAKP3, &rakp3, RAKP4)?;
        expect_status("RAKP 4", &rakp4)?;
        if rakp4.get(8..20) != Some(&sha1(&sik, &[&console_random, &bmc_id, &guid])[..12]) {
            return Err("RAKP 4: wrong integrity check value".to_owned());
        }

        let mut aes = [0; 16];
        aes.copy_from_slice(&sha1(&sik, &[&[2; 20]])[..16]);
        let mut client = Self {
            socket,
            session,
            console_session,
            sequence: 0,
            requester_sequence: 0,
            keys: Keys { sik, k1: sha1(&sik, &[&[1; 20]]), aes },
            random,
            left: false,
        };
        match client.request(6 << 2, 0x3b, &[privilege]) {
            Response::Answer(answer) if answer.first() == Some(&0) => Ok(client),
            other => Err(format!("Set Session Privilege: {other:02x?}")),
        }
    }

    /// Sends a request to the BMC itself, three times if need be.
    pub fn request(&mut self, netfn_lun: u8, command: u8, data: &[u8]) -> Response {
        self.request_within(netfn_lun, command, data, Duration::from_secs(1), 3)
    }

    /// The same with a time limit of its own.
    pub fn request_within(&mut self, netfn_lun: u8, command: u8, data: &[u8], limit: Duration, tries: u32) -> Response {
        let sequence = self.next_requester_sequence();
        let message = ipmb_message(BMC_ADDRESS, netfn_lun, CONSOLE_ADDRESS, sequence << 2, command, data);
        for _ in 0..tries {
            self.send(&message);
            let end = Instant::now() + limit;
            while let Some(answer) = self.receive(end) {
                if answer[1] >> 2 == (netfn_lun >> 2) | 1 && answer[4] >> 2 == sequence && answer[5] == command {
                    return Response::Answer(answer[6..answer.len() - 1].to_vec());
                }
            }
        }
        Response::Silence
    }

    /// Sends a request to another controller: in a Send Message to channel 0 with tracking.
    pub fn bridged(&mut self, address: u8, netfn_lun: u8, command: u8, data: &[u8]) -> Response {
        let sequence = self.next_requester_sequence();
        // Both requests carry one sequence number: 2.0.33 answers the inner request with
        // the number of the outer one.
        let inner = ipmb_message(address, netfn_lun, BMC_ADDRESS, sequence << 2, command, data);
        let mut wrapped = vec![0x40];
        wrapped.extend_from_slice(&inner);
        let message = ipmb_message(BMC_ADDRESS, 6 << 2, CONSOLE_ADDRESS, sequence << 2, 0x34, &wrapped);
        self.send(&message);
        let end = Instant::now() + Duration::from_secs(1);
        while let Some(answer) = self.receive(end) {
            if answer[1] >> 2 == 7 && answer[4] >> 2 == sequence && answer[5] == 0x34 {
                match answer[6] {
                    0 if answer.len() > 15 => {
                        return Response::Answer(answer[13..answer.len() - 2].to_vec());
                    }
                    0 => {}
                    refused => return Response::SendRefused(refused),
                }
            } else if answer[1] >> 2 == (netfn_lun >> 2) | 1 && answer[4] >> 2 == sequence && answer[5] == command {
                return Response::Answer(answer[6..answer.len() - 1].to_vec());
            }
        }
        Response::Silence
    }

    fn next_requester_sequence(&mut self) -> u8 {
        self.requester_sequence = (self.requester_sequence + 1) & 0x3f;
        self.requester_sequence
    }

    fn send(&mut self, message: &[u8]) {
        let packet = self.seal(message);
        // A port that is gone shows when nothing comes back.
        let _ = self.socket.send(&packet);
    }

    /// The keys of the session.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Vanishes without a word; the session stays open.
    pub fn leave(mut self) {
        self.left = true;
    }

    /// The socket of the session, to send what is no packet of it.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// A request message for the BMC with the next requester's sequence number.
    pub fn message(&mut self, netfn_lun: u8, command: u8, data: &[u8]) -> Vec<u8> {
        let sequence = self.next_requester_sequence();
        ipmb_message(BMC_ADDRESS, netfn_lun, CONSOLE_ADDRESS, sequence << 2, command, data)
    }

    /// The next packet of the session, with a message in it.
    pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        self.seal_payload(IPMI, message)
    }

    fn seal_payload(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let mut body = payload.to_vec();
        let pad = 15 - body.len() % 16;
        body.extend(1..=pad as u8);
        body.push(pad as u8);
        self.seal_padded(payload_type, body)
    }

    /// The session's id, as the BMC knows it.
    pub fn session(&self) -> u32 {
        self.session
    }

    /// Sends a SOL packet: header and characters.
    pub fn send_sol(&mut self, packet: &[u8]) {
        let packet = self.seal_payload(SOL, packet);
        let _ = self.socket.send(&packet);
    }

    /// The next SOL packet of this session, header and characters.
    pub fn receive_sol(&mut self, end: Instant) -> Option<Vec<u8>> {
        self.receive_payload(SOL, end)
    }

    /// Forgets the session without a word, as a client that was killed does.
    pub fn vanish(mut self) {
        self.session = 0;
    }

    /// The next packet of the session, of any payload type and with any pad; whole blocks of
    /// 16 bytes are encrypted, the rest goes as it is.
    pub fn seal_padded(&mut self, payload_type: u8, mut body: Vec<u8>) -> Vec<u8> {
        self.sequence += 1;
        let iv: [u8; 16] = self.random.random();
        let length = body.len() & !15;
        cbc::Encryptor::<aes::Aes128>::new(&self.keys.aes.into(), &iv.into())
            .encrypt_padded_mut::<NoPadding>(&mut body[..length], length)
            .expect("whole blocks");
        let mut payload = iv.to_vec();
        payload.extend_from_slice(&body);
        let kind = payload_type | ENCRYPTED | AUTHENTICATED;
        let mut packet = packet(kind, self.session, self.sequence, &payload);
        let pad = (4 - (packet.len() - 4 + 2) % 4) % 4;
        packet.extend(std::iter::repeat_n(0xff, pad));
        packet.extend_from_slice(&[pad as u8, 7]);
        let code = sha1(&self.keys.k1, &[&packet[4..]]);
        packet.extend_from_slice(&code[..INTEGRITY_LENGTH]);
        packet
    }

    /// The next IPMI message of this session; what does not belong to it is passed over.
    fn receive(&mut self, end: Instant) -> Option<Vec<u8>> {
        self.receive_payload(IPMI, end)
    }

    fn receive_payload(&mut self, payload_type: u8, end: Instant) -> Option<Vec<u8>> {
        let mut datagram = [0; 2048];
        loop {
            let left = end.checked_duration_since(Instant::now()).filter(|d| !d.is_zero())?;
            self.socket.set_read_timeout(Some(left)).ok()?;
            let count = self.socket.recv(&mut datagram).ok()?;
            if let Some(message) = self.unpack(payload_type, &datagram[..count]) {
                return Some(message);
            }
        }
    }

    fn unpack(&self, payload_type: u8, datagram: &[u8]) -> Option<Vec<u8>> {
        let kind = *datagram.get(5)?;
        let session = u32::from_le_bytes(array(datagram, 6).ok()?);
        let length = usize::from(u16::from_le_bytes(array(datagram, 14).ok()?));
        if datagram[4] != 6 || kind != payload_type | ENCRYPTED | AUTHENTICATED || session != self.console_session {
            return None;
        }
        let (covered, code) = datagram.split_at_checked(datagram.len() - INTEGRITY_LENGTH)?;
        if sha1(&self.keys.k1, &[&covered[4..]])[..INTEGRITY_LENGTH] != *code {
            return None;
        }
        let payload = datagram.get(16..16 + length)?;
        let (iv, body) = payload.split_at_checked(16)?;
        let iv: [u8; 16] = iv.try_into().ok()?;
        let mut body = body.to_vec();
        cbc::Decryptor::<aes::Aes128>::new(&self.keys.aes.into(), &iv.into())
            .decrypt_padded_mut::<NoPadding>(&mut body)
            .ok()?;
        let pad = usize::from(*body.last()?);
        body.truncate(body.len().checked_sub(pad + 1)?);
        (body.len() >= if payload_type == SOL { 4 } else { 8 }).then_some(body)
    }
}

impl Drop for RmcpClient {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        if self.session == 0 {
            return;
        }
        let session = self.session.to_le_bytes();
        self.request_within(6 << 2, 0x3c, &session, Duration::from_millis(200), 1);
    }
}

/// An IPMB-style message with both checksums.
fn ipmb_message(to: u8, netfn_lun: u8, from: u8, sequence_lun: u8, command: u8, data: &[u8]) -> Vec<u8> {
    let mut message = vec![to, netfn_lun];
    message.push(checksum(&message));
    message.extend_from_slice(&[from, sequence_lun, command]);
    message.extend_from_slice(data);
    message.push(checksum(&message[3..]));
    message
}

fn packet(kind: u8, session: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![6, 0, 0xff, 7, 6, kind];
    packet.extend_from_slice(&session.to_le_bytes());
    packet.extend_from_slice(&sequence.to_le_bytes());
    packet.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// One step of the session set-up.
fn exchange(socket: &UdpSocket, kind: u8, payload: &[u8], want: u8) -> Result<Vec<u8>, String> {
    let packet = packet(kind, 0, 0, payload);
    let mut datagram = [0; 2048];
    for _ in 0..4 {
        let _ = socket.send(&packet);
        let end = Instant::now() + Duration::from_secs(1);
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            socket.set_read_timeout(Some(left)).map_err(|why| why.to_string())?;
            match socket.recv(&mut datagram) {
                Ok(count) if count > 16 && datagram[4] == 6 && datagram[5] & 0x3f == want => {
                    return Ok(datagram[16..count].to_vec());
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
    Err(format!("no answer to the set-up message of type {kind:02x}h"))
}

fn expect_status(step: &str, payload: &[u8]) -> Result<(), String> {
    match payload.get(1) {
        Some(0) => Ok(()),
        status => Err(format!("{step}: status {status:02x?}")),
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], String> {
    bytes.get(at..at + N).and_then(|piece| piece.try_into().ok()).ok_or_else(|| format!("too short: {bytes:02x?}"))
}

fn sha1(key: &[u8], pieces: &[&[u8]]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("any key length");
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}
