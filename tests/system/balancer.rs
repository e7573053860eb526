//! HTTP by name through balancers that the daemon keeps, with isolation: found, rolled under load, killed, and adopted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use orchestrator_lab::{
    Daemon, Dhclient, Lab, Link, Namespace, Oci, PREFIX, SelfSigned, Settings, oci_program, wait_for,
};
use serde_json::{Value, json};

use crate::services::{file, line, serving_of};
use crate::site::{BINARY, PATIENCE, Site};

/// The time limit of one request.
const REQUEST: Duration = Duration::from_secs(20);

/// A site whose daemon keeps balancers, with these lines in their section.
pub(crate) fn site(lines: &str) -> (Oci, Site) {
    site_with(|_| lines.to_owned())
}

/// The same, with lines that depend on the daemon's directory.
pub(crate) fn site_with(lines: impl FnOnce(&str) -> String) -> (Oci, Site) {
    let lab = Lab::new().unwrap();
    let oci = Oci::start(&lab, &oci_program(BINARY.as_ref()).unwrap()).unwrap();
    oci.import_test_image().unwrap();
    oci.import_balancer_image().unwrap();
    let host = lab.namespace("host").unwrap();
    let settings = |place: &str| {
        let link = Link::new("br0").template("engine = \"oci\"\ngrace = \"0s\"");
        let balancer = format!("[balancer]\n{}\n", lines(place));
        let settings = Settings::new(place).with(&oci.section("")).with(&balancer);
        settings.link(link).text()
    };
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    (oci, Site { lab, host, daemon })
}

/// A client of the link, with its lease.
pub(crate) fn client(site: &Site) -> (Namespace, Dhclient) {
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    (machine, client)
}

/// The addresses of the balancers that serve, once there are as many.
pub(crate) fn balancers(site: &Site, count: usize) -> Vec<Ipv6Addr> {
    let found = wait_for(&format!("{count} balancers"), PATIENCE, || {
        let serving = serving_of(site, "balancer");
        (serving.len() == count).then_some(serving)
    });
    found.into_iter().map(|(_, address)| address.parse().unwrap()).collect()
}

pub(crate) fn deploy(site: &Site, file: &str) {
    let (out, err, code) = line(site, &["deploy", file]);
    assert_eq!(code, 0, "{out}{err}");
}

/// One answer to a request on a connection: its status, its body, and whether the connection can be used again.
fn ask(connection: &mut TcpStream, host: &str, keeps: bool) -> std::io::Result<(u16, String, bool)> {
    let close = if keeps { "keep-alive" } else { "close" };
    write!(
        connection,
        "GET /cgi-bin/hostname HTTP/1.1\r\nHost: {host}\r\nConnection: {close}\r\n\r\n"
    )?;
    let mut reader = BufReader::new(connection);
    let wrong = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut head = String::new();
    let mut lines = Vec::new();
    loop {
        head.clear();
        if reader.read_line(&mut head)? == 0 {
            return Err(wrong("the connection was closed"));
        }
        match head.trim_end() {
            "" => break,
            line => lines.push(line.to_ascii_lowercase()),
        }
    }
    let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| wrong("no status"))?;
    let has = |text: &str| lines.iter().any(|line| line == text);
    let (mut body, mut ends) = (Vec::new(), has("connection: close"));
    if let Some(length) = lines
        .iter()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
    {
        body = vec![0; length];
        reader.read_exact(&mut body)?;
    } else if has("transfer-encoding: chunked") {
        loop {
            head.clear();
            reader.read_line(&mut head)?;
            let size = usize::from_str_radix(head.trim_end(), 16).map_err(|_| wrong("no size of a chunk"))?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            body.extend(&chunk[..size]);
        }
    } else {
        // The end of the connection is that of the answer.
        reader.read_to_end(&mut body)?;
        ends = true;
    }
    let stays = keeps && !ends;
    Ok((status, String::from_utf8_lossy(&body).trim().to_owned(), stays))
}

/// Connects, from the machine whose namespace this thread is in.
fn connect(address: Ipv6Addr, port: u16) -> std::io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&SocketAddr::from((address, port)), REQUEST)?;
    connection.set_read_timeout(Some(REQUEST))?;
    Ok(connection)
}

