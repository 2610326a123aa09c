"""The bench's row `idle`: what a connection costs that has said Hello and then nothing, beside bare OpenSSL, nginx and
Mosquitto with the same certificates and mutual TLS 1.3. Memory is the growth of the servers' proportional set size, after
some connections have come and gone; what both ends take in the kernel is told apart. Called by `run`."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

from bench import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
# pylint: disable=wrong-import-position
from support.paths import wait_for  # noqa: E402
from support.peers import Peers, kernel_bytes, memory_kb, tree_of  # noqa: E402
from support.stack import Bundle, free_port  # noqa: E402

WARM = 200
SETTLE_S = 1.5

NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {folder}/nginx.pid; error_log stderr crit; {user}
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_timeout 900s; ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
    ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_client_certificate {authority}; ssl_verify_client on;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
    scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port} ssl backlog=4096; location / {{ return 200 "!"; }} }}
}}
"""

MOSQUITTO = """
listener {port} 127.0.0.1
certfile {certificate}
keyfile {key}
cafile {authority}
require_certificate true
tls_version tlsv1.3
allow_anonymous true
persistence false
log_dest none
max_connections -1
set_tcp_nodelay true
{user}
"""


def grown(pids, port, bundle, count, greeting, merchant=""):
    """Bytes a connection."""
    with Peers(port, "tls", WARM, bundle, greeting=greeting, merchant=merchant) as warm:
        assert warm.tried()["greeted"] == WARM
    time.sleep(SETTLE_S)
    before, kernel = sum(map(memory_kb, pids)), kernel_bytes()
    with Peers(port, "tls", count, bundle, greeting=greeting, merchant=merchant) as peers:
        report = peers.tried(180)
        if report["greeted"] != count:
            raise SystemExit(f"bench: idle connections: {report}")
        time.sleep(SETTLE_S)
        row = {"bytes_per_connection": (sum(map(memory_kb, pids)) - before) * 1024 / count}
        if kernel:
            row["kernel_bytes_both_ends"] = (kernel_bytes() - kernel) / count
        assert peers.end()["ended"] == 0, "a server ended idle connections"
    return row


@contextlib.contextmanager
def running(command):
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def listens(port):
    with open("/proc/net/tcp", encoding="ascii") as file:
        return f":{port:04X} 00000000:0000 0A" in file.read()


def beside(command, port, bundle, count, greeting):
    with running(command) as process:
        wait_for(lambda: listens(port), f"{command[0]} listens")
        time.sleep(0.5)
        return grown(tree_of(process.pid), port, bundle, count, greeting)


def configured(program, text, folder, files, user):
    """Its command line with a configuration, or None where it is not installed."""
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    port = free_port()
    if not path:
        return None, port
    conf = pathlib.Path(folder) / f"{program}.conf"
    conf.write_text(text.format(folder=folder, port=port, user=user if os.geteuid() == 0 else "", **files))
    return [path, "-c", conf], port


def measure(stack, count, folder):
    """Of a stack that is prepared: its daemon, and then the others."""
    mine = stack.folder / "bundles/bench-0"
    bundle = Bundle(mine, "terminal", stack.folder / "ca/authority.crt")
    files = {"certificate": stack.folder / "server/server.crt", "key": stack.folder / "server/server.key", "authority": bundle.authority}
    workers = tree_of(stack.daemon())[1:]
    row = {"name": "idle", "connections": count, **grown(workers, stack.port, bundle, count, "loyal", "bench-0")}
    port = free_port()
    others = {"openssl": beside([BUILD / "tests/bench/idle_tls", port, *files.values()], port, bundle, count, "loyal")}
    for program, text, greeting, user in (("nginx", NGINX, "http", "user root;"), ("mosquitto", MOSQUITTO, "mqtt", "user root")):
        command, port = configured(program, text, folder, files, user)
        others[program] = beside(command, port, bundle, count, greeting) if command else None
    return {**row, "beside": others}


def show(row):
    def text(found):
        if not found:
            return "not installed"
        kernel = found.get("kernel_bytes_both_ends")
        return f"{found['bytes_per_connection'] / 1024:.1f} KB" + (f" (kernel, both ends: {kernel / 1024:.1f})" if kernel else "")
    print(f"\nidle: {row['connections']:,} connections, mutual TLS 1.3, greeted: {text(row)}; "
          + "; ".join(f"{name} {text(found)}" for name, found in row["beside"].items()))
