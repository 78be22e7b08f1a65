//! A session with its socket.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use ipmi_sim::host::random::SystemRandom;
use ipmi_sim::ipmi::netfn;
use ipmi_sim::wire::session20::PayloadType;
use ipmi_sim_client::{ADMINISTRATOR, Account, CLOSE_SESSION, SET_SESSION_PRIVILEGE_LEVEL, Session, Way, request};

use super::Result;

/// How long a response is waited for.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How often something is sent that is not answered.
const TRIES: usize = 4;

/// Where and as whom to log in.
#[derive(Clone, Debug, clap::Args)]
pub struct Target {
    /// UDP port of the loopback address
    pub port: u16,
    /// The kind of session: the number of a cipher suite, or md5 for IPMI 1.5
    #[arg(long, default_value = "3")]
    pub way: Way,
    /// The user
    #[arg(long, default_value = "admin")]
    pub user: String,
    /// The user's password
    #[arg(long, default_value = "admin")]
    pub password: String,
}

impl Target {
    /// The user of the configuration that [`compare`](super::compare) measures with.
    pub fn new(port: u16, way: Way) -> Self {
        Self { port, way, user: "admin".into(), password: "admin".into() }
    }
}

/// A socket for a port of the loopback address whose reads end after [`PATIENCE`].
pub fn connect(port: u16) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Takes a datagram; `None` when none comes in time.
fn receive(socket: &UdpSocket, datagram: &mut [u8]) -> Result<Option<usize>> {
    match socket.recv(datagram) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
        length => Ok(Some(length?)),
    }
}

/// An open session.
pub struct Connection {
    /// Its socket, whose reads end after [`PATIENCE`].
    pub socket: UdpSocket,
    /// Its keys and numbers.
    pub session: Session,
    random: SystemRandom,
    packet: Vec<u8>,
}

impl Connection {
    /// Connects, logs in and becomes an administrator.
    pub fn open(target: &Target) -> Result<Self> {
        Self::open_on(connect(target.port)?, target)
    }

    /// The same on a socket that is connected.
    pub fn open_on(socket: UdpSocket, target: &Target) -> Result<Self> {
        let mut random = SystemRandom::new()?;
        let account = Account::new(&target.user, &target.password);
        let session = Session::login(target.way, account, &mut random, |datagram| -> Result<Vec<u8>> {
            let mut answer = vec![0; 1024];
            for _ in 0..TRIES {
                socket.send(datagram)?;
                if let Some(length) = receive(&socket, &mut answer)? {
                    answer.truncate(length);
                    return Ok(answer);
                }
            }
            Err("no answer to a login".into())
        })?;
        let mut connection = Self { socket, session, random, packet: Vec::new() };
        connection.command(SET_SESSION_PRIVILEGE_LEVEL, &[ADMINISTRATOR])?;
        Ok(connection)
    }

    /// Sends a request; does not wait.
    pub fn send(&mut self, seq: u8, netfn: u8, cmd: u8, data: &[u8]) -> Result<()> {
        self.send_payload(PayloadType::Ipmi, |out| request(seq, netfn, cmd, data).emit(out))
    }

    /// Sends what `payload` appends.
    pub fn send_payload(&mut self, payload_type: PayloadType, payload: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.packet.clear();
        self.session.seal(payload_type, &mut self.random, &mut self.packet, payload);
        self.socket.send(&self.packet)?;
        Ok(())
    }

    /// Sends a command of network function App and waits for its response, more than once if it is lost;
    /// passes over SOL packets.
    pub fn command(&mut self, cmd: u8, data: &[u8]) -> Result<Vec<u8>> {
        Ok(self.ask(cmd, data)?.ok_or_else(|| format!("no answer to command {cmd:#04x}"))?)
    }

    fn ask(&mut self, cmd: u8, data: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut datagram = [0; 1024];
        for _ in 0..TRIES {
            self.send(0, netfn::APP, cmd, data)?;
            let end = Instant::now() + PATIENCE;
            while Instant::now() < end {
                let Some(length) = receive(&self.socket, &mut datagram)? else { break };
                let opened = self.session.open_unverified(&mut datagram[..length])?;
                if opened.payload_type != PayloadType::Ipmi {
                    continue;
                }
                match opened.response()? {
                    response if response.seq != 0 => {}
                    response => return Ok(Some(response.done()?.data.to_vec())),
                }
            }
        }
        Ok(None)
    }

    /// Closes the session; gives the socket back. A lost answer cannot be asked for again: the session
    /// is over.
    pub fn close(mut self) -> Result<UdpSocket> {
        let id = self.session.id.to_le_bytes();
        self.ask(CLOSE_SESSION, &id)?;
        Ok(self.socket)
    }
}