/// One request by host name, on a connection of its own.
pub(crate) fn get(machine: &Namespace, address: Ipv6Addr, host: &str) -> std::io::Result<(u16, String)> {
    let (status, body, _) = machine.within(|| ask(&mut connect(address, 80)?, host, false))?;
    Ok((status, body))
}

/// Waits until a name is led to some instance by each balancer.
pub(crate) fn is_led(machine: &Namespace, balancers: &[Ipv6Addr], host: &str) {
    for balancer in balancers {
        wait_for(&format!("{host} at {balancer}"), PATIENCE, || {
            get(machine, *balancer, host).ok().filter(|(status, _)| *status == 200)
        });
    }
}

/// Asks for a page all the time, by kept and by new connections, while `work` is done. Returns the number of answers and
/// what failed.
pub(crate) fn under_load<T>(
    machine: &Namespace,
    sockets: &[(Ipv6Addr, u16)],
    host: &str,
    work: impl FnOnce(&AtomicU64) -> T,
) -> (T, u64, Vec<String>) {
    let (stop, answers, failures) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let done = thread::scope(|scope| {
        for number in 0..4 * sockets.len() {
            let (stop, answers, failures) = (&stop, &answers, &failures);
            let ((address, port), keeps) = (sockets[number % sockets.len()], number % 4 < 2);
            scope.spawn(move || {
                machine.within(|| {
                    let mut kept = None;
                    while !stop.load(Ordering::Relaxed) {
                        let connection = match kept.take() {
                            Some(connection) => Ok(connection),
                            None => connect(address, port),
                        };
                        let asked = connection.and_then(|mut connection| {
                            let (status, body, stays) = ask(&mut connection, host, keeps)?;
                            kept = stays.then_some(connection);
                            Ok((status, body))
                        });
                        match asked {
                            Ok((200, _)) => drop(answers.fetch_add(1, Ordering::Relaxed)),
                            other => failures
                                .lock()
                                .unwrap()
                                .push(format!("[{address}]:{port}, kept {keeps}: {other:?}")),
                        }
                    }
                });
            });
        }
        let done = work(&answers);
        stop.store(true, Ordering::Relaxed);
        done
    });
    (done, answers.into_inner(), failures.into_inner().unwrap())
}

/// The containers of balancers, by their reference, each with its process.
fn processes(oci: &Oci, site: &Site) -> BTreeMap<String, u64> {
    let instances = site.daemon.items("/v1/instances").unwrap();
    let of_balancer = |one: &&Value| {
        one["template"]
            .as_str()
            .is_some_and(|name| name.starts_with("service:balancer:"))
    };
    let ids: Vec<&str> = instances
        .iter()
        .filter(of_balancer)
        .filter_map(|one| one["id"].as_str())
        .collect();
    let listed = oci.ask("GET", "/v1/by-hand", None).unwrap();
    let containers = listed.as_array().unwrap().iter();
    let of = |one: &Value| {
        let reference = one["container"]["reference"].as_str()?.to_owned();
        let is_one = ids.iter().any(|id| one.to_string().contains(id));
        is_one.then_some((reference, one["state"]["running"]["pid"].as_u64()?))
    };
    containers.filter_map(of).collect()
}

