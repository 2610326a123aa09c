"""make install: what a program outside the tree finds: headers, pkg-config, libraries, and nothing that is not public."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE, timeout=300,
                          **options).stdout


def install(folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run("make", "-s", "-C", ROOT, "install", f"DESTDIR={folder}", "prefix=/usr", env=environment)
    return folder / "usr"


def test_a_program_builds_with_pkg_config_against_what_was_installed(tmp_path):
    usr = install(tmp_path / "root")
    environment = dict(os.environ, PKG_CONFIG_PATH=str(usr / "lib/pkgconfig"),
                       PKG_CONFIG_SYSROOT_DIR=str(tmp_path / "root"))
    flags = run("pkg-config", "--cflags", "--libs", "libloyal", env=environment).split()
    till = tmp_path / "till"
    run("gcc", "-std=gnu11", "-o", till, ROOT / "client-sdk/examples/till.c", *flags)
    done = subprocess.run([till], env=dict(os.environ, LD_LIBRARY_PATH=str(usr / "lib")), stderr=subprocess.PIPE,
                          text=True, timeout=20, check=False)
    assert done.returncode == 2 and "usage: till" in done.stderr
    for page in ("man1/loyalctl.1", "man3/libloyal.3", "man5/loyald.conf.5", "man7/loyald-metrics.7", "man8/loyald.8"):
        assert (usr / "share/man" / page).is_file(), page
    for file in ("loyald/alerts.yml", "bash-completion/completions/loyalctl", "bash-completion/completions/loyald",
                 "zsh/site-functions/_loyalctl", "zsh/site-functions/_loyald"):
        assert (usr / "share" / file).stat().st_size > 0, file
    assert (usr / "lib/libloyal.a").is_file() and (usr / "sbin/loyald").is_file()


def test_the_library_exports_what_its_map_lists_and_no_more(tmp_path):
    usr = install(tmp_path / "root")
    lines = run("nm", "-D", "--defined-only", usr / "lib/libloyal.so.1").splitlines()
    exported = {line.split()[-1].split("@")[0] for line in lines if " T " in line}
    listed = set(re.findall(r"\b(loyal_\w+);", (ROOT / "client-sdk/libloyal.map").read_text()))
    assert exported == listed
