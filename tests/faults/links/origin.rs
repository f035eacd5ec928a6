//! Tells which process has opened a connection that was accepted on loopback, from what Linux says of it.

use std::net::SocketAddr;

/// The process that holds the other end of a connection, out of some.
pub fn process(of: &[u32], far: SocketAddr, near: SocketAddr) -> Option<u32> {
    let socket = format!("socket:[{}]", inode(far, near)?);
    of.iter().copied().find(|pid| {
        let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
            return false;
        };
        open.flatten().any(|one| {
            let to = std::fs::read_link(one.path());
            to.is_ok_and(|to| to.as_os_str() == socket.as_str())
        })
    })
}

/// The socket that is bound to `own` and connected to `other`.
fn inode(own: SocketAddr, other: SocketAddr) -> Option<String> {
    let (own, other) = (written(own)?, written(other)?);
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ends = (fields.next()?, fields.next()?);
        (ends == (own.as_str(), other.as_str())).then(|| fields.nth(6).map(str::to_owned))?
    })
}

/// An address as the kernel writes it: the bytes of the address as one number of this machine.
fn written(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let number = u32::from_ne_bytes(address.ip().octets());
    Some(format!("{number:08X}:{:04X}", address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_of_this_process_is_found_and_none_of_another() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = listener.local_addr().unwrap();
        let _held = std::net::TcpStream::connect(near).unwrap();
        let (_accepted, far) = listener.accept().unwrap();
        let own = std::process::id();
        assert_eq!(process(&[1, own], far, near), Some(own));
        assert_eq!(process(&[], far, near), None);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(process(&[own], nobody, near), None);
    }
}