#[test]
fn a_name_is_led_to_a_service_that_is_rolled_without_a_failed_request_and_survives_kills() {
    let (oci, mut site) = site("count = 2");
    let (machine, mut client) = client(&site);
    let balancers = balancers(&site, 2);
    let sockets: Vec<(Ipv6Addr, u16)> = balancers.iter().map(|address| (*address, 80)).collect();
    let route = "strategy = { drain = \"5s\" }\nroute = [{ host = \"web.example\", port = \"http\" }]";
    deploy(&site, &file(&site, route));
    is_led(&machine, &balancers, "web.example");
    assert_eq!(get(&machine, balancers[0], "other.example").unwrap().0, 404);

    // Another version takes the place of the first one, and no request fails.
    let old = serving_of(&site, "web");
    let second = file(&site, &format!("{route}\nenvironment = {{ MODE = \"two\" }}"));
    let ((), answers, failures) = under_load(&machine, &sockets, "web.example", |answers| {
        let more = |count| {
            let from = answers.load(Ordering::Relaxed);
            wait_for("more answers", PATIENCE, || {
                (answers.load(Ordering::Relaxed) > from + count).then_some(())
            });
        };
        more(100);
        deploy(&site, &second);
        more(100);
    });
    assert!(failures.is_empty(), "{} of {answers}: {}", failures.len(), failures[0]);
    let new = serving_of(&site, "web");
    assert_eq!((new.len(), new.intersection(&old).count()), (2, 0));

    // HAProxy is killed: it serves again from its files, and the daemon finds it.
    let before = processes(&oci, &site);
    assert_eq!(before.len(), 2);
    let (reference, pid) = before.first_key_value().unwrap();
    oci.ask("POST", &format!("/v1/by-hand/{reference}"), Some(&json!("kill")))
        .unwrap();
    wait_for("another process", PATIENCE, || {
        processes(&oci, &site)
            .get(reference)
            .is_some_and(|now| now != pid)
            .then_some(())
    });
    is_led(&machine, &balancers, "web.example");

    // The daemon is killed: requests go on, and the next one leads on.
    site.daemon.kill9();
    let ((), answers, failures) = under_load(&machine, &sockets, "web.example", |_| {
        site.daemon.resume().unwrap();
        site.daemon.wait_until_ready(PATIENCE).unwrap();
        wait_for("the instances to serve again", PATIENCE, || {
            (serving_of(&site, "web") == new).then_some(())
        });
    });
    assert!(failures.is_empty(), "{} of {answers}: {}", failures.len(), failures[0]);
    let (out, err, code) = line(&site, &["bump", "web"]);
    assert_eq!(code, 0, "{out}{err}");
    is_led(&machine, &balancers, "web.example");
    assert_eq!(serving_of(&site, "web").intersection(&new).count(), 0);

    let (_, err, code) = line(&site, &["undeploy", "web"]);
    assert_eq!(code, 0, "{err}");
    for balancer in &balancers {
        wait_for("the name to be gone", PATIENCE, || {
            get(&machine, *balancer, "web.example")
                .ok()
                .filter(|(status, _)| *status == 404)
        });
    }
    client.release().unwrap();
}

/// Opens a page by TLS, and trusts only this certificate. Returns the body, or what curl says.
pub(crate) fn get_by_tls(machine: &Namespace, balancer: Ipv6Addr, host: &str, trusted: &str) -> Result<String, String> {
    let (resolve, url) = (format!("{host}:443:[{balancer}]"), format!("https://{host}/"));
    let words = ["-sS", "-m", "10", "--cacert", trusted, "--resolve", &resolve, &url];
    machine.run("curl", &words).map_err(|fault| fault.to_string())
}

/// A certificate for a name, which trusts itself, in two files.
fn make_certificate(site: &Site, host: &str, certificate: &str, key: &str) {
    let made = SelfSigned {
        certificate: certificate.as_ref(),
        key: key.as_ref(),
        alternative: &format!("DNS:{host}"),
        extensions: &[],
    };
    made.make(site.host.command("openssl")).unwrap();
}

#[test]
fn routes_have_certificates_of_our_own_authority_and_of_files_that_are_read_again() {
    let (_oci, site) = site("");
    let (machine, _client) = client(&site);
    let balancer = balancers(&site, 1)[0];
    let place = |name: &str| site.daemon.place().join(name).display().to_string();
    let (certificate, key) = (place("files.pem"), place("files.key"));
    make_certificate(&site, "files.example", &certificate, &key);
    let routes = format!(
        "route = [{{ host = \"own.example\", tls = \"own-ca\" }}, {{ host = \"files.example\", \
         tls = {{ certificate = \"{certificate}\", key = \"{key}\" }} }}]"
    );
    deploy(&site, &file(&site, &routes));
    wait_for("the name by our own authority", PATIENCE, || {
        let settings = site.daemon.place().join("settings.toml").display().to_string();
        let (authority, _, _) = line(&site, &["secrets", "--settings", &settings, "ca"]);
        fs::write(place("ca.pem"), authority).unwrap();
        get_by_tls(&machine, balancer, "own.example", &place("ca.pem")).ok()
    });
    wait_for("the name by files", PATIENCE, || {
        get_by_tls(&machine, balancer, "files.example", &certificate).ok()
    });
    assert!(get_by_tls(&machine, balancer, "files.example", &place("ca.pem")).is_err());
    let (status, _) = get(&machine, balancer, "own.example").unwrap();
    assert_eq!(status, 308, "without TLS it is redirected");

    // Other files take effect without a restart of anything.
    let before = fs::read(&certificate).unwrap();
    fs::write(place("old.pem"), before).unwrap();
    make_certificate(&site, "files.example", &certificate, &key);
    wait_for("the other certificate", PATIENCE, || {
        get_by_tls(&machine, balancer, "files.example", &certificate).ok()
    });
    assert!(get_by_tls(&machine, balancer, "files.example", &place("old.pem")).is_err());
    // What is no certificate is reported, and the good one is still shown.
    fs::write(&certificate, "nothing").unwrap();
    wait_for("the condition", PATIENCE, || {
        let (_, ready) = site.daemon.api("GET", "/v1/ready").ok()?;
        ready.to_string().contains("files.example: ").then_some(())
    });
    make_certificate(&site, "files.example", &place("other.pem"), &place("other.key"));
    get_by_tls(&machine, balancer, "own.example", &place("ca.pem")).unwrap();
    // The certificate stays on record as long as a service names its route.
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let remove = || {
        line(
            &site,
            &[
                "secrets",
                "--settings",
                &settings,
                "rm",
                "certificate/route/own.example",
            ],
        )
    };
    let (_, err, code) = remove();
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("service web has a route for own.example"), "{err}");
    let (_, err, code) = line(&site, &["undeploy", "web"]);
    assert_eq!(code, 0, "{err}");
    let (out, err, _) = remove();
    assert_eq!(out, "removed certificate/route/own.example\n", "{err}");
    let log = site.daemon.log();
    assert!(!log.contains("PRIVATE KEY"), "no key is shown");
}

#[test]
fn a_virtual_address_is_on_the_link_leads_to_a_service_and_goes_with_it() {
    let (_oci, mut site) = site("count = 0");
    let (machine, _client) = client(&site);
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    let address: Ipv6Addr = format!("{PREFIX}::aa").parse().unwrap();
    let listen =
        format!("strategy = {{ drain = \"5s\" }}\nlisten = [{{ address = \"[{address}]:8000\", port = \"http\" }}]");
    deploy(&site, &file(&site, &listen));
    let is_there = |site: &Site| {
        let held = site.host.addresses("br0").unwrap();
        held.iter().any(|held| held.ip == address)
    };
    wait_for("the page by the virtual address", PATIENCE, || {
        machine.get(address, 8000, "/").ok().filter(|page| page.status == 200)
    });
    assert!(is_there(&site));
    // The instances are replaced, and the daemon is killed, and no connection fails.
    let second = file(&site, &format!("{listen}\nenvironment = {{ MODE = \"two\" }}"));
    let sockets = [(address, 8000)];
    let ((), answers, failures) = under_load(&machine, &sockets, "web.example", |answers| {
        let more = |count| {
            let from = answers.load(Ordering::Relaxed);
            wait_for("more answers", PATIENCE, || {
                (answers.load(Ordering::Relaxed) > from + count).then_some(())
            });
        };
        more(50);
        // The kernel forgets all neighbours on the bridge, and no instance is taken for disturbed.
        site.host.ip("link set br0 address 02:00:00:00:77:01").unwrap();
        more(50);
        deploy(&site, &second);
        more(50);
        assert!(!site.daemon.log().contains("disturbed"), "{}", site.daemon.log());
        site.daemon.kill9();
        more(50);
        site.daemon.resume().unwrap();
        site.daemon.wait_until_ready(PATIENCE).unwrap();
        wait_for("both to serve", PATIENCE, || {
            (serving_of(&site, "web").len() == 2).then_some(())
        });
        more(50);
    });
    assert!(failures.is_empty(), "{} of {answers}: {}", failures.len(), failures[0]);
    assert!(is_there(&site));
    let (_, err, code) = line(&site, &["undeploy", "web"]);
    assert_eq!(code, 0, "{err}");
    wait_for("the address to go", PATIENCE, || (!is_there(&site)).then_some(()));

    // An address that a client may get is refused.
    let taken = file(
        &site,
        &format!("listen = [{{ address = \"[{PREFIX}::1:5]:80\", port = \"http\" }}]"),
    );
    let (_, err, code) = line(&site, &["deploy", &taken]);
    assert!(code != 0 && err.contains("a client of link br0"), "{err}");
}
